"""Training that goes on from a finished run, by the run's own step and loop: what all later stages share."""

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from compress.float_run import FloatRun
from train.batches import Batch
from train.config import TrainConfig, without_folders
from train.distributed import World
from train.errors import UserError
from train.locks import LOCK_FILE, locked
from train.loop import STATE_FILE, Batches, Observer, Training, fit, load_state
from train.progress import Progress, Reference
from train.run import to_device, training_with

_LOG_ENTRIES = 16  # over the whole training


class FineTuneBatches:
    """The run's batches from where the float training stopped; with `target`, its images are the teacher's."""

    def __init__(self, source: Batches, first_step: int, target: nn.Module | None) -> None:
        self.source, self.first_step, self.target = source, first_step, target

    def at(self, step: int) -> Batch:
        """Return this process's share of a step's batch, on its device."""
        batch = self.source.at(self.first_step + step)
        if self.target is None:
            return batch
        with torch.no_grad():
            return dataclasses.replace(batch, teacher=self.target(batch.z, batch.y), real=None)


def train_on(
    training: Training,
    batches: Batches,
    folder: Path,
    world: World,
    *,
    reference: Reference,
    observers: Sequence[Observer] = (),
    checkpoint_minutes: float,
    grids: int = 0,
    beside: Sequence[nn.Module] = (),
) -> None:
    """Train to the end, or go on where it was stopped, with a progress line, a log and `grids` sample grids.

    Images of the generators `beside`, which stay as they are, are drawn above those of the trained one.

    Raises:
        UserError, Interrupted: as `train.loop.fit`.
    """
    progress = Progress(
        folder,
        world,
        steps=training.steps,
        batch_size=training.optimizer.batch_size,
        log_every=max(1, training.steps // _LOG_ENTRIES),
        grids=grids,
        average=training.average.module,
        reference=reference,
        beside=beside,
    )
    with contextlib.closing(progress):
        watching = [*observers, progress]
        fit(training, batches, folder, world, observers=watching, checkpoint_minutes=checkpoint_minutes)


@contextlib.contextmanager
def claimed(folder: Path, world: World, name: str = LOCK_FILE, doing: str = "quantizes into") -> Iterator[None]:
    """Let this command alone quantize into `folder`, or do there what `doing` says.

    Raises:
        UserError: another one does.
    """
    remedy = "wait until it has ended, or choose another --out"
    with contextlib.ExitStack() as stack:
        if world.is_main:
            stack.enter_context(locked(folder, f"{doing} {folder}", name=name, wait=False, remedy=remedy))
        world.barrier()
        yield


def check_terms(config: TrainConfig) -> None:
    """Raise a UserError if a run has a term that later stages do not train on with."""
    for name in ("mode_seeking", "orthogonal"):
        if value := getattr(config.loss, name):
            raise UserError(
                f"the run's loss.{name} {value} is not carried on here; set it to 0 in the run's config.json to "
                "go on without it"
            )


def finished_steps(folder: Path) -> int:
    """Return how many steps a folder's state has behind it; -1 without a state."""
    path = folder / STATE_FILE
    return int(load_state(path).get("step", -1)) if path.is_file() else -1


class Learned(Protocol):
    """Settings of a stage that trains on."""

    def learned(self) -> dict[str, Any]:
        """Return what decides the result, as plain values."""
        ...


def training_of(
    generator: nn.Module, settings: Learned, config: TrainConfig, run: FloatRun, world: World
) -> Training:
    """Return what `train.loop.fit` needs: the generator, (z, y) → images, and the run's discriminator.

    Args:
        generator: what is trained; its average starts as a copy of it.
        settings: of the stage that trains on.
        config: the run's settings with the fine-tuning's length, losses and learning rates.
        run: the float run.
        world: this process.
    """
    generator.train()
    average = copy.deepcopy(generator).eval().requires_grad_(False)
    discriminator = copy.deepcopy(run.discriminator)
    to_device(world, generator, average, discriminator)
    # A file by its name: it may have moved.
    learned = without_folders(run.config.learned())
    fingerprint = {"settings": settings.learned(), "run": learned, "weights": run.fingerprint}
    # In float32, because in TF32 or half precision the grids would not be the phone's. The first process's ranges
    # are everybody's: each sees another share of the batch.
    return training_with(
        generator, average, discriminator, config, world, fingerprint=fingerprint, sync_buffers=True
    )
