"""How a Core ML ML Program stores weights, and the constants that its operations make of them."""

import dataclasses
import math

import numpy as np
import torch

from deploy.ios.mil_values import unpack
from train.errors import UserError


@dataclasses.dataclass(frozen=True)
class Weight:
    """The weight of one convolution or Linear, as it is stored and as it is used."""

    operation: str
    """Name of the first output of the operation that uses it."""
    op_type: str
    """conv or linear."""
    name: str
    """Name of the constant, or of the output of the constexpr operation that makes it."""
    storage: str
    """const, or the type of that constexpr operation."""
    dtype: str
    """MIL's type of the stored elements: fp16, fp32, int8, int4, uint6 …"""
    values: np.ndarray
    """What the operation multiplies with, fp16 or fp32."""
    bias: np.ndarray | None
    levels: np.ndarray | None = None
    """The stored integers, int8 or uint8, of the shape of `values`; None for floats and palettes."""
    scale: np.ndarray | None = None
    """`values = (levels - zero_point) · scale`; has as many dimensions as `levels`."""
    zero_point: np.ndarray | None = None
    """Of the shape of `scale`; zeros where the program has none."""
    palette: np.ndarray | None = None
    """The table that the elements index, as it is stored."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """The grid of one quantize or dequantize operation: `x = (level - zero_point) · scale`."""

    operation: str
    """Name of the operation's output."""
    op_type: str
    """quantize or dequantize."""
    dtype: str
    """int8 or uint8, as the program stores the levels."""
    scale: np.ndarray
    """Of the float type of the values; a scalar, or a vector with one element per channel."""
    zero_point: np.ndarray
    """int32, for int8 levels also where the program has uint8 ones (128 less then)."""


def along_axis(x: torch.Tensor, data: torch.Tensor, axis: torch.Tensor | None) -> torch.Tensor:
    """Give a vector the rank of `data`, its elements along `axis`; a scalar stays as it is.

    Raises:
        UserError: there is no axis for a vector, or their lengths differ.
    """
    if x.dim() == 0:
        return x
    if x.dim() > 1 or axis is None or not -data.dim() <= int(axis) < data.dim():
        raise UserError(
            f"a scale or zero point {list(x.shape)} has no axis of {list(data.shape)}; convert it again"
        )
    if len(x) != data.shape[int(axis)]:
        raise UserError(
            f"there are {len(x)} scales for axis {int(axis)} of {list(data.shape)}; convert the model again"
        )
    sizes = [1] * data.dim()
    sizes[int(axis)] = len(x)
    return x.reshape(sizes)


def affine_dequantize(
    quantized_data: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None = None,
    axis: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return `(quantized_data - zero_point) · scale`; scale and zero point are scalars or vectors along `axis`."""
    levels = quantized_data.float()
    if zero_point is not None:
        levels = levels - along_axis(zero_point.float(), levels, axis)
    return levels * along_axis(scale, levels, axis)


def blockwise_shift_scale(
    data: torch.Tensor, scale: torch.Tensor, offset: torch.Tensor | None = None
) -> torch.Tensor:
    """Return `(data - offset) · scale`, with one scale and offset for each block of `data`."""
    levels = data.float()
    if offset is not None:
        levels = levels - _repeat_to(offset.float(), levels)
    return levels * _repeat_to(scale, levels)


def _repeat_to(x: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
    if x.dim() != data.dim() or any(size % count for size, count in zip(data.shape, x.shape, strict=True)):
        raise UserError(f"{list(x.shape)} scales do not divide {list(data.shape)}; convert the model again")
    for axis, size in enumerate(data.shape):
        x = x.repeat_interleave(size // x.shape[axis], axis)
    return x


def lut_to_dense(
    indices: torch.Tensor,
    lut: torch.Tensor,
    shape: torch.Tensor | None = None,
    vector_axis: torch.Tensor | None = None,
) -> torch.Tensor:
    """Look every index up in its table.

    Args:
        indices: iOS 16: bytes with packed indices, uint8 [M]. iOS 18: one index per element.
        lut: iOS 16: one table [entries]. iOS 18: a table for each block, [blocks …, entries, 1].
        shape: of the result; iOS 16 only.
        vector_axis: for tables of vectors, which are not implemented.
    """
    if shape is not None:
        bits = int(math.log2(len(lut)))
        sizes = [int(size) for size in shape.tolist()]
        return lut[torch.from_numpy(unpack(indices.numpy(), bits, math.prod(sizes))).long()].reshape(sizes)
    if lut.shape[-1] != 1 or vector_axis is not None:
        raise UserError(f"its table has vectors of {lut.shape[-1]}; add them to deploy/ios/mil_weights.py")
    tables = lut[..., 0]
    blocks = torch.meshgrid(
        *(torch.arange(size) // (size // count) for size, count in zip(indices.shape, tables.shape, strict=False)),
        indexing="ij",
    )
    return tables[(*blocks, indices.long())]
