"""Fine-tuning of a found student by the run's own step and loop, from the supernet's critic on."""

import dataclasses
from typing import Any

import torch

from compress.elastic import elastic, extract
from compress.float_run import FloatRun
from compress.found_run import FoundStudent
from compress.intermediate import logged, with_intermediate, without_adapters
from compress.search_config import SearchConfig
from compress.supernet import Supernet
from compress.train_on import FineTuneBatches, claimed, train_on, training_of
from train.distributed import World
from train.generator import Generator
from train.run import batch_source
from train.sources import Sources, grid_reference
from train.step import unwrap

TUNING_FOLDER = "finetune"


@dataclasses.dataclass(frozen=True)
class _Tuned:
    """What decides the result, beside run and supernet; see `compress.train_on.Learned`."""

    values: dict[str, Any]

    def learned(self) -> dict[str, Any]:
        return self.values


def fine_tune(
    settings: SearchConfig, name: str, student: Generator, *, run: FloatRun, supernet: Supernet, sources: Sources
) -> FoundStudent | None:
    """Fine-tune in <out>/<name>/finetune, or go on where it was stopped.

    Args:
        settings: of the search.
        name: of the found student's folder.
        student: with widths of its own, calibrated; it is not changed.
        run: of the full student.
        supernet: that the student was cut out of.
        sources: the run's data.

    Returns:
        The fine-tuned student, whose norms' statistics are those of the training, and its critic; None where the
        settings ask for none.

    Raises:
        UserError: the folder holds something else, or training blew up.
        Interrupted: told to stop; the state is saved.
    """
    config = settings.finetune_settings(run.config)
    if config is None:
        return None
    device = student.input_linear.weight.device
    world, folder = World(0, 1, device), settings.folder / name / TUNING_FOLDER
    begun = dataclasses.replace(run, discriminator=supernet.critic, fingerprint=supernet.fingerprint)
    learner = with_intermediate(elastic(student), supernet.student, settings.intermediate)
    learned = _Tuned(settings.searched() | {"widths": dataclasses.asdict(student.config.widths)})
    training = logged(training_of(learner, learned, config, begun, world))
    batches = FineTuneBatches(batch_source(config, sources, world), run.config.steps, None)
    reference = grid_reference(sources, config.generator.z_dim, config.seed)
    with claimed(folder, world, doing="trains in"):
        minutes = settings.checkpoint_minutes
        train_on(training, batches, folder, world, reference=reference, checkpoint_minutes=minutes)
    average = without_adapters(training.average.module)
    seen = settings.supernet_settings(run.config).optimizer.images + config.optimizer.images
    critic = unwrap(training.players.discriminator).eval()
    tuned = extract(average, average.config.resolved_widths).eval()
    return FoundStudent(tuned.to(memory_format=torch.contiguous_format), critic, seen)
