"""Run a Core ML `.mlpackage` (an ML Program) where Core ML is not: every operation is computed with torch.

The program, its types and its weights are read from the saved package, so what is run is what a phone gets.
Shape and type of every value are compared with what the program states. Core ML itself may round differently
where its documentation leaves a choice: fp16 values are computed in fp32 here and rounded once per operation,
and `quantize` rounds ties to even.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from deploy.ios.mil_ops import Rounding, compute
from deploy.ios.mil_package import ImageType, Operation, Package, read_package
from deploy.ios.mil_values import TORCH_DTYPES, TensorType
from deploy.ios.mil_weights import Grid, Weight
from train.errors import UserError, first_line

_CONSTEXPR = "constexpr_"
_LEVELS = {"constexpr_affine_dequantize": "quantized_data", "constexpr_blockwise_shift_scale": "data"}


class MilProgram:
    """An ML Program that can be run; made by `load_program`."""

    def __init__(self, package: Package) -> None:
        self.opset = package.opset
        self.inputs = package.inputs
        self.outputs = package.outputs
        self.constants = package.constants
        self.operations = package.operations
        self._fixed: dict[str, torch.Tensor | str] = {name: c.value for name, c in package.constants.items()}
        for operation in self.operations:
            if operation.type.startswith(_CONSTEXPR):
                _step(operation, self._fixed)

    def run(self, inputs: Mapping[str, np.ndarray], rounding: Rounding = "multiply") -> dict[str, np.ndarray]:
        """Evaluate the program.

        Args:
            inputs: by name, of exactly the shapes and types that `self.inputs` states.
            rounding: how `quantize` scales before it rounds. multiply: by the reciprocal of the scale, as
                students are trained, which gives their images exactly. divide: by the scale. The two break ties
                differently, and which one a phone takes is not documented: their distance is what it can cost.

        Returns:
            The outputs by name: tensors as they are stated, an image as uint8 [H, W, 3]. What Core ML does with
            floats that are no bytes (truncate, round, clamp) is not documented, so an image is returned only
            if its values are whole numbers from 0 to 255, which every conversion keeps.

        Raises:
            UserError: an input is missing, unknown or of another type; an operation is not implemented; a value
                differs in shape or type from what the program states; an image's values are not bytes.
        """
        values = dict(self._fixed)
        for name in self.inputs.keys() ^ inputs.keys():
            problem = "is missing" if name in self.inputs else "is unknown"
            raise UserError(f"the input {name} {problem}; the program takes {_list(self.inputs)}")
        for name, array in inputs.items():
            values[name] = torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape).copy())
            _check(values[name], self.inputs[name], f"the input {name}")
        with torch.no_grad():
            for operation in self.operations:
                if not operation.type.startswith(_CONSTEXPR):
                    _step(operation, values, rounding)
        results = {}
        for name, stated in self.outputs.items():
            value = values[name]
            assert isinstance(value, torch.Tensor)
            results[name] = _to_bytes(value, name) if isinstance(stated, ImageType) else value.numpy().copy()
        return results

    def weights(self) -> list[Weight]:
        """Return the weights of all convolutions and Linears, in the order of the program.

        Raises:
            UserError: a weight is computed from an input.
        """
        return [self._weight(op) for op in self.operations if op.type in ("conv", "linear")]

    def grids(self) -> list[Grid]:
        """Return the grid of every quantize and dequantize operation, in the order of the program."""
        return [self._grid(op) for op in self.operations if op.type in ("quantize", "dequantize")]

    def _weight(self, operation: Operation) -> Weight:
        (name,) = operation.inputs["weight"]
        constexpr = next((op for op in self.operations if name in op.outputs), None)
        values, bias = self._array(operation, "weight"), self._array(operation, "bias")
        if values is None or not isinstance(name, str):
            raise UserError(f"the weight of {operation.name} is no constant; convert the model again")
        if constexpr is None:
            dtype = self.constants[name].type.dtype
            return Weight(operation.name, operation.type, name, "const", dtype, values, bias)
        levels_name = _LEVELS.get(constexpr.type, "indices")
        (source,) = constexpr.inputs[levels_name]
        # The levels of a jointly compressed weight are made by another constexpr operation.
        constant = self.constants.get(source) if isinstance(source, str) else source
        dtype = "computed" if constant is None else constant.type.dtype
        weight = Weight(operation.name, operation.type, name, constexpr.type, dtype, values, bias)
        if levels_name == "indices":
            return dataclasses.replace(weight, palette=self._array(constexpr, "lut"))
        levels = self._array(constexpr, levels_name)
        assert levels is not None
        axis = self._array(constexpr, "axis")
        scale, zero_point = (
            None if x is None else _with_rank(x, levels.ndim, axis)
            for x in (
                self._array(constexpr, "scale"),
                self._array(constexpr, "zero_point" if axis is not None else "offset"),
            )
        )
        if zero_point is None:
            zero_point = np.zeros_like(scale)
        return dataclasses.replace(weight, levels=levels, scale=scale, zero_point=zero_point)

    def _grid(self, operation: Operation) -> Grid:
        scale, zero_point = self._array(operation, "scale"), self._array(operation, "zero_point")
        assert scale is not None
        if operation.type == "quantize":
            dtype = operation.outputs[operation.name].dtype
        else:
            (source,) = operation.inputs["input"]
            dtype = next(
                stated.dtype for op in self.operations for name, stated in op.outputs.items() if name == source
            )
        zero_point = np.zeros_like(scale, np.int32) if zero_point is None else zero_point.astype(np.int32)
        # uint8 and int8 levels differ by 128 and are the same grid.
        return Grid(operation.name, operation.type, dtype, scale, zero_point - (128 if dtype == "uint8" else 0))

    def _array(self, operation: Operation, key: str) -> np.ndarray | None:
        """Return an input that does not depend on the program's inputs; None where it has none or depends."""
        if key not in operation.inputs:
            return None
        (source,) = operation.inputs[key]
        value = self._fixed.get(source) if isinstance(source, str) else source.value
        return value.numpy() if isinstance(value, torch.Tensor) else None


def load_program(path: Path) -> MilProgram:
    """Read an `.mlpackage` folder and compute its compressed weights.

    Raises:
        UserError: it is no ML Program, it is damaged, it has flexible shapes, states or image inputs, or
            coremltools, which reads the file formats, is not installed.
    """
    return MilProgram(read_package(path))


def _step(operation: Operation, values: dict[str, torch.Tensor | str], rounding: Rounding = "multiply") -> None:
    """Compute one operation and add its outputs to `values`."""
    what = f"the operation {operation.type} {operation.name}"
    arguments = {}
    for key, sources in operation.inputs.items():
        for source in sources:
            if isinstance(source, str) and source not in values:
                raise UserError(f"{what} uses {source}, which is not computed before; convert the model again")
        found = [values[source] if isinstance(source, str) else source.value for source in sources]
        arguments[key] = found if key == "values" else found[0]
    try:
        results = compute(operation.type, arguments, rounding)
    except (UserError, RuntimeError, IndexError, ValueError) as error:
        raise UserError(f"{what} cannot be computed: {first_line(error)}") from None
    if len(results) != len(operation.outputs):
        raise UserError(f"{what} gives {len(results)} values, not {len(operation.outputs)}; convert it again")
    for result, (name, stated) in zip(results, operation.outputs.items(), strict=True):
        _check(result, stated, f"the result {name} of {operation.type}")
        values[name] = result


def _check(value: torch.Tensor | str, stated: TensorType, what: str) -> None:
    assert isinstance(value, torch.Tensor)
    if value.dtype != TORCH_DTYPES.get(stated.dtype) or tuple(value.shape) != stated.shape:
        found = f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
        raise UserError(f"{what} is {found}, but the program states {stated}; give or convert it so")


def _to_bytes(image: torch.Tensor, name: str) -> np.ndarray:
    """[1, 3, H, W] with whole numbers from 0 to 255 → uint8 [H, W, 3]."""
    image = image.float()
    outside = (image != image.round()) | (image < 0) | (image > 255)
    if bool(outside.any()) or bool(image.isnan().any()):
        worst = float(image[outside | image.isnan()][0])
        raise UserError(
            f"the image {name} has the value {worst}, and how Core ML turns it into a byte is not documented; "
            "end the graph with floor and clip to 0 … 255"
        )
    return image[0].permute(1, 2, 0).to(torch.uint8).contiguous().numpy()


def _with_rank(x: np.ndarray, rank: int, axis: np.ndarray | None) -> np.ndarray:
    if x.ndim == rank:
        return x
    sizes = [1] * rank
    if x.ndim:
        assert axis is not None
        sizes[int(axis)] = len(x)
    return x.reshape(sizes)


def _list(types: Mapping[str, TensorType]) -> str:
    return ", ".join(f"{name} {stated}" for name, stated in types.items())
