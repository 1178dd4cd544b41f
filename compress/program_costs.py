"""Milliseconds and bytes of students of any widths, fitted to exported int8 programs that were measured.

`benchmarks/time_widths.py` measures some on this machine. A phone's table is the same file with what its own
measuring program says of the same programs as "ms", and the phone's name as "machine".
"""

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.optimize import nnls
from scipy.stats import spearmanr

from compress.macs import multiply_accumulates
from train.errors import UserError
from train.files import write_json
from train.generator import GeneratorConfig, Widths
from train.machine import this_machine

FORMAT = "tinygan-edge-width-programs-1"
TABLE_FILE = "programs.json"
HELD_OUT = 5
"""Every so many rows one is not fitted to, but compared with afterwards."""
LEAST_ROWS = 10


def machine_name() -> str:
    """Return this machine's name in tables."""
    machine = this_machine()
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"


@dataclasses.dataclass(frozen=True)
class ProgramTable:
    """Programs of one student at several widths, as they were measured."""

    student: dict[str, Any]
    """Record of the full student's configuration."""
    machine: str
    """That timed them."""
    protocol: str
    """How they were made and timed."""
    rows: tuple[dict[str, Any], ...]
    """"stages", "mids", "ms" and "bytes" of each."""

    @functools.cached_property
    def configurations(self) -> list[GeneratorConfig]:
        """Of the rows."""
        full = GeneratorConfig.from_record(self.student)
        return [dataclasses.replace(full, widths=Widths(tuple(r["stages"]), tuple(r["mids"]))) for r in self.rows]

    def write(self, path: Path) -> None:
        """Write the file."""
        write_json(path, {"format": FORMAT} | dataclasses.asdict(self))


def read_table(path: Path, config: GeneratorConfig, machine: str | None = None) -> ProgramTable:
    """Read a table of measured programs.

    Args:
        path: of the file.
        config: of the full student whose widths it has to be about.
        machine: that has to have timed them; None where the times do not matter.

    Raises:
        UserError: it is missing, damaged, or of another student or machine.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored.pop("format") != FORMAT:
            raise ValueError(f"not of the format {FORMAT}")
        table = ProgramTable(**stored | {"rows": tuple(stored["rows"])})
        if table.student != json.loads(json.dumps(config.record())):
            raise UserError(
                f"{path} is about the programs of another student; measure this one's with "
                "benchmarks/time_widths.py"
            )
        _ = [float(row[name]) for row in table.rows for name in ("ms", "bytes")], table.configurations
    except FileNotFoundError:
        raise UserError(f"no table of measured programs at {path}; give another with --programs") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no table of measured programs ({error}); make it anew") from None
    if machine is not None and table.machine != machine:
        raise UserError(
            f"{path} was measured on {table.machine!r}, not on {machine!r}; name that machine with --machine, or "
            "measure here with benchmarks/time_widths.py"
        )
    if len(table.rows) < LEAST_ROWS:
        raise UserError(
            f"{path} has {len(table.rows)} programs, too few to fit costs to; give {LEAST_ROWS} or more"
        )
    return table


@dataclasses.dataclass(frozen=True)
class FittedCost:
    """A sum of features of the widths, weighted by what the rows of a table cost."""

    kind: Literal["ms", "bytes"]
    weights: tuple[float, ...]
    rank_correlation: float
    """Spearman's, between fitted and measured costs of the rows that were not fitted to."""
    error: float
    """Median of their relative errors."""
    held_out: int
    """How many those are."""

    def __call__(self, config: GeneratorConfig) -> float:
        """Return the cost of a student."""
        return float(np.dot(_FEATURES[self.kind](config), self.weights))

    def describe(self) -> str:
        """Return a sentence on how good it is."""
        return (
            f"{self.kind} fitted to int8 programs; on {self.held_out} others the rank correlation is "
            f"{self.rank_correlation:.3f}, the median error {self.error:.1%}"
        )


def fit(table: ProgramTable, kind: Literal["ms", "bytes"]) -> FittedCost:
    """Fit costs by least squares of the relative error; no feature has a negative weight."""
    features = np.array([_FEATURES[kind](config) for config in table.configurations])
    costs = np.array([row[kind] for row in table.rows], np.float64)
    held_out = np.arange(len(costs)) % HELD_OUT == HELD_OUT - 1
    weights = _non_negative(features[~held_out], costs[~held_out])
    predicted, true = features[held_out] @ weights, costs[held_out]
    ranks: Any = spearmanr(predicted, true)
    return FittedCost(
        kind,
        tuple(map(float, weights)),
        float(ranks.statistic),
        float(np.median(np.abs(predicted / true - 1))),
        int(held_out.sum()),
    )


def _non_negative(features: np.ndarray, costs: np.ndarray) -> np.ndarray:
    scales = np.maximum(features.max(axis=0), 1e-12)
    weights, _ = nnls(features / scales / costs[:, None], np.ones(len(costs)))
    return weights / scales


def _time_features(config: GeneratorConfig) -> Sequence[float]:
    """Return what takes time: multiply-accumulates, and values by where blocks make them; a constant.

    A depthwise convolution, an addition or a resize takes about as long for a value at any resolution.
    """
    return [1.0, multiply_accumulates(config), *_values(config)]


def _values(config: GeneratorConfig) -> tuple[float, float, float]:
    stages, mids = config.resolved_widths.stages, config.resolved_widths.mids
    pixels = [(8 * 2**k) ** 2 for k in range(len(mids))]  # of the blocks' outputs
    before, mid, after = (
        sum(map(float, np.multiply(pixels, widths))) for widths in (stages[:-1], mids, stages[1:])
    )
    return before, mid, after


def _byte_features(config: GeneratorConfig) -> Sequence[float]:
    """Return what takes bytes: weights, and channels with their scales and biases; a constant."""
    widths, taps = config.resolved_widths, 9
    stages, mids, classes = widths.stages, widths.mids, config.num_classes
    depthwise = config.architecture == "dw"
    weights = config.z_dim * stages[0] * 16 + taps * stages[-1] * 3
    weights += config.class_embedding_dim * (classes + 2 * (sum(stages[:-1]) + sum(mids)))
    channels = stages[0] * 16 + 2 * (sum(stages[:-1]) + sum(mids))
    for (before, after), mid in zip(itertools.pairwise(stages), mids, strict=True):
        weights += before * after + (before * mid + mid * after) * (1 if depthwise else taps)
        channels += mid + 2 * after
        if depthwise:
            weights += taps * (before + mid)
            channels += before + mid
    return [1.0, float(weights), float(channels)]


_FEATURES: dict[str, Callable[[GeneratorConfig], Sequence[float]]] = {
    "ms": _time_features,
    "bytes": _byte_features,
}
