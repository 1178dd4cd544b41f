"""Files made by hand, one fault in each; no converter is needed."""

import subprocess
import sys

import numpy as np
import pytest
from exported_files import run_tflite

from deploy.android.tflite_file import check_structure, load_tflite, read_tflite, schema
from deploy.android.tflite_rewrite import pack, with_float_interface, with_half_weights
from train.commands import process_environment
from train.errors import UserError

pytest.importorskip("ai_edge_litert", reason="needs the extra android")


class Graph:
    """z float32 [1, 4] → image float32 [1, 2, 2, 3], to which operations are added."""

    def __init__(self, z_dtype="FLOAT32", inputs=("z",)) -> None:
        self.library = schema()
        self.model, self.graph = self.library.ModelT(), self.library.SubGraphT()
        self.model.version, self.model.subgraphs, self.model.operatorCodes = 3, [self.graph], []
        self.model.buffers = [self.library.BufferT()]
        self.graph.tensors, self.graph.operators = [], []
        self.inputs = [self.tensor(name, z_dtype, (1, 4), scale=0.5) for name in inputs]

    def tensor(self, name, dtype, shape, values=None, scale=None) -> int:
        tensor = self.library.TensorT()
        tensor.name, tensor.type, tensor.shape = name, getattr(self.library.TensorType, dtype), list(shape)
        if dtype == "INT8":
            tensor.quantization = self.library.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [3]
        if values is not None:
            buffer = self.library.BufferT()
            buffer.data = np.ascontiguousarray(values).view(np.uint8).ravel()
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def add(self, name, inputs, output, options=None) -> int:
        code = self.library.OperatorCodeT()
        code.builtinCode = getattr(self.library.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        self.model.operatorCodes.append(code)
        operator = self.library.OperatorT()
        operator.opcodeIndex, operator.inputs = len(self.model.operatorCodes) - 1, inputs
        operator.outputs = [output]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(self.library.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.graph.operators.append(operator)
        return output

    def finish(self, output: int, name="image") -> bytes:
        self.graph.inputs, self.graph.outputs = self.inputs, [output]
        signature = self.library.SignatureDefT()
        signature.signatureKey = "serving_default"
        signature.inputs = [self._entry(self.graph.tensors[index].name, index) for index in self.inputs]
        signature.outputs = [self._entry(name, output)]
        self.model.signatureDefs = [signature]
        return pack(self.model)

    def _entry(self, name, index):
        entry = self.library.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        return entry


def linear(weight, half=False) -> bytes:
    """tanh of a Linear, as an image."""
    graph = Graph()
    matrix = graph.tensor("weight", "FLOAT32", (12, 4), weight.astype(np.float32))
    flat = graph.add(
        "FULLY_CONNECTED",
        [*graph.inputs, matrix, -1],
        graph.tensor("flat", "FLOAT32", (1, 12)),
        graph.library.FullyConnectedOptionsT(),
    )
    shape = graph.tensor("shape", "INT32", (4,), np.array([1, 2, 2, 3], np.int32))
    grid = graph.add("RESHAPE", [flat, shape], graph.tensor("grid", "FLOAT32", (1, 2, 2, 3)))
    data = graph.finish(graph.add("TANH", [grid], graph.tensor("image", "FLOAT32", (1, 2, 2, 3))))
    return with_half_weights(data) if half else data


WEIGHT = np.linspace(-1, 1, 48).reshape(12, 4)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("kernels", ["xnnpack", "builtin", "reference"])
def test_a_file_is_read_and_run(half, kernels, tmp_path):
    data = linear(WEIGHT, half)
    (tmp_path / "a.tflite").write_bytes(data)
    z = np.array([[1, -1, 0.5, 2], [0, 0, 0, 1]], np.float32)
    images = run_tflite(tmp_path / "a.tflite", z, kernels=kernels)
    assert images == pytest.approx(np.tanh(z @ WEIGHT.T).reshape(2, 2, 2, 3), abs=2e-3 if half else 1e-5)
    file = read_tflite(data)
    assert file.counts() == {"FULLY_CONNECTED": 1, "RESHAPE": 1, "TANH": 1} | ({"DEQUANTIZE": 1} if half else {})
    check_structure(file, "fp16" if half else "fp32")


def test_the_memory_of_one_run_survives_the_next(tmp_path):
    (tmp_path / "a.tflite").write_bytes(linear(WEIGHT))
    run = load_tflite(tmp_path / "a.tflite")
    first = run(np.ones((1, 4), np.float32))
    copy = first.copy()
    run(-np.ones((1, 4), np.float32))
    assert np.array_equal(first, copy)


def test_fp32_weights_are_no_fp16_file():
    with pytest.raises(UserError, match=r"the weight of FULLY_CONNECTED \(→ flat\) is not float16"):
        check_structure(read_tflite(linear(WEIGHT)), "fp16")


def test_weights_beyond_float16_are_refused():
    with pytest.raises(UserError, match="weight has weights beyond ±65504"):
        linear(WEIGHT * 1e5, half=True)


def test_float_arithmetic_in_an_int8_file_is_named():
    with pytest.raises(UserError, match=r"FULLY_CONNECTED \(→ flat\) computes in FLOAT32"):
        check_structure(read_tflite(linear(WEIGHT)), "int8")


def test_a_transposition_is_named():
    graph = Graph()
    order = graph.tensor("order", "INT32", (2,), np.array([1, 0], np.int32))
    data = graph.finish(
        graph.add("TRANSPOSE", [*graph.inputs, order], graph.tensor("image", "FLOAT32", (1, 2, 2, 3)))
    )
    with pytest.raises(UserError, match=r"has a TRANSPOSE \(→ image\)"):
        check_structure(read_tflite(data), "fp32")


@pytest.mark.parametrize("half_pixel", [True, False])
def test_half_pixel_centres_are_asked_for(half_pixel):
    graph = Graph()
    options = graph.library.ResizeBilinearOptionsT()
    options.halfPixelCenters = half_pixel
    size = graph.tensor("size", "INT32", (2,), np.array([2, 2], np.int32))
    image = graph.tensor("image", "FLOAT32", (1, 2, 2, 3))
    file = read_tflite(graph.finish(graph.add("RESIZE_BILINEAR", [*graph.inputs, size], image, options)))
    if half_pixel:
        check_structure(file, "fp32")
    else:
        with pytest.raises(UserError, match="has no half-pixel centres"):
            check_structure(file, "fp32")


def island() -> bytes:
    """A float island: int8 → float → int8 in the middle."""
    graph = Graph("INT8")
    (z,) = graph.inputs
    real = graph.add("DEQUANTIZE", [z], graph.tensor("real", "FLOAT32", (1, 4)))
    sine = graph.add("SIN", [real], graph.tensor("sine", "FLOAT32", (1, 4)))
    back = graph.add("QUANTIZE", [sine], graph.tensor("back", "INT8", (1, 2, 2, 3), scale=0.1))
    return with_float_interface(graph.finish(back))


def test_a_float_island_is_named():
    with pytest.raises(UserError, match=r"the int8 file has a DEQUANTIZE \(→ real\) that no rule allows"):
        check_structure(read_tflite(island()), "int8")


def test_int8_inputs_and_outputs_become_float():
    file = read_tflite(island())
    assert [o.name for o in file.operations] == ["QUANTIZE", "DEQUANTIZE", "SIN", "QUANTIZE", "DEQUANTIZE"]
    assert {t.dtype for t in (*file.inputs.values(), *file.outputs.values())} == {"FLOAT32"}
    assert file.operations[0].outputs[0].grid == (0.5, 3)
    assert file.operations[0].inputs[0] is file.inputs["z"]
    assert file.operations[-1].outputs[0] is file.outputs["image"]


@pytest.mark.parametrize(
    ("inputs", "output"), [(("x",), "image"), (("class_weights", "z"), "image"), (("z",), "y")]
)
def test_other_names_are_refused(inputs, output):
    graph = Graph(inputs=inputs)
    result = graph.add("TANH", graph.inputs[:1], graph.tensor("image", "FLOAT32", (1, 2, 2, 3)))
    with pytest.raises(UserError, match="the file's inputs are"):
        check_structure(read_tflite(graph.finish(result, output)), "fp32")


def test_an_nchw_image_is_refused():
    graph = Graph()
    result = graph.add("TANH", graph.inputs, graph.tensor("image", "FLOAT32", (1, 3, 2, 2)))
    with pytest.raises(UserError, match=r"the shape \[1, 3, 2, 2\], not \[1, H, W, 3\]"):
        check_structure(read_tflite(graph.finish(result)), "fp32")


def test_damage_is_one_line(tmp_path):
    data = linear(WEIGHT)
    for broken, message in [
        (b"nothing", "lacks the mark TFL3"),
        (data[:40], "is damaged"),
        (b"", "lacks the mark"),
    ]:
        (tmp_path / "a.tflite").write_bytes(broken)
        with pytest.raises(UserError, match=message):
            load_tflite(tmp_path / "a.tflite")
    with pytest.raises(UserError, match="no TFLite file at"):
        read_tflite(tmp_path / "b.tflite")


def test_what_the_runtime_refuses_is_told(tmp_path):
    graph = Graph()  # two inputs of a tanh
    result = graph.add("TANH", [*graph.inputs, *graph.inputs], graph.tensor("image", "FLOAT32", (1, 2, 2, 3)))
    (tmp_path / "a.tflite").write_bytes(graph.finish(result))
    with pytest.raises(UserError, match="ai-edge-litert refuses"):
        load_tflite(tmp_path / "a.tflite")


def test_a_missing_library_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert", None)
    with pytest.raises(UserError, match=r"pip install --editable \S*\[android\]"):
        read_tflite(b"")


def test_a_process_that_runs_files_does_not_import_torch():
    code = "import sys, deploy.android.tflite_file, ai_edge_litert.interpreter; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env=process_environment())
