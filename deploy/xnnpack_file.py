"""What an XNNPACK .pte file computes with: the layers' integers, scales, biases and the activations' grids."""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from compress.fake_quant import QuantGenerator
from compress.quantizer import QuantOperation
from deploy.executorch_program import read_contents
from deploy.flatbuffer import packaged_schema, read_header
from train.errors import UserError

BACKEND = "XnnpackBackend"
_SCHEMA = "executorch.backends.xnnpack.serialization"
_LAYERS = ("XNNConv2d", "XNNDepthwiseConv2d", "XNNFullyConnected")
_INT8, _INT8_PER_CHANNEL = 3, 6  # XNNDatatype
_NO_VALUE = 2**32 - 1
Grid = tuple[float, int]
"""Scale and zero point of an int8 activation."""


@dataclasses.dataclass(frozen=True)
class FileLayer:
    """A convolution or Linear with int8 weights."""

    levels: np.ndarray
    """int8, in the order of the file: [out, in], [out, height, width, in] or, depthwise, [height, width, out]."""
    scale: np.ndarray
    """float32 [out]."""
    bias: np.ndarray | None
    """float32 [out], what the file's integers stand for."""
    bias_step: np.ndarray
    """float32 [out], the distance of two neighbouring biases: the input's scale times `scale`."""


@dataclasses.dataclass(frozen=True)
class XnnpackGraph:
    """The delegate of a file."""

    layers: list[FileLayer]
    grids: set[Grid]
    """Of all int8 activations."""
    operations: Counter[str]
    """Node → count, such as XNNConv2d."""
    int8_resizes: int
    """Upsamples whose input and output are int8."""


def read_graph(source: Path | bytes) -> XnnpackGraph:
    """Read the one XNNPACK delegate of a .pte file, given as a path or as its bytes.

    Raises:
        UserError: it is no ExecuTorch program, or not with one XNNPACK delegate.
    """
    contents = read_contents(source)
    payload = contents.only_payload(BACKEND)
    start, size = read_header(payload, "XNNPACK", b"XH00", "II")
    graph = packaged_schema(_SCHEMA).read(payload[start : start + size])
    values = {}
    for value in graph["xvalues"]:
        union = value["xvalue_union"]
        tensor = union.get("tensor_value") or union
        values[tensor["id_out"]] = (tensor, union.get("quant_params"))
    constants = [contents.named_data.get(c["named_key"], b"")[: c["size"]] for c in graph["constant_data"]]
    nodes = [node["xnode_union"] for node in graph["xnodes"]]
    reader = _Reader(values, constants)
    resizes = [node for node in nodes if node["type"] == "XNNStaticResizeBilinear2D"]
    return XnnpackGraph(
        layers=[reader.layer(node) for node in nodes if node["type"] in _LAYERS and reader.is_int8_layer(node)],
        grids={grid for tensor, _ in values.values() if (grid := reader.grid(tensor["id_out"])) is not None},
        operations=Counter(node["type"] for node in nodes),
        int8_resizes=sum(None is not reader.grid(n["input_id"]) == reader.grid(n["output_id"]) for n in resizes),
    )


def check_weights(source: Path | bytes, student: QuantGenerator) -> None:
    """Prove that a .pte file computes with the integers, scales, biases and grids of an int8 student.

    Each quantized layer is looked up among the file's by its integers and scales, bit for bit; its bias by value,
    to half a step of the int32 grid that XNNPACK keeps biases on. The grids of the activations are the same set.

    Raises:
        UserError: something differs; the message names the first layer.
    """
    graph = read_graph(source)
    found = {}
    for layer in graph.layers:
        found.setdefault((layer.levels.tobytes(), layer.scale.tobytes()), []).append(layer)
    for name, operation in student.operations().items():
        levels, scale = _levels(operation), operation.scale().numpy()
        candidates = found.get((levels.tobytes(), scale.tobytes()), [])
        bias = operation.operation.bias
        match = next((layer for layer in candidates if _same_bias(layer, bias)), None)
        if match is None:
            what = "bias" if candidates else "integers and scales"
            raise UserError(f"the {what} of {name} are not in the file; export the student again")
        candidates.remove(match)
    if left := sum(len(layers) for layers in found.values()):
        raise UserError(f"the file has {left} int8 layers that the student has not; export the student again")
    grids = {
        (float(scale), int(zero_point)) for scale, zero_point in (p.grid() for p in student.points().values())
    }
    if graph.grids != grids:
        odd = sorted(graph.grids ^ grids)[0]
        raise UserError(
            f"the activations' grids differ: (scale, zero point) {odd} is in the "
            f"{'file' if odd in graph.grids else 'student'} only; export the student again"
        )


class _Reader:
    def __init__(self, values: dict[int, tuple[dict[str, Any], Any]], constants: list[bytes]) -> None:
        self._values = values
        self._constants = constants

    def grid(self, value: int) -> Grid | None:
        tensor, quantization = self._values[value]
        if tensor["datatype"] != _INT8 or quantization is None or tensor["constant_buffer_idx"]:
            return None
        return quantization["scale"], quantization["zero_point"]

    def is_int8_layer(self, node: dict[str, Any]) -> bool:
        return self._values[node["filter_id"]][0]["datatype"] == _INT8_PER_CHANNEL

    def layer(self, node: dict[str, Any]) -> FileLayer:
        tensor, quantization = self._values[node["filter_id"]]
        shape = tensor["dims"][1:] if node["type"] == "XNNDepthwiseConv2d" else tensor["dims"]
        scale = np.frombuffer(self._constants[quantization["scale_buffer_idx"]], np.float32)
        grid = self.grid(node["input1_id"])
        if grid is None:
            raise UserError("a layer with int8 weights has a float input; quantize activations too (W8A8)")
        step = np.float32(grid[0]) * scale
        bias = None
        if node["bias_id"] != _NO_VALUE:
            buffer = self._constants[self._values[node["bias_id"]][0]["constant_buffer_idx"]]
            bias = np.frombuffer(buffer, np.int32) * step
        levels = np.frombuffer(self._constants[tensor["constant_buffer_idx"]], np.int8).reshape(shape)
        return FileLayer(levels, scale, bias, step)


def _levels(operation: QuantOperation) -> np.ndarray:
    """Return a layer's integers in the order of the file."""
    levels = operation.levels()
    if isinstance(operation.operation, nn.Conv2d):
        # XNNPACK calls a convolution with one input channel in each group depthwise.
        levels = levels.permute(1, 2, 3, 0) if levels.shape[1] == 1 else levels.permute(0, 2, 3, 1)
    return levels.contiguous().numpy()


def _same_bias(layer: FileLayer, bias: torch.Tensor | None) -> bool:
    if layer.bias is None or bias is None:
        # XNNPACK's graph builder gives no bias to a layer that has none.
        return layer.bias is None and bias is None
    expected = bias.detach().double().numpy()
    return bool((np.abs(layer.bias - expected) <= 0.5001 * layer.bias_step + 1e-6 * np.abs(expected)).all())
