"""Which operations the time of a training step goes into, by torch.profiler."""

from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.throughput.configurations import Configuration, Task, build_loop
from benchmarks.throughput.counts import synchronize
from train.recorded import STEPS_UNTIL_RECORDED

_OPERATIONS = 12


def profile_batch(configuration: Configuration, task: Task, warmup: int) -> dict[str, Any]:
    """Profile whole turns of a loop.

    Args:
        configuration: what is profiled.
        task: its `seconds` are how long, at least, apart from what the profiler itself costs.
        warmup: iterations before.

    Returns:
        The operations that take the most time in themselves, first: their share of all operations' time, and
        milliseconds and calls per iteration; on a GPU it is the GPU's time.
    """
    loop, device = build_loop(configuration, task), task.world.device
    loop.run(max(warmup, STEPS_UNTIL_RECORDED * loop.turn))
    before = loop.timed_iterations
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=activities) as profiler:
        loop.time(0, loop.turn)
        synchronize(device)
    iterations = loop.timed_iterations - before
    times = [(_own_microseconds(event, device), event) for event in profiler.key_averages()]
    whole = sum(time for time, _ in times)
    hottest = sorted(times, key=lambda pair: -pair[0])[:_OPERATIONS]
    return {
        "batch_size": task.config.optimizer.batch_size,
        "name": configuration.name,
        "iterations": iterations,
        "operations": [
            {
                "operation": event.key,
                "share": round(time / whole, 4),
                "milliseconds": round(time / 1000 / iterations, 3),
                "calls": round(event.count / iterations, 1),
            }
            for time, event in hottest
        ],
    }


def _own_microseconds(event: Any, device: torch.device) -> float:
    return event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total
