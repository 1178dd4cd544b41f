"""What the converted files are, and what is refused of them; the conversions are shared, see `android_exports`."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from exported_files import run_tflite
from stand_ins import trained_like_student
from torch import nn

from compress.deploy_form import deploy_form, one_hot
from compress.export_points import ExportOperation, ExportPoint
from compress.fake_quant import QuantGenerator
from compress.quant_config import QuantConfig
from deploy.android import tflite
from deploy.android.tflite_file import WEIGHTED, TfliteFile, load_tflite, read_tflite, schema
from deploy.android.tflite_rewrite import pack
from deploy.android.tflite_weights import check_weights
from train.errors import UserError
from train.generator import GeneratorConfig

pytest.importorskip("litert_torch", reason="needs the extra android")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the libraries that litert-torch imports
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CONFIG = GeneratorConfig("dw", channels=4, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=6)
EQUAL_BIAS = "class_affine.vectors.block0_gain1"


@dataclasses.dataclass(frozen=True)
class Converted:
    module: nn.Module
    path: Path
    file: TfliteFile


def inputs(count=8, seed=5):
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(count, CONFIG.z_dim, generator=random).clamp(-2, 2)
    return z, one_hot(torch.arange(count) % CONFIG.num_classes, CONFIG.num_classes)


def quantized(form, **config) -> QuantGenerator:
    student = QuantGenerator(form, QuantConfig(**config)).eval()
    student.calibrate([inputs(16, seed) for seed in range(2)])
    return student


def make_form():
    return deploy_form(trained_like_student(CONFIG))


@pytest.fixture
def fp32(android_exports) -> Converted:
    path = android_exports("student_fp32.tflite")
    return Converted(android_exports.source.form, path, read_tflite(path))


@pytest.fixture
def int8(android_exports) -> Converted:
    path = android_exports("student_int8.tflite")
    return Converted(android_exports.source.quantized["int8"], path, read_tflite(path))


def psnr(converted: Converted, kernels="xnnpack", one_class=False):
    """Of a file's images to those of its module, dB."""
    arrays = inputs()[: 1 if one_class else 2]
    with torch.no_grad():
        expected = converted.module(*arrays).permute(0, 2, 3, 1).numpy()
    images = run_tflite(converted.path, *(array.numpy() for array in arrays), kernels=kernels)
    assert images.shape == expected.shape and expected.std() > 0.1
    return 10 * np.log10(4 / np.mean((images.astype(np.float64) - expected) ** 2))


@pytest.mark.parametrize("kernels", ["xnnpack", "builtin", "reference"])
def test_fp32_is_the_float_student(fp32, kernels):
    assert psnr(fp32, kernels) >= 100


def test_the_fp32_graph_is_that_of_the_deploy_form(fp32):
    counts = fp32.file.counts()
    assert {
        name: counts[name] for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "RESIZE_BILINEAR", "FULLY_CONNECTED")
    } == {
        "CONV_2D": 10,
        "DEPTHWISE_CONV_2D": 6,
        "RESIZE_BILINEAR": 6,
        "FULLY_CONNECTED": 3,
    }
    assert not {"TRANSPOSE", "QUANTIZE", "DEQUANTIZE"} & counts.keys()


def test_inputs_and_output_have_names(fp32, int8):
    for file in (fp32.file, int8.file):
        assert {name: tensor.shape for name, tensor in file.inputs.items()} == {
            "z": (1, 8),
            "class_weights": (1, 3),
        }
        assert {name: tensor.shape for name, tensor in file.outputs.items()} == {"image": (1, 32, 32, 3)}


def test_the_runner_gives_nchw(fp32):
    z, weights = (array[:1].numpy() for array in inputs())
    image = load_tflite(fp32.path)(z, weights)
    assert image.shape == (1, 3, 32, 32)
    assert np.array_equal(image.transpose(0, 2, 3, 1), run_tflite(fp32.path, z, weights))


def test_fp16_halves_the_weights_and_keeps_the_image(fp32, android_exports):
    path = android_exports("student_fp16.tflite")
    half = Converted(fp32.module, path, read_tflite(path))
    assert psnr(half) >= 60
    weights = [o for o in half.file.operations if o.name == "DEQUANTIZE"]
    assert len(weights) == 19
    saved = sum(o.inputs[0].values.nbytes for o in weights)
    assert fp32.path.stat().st_size - half.path.stat().st_size > saved * 0.5


def test_a_weight_beyond_float16_is_refused(fp32):
    model = schema().ModelT.InitFromPackedBuf(fp32.path.read_bytes(), 0)
    largest = max(model.buffers, key=lambda buffer: 0 if buffer.data is None else len(buffer.data))
    largest.data = np.full(len(largest.data) // 4, 7e4, np.float32).view(np.uint8)
    with pytest.raises(UserError, match="beyond ±65504"):
        tflite.convert_half(pack(model))


@pytest.mark.parametrize("kernels", ["xnnpack", "builtin", "reference"])
def test_int8_is_near_the_int8_student(int8, kernels):
    assert psnr(int8, kernels) >= 38


def test_int8_computes_in_integers_between_the_inputs_and_the_tanh(int8):
    counts = int8.file.counts()
    assert (counts["QUANTIZE"], counts["DEQUANTIZE"], counts["TANH"]) == (2, 1, 1)
    assert "TRANSPOSE" not in counts
    floats = {o.name for o in int8.file.operations for t in (*o.activations, *o.outputs) if t.dtype != "INT8"}
    assert floats == {"QUANTIZE", "DEQUANTIZE", "TANH"}


def test_weights_lie_at_multiples_of_16_bytes(int8):
    data = int8.path.read_bytes()
    weights = [o.inputs[1].values.tobytes() for o in int8.file.operations if o.name in WEIGHTED]
    assert len(weights) == 30
    assert all(data.count(weight) == 1 and data.find(weight) % 16 == 0 for weight in weights)


def test_a_weight_that_differs_is_found(int8):
    name = "blocks.2.shortcut.weight"
    student = copy.deepcopy(int8.module)
    operation = student.operations()[name]
    levels = operation.levels()
    levels.view(-1)[-1] += 1 if levels.view(-1)[-1] < 127 else -1
    operation.load_levels(levels, operation.scale())
    with pytest.raises(UserError, match=rf"{name} is not the student's: 1 of \d+ levels differ"):
        check_weights(int8.file, student)


@pytest.mark.parametrize("name", ["input_linear.weight", "blocks.1.conv1.depthwise.weight"])
def test_a_scale_that_differs_is_found(int8, name):
    student = copy.deepcopy(int8.module)
    operation = student.operations()[name]
    scale = operation.scale()
    levels = operation.levels()
    scale[-1] *= 1.001
    operation.load_levels(levels, scale)
    with pytest.raises(UserError, match=rf"{name} is not the student's: 1 of \d+ scales differ"):
        check_weights(int8.file, student)


@pytest.mark.parametrize("name", ["latent", "blocks.1.conv2.depthwise.output"])
def test_a_grid_that_differs_is_found(int8, name):
    student = copy.deepcopy(int8.module)
    student.points()[name].range.mul_(1.01)
    with pytest.raises(UserError, match="lies between the grids of the student's"):
        check_weights(int8.file, student)


def test_a_bias_that_differs_is_found(int8):
    student = copy.deepcopy(int8.module)
    with torch.no_grad():
        student.operations()["to_rgb.weight"].operation.bias[1] += 0.01
    with pytest.raises(UserError, match=r"to_rgb\.weight is not the student's: 1 of 3 biases"):
        check_weights(int8.file, student)


def test_equal_biases_survive_and_a_file_that_lost_them_is_found(int8):
    bias = int8.module.operations()[f"{EQUAL_BIAS}.weight"].operation.bias
    # On the grids of their channels; and int8 was converted, so check_weights has seen them in the file.
    assert bool(((bias - 1).abs() < 1e-3).all())
    model = schema().ModelT.InitFromPackedBuf(int8.path.read_bytes(), 0)
    (graph,) = model.subgraphs
    (equal,) = [
        tensor
        for tensor in graph.tensors
        if tensor.type == schema().TensorType.INT32
        and tensor.quantization is not None
        and tensor.quantization.scale is not None
        and np.allclose(_integers(model, tensor) * tensor.quantization.scale, 1, atol=1e-3)
    ]
    levels = _integers(model, equal)
    assert len(set(levels)) > 1
    model.buffers[equal.buffer].data = np.full_like(levels, levels[0]).view(
        np.uint8
    )  # what the converter would do
    with pytest.raises(UserError, match=rf"{EQUAL_BIAS}\.weight is not the student's: \d+ of \d+ biases"):
        check_weights(read_tflite(pack(model)), int8.module)


def _integers(model, tensor):
    return np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int32)


@pytest.mark.parametrize("precision", ["float", "int8"])
def test_a_conversion_that_changes_the_live_model_is_caught(precision, monkeypatch):
    form = make_form()
    student = quantized(form)
    live = form if precision == "float" else student

    def change(*_, **__):
        next(live.parameters()).data.add_(1)
        return b""

    monkeypatch.setattr(tflite, "_convert", change)
    monkeypatch.setattr(tflite, "with_float_interface", lambda data: data)
    monkeypatch.setattr(tflite, "check_structure", lambda *_: None)
    monkeypatch.setattr(tflite, "check_weights", lambda *_: None)
    monkeypatch.setattr(tflite, "read_tflite", lambda *_: None)
    with pytest.raises(AssertionError, match="the conversion changed"):
        tflite.convert_float(form) if precision == "float" else tflite.convert_int8(student)


@pytest.mark.parametrize(("weights", "activations"), [(4, 8), (8, None), (8, 10)])
def test_other_bits_are_refused(weights, activations):
    student = quantized(make_form(), weight_bits=weights, activation_bits=activations)
    with pytest.raises(UserError, match=f"a W{weights}A{activations} student is not exported"):
        tflite.convert_int8(student)


def test_a_missing_library_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "litert_torch", None)
    with pytest.raises(UserError, match=r"pip install --editable \S*\[android\]"):
        tflite.convert_float(make_form())


class _EqualBias(nn.Module):
    """What remains of an int8 Linear with an equal bias, as `export_form` writes it."""

    config = GeneratorConfig(num_classes=1, z_dim=4)

    def __init__(self, bias) -> None:
        super().__init__()
        linear = nn.Linear(4, 3)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor([[1.0], [2.0], [4.0]]).expand(3, 4) / 4)
            linear.bias.copy_(torch.tensor(bias))
        student = QuantGenerator(make_form())  # for its quantizers only
        self.blocks = [None]
        self.input = copy.deepcopy(student.points()["latent"])
        self.input.set_range(-1.0, 1.0)
        self.output = copy.deepcopy(self.input)
        self.output.set_range(-8.0, 8.0)
        self.input, self.output = ExportPoint(self.input), ExportPoint(self.output)
        operation = copy.deepcopy(student.operations()["input_linear.weight"])
        operation.operation, operation.clip = linear, nn.Parameter(torch.ones(3))
        operation.fixed_scale = torch.zeros(3)
        self.linear = ExportOperation(operation, float_weights=True)

    def forward(self, z):
        return self.output(self.linear(self.input(z)))


def _bias_of(form):
    file = read_tflite(tflite._convert(form.eval(), quantized=True))
    (linear,) = (o for o in file.operations if o.name == "FULLY_CONNECTED")
    return linear.inputs[2].values * linear.inputs[2].scales


def test_the_workaround_is_still_needed():
    bias = [1.0, 1.0, 1.0]
    assert not np.allclose(_bias_of(_EqualBias(bias)), bias, atol=1e-2)
    parted = _EqualBias(bias)
    tflite._part_equal_biases(parted)
    assert np.allclose(_bias_of(parted), bias, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_one_class_forms(precision, one_class_exports):
    path, source = one_class_exports(f"student_{precision}.tflite"), one_class_exports.source
    module = source.form if precision == "fp32" else source.quantized["int8"]
    converted = Converted(module, path, read_tflite(path))
    assert tuple(converted.file.inputs) == ("z",)
    assert psnr(converted, one_class=True) >= (100 if precision == "fp32" else 38)


@pytest.mark.slow
def test_an_int8_tanh_keeps_the_float_interface(tmp_path):
    student = quantized(make_form(), int8_image=True)
    path = tmp_path / "int8_image.tflite"
    path.write_bytes(tflite.convert_int8(student))
    converted = Converted(student, path, read_tflite(path))
    (tanh,) = (o for o in converted.file.operations if o.name == "TANH")
    assert tanh.outputs[0].grid == (1 / 128, 0)
    assert psnr(converted) >= 35
