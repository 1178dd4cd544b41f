"""The quantizers: a value is rounded to `(clamp(round(x · (1/scale)) + zero_point) - zero_point) · scale`.

That is the arithmetic of `torch.ops.quantized_decomposed`, ties included, and not that of ATen's fake_quantize:
the difference between the network that is trained and the graph that is exported is exactly 0.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from compress.points import Point
from compress.ranges import RangeObserver

Mode = Literal["float", "ends", "values", "quantize"]

# Below this share of a layer's largest scale nothing is left of a channel; runtimes refuse smaller ratios.
_SMALLEST_SHARE = 2.0**-12
# The smallest number that float16, which Core ML keeps scales in, has with all its bits. A depthwise channel below
# it adds next to nothing; the small vectors of the class path do add.
_SMALLEST_DEPTHWISE_SCALE = 2.0**-14
_CLIP_CANDIDATES = 33
_HALF_STEP = 0.5 + 1e-3

TIES_UP = 2.0**-5
"""Added to averages before they are rounded, in steps of the grid: it sends ties up, as integer resizes do. The
averages of a doubling are sixteenths of a step, so that half a sixteenth moves no other value."""


class _RoundToGrid(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 (autograd passes positions)
        ctx: Any,
        x: torch.Tensor,
        scale: torch.Tensor,
        zero_point: torch.Tensor,
        lowest: int,
        highest: int,
        range: torch.Tensor | None,  # noqa: ARG004 (receives gradients, and decides nothing else)
    ) -> torch.Tensor:
        exact = x * (1.0 / scale)
        levels = torch.round(exact).add_(zero_point).clamp_(lowest, highest).sub_(zero_point)
        ctx.save_for_backward(exact.sub_(levels).neg_())
        ctx.steps = highest - lowest
        return levels.mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (error,) = ctx.saved_tensors
        # A tie is half a step away, give or take float32's rounding.
        passed = gradients[0] * (error.abs() <= _HALF_STEP)
        to_range = None
        if ctx.needs_input_grad[5]:
            stopped = gradients[0] - passed
            at_high = (stopped * (error < 0)).sum()
            inside = (passed * error).sum() / ctx.steps
            to_range = torch.stack([stopped.sum() - at_high - inside, at_high + inside])
        return passed, None, None, None, None, to_range


def round_to_grid(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor,
    lowest: int,
    highest: int,
    *,
    range: torch.Tensor | None = None,
) -> torch.Tensor:
    """Round x to the grid; the gradient passes unchanged inside the range and is 0 outside.

    Args:
        x: float32.
        scale: float32, a scalar or one that broadcasts.
        zero_point: whole numbers as float32, of the same shape as `scale`.
        lowest: smallest level.
        highest: largest level.
        range: lower and upper end, float32 [2], that a scalar grid was made from. It receives gradients: an end,
            from what is cut off there; both, from what the width of a step does to the rounding error inside (LSQ,
            Esser et al., 2020, Equation 3, for the two ends of an affine grid as in LSQ+, Bhalgat et al., 2020).
    """
    return _RoundToGrid.apply(x.float(), scale, zero_point, lowest, highest, range)  # type: ignore[return-value]


class _RoundWeight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, scale: torch.Tensor, highest: int) -> torch.Tensor:
        exact = weight * (1.0 / scale)
        levels = torch.round(exact).clamp_(-highest, highest)
        ctx.save_for_backward(exact, levels)
        ctx.highest = highest
        return levels * scale

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        exact, levels = ctx.saved_tensors
        inside = exact.abs() <= ctx.highest + 0.5
        to_scale = gradients[0] * torch.where(inside, levels - exact, levels)
        return gradients[0] * inside, to_scale.flatten(1).sum(1).reshape(-1, *[1] * (exact.dim() - 1)), None


def round_weight(weight: torch.Tensor, scale: torch.Tensor, highest: int) -> torch.Tensor:
    """Round a weight to `-highest … highest` times its channel's scale; both receive gradients.

    That of the scale is LSQ's (Esser et al., 2020, Equation 3): what a wider grid does to the rounding error
    inside the range and to the reach outside.

    Args:
        weight: float32 [out, …].
        scale: float32 [out, 1, …].
        highest: level of the largest weight.
    """
    return _RoundWeight.apply(weight.float(), scale, highest)  # type: ignore[return-value]


def level_dtype(bits: int) -> torch.dtype:
    """Return the smallest integer type for levels of `bits` bits."""
    return torch.int8 if bits <= 8 else torch.int16


class QuantPoint(Point):
    """Rounds an activation to one affine grid, whose range is learned in training until it is frozen."""

    range: torch.Tensor
    """Lower and upper end, float32 [2]; not a number before calibration."""
    calibrated: torch.Tensor
    """The same as calibration left it."""
    stretch: nn.Parameter | None
    """What the learned range is of the calibrated one, float32 [2]; None for a range that is known."""

    def __init__(self, point: Point, bits: int) -> None:
        super().__init__(point.fixed, point.through)
        self.bits = bits
        self.lowest, self.highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        self.mode: Mode = "float"
        self.enabled = True
        self.learning = False
        self.observer = RangeObserver()
        known = torch.tensor(point.fixed or (float("nan"), float("nan")))
        self.register_buffer("range", known)
        self.register_buffer("calibrated", known.clone())
        self.stretch = nn.Parameter(torch.ones(2)) if self.fixed is None else None

    def forward(self, x: torch.Tensor, observe: bool = True, averaged: bool = False) -> torch.Tensor:
        """Round x, or observe it, as `mode` says; ties of averages go up, as in the phones' integer resizes."""
        if observe and not averaged and self.fixed is None:
            if self.mode in {"ends", "values"}:
                self.observer.see_ends(x)
            if self.mode == "values":
                self.observer.see_values(x)
        if self.mode != "quantize" or not self.enabled:
            return x
        scale, zero_point = self.grid()
        if averaged:
            x = x + scale * TIES_UP
        return round_to_grid(x, scale, zero_point, self.lowest, self.highest, range=self._learned())

    def grid(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scale and zero point, float32 scalars; 0 is on the grid."""
        low, high = self.range.double().unbind()
        low, high = low.clamp(max=0), high.clamp(min=0)
        scale = ((high - low) / (self.highest - self.lowest)).float()
        zero_point = torch.round(self.lowest - low / scale.double()).clamp(self.lowest, self.highest)
        return scale, zero_point.float()

    @torch.no_grad()
    def set_range(self, low: float, high: float) -> None:
        """Set the range, and let go of what was observed."""
        self.range.copy_(torch.tensor([low, high]))
        self.calibrated.copy_(self.range)
        if self.stretch is not None:
            self.stretch.fill_(1)
        self.observer = RangeObserver()

    @torch.no_grad()
    def follow(self) -> None:
        """Take over what was learned since the last step."""
        if self.stretch is not None:
            self.range.copy_(self.calibrated * self.stretch)

    def _learned(self) -> torch.Tensor | None:
        """Return the range as a function of what is learned; None where it stands still."""
        return self.calibrated * self.stretch if self.learning and self.stretch is not None else None


class QuantOperation(nn.Module):
    """A convolution or Linear whose weight is rounded to one symmetric grid per output channel."""

    clip: nn.Parameter
    """The share of a channel's largest weight that its grid reaches, float32 [out]; learned with the weights."""
    fixed_scale: torch.Tensor
    """The scales of a model read from a file, float32 [out]; 0 where the scale follows the weight."""

    def __init__(self, operation: nn.Conv2d | nn.Linear, bits: int) -> None:
        super().__init__()
        self.operation = operation
        self.bits = bits
        self.highest = 2 ** (bits - 1) - 1
        self.mode: Mode = "float"
        self.enabled = True
        channels, device = operation.weight.shape[0], operation.weight.device
        self.clip = nn.Parameter(torch.ones(channels, device=device))
        self.register_buffer("fixed_scale", torch.zeros(channels, device=device))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the operation with its rounded weight."""
        if self.mode != "quantize" or not self.enabled:
            return self.operation(x)
        weight = self.operation.weight
        return apply_with_weight(
            self.operation, x, round_weight(weight, _per_channel(self._scale(), weight), self.highest)
        )

    def scale(self) -> torch.Tensor:
        """Return the scale of every output channel, float32 [out]."""
        return self._scale().detach()

    def _scale(self) -> torch.Tensor:
        reach = self.operation.weight.detach().float().abs().flatten(1).amax(1) * self.clip
        depthwise = isinstance(self.operation, nn.Conv2d) and self.operation.groups > 1
        smallest = _SMALLEST_DEPTHWISE_SCALE if depthwise else torch.finfo(torch.float32).tiny * 2**24
        floor = (reach.detach().max() * _SMALLEST_SHARE).clamp(min=smallest * self.highest)
        return torch.where(self.fixed_scale > 0, self.fixed_scale, torch.maximum(reach, floor) / self.highest)

    @torch.no_grad()
    def levels(self) -> torch.Tensor:
        """Return the weight as whole numbers, int8 or int16, of the weight's shape."""
        scale = _per_channel(self.scale(), self.operation.weight)
        levels = torch.round(self.operation.weight * (1.0 / scale)).clamp(-self.highest, self.highest)
        return levels.to(level_dtype(self.bits))

    @torch.no_grad()
    def choose_clip(self) -> None:
        """Give each channel the clipping with the smallest mean squared error of its weights."""
        weight = self.operation.weight.float().flatten(1)
        smallest = torch.full_like(self.clip, float("inf"))
        best = torch.ones_like(self.clip)
        for share in torch.linspace(1.0, 0.4, _CLIP_CANDIDATES).tolist():
            self.clip.fill_(share)
            scale = self.scale()[:, None]
            rounded = torch.round(weight / scale).clamp(-self.highest, self.highest) * scale
            error = (rounded - weight).square().sum(1)
            best = torch.where(error < smallest, share, best)
            smallest = torch.minimum(error, smallest)
        self.clip.copy_(best)

    @torch.no_grad()
    def load_levels(self, levels: torch.Tensor, scale: torch.Tensor) -> None:
        """Take over the rounded weight of a file, which stays on its grid."""
        self.fixed_scale.copy_(scale)
        self.operation.weight.copy_(levels * _per_channel(scale, levels))


def apply_with_weight(operation: nn.Conv2d | nn.Linear, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Apply a convolution or Linear with `weight` in place of its own."""
    if isinstance(operation, nn.Linear):
        return F.linear(x, weight, operation.bias)
    return F.conv2d(x, weight, operation.bias, operation.stride, operation.padding, 1, operation.groups)


def _per_channel(vector: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """[out] → [out, 1, …] to multiply a weight with."""
    return vector.reshape(-1, *[1] * (weight.dim() - 1))
