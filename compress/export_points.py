"""The quantizers as exporters want them: `torch.ops.quantized_decomposed` on grids of plain numbers."""

import copy

import torch
import torch.ao.quantization.fx._decomposed  # registers torch.ops.quantized_decomposed
from torch import nn

from compress.points import Point
from compress.quantizer import TIES_UP, QuantOperation, QuantPoint, apply_with_weight, level_dtype

_OPS = torch.ops.quantized_decomposed


class ExportPoint(Point):
    """An activation's quantize and dequantize operations."""

    def __init__(self, source: QuantPoint) -> None:
        super().__init__()
        scale, zero_point = source.grid()
        self.grid = (float(scale), int(zero_point), source.lowest, source.highest, level_dtype(source.bits))
        self.integer_resize = False

    def forward(self, x: torch.Tensor, observe: bool = True, averaged: bool = False) -> torch.Tensor:
        """Return x on the grid."""
        if averaged and not self.integer_resize:
            x = x + self.grid[0] * TIES_UP
        return self.fork(x, 1, observe)[0]

    def fork(self, x: torch.Tensor, consumers: int, observe: bool = True) -> list[torch.Tensor]:
        """Quantize once and dequantize for every consumer."""
        del observe
        levels = _OPS.quantize_per_tensor(x, *self.grid)
        return [_OPS.dequantize_per_tensor(levels, *self.grid) for _ in range(consumers)]


def use_integer_resize(form: nn.Module) -> nn.Module:
    """Take out, in place, what rounds ties of averages up, and return the form.

    For runtimes whose integer resize rounds so by itself. Computed by torch, the form differs at those ties.
    """
    for point in form.modules():
        if isinstance(point, ExportPoint):
            point.integer_resize = True
    return form


class ExportOperation(nn.Module):
    """A convolution or Linear behind the dequantize operation of its weight."""

    def __init__(self, source: QuantOperation, float_weights: bool) -> None:
        super().__init__()
        scale = source.scale()
        self.operation = copy.deepcopy(source.operation)
        self.float_weights = float_weights
        self.grid = (0, -source.highest, source.highest, level_dtype(source.bits))
        self.register_buffer("scale", scale)
        self.register_buffer("zero_point", torch.zeros_like(scale, dtype=torch.int64))
        weight = self.operation.weight.detach()
        del self.operation.weight
        self.register_buffer("weight", weight if float_weights else source.levels())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the operation with its rounded weight."""
        levels = self.weight
        if self.float_weights:
            levels = _OPS.quantize_per_channel(self.weight, self.scale, self.zero_point, *self.grid)
        weight = _OPS.dequantize_per_channel(levels, self.scale, self.zero_point, *self.grid)
        return apply_with_weight(self.operation, x, weight)
