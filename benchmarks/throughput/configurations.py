"""From the baseline to the trainer, one change at a time, and the loops of all of them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.throughput.loops import Loop
from benchmarks.throughput.released import ReleasedBatch, ReleasedBatches, released_step
from benchmarks.torch_forms import use_authors_order
from train.batches import Batch
from train.config import TrainConfig
from train.distributed import World
from train.generator import Generator
from train.loop import Training, one_step
from train.run import assemble, batch_source
from train.sources import Sources
from train.step import weights_at

BASELINE, OURS = "released recipe", "ours"


@dataclasses.dataclass(frozen=True)
class Configuration:
    """What of our trainer a loop has; all of it off is the baseline."""

    name: str
    our_batches: bool = False
    """From `train.batches`, whole batches prepared ahead; else by DataLoaders."""
    our_step: bool = False
    """`train.loop.one_step`, averaged weights included; else the calls of TinyGAN's released code."""
    shortcut_first: bool = False
    """The 1×1 of a block's shortcut before its upsample; else after it, as the released code has it."""
    channels_last: bool = False
    fused_adam: bool = False
    bfloat16: bool = False
    compiled: bool = False
    recorded: bool = False
    """The step replayed as a CUDA graph."""


_CHANGES = {
    "our_batches": "+ whole batches, prepared ahead",
    "our_step": "+ one discriminator call for all images, the student's images used twice",
    "shortcut_first": "+ the shortcut's 1×1 before its upsample",
    "channels_last": "+ channels last",
    "fused_adam": "+ fused Adam",
    "bfloat16": "+ bfloat16 autocast",
    "compiled": "+ torch.compile",
    "recorded": "+ the step as a CUDA graph",
}


def configurations(config: TrainConfig, device: torch.device, changes: bool) -> list[Configuration]:
    """Return the baseline first and, last, what `train.run.assemble` makes of `config` on the device.

    Args:
        config: its runtime's precision and compile decide what the last one has.
        device: auto means bfloat16, torch.compile and CUDA graphs on CUDA, as it does for the trainer.
        changes: put between them every single change, each on top of those before.
    """
    left_out = set()
    if not config.runtime.computes_in_bfloat16(device.type):
        left_out.add("bfloat16")
    if not config.runtime.compiles(device.type):
        left_out.add("compiled")
    if not config.runtime.records_steps(World(0, 1, device)):
        left_out.add("recorded")
    found = [Configuration(BASELINE)]
    for change, name in _CHANGES.items():
        if change not in left_out:
            found.append(dataclasses.replace(found[-1], name=name, **{change: True}))
    ours = found.pop()
    last = dataclasses.replace(ours, name=f"{ours.name} = {OURS}" if changes else OURS)
    return [*found, last] if changes else [found[0], last]


@dataclasses.dataclass(frozen=True)
class Task:
    """What all loops of one batch size share."""

    config: TrainConfig
    sources: Sources
    world: World
    """This process, alone."""
    seconds: float
    """Of a visit, at least."""
    workers: int
    """Processes of each DataLoader of the baseline."""
    png: Path | None
    """Folder of the baseline's image files; None keeps its images in memory."""


def build_loop(configuration: Configuration, task: Task) -> Loop:
    """Return a loop with networks, optimizers and batches of its own; all begin with equal weights."""
    training = build_training(configuration, task)
    return Loop(
        _advance(configuration, training, task),
        training=training,
        turn=task.config.schedule.every,
        log_every=task.config.runtime.log_every,
        sums_terms=configuration.our_step,
        seconds=task.seconds,
        device=task.world.device,
    )


def build_training(configuration: Configuration, task: Task) -> Training:
    """Assemble the trainer's networks and optimizers, and take back what the configuration does not have."""
    runtime = dataclasses.replace(
        task.config.runtime,
        precision="bfloat16" if configuration.bfloat16 else "float32",
        compile="on" if configuration.compiled else "off",
        cuda_graphs="on" if configuration.recorded else "off",
    )
    training = assemble(dataclasses.replace(task.config, runtime=runtime), task.sources, task.world)
    players = training.players
    if not configuration.shortcut_first:
        assert isinstance(players.generator, Generator)
        use_authors_order(players.generator)
    if not configuration.channels_last:
        for module in (players.generator, players.discriminator, training.average.module):
            module.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    if not configuration.fused_adam:
        players.generator_optimizer = _default_adam(players.generator_optimizer)
        players.discriminator_optimizer = _default_adam(players.discriminator_optimizer)
    return training


def _default_adam(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Return Adam as torch chooses it: a loop over the tensors on a CPU, foreach on a GPU."""
    (group,) = optimizer.param_groups
    return torch.optim.Adam(group["params"], lr=group["lr"], betas=group["betas"])


def _advance(
    configuration: Configuration, training: Training, task: Task
) -> Callable[[int], dict[str, torch.Tensor]]:
    """Return the function that does a step."""
    sources, world = task.sources, task.world
    if not configuration.our_batches:
        batch_size = task.config.optimizer.batch_size
        theirs = ReleasedBatches(sources, batch_size, world.device, workers=task.workers, png=task.png)
        return lambda step: _released(training, theirs.next(), step, sources.truncation)
    ours = batch_source(task.config, sources, world)

    def advance(step: int) -> dict[str, torch.Tensor]:
        batch = ours.at(step) if configuration.channels_last else _contiguous(ours.at(step))
        if configuration.our_step:
            return one_step(training, batch, step)
        return _released(training, _as_released(batch), step, sources.truncation)

    return advance


def _released(training: Training, batch: ReleasedBatch, step: int, truncation: float) -> dict[str, torch.Tensor]:
    weights = weights_at(training.loss, training.schedule, step, training.steps)
    return released_step(training.players, batch, weights, truncation)


def _contiguous(batch: Batch) -> Batch:
    assert batch.teacher is not None and batch.real is not None
    return dataclasses.replace(batch, teacher=batch.teacher.contiguous(), real=batch.real.contiguous())


def _as_released(batch: Batch) -> ReleasedBatch:
    """Return our batch as the released recipe wants it; our real images have the classes of the pairs."""
    assert batch.teacher is not None and batch.real is not None
    return ReleasedBatch(batch.z, batch.y, batch.teacher, batch.real, batch.y)
