"""Choosing the range of an activation from what a calibration pass saw."""

from collections.abc import Callable
from typing import Literal

import torch

RangeMethod = Literal["minmax", "percentile", "mse", "image"]

_BINS = 2048
_CANDIDATES = 33
_SMALLEST_SHARE = 0.2
_TINY = 1e-30


class RangeObserver:
    """The values of one activation: extremes in a first pass over the data, a histogram in a second."""

    def __init__(self) -> None:
        self.lows: list[torch.Tensor] = []
        self.highs: list[torch.Tensor] = []
        self._counts: torch.Tensor | None = None

    def see_extremes(self, x: torch.Tensor) -> None:
        """Note the smallest and the largest value of a batch."""
        low, high = x.detach().float().aminmax()
        self.lows.append(low)
        self.highs.append(high)

    def see_values(self, x: torch.Tensor, weights: torch.Tensor | None = None) -> None:
        """Count the values of a batch; the extremes must have been seen before.

        Args:
            x: the values.
            weights: what each of them counts, of x's shape; 1 by default.
        """
        low, high = self.extremes()
        x = x.detach().float()
        if weights is None:
            counts = torch.histc(x, _BINS, low, high).double().cpu()
        else:
            bins = ((x.flatten() - low) * (_BINS / max(high - low, _TINY))).long().clamp_(0, _BINS - 1)
            counts = torch.bincount(bins, weights.detach().flatten().double(), _BINS).cpu()
        self._counts = counts if self._counts is None else self._counts + counts

    def extremes(self) -> tuple[float, float]:
        """Return the smallest and the largest value seen."""
        return float(torch.stack(self.lows).min()), float(torch.stack(self.highs).max())

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
        low, high = self.extremes()
        if method == "minmax" or low == high:
            return min(low, 0.0), max(high, 0.0)
        assert self._counts is not None
        width = (high - low) / _BINS
        centres = low + width * (torch.arange(_BINS, dtype=torch.float64) + 0.5)
        if method == "percentile":
            share = self._counts.cumsum(0) / self._counts.sum()
            tail = 1 - percentile / 100
            first = int(torch.searchsorted(share, tail, right=True))
            last = min(int(torch.searchsorted(share, 1 - tail)), _BINS - 1)
            return min(low + width * first, 0.0), max(low + width * (last + 1), 0.0)
        return self._smallest_error(centres, bits, through or (lambda x: x))

    def _smallest_error(
        self, centres: torch.Tensor, bits: int, through: Callable[[torch.Tensor], torch.Tensor]
    ) -> tuple[float, float]:
        """Search both ends together, then each alone, twice."""
        assert self._counts is not None
        lowest, highest = (min(self.extremes()[0], 0.0), max(self.extremes()[1], 0.0))
        low, high = lowest, highest
        shares = torch.linspace(1.0, _SMALLEST_SHARE, _CANDIDATES, dtype=torch.float64)
        exact = through(centres)
        for ends in ((True, True), (False, True), (True, False), (False, True), (True, False)):
            lows = lowest * shares if ends[0] else torch.full_like(shares, low)
            highs = highest * shares if ends[1] else torch.full_like(shares, high)
            scales = ((highs - lows) / (2**bits - 1))[:, None]
            zero_points = torch.round(-lows[:, None] / scales)
            levels = (torch.round(centres / scales) + zero_points).clamp(0, 2**bits - 1)
            errors = (through((levels - zero_points) * scales) - exact).square() @ self._counts
            best = int(errors.argmin())
            low, high = float(lows[best]), float(highs[best])
        return low, high
