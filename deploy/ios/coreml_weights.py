"""The weights inside a Core ML package: palettes, and whether a quantized student's are its own."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compress.fake_quant import QuantGenerator
from compress.quantizer import QuantOperation, QuantPoint
from deploy.ios.coreml import (
    Compute,
    FloatForm,
    Output,
    convert,
    coremltools,
    example_inputs,
    stored_bits,
    write_package,
)
from deploy.ios.mil_program import load_program
from deploy.ios.mil_weights import Grid, Weight
from deploy.ios.package_info import PackageInfo
from deploy.quiet import quiet
from train.errors import UserError

# Below it fp16 numbers lose bits, and a scale is no longer the student's to one part in two thousand.
_SMALLEST_FP16 = float(np.finfo(np.float16).tiny)
# What may stand between a quantize and its dequantize operation.
_REARRANGEMENTS = ("reshape", "expand_dims", "squeeze", "transpose")


def convert_palettized(
    form: FloatForm,
    path: Path,
    info: PackageInfo,
    *,
    bits: int = 6,
    compute: Compute = "fp16",
    output: Output = "image",
) -> None:
    """Write a float form whose weights are numbers of a palette's entries, for iOS 16 and later.

    Every weight tensor has one palette of 2^bits entries, found by k-means with a fixed seed: the same form
    gives the same palettes. A weight with fewer elements than its palette may stay as it is, and depthwise ones
    do. With palettes for those too the 6-bit images of the digits student (width 16) were 42.7 dB from its own;
    with a palette for every 16 channels, which only iOS 18 and later load, they were 46.4 dB.

    Args:
        form: it stays as it is.
        path: of the package, a folder that ends in .mlpackage; an old one is replaced.
        info: its description.
        bits: of the numbers: 1, 2, 4, 6 or 8.
        compute: see `deploy.ios.coreml.convert_float`.
        output: see there.

    Raises:
        UserError: as `deploy.ios.coreml.convert_float`, or `bits` is another number.
        RuntimeError: the conversion has changed the live form.
    """
    if bits not in (1, 2, 4, 6, 8):
        raise UserError(f"Core ML has no palettes of {bits} bits for iOS 16; choose 1, 2, 4, 6 or 8")
    model = convert(form, form, target="iOS16", compute=compute, output=output)
    write_package(
        palettize(model, bits), path, info, form, f"{bits}-bit palettized weights, {compute} activations"
    )


def palettize(model: Any, bits: int) -> Any:
    """Return a converted model with one palette for every weight but those of depthwise convolutions.

    Those are nine numbers a channel, of channels that differ widely, and images suffer most from their errors:
    with palettes the animals student's are 28.8 dB from its own.
    """
    coremltools()
    import coremltools.optimize.coreml as compression

    palettes = compression.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=0)
    with quiet():
        weights = compression.get_weights_metadata(model, weight_threshold=0)
        depthwise = [name for name, weight in weights.items() if weight.val.ndim == 4 and weight.val.shape[1] == 1]
        none = dict.fromkeys(depthwise)  # their configs, by name, where the annotation asks for one config
        config = compression.OptimizationConfig(global_config=palettes, op_name_configs=none)  # type: ignore[arg-type]
        return compression.palettize_weights(model, config)


@torch.no_grad()
def first_difference(path: Path, student: QuantGenerator) -> str | None:
    """Compare every weight's levels, scales and bias, and every activation's grid, with the student's.

    Scales and biases of an fp16 package must be the student's rounded to fp16.

    Args:
        path: a package that `convert_quantized` wrote, or the one inside a .pte file.
        student: that it was made from.

    Returns:
        A sentence about the first that differs, or None.

    Raises:
        UserError: the package cannot be read.
    """
    program = load_program(path)
    operations, points = _execution_order(student)
    weights = [weight for weight in program.weights() if weight.levels is not None]
    grids = {grid.operation: grid for grid in program.grids()}
    rounded = [grids[op.name] for op in program.operations if op.type == "quantize"]
    if len(weights) != len(operations):
        return f"{path} has {len(weights)} quantized weights, not {len(operations)}"
    differences = [_weight_difference(*pair) for pair in zip(weights, operations, strict=True)]
    differences.append(_roundings_difference(rounded, points))
    grid_of: dict[str, Grid | None] = {}
    for op in program.operations:
        source = op.inputs.get("input", op.inputs.get("x", [""]))[0]
        before = grid_of.get(source) if isinstance(source, str) else None
        if op.type == "quantize":
            grid_of[op.name] = grids[op.name]
        elif op.type in _REARRANGEMENTS:
            grid_of[op.name] = before
        elif op.type == "dequantize":
            after = grids[op.name]
            if before is None or (after.scale, after.zero_point) != (before.scale, before.zero_point):
                differences.append(f"{op.name} does not have the grid of {source}")
    return next((difference for difference in differences if difference), None)


@dataclasses.dataclass(frozen=True)
class _Named:
    name: str
    module: Any


def _execution_order(student: QuantGenerator) -> tuple[list[_Named], list[_Named]]:
    """Return weight and activation quantizers in the order in which one image meets them."""
    operations: list[_Named] = []
    points: list[_Named] = []
    handles = []
    for quantizers, order in ((student.operations(), operations), (student.points(), points)):
        for name, module in quantizers.items():
            named = _Named(name, module)
            handles.append(module.register_forward_pre_hook(lambda *_, n=named, o=order: o.append(n)))
    try:
        student.form(*example_inputs(student.form).values())
    finally:
        for handle in handles:
            handle.remove()
    return operations, points


def _weight_difference(weight: Weight, expected: _Named) -> str | None:
    operation: QuantOperation = expected.module
    assert weight.levels is not None and weight.scale is not None and weight.zero_point is not None
    levels = operation.levels().numpy()
    scale = operation.scale().numpy().reshape(-1, *[1] * (levels.ndim - 1))
    bits = stored_bits(operation.bits)
    if weight.dtype != f"int{bits}" and (weight.dtype != "int4" or np.abs(levels).max() > 7):
        return f"{expected.name} is stored as {weight.dtype}, not int{bits}"
    if weight.levels.shape != levels.shape or weight.zero_point.any() or (weight.levels != levels).any():
        return f"the levels of {expected.name} differ in {weight.name}"
    if problem := _number_difference(weight.scale, scale):
        return f"a scale of {expected.name} {problem} in {weight.name}"
    bias = operation.operation.bias
    stored = np.zeros(len(levels), weight.scale.dtype) if weight.bias is None else weight.bias
    wanted = np.zeros(len(levels), np.float32) if bias is None else bias.numpy()
    if stored.shape != wanted.shape or (stored != wanted.astype(stored.dtype)).any():
        return f"the bias of {expected.name} differs in {weight.operation}"
    return None


def _roundings_difference(rounded: Sequence[Grid], points: Sequence[_Named]) -> str | None:
    """Walk both in order; the program may leave out that a value is rounded to its grid once more."""
    seen: set[str] = set()
    remaining = iter(points)
    for grid in rounded:
        difference: str | None = f"{grid.operation} rounds what the student does not"
        for point in remaining:
            repeated = point.name in seen
            seen.add(point.name)
            difference = _grid_difference(grid, point)
            if difference is None or not repeated:
                break
        if difference:
            return difference
    left = [point.name for point in remaining if point.name not in seen]
    return f"{left[0]} is not rounded" if left else None


def _grid_difference(grid: Grid, expected: _Named) -> str | None:
    point: QuantPoint = expected.module
    scale, zero_point = (x.numpy() for x in point.grid())
    if problem := _number_difference(grid.scale, scale):
        return f"the scale of {expected.name} {problem} in {grid.operation}"
    if int(grid.zero_point) != int(zero_point):
        return f"the zero point of {expected.name} is {int(grid.zero_point)}, not {int(zero_point)}"
    return None


def _number_difference(found: np.ndarray, expected: np.ndarray) -> str | None:
    if found.shape != expected.shape:
        return f"is one of {list(found.shape)}, not {list(expected.shape)},"
    wrong = found != expected.astype(found.dtype)
    if wrong.any():
        return f"is {float(found[wrong][0]):.9g}, not {float(expected[wrong][0]):.9g},"
    if found.dtype == np.float16 and float(expected.min()) < _SMALLEST_FP16:
        return f"of {float(expected.min()):.3g} is too small for fp16"
    return None
