"""Fine-tuning of a quantized student by the float run's own step and loop."""

import copy
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from compress.advice import FirstSteps, advice, usual_images
from compress.by_class import ByClass
from compress.config import INT8_FILE, QatConfig
from compress.deploy_form import DeployGenerator, one_hot
from compress.equalise import equalise
from compress.fake_quant import QuantGenerator
from compress.float_run import FloatRun
from compress.int8_file import save_int8
from compress.ranges import RangeObserver
from compress.reconstruct import reconstruct
from compress.train_on import FineTuneBatches, check_terms, claimed, finished_steps, train_on, training_of
from train.distributed import World
from train.loop import STATE_FILE, Observer
from train.precision import without_tf32
from train.progress import comparison_sheet, draw
from train.run import batch_source
from train.sources import Sources, grid_reference

_GRIDS = 4  # over the whole fine-tuning
_EQUALISING_BATCHES = 8  # the extremes of more hardly differ


@dataclasses.dataclass(frozen=True)
class Result:
    """A fine-tuned student."""

    student: QuantGenerator
    file: Path
    seconds: float | None
    """Of training; None where it was resumed or found finished, so that nobody measured the whole."""


@dataclasses.dataclass
class RangeFreezer(Observer):
    """Freezes the activation ranges after a step; a pure function of the step, so that resuming is exact."""

    student: QuantGenerator
    freeze_step: int

    def start(self, step: int) -> None:
        """Freeze if the step is past."""
        self.after_step(step, {})

    def after_step(self, step: int, terms: dict[str, torch.Tensor]) -> None:
        """Freeze when the step comes."""
        del terms
        if step >= self.freeze_step and not self.student.has_frozen_ranges:
            self.student.freeze_ranges()


@without_tf32()
def finetune(settings: QatConfig, run: FloatRun, sources: Sources, start: QuantGenerator, world: World) -> Result:
    """Fine-tune in `settings.folder`, or go on where it was stopped; leave the int8 file and a picture there.

    Args:
        settings: of the fine-tuning.
        run: what is quantized.
        sources: the run's data.
        start: the calibrated student to begin with; it is not changed.
        world: this process.

    Raises:
        UserError: the folder belongs to other settings, or training blew up.
        Interrupted: told to stop; the state is saved.
    """
    folder, config = settings.folder, settings.float_settings(run.config)
    check_terms(config)
    float_student = copy.deepcopy(run.student).to(world.device)
    target = float_student if settings.losses == "student" else None
    batches = FineTuneBatches(batch_source(config, sources, world), run.config.steps, target)
    student = copy.deepcopy(start)
    training = training_of(ByClass(student), settings, config, run, world)
    averaged: Any = training.average.module
    file = folder / INT8_FILE
    if is_finished(settings, run):
        training.resume(folder / STATE_FILE)  # refuses a state of other settings
        averaged.generator.freeze_ranges()
        return Result(averaged.generator, file, None)
    resumed = (folder / STATE_FILE).is_file()
    reference = grid_reference(sources, run.config.generator.z_dim, run.config.seed)
    freezer = RangeFreezer(student, int(settings.freeze_at * config.steps))
    watching: list[Observer] = [freezer]
    if advice(settings, run):
        watching.append(FirstSteps(world, config.steps, config.optimizer.batch_size, usual_images(run)))
    with claimed(folder, world, ".training.lock"):
        started = time.monotonic()
        train_on(
            training,
            batches,
            folder,
            world,
            reference=reference,
            observers=watching,
            checkpoint_minutes=settings.checkpoint_minutes,
            grids=_GRIDS,
            beside=[float_student],
        )
        seconds = None if resumed else time.monotonic() - started
        result: QuantGenerator = averaged.generator
        result.freeze_ranges()
        if world.is_main:
            save_int8(
                file, result, dataclasses.replace(run.info, images=run.info.images + config.optimizer.images)
            )
            rows = [draw(student, reference) for student in (float_student, averaged)]
            comparison_sheet(reference, rows, folder / "comparison.png")
    return Result(result, file, seconds)


def calibration_batches(
    settings: QatConfig, run: FloatRun, sources: Sources, world: World
) -> list[tuple[torch.Tensor, ...]]:
    """Return latents and class weights of the first batches; each process sees its own share of them."""
    source, first = batch_source(run.config, sources, world), run.config.steps
    batches = (source.at(first + k) for k in range(settings.calibration_batches))
    return [(batch.z, one_hot(batch.y, run.config.generator.num_classes)) for batch in batches]


def quantize_post_training(
    form: DeployGenerator, settings: QatConfig, batches: Sequence[tuple[torch.Tensor, ...]]
) -> QuantGenerator:
    """Quantize a copy of a float deploy form by calibration alone: a result, and where fine-tuning begins."""
    return quantize(prepare(form, settings, batches), settings, batches, {})


@without_tf32()
def prepare(
    form: DeployGenerator, settings: QatConfig, batches: Sequence[tuple[torch.Tensor, ...]]
) -> DeployGenerator:
    """Return a copy of a float deploy form as it is to be quantized."""
    form = copy.deepcopy(form).eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if settings.equalises:
        equalise(form, batches[:_EQUALISING_BATCHES])
    return form


@without_tf32()
def quantize(
    form: DeployGenerator,
    settings: QatConfig,
    batches: Sequence[tuple[torch.Tensor, ...]],
    observed: dict[str, RangeObserver],
) -> QuantGenerator:
    """Quantize a prepared form; `observed` is that of a call with other bits, or empty, and is filled."""
    student = QuantGenerator(form, settings.quantization())
    student.calibrate(batches, observed)
    if settings.reconstruct:
        reconstruct(student, form, batches)
    return student


def is_finished(settings: QatConfig, run: FloatRun) -> bool:
    """Return whether the fine-tuning in `settings.folder`, of these settings or others, has ended."""
    steps = settings.float_settings(run.config).steps
    return (settings.folder / INT8_FILE).is_file() and finished_steps(settings.folder) == steps
