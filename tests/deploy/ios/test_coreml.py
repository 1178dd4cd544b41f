import copy
import functools
import importlib.util
import sys

import numpy as np
import pytest
import torch

from deploy.ios.coreml import check_unchanged, convert_float, convert_quantized
from deploy.ios.coreml_weights import convert_palettized, first_difference
from deploy.ios.mil_program import load_program
from deploy.ios.package_info import PackageInfo
from deploy.package_files import content_hash
from train.errors import UserError
from train.images import to_bytes

pytest.importorskip("coremltools")

INFO = PackageInfo("TinyGAN", "Draws tests.", "A. Author", "Apache-2.0", "1.2", {0: "zero", 2: "two"}, 0.5)
IMAGES = 4
RECIPES = {
    "fp16 values": (convert_float, "one class", {"output": "values"}),
    "palette values": (convert_palettized, "one class", {"output": "values"}),
    "int8 fp32 image": (convert_quantized, "int8", {"compute": "fp32"}),
    "int8 fp16 values": (convert_quantized, "int8 one class", {"output": "values"}),
}


@pytest.fixture(scope="module")
def package(models, converted):
    """Name of a recipe → (package, live model); each is converted once."""

    @functools.cache
    def convert(name):
        function, model_name, options = RECIPES[name]
        form = models.one_class if "one class" in model_name else models.deploy
        model = models.quantized(form) if "int8" in model_name else form
        return converted(function, model, **options), model

    return convert


def images(models, path, model):
    """What the package draws, [N, …], and the model's own images [N, 3, H, W]."""
    program = load_program(path)
    given = models.inputs(getattr(model, "form", model), IMAGES, seed=9)
    rows = [dict(zip(("z", "class_weights"), row, strict=False)) for row in zip(*given, strict=True)]
    drawn = [program.run({name: x[None].numpy() for name, x in row.items()})["image"] for row in rows]
    with torch.no_grad():  # one by one: sums over a batch may round otherwise
        return np.stack(drawn), torch.cat([model(*(x[None] for x in row)) for row in zip(*given, strict=True)])


def psnr(models, path, model):
    drawn, expected = images(models, path, model)
    error = torch.from_numpy(drawn[:, 0]) - expected
    return float(10 * torch.log10(4 / error.square().mean()))


def test_fp32_images_are_those_of_the_form(models, float_package):
    assert load_program(float_package).opset == "CoreML6"
    assert psnr(models, float_package, models.deploy) > 100


@pytest.mark.slow  # the artifacts' gate sees the same
@pytest.mark.parametrize(
    ("recipe", "floor", "opset"),
    [("fp16 values", 60, "CoreML6"), ("palette values", 35, "CoreML6"), ("int8 fp16 values", 30, "CoreML7")],
)
def test_images_are_those_of_the_live_model(models, package, recipe, floor, opset):
    path, model = package(recipe)
    program = load_program(path)
    assert program.opset == opset and list(program.inputs) == ["z"]
    assert psnr(models, path, model) > floor


def test_four_bit_weights_are_computed_exactly_in_fp32(models, int4_package, int4_student):
    drawn, expected = images(models, int4_package, int4_student)
    assert np.array_equal(drawn[:, 0], expected.numpy())


@pytest.mark.slow
def test_a_picture_of_all_classes_is_exact_in_fp32(models, package):
    path, student = package("int8 fp32 image")
    drawn, expected = images(models, path, student)
    assert np.array_equal(drawn, to_bytes(expected))


def test_levels_scales_biases_and_grids_are_the_students(int4_package, int4_student):
    assert first_difference(int4_package, int4_student) is None
    assert {weight.dtype for weight in load_program(int4_package).weights()} == {"int4"}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["int8 fp32 image", "int8 fp16 values"])
def test_eight_bit_levels_and_grids_are_the_students(package, recipe):
    path, student = package(recipe)
    assert first_difference(path, student) is None
    assert {weight.dtype for weight in load_program(path).weights()} == {"int8"}


@pytest.mark.parametrize(
    ("tensor", "change", "message"),
    [
        ("blocks.1.conv1.pointwise.operation.operation.weight", ((2, 1), -3.0), "blocks.1.conv1.pointwise.weight"),
        ("blocks.0.shortcut.operation.clip", (3, 0.99), "a scale of blocks.0.shortcut.weight is"),
        ("to_rgb.operation.operation.bias", (1, 1.001), "the bias of to_rgb.weight"),
        ("blocks.2.hidden.range", (1, 1.001), "the scale of blocks.2.hidden is"),
        ("features.range", (1, 3.0), "the scale of features is"),
    ],
)
def test_the_first_difference_is_named(int4_package, int4_student, tensor, change, message):
    index, factor = change
    other = copy.deepcopy(int4_student)
    if "weight" in tensor and "clip" not in tensor:
        with torch.no_grad():
            other.form.get_parameter(tensor)[index] += 2 * float(other.form.get_parameter(tensor).abs().max())
            other.form.get_parameter(tensor)[index] *= factor
    else:
        with torch.no_grad():
            dict([*other.form.named_parameters(), *other.form.named_buffers()])[tensor][index] *= factor
    assert message in first_difference(int4_package, other)


def test_another_number_of_weights_is_named(int4_package, models):
    assert "has 20 quantized weights, not 30" in str(
        first_difference(int4_package, models.quantized(models.deploy))
    )


def test_a_change_of_the_live_model_is_an_error():
    layer = torch.nn.Linear(2, 2)
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    layer.bias.data.neg_()
    with pytest.raises(RuntimeError, match="has changed bias of the live model"):
        check_unchanged(layer, before)


def test_errors_name_the_remedy(models, tmp_path, monkeypatch):
    path = tmp_path / "model.mlpackage"
    with pytest.raises(UserError, match="has 6 bits, and Core ML's activations 8"):
        convert_quantized(models.quantized(models.one_class, activation_bits=6), path, INFO)
    with pytest.raises(UserError, match="no palettes of 5 bits"):
        convert_palettized(models.one_class, path, INFO, bits=5)
    nhwc = copy.deepcopy(models.one_class)
    nhwc.to_nhwc()
    with pytest.raises(UserError, match="before to_nhwc"):
        convert_float(nhwc, path, INFO)
    with pytest.raises(UserError, match=r"ends in \.mlpackage"):
        convert_float(models.one_class, tmp_path / "model.mlmodel", INFO)
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    with pytest.raises(UserError, match="in a process of its own"):
        convert_float(models.one_class, path, INFO)
    monkeypatch.delitem(sys.modules, "tensorflow")
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(UserError, match=r"no native part for Python .* use a Python that its wheels"):
            convert_float(models.one_class, path, INFO)
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(UserError, match=r"pip install --editable \S*\[ios\]"):
        convert_float(models.one_class, path, INFO)
    assert list(tmp_path.iterdir()) == []


def test_a_package_is_a_function_of_what_is_in_it(models, tmp_path):
    files = [tmp_path / name / "model.mlpackage" for name in ("first", "second")]
    for file in files:
        convert_quantized(models.quantized(models.one_class), file, INFO, output="values")
    assert content_hash(files[0]) == content_hash(files[1])


def test_an_empty_description_is_an_error():
    with pytest.raises(UserError, match="license is empty"):
        PackageInfo("a", "b", "c", " ", "1", {0: "zero"}, 0.5)
    with pytest.raises(UserError, match="list of classes is empty"):
        PackageInfo("a", "b", "c", "d", "1", {}, 0.5)
