"""Training of all widths at once, by the run's own step and loop: one student whose parts are students too."""

import copy
import dataclasses
import json

import numpy as np
import torch
from torch import nn

from compress.channel_order import sort_channels
from compress.elastic import ElasticGenerator, elastic
from compress.float_run import FloatRun
from compress.heldout import latents_of
from compress.intermediate import logged, with_intermediate, without_adapters
from compress.search_config import SearchConfig
from compress.train_on import FineTuneBatches, claimed, finished_steps, train_on, training_of
from compress.width_space import WidthSpace
from train.checkpoint import DISCRIMINATOR_FILE
from train.distributed import World
from train.errors import UserError
from train.files import check_state_dict, file_hash, read_tensors, save_tensors, write_json
from train.generator import Generator, Widths
from train.loop import STATE_FILE, Observer
from train.run import batch_source
from train.snapshot import load_snapshot, save_snapshot
from train.sources import Sources, grid_reference
from train.step import unwrap

SUPERNET_FILE, RECORD_FILE = "supernet.safetensors", "supernet.json"

_GRIDS = 4  # over the whole training
_SORTING_IMAGES = 256
_LARGEST, _SMALLEST = 0.25, 0.25  # share of the steps
_WIDTHS_STREAM = 16  # of random numbers; those of train.batches are below


@dataclasses.dataclass(frozen=True)
class Supernet:
    """A trained supernet, on the CPU."""

    student: Generator
    """At its full widths, in eval mode, channels in the order of their importance."""
    critic: nn.Module
    fingerprint: str
    """SHA-256 of both."""


@dataclasses.dataclass
class Sandwich(Observer):
    """Chooses the widths of every step, which the whole batch has: the full ones, the smallest, or any.

    After Anycost GAN's stochastic sandwich; a pure function of the step, so that resuming is exact.
    """

    student: ElasticGenerator
    space: WidthSpace
    seed: int

    def widths_at(self, step: int) -> Widths:
        """Return the widths of step `step`, counted from 0."""
        random = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, _WIDTHS_STREAM, step]))
        kind = random.random()
        if kind < _LARGEST:
            return self.space.widths(self.space.largest)
        if kind < _LARGEST + _SMALLEST:
            return self.space.widths(self.space.smallest)
        return self.space.widths(self.space.draw(random))

    def start(self, step: int) -> None:
        """Choose those of the first step."""
        self.student.chosen = self.widths_at(step)

    def after_step(self, step: int, terms: dict[str, torch.Tensor]) -> None:
        """Choose those of the next step."""
        del terms
        self.student.chosen = self.widths_at(step)


def train_supernet(settings: SearchConfig, run: FloatRun, sources: Sources, world: World) -> None:
    """Train in its folder, or go on where it was stopped; leave supernet and critic there.

    Raises:
        UserError: the folder holds a supernet of another student or of other settings, or training blew up.
        Interrupted: told to stop; the state is saved.
    """
    folder, config = settings.supernet_folder, settings.supernet_settings(run.config)
    if is_trained(settings, run):
        return
    latents = latents_of(run, sources, "sorting", _SORTING_IMAGES, world.device)
    full = sort_channels(run.student.to(world.device), latents)
    run.student.cpu()
    student = elastic(full)
    learner = with_intermediate(student, full, settings.intermediate)
    training = logged(training_of(learner, settings, config, run, world))
    sandwich = Sandwich(student, WidthSpace(run.info.generator), settings.seed)
    batches = FineTuneBatches(batch_source(config, sources, world), run.config.steps, None)
    with claimed(folder, world, doing="trains in"):
        check_supernet(settings, run)
        if world.is_main:
            write_json(folder / RECORD_FILE, _record(settings, run))
        train_on(
            training,
            batches,
            folder,
            world,
            reference=grid_reference(sources, run.config.generator.z_dim, run.config.seed),
            observers=[sandwich],
            checkpoint_minutes=settings.checkpoint_minutes,
            grids=_GRIDS,
        )
        if world.is_main:
            info = dataclasses.replace(run.info, images=run.info.images + config.optimizer.images)
            critic = unwrap(training.players.discriminator)
            save_tensors(folder / DISCRIMINATOR_FILE, critic.state_dict(), {})
            save_snapshot(folder / SUPERNET_FILE, without_adapters(training.average.module), info)
        world.barrier()


def is_trained(settings: SearchConfig, run: FloatRun) -> bool:
    """Return whether the supernet's training has ended.

    Raises:
        UserError: as `check_supernet`.
    """
    check_supernet(settings, run)
    folder, steps = settings.supernet_folder, settings.supernet_settings(run.config).steps
    there = all((folder / name).is_file() for name in (SUPERNET_FILE, DISCRIMINATOR_FILE))
    return there and finished_steps(folder) == steps


def check_supernet(settings: SearchConfig, run: FloatRun) -> None:
    """Raise a UserError if the supernet in the folder is of another student, or was trained otherwise."""
    folder = settings.supernet_folder
    try:
        stored = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (folder / STATE_FILE).exists():
            raise UserError(f"{folder} has no {RECORD_FILE}; delete the folder, or give another --out") from None
        return
    except ValueError:
        raise UserError(f"{folder / RECORD_FILE} is damaged; delete {folder}, or give another --out") from None
    ours = _record(settings, run)
    remedy = "delete it, or give another --out"
    if not isinstance(stored, dict) or stored.get("student") != ours["student"]:
        raise UserError(f"{folder} is the supernet of another student than that of {run.folder}; {remedy}")
    for name, value in ours.items():
        if stored.get(name) != value:
            raise UserError(f"{folder} was made with {name} {stored.get(name)}, not {value}; {remedy}")


def _record(settings: SearchConfig, run: FloatRun) -> dict:
    return {"student": run.fingerprint, **settings.learned()}


def open_supernet(settings: SearchConfig, run: FloatRun, device: torch.device) -> Supernet:
    """Read the trained supernet onto `device`.

    Raises:
        UserError: a file is damaged or of another architecture.
    """
    folder = settings.supernet_folder
    student, info = load_snapshot(folder / SUPERNET_FILE)
    if info.generator != run.info.generator:
        raise UserError(f"{folder} is of another architecture than {run.folder}; delete it")
    path, critic = folder / DISCRIMINATOR_FILE, copy.deepcopy(run.discriminator)
    tensors, _ = read_tensors(path, "critic of the supernet", f"delete {folder}")
    check_state_dict(tensors, critic, path)
    critic.load_state_dict(tensors)
    return Supernet(student.to(device), critic.to(device).eval(), file_hash(folder / SUPERNET_FILE, path))
