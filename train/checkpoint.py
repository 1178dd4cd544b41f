"""What a run saves beside its training state: the averaged generator, and the discriminator to go on with."""

import dataclasses
from pathlib import Path

import torch

from train.config import TrainConfig
from train.distributed import World
from train.files import save_tensors
from train.generator import Generator
from train.loop import Training
from train.snapshot import STUDENT_FILE, SnapshotInfo, save_snapshot
from train.sources import Sources
from train.step import unwrap

DISCRIMINATOR_FILE, TEACHER_FOLDER = "discriminator.safetensors", "teacher"


@dataclasses.dataclass
class Outputs:
    """Writes the inference weights whenever the training state is saved; see `train.loop.Observer`."""

    config: TrainConfig
    folder: Path
    world: World
    sources: Sources
    training: Training

    def start(self, step: int) -> None:
        """Nothing to do."""

    def after_step(self, step: int, terms: dict[str, torch.Tensor]) -> None:
        """Nothing to do."""

    def after_save(self, step: int) -> None:
        """Write the inference weights; the last ones are for `train` to write, which may be stopped meanwhile."""
        if self.world.is_main and step < self.config.steps:
            self.write(step)

    def write(self, step: int) -> None:
        """Write the averaged generator, and the discriminator that quantization-aware training goes on with."""
        average, discriminator = self.training.average.module, unwrap(self.training.players.discriminator)
        save_tensors(self.folder / DISCRIMINATOR_FILE, discriminator.state_dict(), {})
        if isinstance(average, Generator):
            info = SnapshotInfo(
                generator=self.config.generator,
                classes={label: self.sources.names[label] for label in self.sources.classes},
                truncation=self.sources.truncation,
                source=self.sources.describe(),
                images=step * self.config.optimizer.batch_size,
            )
            save_snapshot(self.folder / STUDENT_FILE, average, info)
        elif step == self.config.steps:
            average.store(self.folder / TEACHER_FOLDER, self.sources.classes, self.config.seed)  # pyright: ignore
