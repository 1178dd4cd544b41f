"""What a run saves beside its training state: the averaged generator, and the discriminator to go on with."""

import dataclasses
import math
from pathlib import Path

import torch

from train.config import TrainConfig
from train.distributed import World
from train.files import save_tensors
from train.generator import Generator
from train.loop import Observer, Training
from train.snapshot import STUDENT_FILE, SnapshotInfo, save_snapshot
from train.sources import Sources
from train.step import unwrap

DISCRIMINATOR_FILE, TEACHER_FOLDER = "discriminator.safetensors", "teacher"
SNAPSHOTS_FOLDER = "snapshots"


@dataclasses.dataclass
class Outputs(Observer):
    """Writes the inference weights whenever the training state is saved."""

    config: TrainConfig
    folder: Path
    world: World
    sources: Sources
    training: Training

    def after_step(self, step: int, terms: dict[str, torch.Tensor]) -> None:  # noqa: ARG002 (the interface)
        """Keep a snapshot when it is time, the last one too."""
        kept = self.config.runtime.snapshots
        due = kept and (step % math.ceil(self.config.steps / kept) == 0 or step == self.config.steps)
        if due and self.world.is_main:
            self._save(snapshot_file(self.folder, self._images(step)), step)

    def after_save(self, step: int) -> None:
        """Write the inference weights; the last ones are for `train` to write, which may be stopped meanwhile."""
        if self.world.is_main and step < self.config.steps:
            self.write(step)

    def write(self, step: int) -> None:
        """Write the averaged generator, and the discriminator that quantization-aware training goes on with."""
        average, discriminator = self.training.average.module, unwrap(self.training.players.discriminator)
        save_tensors(self.folder / DISCRIMINATOR_FILE, discriminator.state_dict(), {})
        if isinstance(average, Generator):
            self._save(self.folder / STUDENT_FILE, step)
        elif step == self.config.steps:
            average.store(self.folder / TEACHER_FOLDER, self.sources.classes, self.config.seed)  # pyright: ignore

    def _save(self, path: Path, step: int) -> None:
        info = SnapshotInfo(
            generator=self.config.generator,
            classes={label: self.sources.names[label] for label in self.sources.classes},
            truncation=self.sources.truncation,
            source=self.sources.describe(),
            images=self._images(step),
            sampler=self.sources.sampler,
            teacher_classes=self.sources.teacher_classes,
        )
        save_snapshot(path, self.training.average.module, info)

    def _images(self, step: int) -> int:
        return step * self.config.optimizer.batch_size


def snapshot_file(folder: Path, images: int) -> Path:
    """Return where a run keeps its averaged weights after so many images."""
    return folder / SNAPSHOTS_FOLDER / f"images-{images:09d}.safetensors"
