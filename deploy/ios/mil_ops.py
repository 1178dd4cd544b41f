"""The operations of a Core ML ML Program, computed with torch as their documentation in coremltools says.

Floats are computed in fp32, whatever they are stored in: MIL's fp16 operations round their result once.
An input that a function here does not name, or a value it does not know, is an error and never a guess.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F

from deploy.ios import mil_movements as movements
from deploy.ios.mil_values import ADD_IT, TORCH_DTYPES, ints, refuse
from deploy.ios.mil_weights import affine_dequantize, along_axis, blockwise_shift_scale, lut_to_dense
from train.errors import UserError

Rounding = Literal["multiply", "divide"]
Argument = torch.Tensor | str | list[torch.Tensor]


@dataclasses.dataclass(frozen=True)
class _Op:
    function: Callable[..., Any]
    floats: tuple[str, ...]
    """Inputs of one common float type, which the result has too; () where the function keeps or sets the type."""


OPS: dict[str, _Op] = {}


def _op(name: str, *floats: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        OPS[name] = _Op(function, floats)
        return function

    return register


def compute(
    op_type: str, arguments: Mapping[str, Argument], rounding: Rounding = "multiply"
) -> list[torch.Tensor]:
    """Return the outputs of one operation.

    Args:
        op_type: MIL's name of the operation.
        arguments: by MIL's names of the inputs; strings and tensors, for `values` a list of tensors.
        rounding: whether `quantize` multiplies by the reciprocal of the scale or divides by the scale.

    Raises:
        UserError: the operation, an input or the value of an input is not implemented, or types do not agree.
    """
    if op_type not in OPS:
        raise UserError(f"there is no such operation here; {ADD_IT}")
    op = OPS[op_type]
    parameters = inspect.signature(op.function).parameters
    for name in arguments.keys() - parameters.keys():
        raise UserError(f"its input {name!r} is not implemented; {ADD_IT}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in arguments:
            raise UserError(f"its input {name!r} is missing; convert the model again")
    if op_type == "quantize":
        arguments = {**arguments, "rounding": rounding}
    dtypes = {name: arguments[name].dtype for name in op.floats if name in arguments}  # type: ignore[union-attr]
    if len(set(dtypes.values())) > 1 or not all(dtype.is_floating_point for dtype in dtypes.values()):
        stated = ", ".join(f"{name} {str(dtype).removeprefix('torch.')}" for name, dtype in dtypes.items())
        raise UserError(f"its inputs are not of one float type: {stated}; {ADD_IT}")
    # Movements keep the type of what they move; the others compute in fp32.
    result = op.function(**({name: _to_fp32(x) for name, x in arguments.items()} if op.floats else arguments))
    outputs = list(result) if isinstance(result, list | tuple) else [result]
    return [x.to(next(iter(dtypes.values()))) for x in outputs] if op.floats else outputs


def _to_fp32(x: Argument) -> Argument:
    return x.float() if isinstance(x, torch.Tensor) and x.dtype == torch.float16 else x


# Weights


_op("constexpr_affine_dequantize", "scale")(affine_dequantize)
_op("constexpr_blockwise_shift_scale", "scale")(blockwise_shift_scale)
_op("constexpr_lut_to_dense")(lut_to_dense)


# Rounding


@_op("quantize")
def _quantize(
    input: torch.Tensor,
    scale: torch.Tensor,
    output_dtype: str,
    *,
    rounding: Rounding = "multiply",
    zero_point: torch.Tensor | None = None,
    axis: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return `clip(round(input / scale) + zero_point)`, ties to even."""
    if output_dtype not in ("int8", "uint8"):
        raise refuse("output_dtype", output_dtype, "int8 or uint8")
    dtype = TORCH_DTYPES[output_dtype]
    if input.dtype != scale.dtype or not input.is_floating_point():
        raise UserError(f"it rounds {input.dtype} with a scale of {scale.dtype}; convert the model again")
    if zero_point is not None and zero_point.dtype != dtype:
        raise UserError(f"its zero_point is {zero_point.dtype} for {output_dtype} levels; convert the model again")
    scale = along_axis(scale.float(), input, axis)
    levels = torch.round(input.float() * (1.0 / scale) if rounding == "multiply" else input.float() / scale)
    if zero_point is not None:
        levels = levels + along_axis(zero_point, input, axis)
    limits = torch.iinfo(dtype)
    return levels.clamp(limits.min, limits.max).to(dtype)


@_op("dequantize", "scale")
def _dequantize(
    input: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None = None,
    axis: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return `(input - zero_point) · scale`."""
    if zero_point is not None and zero_point.dtype != input.dtype:
        raise UserError(f"its zero_point is {zero_point.dtype} for {input.dtype} levels; convert the model again")
    return affine_dequantize(input, scale, zero_point, axis)


@_op("cast")
def _cast(x: torch.Tensor, dtype: str) -> torch.Tensor:
    if dtype not in ("fp16", "fp32"):
        raise refuse("dtype", dtype, "fp16 or fp32")
    return x.to(TORCH_DTYPES[dtype])


# Elementwise


_op("add", "x", "y")(lambda x, y: x + y)
_op("sub", "x", "y")(lambda x, y: x - y)
_op("mul", "x", "y")(lambda x, y: x * y)
_op("real_div", "x", "y")(lambda x, y: x / y)
_op("relu", "x")(lambda x: x.relu())
_op("tanh", "x")(lambda x: x.tanh())
_op("floor", "x")(lambda x: x.floor())
_op("clip", "x", "alpha", "beta")(lambda x, alpha, beta: x.clamp(alpha, beta))


# Layers


@_op("linear", "x", "weight", "bias")
def _linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    return F.linear(x, weight, bias)


@_op("conv", "x", "weight", "bias")
def _conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    *,
    bias: torch.Tensor | None = None,
    strides: torch.Tensor | None = None,
    pad_type: str = "valid",
    pad: torch.Tensor | None = None,
    dilations: torch.Tensor | None = None,
    groups: torch.Tensor | None = None,
) -> torch.Tensor:
    if x.dim() != 4:
        raise refuse("rank", x.dim(), "4 (two spatial dimensions)")
    if pad_type not in ("valid", "custom"):
        raise refuse("pad_type", pad_type, "valid or custom")
    top, bottom, left, right = ints(pad) if pad_type == "custom" and pad is not None else [0] * 4
    padding = (top, left)
    if (top, left) != (bottom, right):
        x, padding = F.pad(x, (left, right, top, bottom)), (0, 0)
    return F.conv2d(
        x,
        weight,
        bias,
        (1, 1) if strides is None else ints(strides),
        padding,
        (1, 1) if dilations is None else ints(dilations),
        1 if groups is None else int(groups),
    )


@_op("upsample_bilinear", "x")
def _upsample_bilinear(
    x: torch.Tensor,
    scale_factor_height: torch.Tensor,
    scale_factor_width: torch.Tensor,
    align_corners: torch.Tensor | None = None,
    half_pixel_centers: torch.Tensor | None = None,
) -> torch.Tensor:
    if x.dim() != 4:
        raise refuse("rank", x.dim(), "4")
    aligned = align_corners is None or bool(align_corners)  # MIL's default
    if half_pixel_centers is not None and bool(half_pixel_centers) == aligned:
        raise refuse("half_pixel_centers", bool(half_pixel_centers), "the opposite of align_corners")
    factors = (float(scale_factor_height), float(scale_factor_width))
    return F.interpolate(
        x, scale_factor=factors, mode="bilinear", align_corners=aligned, recompute_scale_factor=True
    )


# Movements


_op("identity")(movements.identity)
_op("reshape")(movements.reshape)
_op("transpose")(movements.transpose)
_op("expand_dims")(movements.expand_dims)
_op("squeeze")(movements.squeeze)
_op("concat")(movements.concat)
_op("split")(movements.split)
_op("slice_by_index")(movements.slice_by_index)
