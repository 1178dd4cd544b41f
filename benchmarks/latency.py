"""Latency: interleaved rounds over all candidates, percentiles, and ratios with their spread.

Candidates are visited round by round, each round in another order, so that what the machine does meanwhile hits
all of them; ratios are taken within a round.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from train.errors import UserError


class Timed(Protocol):
    """Something that can be run and timed."""

    def time(self, warmup: int, iterations: int) -> list[float]:
        """Run `warmup` times untimed, then `iterations` times; return the milliseconds of each of those."""
        ...


Samples = list[list[float]]
"""Milliseconds, per round."""


def interleave(
    candidates: Mapping[str, Timed],
    *,
    rounds: int,
    warmup: int,
    iterations: int,
    tick: Callable[[], object] = lambda: None,
    failed: Callable[[str, UserError], object] | None = None,
) -> dict[str, Samples]:
    """Time all candidates in turns.

    Args:
        candidates: by name.
        rounds: visits to each candidate.
        warmup: untimed runs at each visit, because the others have emptied the caches.
        iterations: timed runs at each visit.
        tick: called after each visit.
        failed: told of a candidate that could not be run, and why, which is left out then; else it is an error.

    Returns:
        Name → milliseconds of every timed run, per round.
    """
    names = list(candidates)
    samples: dict[str, Samples] = {name: [] for name in names}
    for turn in range(rounds if names else 0):
        first = turn % len(names)
        order = names[first:] + names[:first]
        backwards = turn // len(names) % 2
        for name in reversed(order) if backwards else order:
            if name not in samples:
                continue
            try:
                samples[name].append(candidates[name].time(warmup, iterations))
            except UserError as error:
                if failed is None:
                    raise
                del samples[name]
                failed(name, error)
            tick()
    return samples


def statistics(samples: Samples) -> dict[str, float]:
    """Return p50, p90, mean, min and max in milliseconds, and n; percentiles interpolate linearly."""
    values = np.concatenate([np.asarray(part, dtype=np.float64) for part in samples])
    return {
        "p50": round(float(np.percentile(values, 50)), 4),
        "p90": round(float(np.percentile(values, 90)), 4),
        "mean": round(float(values.mean()), 4),
        "min": round(float(values.min()), 4),
        "max": round(float(values.max()), 4),
        "n": len(values),
    }


def ratio(samples: Samples, reference: Samples) -> dict[str, float]:
    """Return the ratio of two medians within a round: its median, minimum and maximum over the rounds."""
    return summary_of([float(np.median(a) / np.median(b)) for a, b in zip(samples, reference, strict=True)])


def summary_of(ratios: Sequence[float]) -> dict[str, float]:
    """Return the median, the lowest and the highest of some ratios."""
    return {
        "median": round(float(np.median(ratios)), 3),
        "low": round(min(ratios), 3),
        "high": round(max(ratios), 3),
    }


def monotonic_milliseconds(clock: Callable[[], int], run: Callable[[], object], times: int) -> list[float]:
    """Run something `times` times; return the milliseconds of each run by a clock of nanoseconds."""
    found = []
    for _ in range(times):
        start = clock()
        run()
        found.append((clock() - start) / 1e6)
    return found
