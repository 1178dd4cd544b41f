"""How far each channel of an activation goes, measured where rounding and clipping cost the image least."""

import dataclasses
from collections.abc import Mapping, Sequence

import torch

from compress.deploy_form import DeployGenerator
from compress.importance import weigh
from compress.points import Point

_BINS = 512
_PLACES = 64  # of each image
_LEVELS = 255


@dataclasses.dataclass
class Reach:
    """How far each channel goes, float64 [C], where rounding and clipping cost the image least."""

    low: torch.Tensor
    high: torch.Tensor
    weight: torch.Tensor

    def moved(self, constant: torch.Tensor) -> "Reach":
        """Return the reach of x + constant."""
        return Reach(self.low + constant, self.high + constant, self.weight)

    @property
    def centre(self) -> torch.Tensor:
        """Return the middle."""
        return (self.low + self.high) / 2


def measure_reaches(deploy: DeployGenerator, batches: Sequence[tuple[torch.Tensor, ...]]) -> Mapping[str, Reach]:
    """Return the reach of every activation between a block's layers, by its point's name.

    Args:
        deploy: the float form.
        batches: (z, class weights).
    """
    points = {
        name: point
        for name, point in deploy.named_modules()
        if isinstance(point, Point) and name.startswith(("blocks.", "features"))
    }
    seen: dict[str, _Histogram] = {}
    for part in weigh(deploy, deploy.config, points, batches):
        for name, uses in part.items():
            # The first Linear's output is flat at first.
            for values, weights in ((_thinned(x), _thinned(w)) for x, w in uses if x.dim() == 4):
                if name not in seen:
                    seen[name] = _Histogram(values)
                seen[name].add(values, weights)
    return {name: _reach(histogram) for name, histogram in seen.items()}


def _thinned(x: torch.Tensor) -> torch.Tensor:
    """[N, C, H, W] → [C, values] at some places of every image."""
    places = x.flatten(2)
    return places[:, :, :: places.shape[2] // _PLACES | 1].transpose(0, 1).flatten(1)


class _Histogram:
    """Weighted counts of each channel's values, whose ends grow with what is seen: no value is kept."""

    def __init__(self, values: torch.Tensor) -> None:
        self.low, self.high = (x.double() for x in values.aminmax(dim=1))
        self.counts = torch.zeros(len(values), _BINS, dtype=torch.float64, device=values.device)

    @property
    def width(self) -> torch.Tensor:
        """Of a bin, [C]."""
        return ((self.high - self.low) / _BINS).clamp(min=1e-12)

    @property
    def edges(self) -> torch.Tensor:
        """Of all bins, [C, bins + 1]."""
        steps = torch.arange(_BINS + 1, device=self.low.device)
        return self.low[:, None] + self.width[:, None] * steps

    @property
    def centres(self) -> torch.Tensor:
        """Of all bins, [C, bins]."""
        return (self.edges[:, 1:] + self.edges[:, :-1]) / 2

    def add(self, values: torch.Tensor, weights: torch.Tensor) -> None:
        """Count values [C, n] by their weights [C, n]."""
        low, high = (x.double() for x in values.aminmax(dim=1))
        if bool((low < self.low).any() or (high > self.high).any()):
            centres, counts = self.centres, self.counts
            self.low, self.high = torch.minimum(low, self.low), torch.maximum(high, self.high)
            self.counts = torch.zeros_like(counts)
            self._count(centres, counts)
        self._count(values, weights)

    def _count(self, values: torch.Tensor, weights: torch.Tensor) -> None:
        bins = ((values - self.low[:, None]) / self.width[:, None]).long().clamp_(0, _BINS - 1)
        self.counts.scatter_add_(1, bins, weights.double())


def _reach(seen: _Histogram) -> Reach:
    """Search the ends that make rounding and clipping errors smallest, in turn."""
    low, high, counts, edges, centres = seen.low, seen.high, seen.counts, seen.edges, seen.centres
    above = _clipped(counts, centres, edges[:, :-1])
    below = _clipped(counts.flip(1), -centres.flip(1), -edges[:, 1:].flip(1)).flip(1)
    nothing = torch.zeros_like(above[:, :1])
    above, below = torch.cat([above[:, 1:], nothing], 1), torch.cat([nothing, below[:, :-1]], 1)
    total = counts.sum(1, keepdim=True)
    low, high = low[:, None], high[:, None]
    for _ in range(4):
        high = _cheapest(edges[:, 1:], edges[:, 1:] - low, total, above)
        low = _cheapest(edges[:, :-1], high - edges[:, :-1], total, below)
    return Reach(low[:, 0], high[:, 0], total[:, 0])


def _cheapest(
    ends: torch.Tensor, widths: torch.Tensor, total: torch.Tensor, clipped: torch.Tensor
) -> torch.Tensor:
    costs = total * (widths / _LEVELS).square() / 12 + clipped
    return ends.gather(1, costs.where(widths > 0, torch.inf).argmin(1, keepdim=True))


def _clipped(counts: torch.Tensor, centres: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    """Return, for each edge, the weighted squared distances of what lies above it, [C, bins]."""
    zeroth, first, second = ((counts * centres**power).flip(1).cumsum(1).flip(1) for power in range(3))
    return (second - 2 * edges * first + edges.square() * zeroth).clamp(min=0)
