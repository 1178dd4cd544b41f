"""Weighted counts of values whose ends nobody knows beforehand: no value is kept."""

import torch
import torch.nn.functional as F

_SMALLEST_REACH = 2.0**-30  # what is smaller counts as 0


class Histogram:
    """Counts of the values of several channels, and their ends.

    Bins are as wide as a power of two and begin at a multiple of it; for values that lie outside, neighbours join.
    So the counts are those of all values at once, in whatever parts and order they come.

    Args:
        channels: how many, C.
        bins: a multiple of 4; half of them are for values below 0, and up to three quarters stay empty.
        device: of the values.
    """

    low: torch.Tensor
    """Smallest value of each channel, float64 [C]."""
    high: torch.Tensor
    """Largest value."""
    counts: torch.Tensor
    """Of each bin, float64 [C, bins]."""
    width: torch.Tensor
    """Of a channel's bins, float64 [C]."""

    def __init__(self, channels: int, bins: int, device: torch.device) -> None:
        self.bins, self._begun = bins, False
        ends = torch.full((channels,), torch.inf, dtype=torch.float64, device=device)
        self.low, self.high, self.width = ends, -ends, torch.zeros_like(ends)
        self.counts = ends.new_zeros(channels, bins)

    @property
    def edges(self) -> torch.Tensor:
        """Of all bins, [C, bins + 1]."""
        return self.width[:, None] * torch.arange(-self.bins // 2, self.bins // 2 + 1, device=self.width.device)

    @property
    def centres(self) -> torch.Tensor:
        """Of all bins, [C, bins]."""
        edges = self.edges
        return (edges[:, 1:] + edges[:, :-1]) / 2

    def add(self, values: torch.Tensor, weights: torch.Tensor | None = None) -> None:
        """Count values [C, n] by their weights [C, n], 1 by default; not those of a batch that is not finite."""
        low, high = (end.double() for end in values.detach().float().aminmax(dim=1))
        self.low, self.high = torch.minimum(low, self.low), torch.maximum(high, self.high)
        if not bool((low.isfinite() & high.isfinite()).all()):
            return
        self._widen(torch.maximum(-low, high))
        # Products with powers of two are exact: to join bins is what counting in wide ones would have been.
        places = (values.detach().float() * (1 / self.width).float()[:, None]).floor_().long() + self.bins // 2
        places += self.bins * torch.arange(len(places), device=places.device)[:, None]
        counted = torch.ones_like(places, dtype=torch.float64) if weights is None else weights.detach().double()
        self.counts.view(-1).scatter_add_(0, places.flatten(), counted.flatten())

    def _widen(self, reach: torch.Tensor) -> None:
        """Join neighbours until values up to `reach` in magnitude, [C], have a bin."""
        reach = reach.clamp(min=_SMALLEST_REACH)
        above = reach / torch.frexp(reach).mantissa  # the power of two above it, exactly
        needed = 2 * above / self.bins
        if not self._begun:
            self.width, self._begun = needed, True
        while bool((narrow := self.width < needed).any()):
            pairs = self.counts[narrow].unflatten(1, (-1, 2)).sum(2)
            self.counts[narrow] = F.pad(pairs, (self.bins // 4, self.bins // 4))
            self.width = torch.where(narrow, 2 * self.width, self.width)
