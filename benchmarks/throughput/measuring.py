"""Rows of figures: every configuration of one batch size, timed in turns."""

import dataclasses
import gc
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from benchmarks.latency import Samples, Timed, interleave, ratio
from benchmarks.throughput.configurations import BASELINE, Configuration, Task, build_loop
from benchmarks.throughput.counts import Limits, Work, synchronize
from benchmarks.throughput.loops import Loop
from train.config import TrainConfig
from train.recorded import STEPS_UNTIL_RECORDED

Row = dict[str, Any]
Made = TypeVar("Made")
OUT_OF_MEMORY = "out of memory"
Kind = tuple[bool, bool, str]
"""Of a configuration: what decides the work of its steps."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A loop that has run once, and what was learned about it before it was timed."""

    loop: Loop
    work: Work
    peak_memory_bytes: int | None
    """Of the loop alone; None where torch does not know."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How often to look."""

    rounds: int
    warmup: int
    """Untimed iterations of a visit."""


def precision_name(configuration: Configuration) -> str:
    """Return the name of what convolutions and Linears compute in."""
    return "bfloat16" if configuration.bfloat16 else "float32"


def measure_batch(
    rows: Sequence[Configuration],
    task: Task,
    protocol: Protocol,
    limits: dict[str, Limits],
    tick: Callable[[], object] = lambda: None,
) -> list[Row]:
    """Time all configurations at one batch size.

    Args:
        rows: the baseline among them, if there are to be ratios.
        task: with a batch of pairs and of real images at least.
        protocol: of the visits.
        limits: by the name of a precision.
        tick: called after each preparation and each visit.

    Returns:
        A row each; one whose loop did not fit says so instead of having figures.
    """
    try:
        return _measure(rows, task, protocol, limits, tick)
    finally:
        if any(row.compiled for row in rows):
            torch.compiler.reset()  # a run has one batch size only; compiled for two, it would be another program
        _collect(task.world.device)


def _measure(
    rows: Sequence[Configuration],
    task: Task,
    protocol: Protocol,
    limits: dict[str, Limits],
    tick: Callable[[], object],
) -> list[Row]:
    prepared: dict[str, Prepared] = {}
    works: dict[Kind, Work] = {}
    for configuration in rows:
        made = _if_it_fits(lambda row=configuration: _prepare(row, task, protocol, works), task.world.device)
        if made is not None:
            prepared[configuration.name] = made
        tick()
    visited = {name: _Visited(one.loop, task.world.device) for name, one in prepared.items()}
    samples = interleave(
        visited,
        rounds=protocol.rounds,
        warmup=protocol.warmup,
        iterations=task.config.schedule.every,
        tick=tick,
    )
    samples = {name: of_loop for name, of_loop in samples.items() if visited[name].loop is not None}
    found, before = [], None
    for configuration in rows:
        row: Row = {"batch_size": task.config.optimizer.batch_size, **dataclasses.asdict(configuration)}
        name = configuration.name
        if name not in samples:
            found.append(row | {"left_out": OUT_OF_MEMORY})
            continue
        row |= _figures(prepared[name], samples[name], task.config, limits[precision_name(configuration)])
        if BASELINE in samples:
            row["ratio"] = ratio(samples[BASELINE], samples[name])
        if before is not None and len(rows) > 2:
            row["gain"] = ratio(samples[before], samples[name])
            row["gain_by_flops"] = round(prepared[before].work.flops / prepared[name].work.flops, 3)
        found.append(row)
        before = name
    return found


class _Visited:
    """A loop in the rounds; one that runs out of memory there is freed, and the others go on."""

    def __init__(self, loop: Timed, device: torch.device) -> None:
        self.loop: Timed | None = loop
        self.device = device

    def time(self, warmup: int, iterations: int) -> list[float]:
        """Visit the loop, if it is still there."""
        loop = self.loop
        times = None if loop is None else _if_it_fits(lambda: loop.time(warmup, iterations), self.device)
        if times is None:
            self.loop = None
        return times or [float("nan")]


def _if_it_fits(make: Callable[[], Made], device: torch.device) -> Made | None:
    """Return what `make` does, or None if the memory is too small for it."""
    try:
        return make()
    except torch.OutOfMemoryError:
        pass
    _collect(device)  # here, because the error holds on to what was made
    return None


def _prepare(configuration: Configuration, task: Task, protocol: Protocol, works: dict[Kind, Work]) -> Prepared:
    """Count a loop's work, unless `works` has it; then build the loop, run it, and read its peak memory."""
    kind = configuration.our_step, configuration.shortcut_first, precision_name(configuration)
    if kind not in works:
        works[kind] = build_loop(dataclasses.replace(configuration, compiled=False, recorded=False), task).count()
        gc.collect()
    device = task.world.device
    others = _allocated(device)
    loop = build_loop(configuration, task)
    # Optimizers get their state, torch.compile its code for every kind of step, and each kind its recording.
    turns = STEPS_UNTIL_RECORDED if configuration.recorded else int(configuration.compiled)
    loop.run(max(protocol.warmup, turns * loop.turn, 1))
    return Prepared(loop, works[kind], _peak(loop, device, others))


def _allocated(device: torch.device) -> int:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


def _peak(loop: Loop, device: torch.device, others: int) -> int | None:
    if device.type != "cuda":
        return None
    synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    loop.run(loop.turn)
    synchronize(device)
    return torch.cuda.max_memory_allocated(device) - others


def _collect(device: torch.device) -> None:
    """Free what nobody holds any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _figures(prepared: Prepared, samples: Samples, config: TrainConfig, limits: Limits) -> Row:
    """Return what the rounds say; rates are those of the median round."""
    milliseconds = np.array([part[0] for part in samples])
    median = float(np.median(milliseconds))
    images_per_second = 1000 * config.optimizer.batch_size / median
    flops_per_second = 1000 * prepared.work.flops / median
    bytes_per_second = 1000 * prepared.work.moved_bytes / median
    row: Row = {
        "iterations": prepared.loop.timed_iterations,
        "milliseconds": {
            "median": round(median, 3),
            "low": round(float(milliseconds.min()), 3),
            "high": round(float(milliseconds.max()), 3),
            "rounds": [round(float(value), 3) for value in milliseconds],
        },
        "images_per_second": round(images_per_second, 2),
        "hours": round(config.optimizer.images / images_per_second / 3600, 3),
        "flops_per_iteration": round(prepared.work.flops),
        "share_of_flops": round(flops_per_second / limits.flops_per_second, 4),
        "bytes_per_iteration": round(prepared.work.moved_bytes),
        "share_of_bytes": round(bytes_per_second / limits.bytes_per_second, 4),
    }
    if prepared.peak_memory_bytes is not None:
        row["peak_memory_bytes"] = prepared.peak_memory_bytes
    return row


def mark_fastest(rows: Sequence[Row], name: str) -> None:
    """Set "fastest" on the row of `name` with the most images per second, if there is one."""
    measured = [row for row in rows if row["name"] == name and "images_per_second" in row]
    for row in rows:
        row.pop("fastest", None)
    if measured:
        max(measured, key=lambda row: row["images_per_second"])["fastest"] = True
