"""Choosing the range of an activation from what a calibration pass saw."""

import math
from collections.abc import Callable
from typing import Literal

import torch

from compress.histogram import Histogram

RangeMethod = Literal["minmax", "percentile", "mse", "image"]

_BINS = 2**13  # a dozen or more for each of 256 levels
_CANDIDATES = 33
_SMALLEST_SHARE = 0.2


class RangeObserver:
    """The values of one activation: the ends of all of them, and counts of all or of some."""

    def __init__(self) -> None:
        self._ends: tuple[torch.Tensor, torch.Tensor] | None = None
        self._seen: Histogram | None = None

    def see_ends(self, x: torch.Tensor) -> None:
        """Note the smallest and the largest value of a batch."""
        low, high = x.detach().float().aminmax()
        if self._ends is not None:
            low, high = torch.minimum(low, self._ends[0]), torch.maximum(high, self._ends[1])
        self._ends = low, high

    def see_values(self, x: torch.Tensor, weights: torch.Tensor | None = None) -> None:
        """Count the values of a batch, or some of them; the ends are seen apart.

        Args:
            x: the values.
            weights: what each of them counts, of x's shape; 1 by default.
        """
        if self._seen is None:
            self._seen = Histogram(1, _BINS, x.device)
        self._seen.add(x.reshape(1, -1), None if weights is None else weights.reshape(1, -1))

    def ends(self) -> tuple[float, float]:
        """Return the smallest and the largest value seen; not a number before any was."""
        return (math.nan, math.nan) if self._ends is None else (float(self._ends[0]), float(self._ends[1]))

    def choose(
        self,
        method: RangeMethod,
        bits: int,
        percentile: float,
        through: Callable[[torch.Tensor], torch.Tensor] | None,
    ) -> tuple[float, float]:
        """Return the range [low, high] by `method`; it includes 0.

        Args:
            method: minmax: all values. percentile: all but (100 - percentile) % of them at each end. mse and
                image: the one with the smallest mean squared rounding and clipping error; for image the values
                have been seen with weights.
            bits: levels of the grid, as a power of two.
            percentile: in (50, 100].
            through: for mse and image, the function in whose result the error is measured.
        """
        low, high = self.ends()
        if method == "minmax" or low == high:
            return min(low, 0.0), max(high, 0.0)
        assert self._seen is not None
        used = self._seen.counts[0] > 0
        centres, counts = (x[0, used].cpu() for x in (self._seen.centres, self._seen.counts))
        if method == "percentile":
            share = counts.cumsum(0) / counts.sum()
            tail, half = 1 - percentile / 100, float(self._seen.width) / 2
            first = int(torch.searchsorted(share, tail, right=True))
            last = min(int(torch.searchsorted(share, 1 - tail)), len(share) - 1)
            return min(float(centres[first]) - half, 0.0), max(float(centres[last]) + half, 0.0)
        return self._smallest_error(centres, counts, bits, through or (lambda x: x))

    def _smallest_error(
        self,
        centres: torch.Tensor,
        counts: torch.Tensor,
        bits: int,
        through: Callable[[torch.Tensor], torch.Tensor],
    ) -> tuple[float, float]:
        """Search both ends together, then each alone, twice."""
        lowest, highest = (min(self.ends()[0], 0.0), max(self.ends()[1], 0.0))
        low, high = lowest, highest
        shares = torch.linspace(1.0, _SMALLEST_SHARE, _CANDIDATES, dtype=torch.float64)
        exact = through(centres)
        for ends in ((True, True), (False, True), (True, False), (False, True), (True, False)):
            lows = lowest * shares if ends[0] else torch.full_like(shares, low)
            highs = highest * shares if ends[1] else torch.full_like(shares, high)
            scales = ((highs - lows) / (2**bits - 1))[:, None]
            zero_points = torch.round(-lows[:, None] / scales)
            levels = (torch.round(centres / scales) + zero_points).clamp(0, 2**bits - 1)
            errors = (through((levels - zero_points) * scales) - exact).square() @ counts
            best = int(errors.argmin())
            low, high = float(lows[best]), float(highs[best])
        return low, high
