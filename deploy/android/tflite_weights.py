"""Whether an int8 .tflite file holds exactly the weights, scales and grids of its student."""

import dataclasses
from typing import Any

import numpy as np
import torch

from compress.export_points import use_integer_resize
from compress.fake_quant import QuantGenerator
from deploy.android.tflite_file import WEIGHTED, Operation, TfliteFile
from train.errors import UserError

Grid = tuple[float, int]

_KINDS = {
    torch.ops.aten.linear.default: "FULLY_CONNECTED",
    torch.ops.aten.conv2d.default: "CONV_2D",
    torch.ops.aten.mul.Tensor: "MUL",
    torch.ops.aten.add.Tensor: "ADD",
    torch.ops.aten.upsample_bilinear2d.vec: "RESIZE_BILINEAR",
}
_KINDS_IN_FILE = {*_KINDS.values(), "DEPTHWISE_CONV_2D"}
_OPS = torch.ops.quantized_decomposed
_TO_GRID, _FROM_GRID = _OPS.quantize_per_tensor.default, _OPS.dequantize_per_tensor.default


@dataclasses.dataclass(frozen=True, eq=False)
class QuantizedOperation:
    """An operation between two grids."""

    name: str
    """Of the student's layer, or of the operation."""
    kind: str
    """As TFLite calls it."""
    inputs: tuple[Grid, ...]
    """Scale and zero point of each activation, sorted."""
    output: Grid
    levels: np.ndarray | None = None
    """Of the weight, int8 in the file's layout."""
    scales: np.ndarray | None = None
    """Of the weight, float32 [out]."""
    bias: np.ndarray | None = None
    """float32 [out]: the student's, or what the file's integers stand for."""

    def same_place(self, other: "QuantizedOperation") -> bool:
        """Whether both are of one kind between the same grids."""
        return (self.kind, self.inputs, self.output) == (other.kind, other.inputs, other.output)


def check_weights(file: TfliteFile, student: QuantGenerator) -> None:
    """Compare every weight, scale, bias and activation grid of an int8 file with the student's.

    Weights, scales and grids must be equal; biases may differ by half a step of their int32 grid.

    Raises:
        UserError: the first layer that differs, by name.
    """
    found = [_from_file(operation) for operation in file.operations if operation.name in _KINDS_IN_FILE]
    for expected in student_operations(student):
        candidates = [operation for operation in found if expected.same_place(operation)]
        if not candidates:
            raise UserError(
                f"no {expected.kind} of the file lies between the grids of the student's {expected.name}"
            )
        differences = [_difference(operation, expected) for operation in candidates]
        if None not in differences:
            raise UserError(f"the file's {expected.name} is not the student's: {differences[0]}")
        found.remove(candidates[differences.index(None)])
    if found:
        raise UserError(f"the file has a {found[0].kind} (→ {found[0].name}) that the student has not")


def student_operations(student: QuantGenerator) -> list[QuantizedOperation]:
    """Return the operations of a quantized student between the grids that it rounds to, in the file's layout.

    Raises:
        UserError: a range is not set.
    """
    form = use_integer_resize(student.export_form(float_weights=False, nhwc=True))
    config = student.config
    inputs = [torch.zeros(1, config.z_dim)]
    if hasattr(form, "class_affine"):
        inputs.append(torch.zeros(1, config.num_classes))
    with torch.no_grad():
        program = torch.export.export(form, tuple(inputs))
    tensors = {
        spec.arg.name: (spec.target, program.state_dict[spec.target])
        for spec in program.graph_signature.input_specs
        if spec.target is not None and spec.target in program.state_dict
    }
    operations = []
    for node in program.graph.nodes:
        if node.target not in _KINDS:
            continue
        grids = [_grid_before(argument) for argument in node.args if isinstance(argument, torch.fx.Node)]
        place = tuple(sorted(grid for grid in grids if grid is not None))
        operations.append(_from_student(node, place, tensors))
    return operations


def _from_student(
    node: torch.fx.Node, inputs: tuple[Grid, ...], tensors: dict[str, tuple[str, torch.Tensor]]
) -> QuantizedOperation:
    kind, output = _KINDS[node.target], _grid_after(node)  # type: ignore[index]
    if kind not in ("FULLY_CONNECTED", "CONV_2D"):
        return QuantizedOperation(node.name, kind, inputs, output)
    weight, bias = node.args[1], node.args[2] if len(node.args) > 2 else None
    assert isinstance(weight, torch.fx.Node)
    name, levels = tensors[str(weight.args[0])]
    _, scales = tensors[str(weight.args[1])]
    if kind == "CONV_2D":
        depthwise = len(node.args) > 6 and node.args[6] != 1
        kind = "DEPTHWISE_CONV_2D" if depthwise else kind
        # TFLite's layouts: [1, height, width, channels] and [out, height, width, in].
        levels = levels.permute(1, 2, 3, 0) if depthwise else levels.permute(0, 2, 3, 1)
    return QuantizedOperation(
        name.replace(".operation.", "."),
        kind,
        inputs,
        output,
        levels.numpy(),
        scales.numpy(),
        None if bias is None else tensors[str(bias)][1].detach().numpy(),
    )


def _grid_before(node: torch.fx.Node) -> Grid | None:
    """Return the grid of a value, None for a weight."""
    while node.target is not _FROM_GRID:
        if node.op == "placeholder" or node.target is _OPS.dequantize_per_channel.default:
            return None
        node = node.args[0]  # type: ignore[assignment]
    return _grid(node)


def _grid_after(node: torch.fx.Node) -> Grid:
    """Return the grid that a result is rounded to, perhaps after a relu or a change of shape."""
    while node.target is not _TO_GRID:
        (node,) = node.users
    return _grid(node)


def _grid(node: torch.fx.Node) -> Grid:
    # As the file stores it.
    return float(np.float32(node.args[1])), int(node.args[2])  # type: ignore[arg-type]


def _from_file(operation: Operation) -> QuantizedOperation:
    grids = [tensor.grid for tensor in operation.activations]
    output = operation.outputs[0].grid
    if None in grids or output is None:
        raise UserError(f"the file's {operation.name} (→ {operation.outputs[0].name}) is not between int8 grids")
    fields: dict[str, Any] = {}
    if operation.name in WEIGHTED:
        _, weight, *rest = operation.inputs
        assert weight is not None
        fields = {"levels": weight.values, "scales": weight.scales}
        if rest and rest[0] is not None:
            assert rest[0].values is not None
            fields["bias"] = rest[0].values * rest[0].scales
            fields["bias_scales"] = rest[0].scales
    return _FileOperation(
        operation.outputs[0].name,
        operation.name,
        tuple(sorted(grid for grid in grids if grid is not None)),
        output,
        **fields,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _FileOperation(QuantizedOperation):
    bias_scales: np.ndarray | None = None


def _difference(found: QuantizedOperation, expected: QuantizedOperation) -> str | None:
    if expected.levels is None or expected.scales is None:
        return None
    if found.levels is None or found.scales is None or found.levels.shape != expected.levels.shape:
        return f"its shape is not {list(expected.levels.shape)}"
    if not np.array_equal(found.levels, expected.levels):
        return f"{np.count_nonzero(found.levels != expected.levels)} of {expected.levels.size} levels differ"
    if not np.array_equal(found.scales, expected.scales):
        return f"{np.count_nonzero(found.scales != expected.scales)} of {len(expected.scales)} scales differ"
    return _bias_difference(found, expected)


def _bias_difference(found: QuantizedOperation, expected: QuantizedOperation) -> str | None:
    assert isinstance(found, _FileOperation) and expected.scales is not None
    have = np.zeros(1) if found.bias is None else found.bias
    want = np.zeros(1) if expected.bias is None else expected.bias
    step = np.float64(expected.inputs[0][0]) * expected.scales
    # Half a step, and what float32 loses in computing the level.
    wrong = np.abs(have.astype(np.float64) - want) > 0.5 * step + 1e-6 * np.abs(want)
    if wrong.any():
        return f"{np.count_nonzero(wrong)} of {len(expected.scales)} biases are off by more than half a step"
    if found.bias_scales is not None and not np.allclose(found.bias_scales, step, rtol=1e-6, atol=0):
        return "its biases are on another grid than input times weight"
    return None
