import copy
import functools
import json
import sys

import numpy as np
import pytest
import torch
from stand_ins import trained_like_student

from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantConfig, QuantGenerator
from compress.one_class import specialise
from deploy.ios.coreml import check_unchanged, convert_float, convert_quantized
from deploy.ios.coreml_weights import convert_palettized, first_difference
from deploy.ios.mil_program import load_program
from deploy.ios.package_info import PackageInfo
from train.errors import UserError
from train.generator import GeneratorConfig
from train.images import to_bytes

pytest.importorskip("coremltools")

CONFIG = GeneratorConfig("dw", channels=4, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=6)
INFO = PackageInfo("TinyGAN", "Draws tests.", "A. Author", "Apache-2.0", "1.2", {0: "zero", 2: "two"}, 0.5)
IMAGES = 4


def latents(count, seed):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, CONFIG.z_dim, generator=random).clamp(-2, 2)


def inputs(form, count, seed):
    z = latents(count, seed)
    if form.__class__.__name__ == "OneClassGenerator":
        return (z,)
    return z, one_hot(torch.arange(count) % CONFIG.num_classes, CONFIG.num_classes)


def quantized(form, **config):
    student = QuantGenerator(form, QuantConfig(**config)).eval()
    student.calibrate([inputs(form, 16, seed) for seed in range(2)])
    student.freeze_ranges()
    return student


@pytest.fixture(scope="module")
def models():
    """Name → a live model. Those of one class have a third of the operations."""
    deploy = deploy_form(trained_like_student(CONFIG))
    one_class = specialise(deploy, 1)
    return {
        "deploy": deploy,
        "one class": one_class,
        "int8": quantized(deploy),
        "int8 one class": quantized(one_class),
        "int4 one class": quantized(one_class, weight_bits=4),
    }


RECIPES = {
    "fp32 values": (convert_float, "one class", {"compute": "fp32", "output": "values"}),
    "fp16 image": (convert_float, "deploy", {}),
    "fp16 values": (convert_float, "one class", {"output": "values"}),
    "palette values": (convert_palettized, "one class", {"output": "values"}),
    "int8 fp32 image": (convert_quantized, "int8", {"compute": "fp32"}),
    "int8 fp16 values": (convert_quantized, "int8 one class", {"output": "values"}),
    "int4 fp32 values": (convert_quantized, "int4 one class", {"compute": "fp32", "output": "values"}),
}


@pytest.fixture(scope="module")
def package(models, tmp_path_factory):
    """Name of a recipe → (package, live model); each is converted once."""

    @functools.cache
    def convert(name):
        function, model, options = RECIPES[name]
        path = tmp_path_factory.mktemp("packages") / "model.mlpackage"
        before = copy.deepcopy(models[model].state_dict())
        function(models[model], path, INFO, **options)
        after = models[model].state_dict()
        assert all(torch.equal(tensor, after[key]) for key, tensor in before.items())
        return path, models[model]

    return convert


def images(path, model):
    """What the package draws, [N, …], and the model's own images [N, 3, H, W]."""
    program = load_program(path)
    form = getattr(model, "form", model)
    given = inputs(form, IMAGES, seed=9)
    rows = [dict(zip(("z", "class_weights"), row, strict=False)) for row in zip(*given, strict=True)]
    drawn = [program.run({name: x[None].numpy() for name, x in row.items()})["image"] for row in rows]
    with torch.no_grad():
        return np.stack(drawn), model(*given)


def psnr(path, model):
    drawn, expected = images(path, model)
    error = torch.from_numpy(drawn[:, 0]) - expected
    return float(10 * torch.log10(4 / error.square().mean()))


@pytest.mark.parametrize(
    ("recipe", "floor", "opset"),
    [
        ("fp32 values", 100, "CoreML6"),
        ("fp16 values", 60, "CoreML6"),
        ("palette values", 35, "CoreML6"),
        ("int8 fp16 values", 30, "CoreML7"),
    ],
)
def test_images_are_those_of_the_live_model(package, recipe, floor, opset):
    path, model = package(recipe)
    assert load_program(path).opset == opset
    assert psnr(path, model) > floor


def test_a_quantized_student_is_computed_exactly_in_fp32(package):
    drawn, expected = images(*package("int4 fp32 values"))
    assert np.array_equal(drawn[:, 0], expected.numpy())
    drawn, expected = images(*package("int8 fp32 image"))
    assert np.array_equal(drawn, to_bytes(expected))


def test_the_bytes_of_an_fp16_image_are_at_most_one_level_away(package):
    drawn, expected = images(*package("fp16 image"))
    difference = np.abs(drawn.astype(int) - to_bytes(expected))
    assert difference.max() == 1 and (difference > 0).mean() < 0.1


@pytest.mark.parametrize("recipe", ["int8 fp32 image", "int8 fp16 values", "int4 fp32 values"])
def test_levels_scales_biases_and_grids_are_the_students(package, recipe):
    path, student = package(recipe)
    assert first_difference(path, student) is None
    stored = {weight.dtype for weight in load_program(path).weights()}
    assert stored == {"int4" if "int4" in recipe else "int8"}


@pytest.mark.parametrize(
    ("tensor", "index", "factor", "message"),
    [
        ("blocks.1.conv1.pointwise.operation.operation.weight", (2, 1), -3.0, "blocks.1.conv1.pointwise.weight"),
        ("blocks.0.shortcut.operation.clip", 3, 0.99, "a scale of blocks.0.shortcut.weight is"),
        ("to_rgb.operation.operation.bias", 1, 1.001, "the bias of to_rgb.weight"),
        ("blocks.2.hidden.range", 1, 1.001, "the scale of blocks.2.hidden is"),
        ("features.range", 1, 3.0, "the scale of features is"),
    ],
)
def test_the_first_difference_is_named(package, tensor, index, factor, message):
    path, student = package("int4 fp32 values")
    other = copy.deepcopy(student)
    if "weight" in tensor and "clip" not in tensor:
        with torch.no_grad():
            other.form.get_parameter(tensor)[index] += 2 * float(other.form.get_parameter(tensor).abs().max())
            other.form.get_parameter(tensor)[index] *= factor
    else:
        with torch.no_grad():
            dict([*other.form.named_parameters(), *other.form.named_buffers()])[tensor][index] *= factor
    assert message in first_difference(path, other)


def test_another_number_of_weights_is_named(package, models):
    path, _ = package("int4 fp32 values")
    assert "has 20 quantized weights, not 30" in str(first_difference(path, models["int8"]))


def test_every_weight_larger_than_its_palette_has_one(package):
    weights = load_program(package("palette values")[0]).weights()
    large = [weight for weight in weights if weight.values.size > 64]
    assert len(large) > len(weights) / 2
    for weight in large:
        assert (weight.name, weight.storage) == (weight.name, "constexpr_lut_to_dense")
        assert len(weight.palette) == 64


def test_the_package_describes_itself(package):
    import coremltools as ct

    path, _ = package("fp16 image")
    spec = ct.models.MLModel(str(path), skip_model_load=True).get_spec().description
    metadata = spec.metadata
    assert metadata.shortDescription == "TinyGAN: Draws tests."
    assert (metadata.author, metadata.license, metadata.versionString) == ("A. Author", "Apache-2.0", "1.2")
    assert json.loads(metadata.userDefined["classes"]) == {"0": "zero", "2": "two"}
    assert metadata.userDefined["truncation"] == "0.5"
    assert metadata.userDefined["precision"] == "fp16 weights and activations"
    assert [feature.name for feature in spec.input] == ["z", "class_weights"]
    assert all(feature.shortDescription for feature in (*spec.input, *spec.output))
    assert spec.output[0].type.imageType.width == CONFIG.image_size


def test_a_package_of_one_class_takes_the_latent_alone(package):
    assert list(load_program(package("fp16 values")[0]).inputs) == ["z"]


def test_a_change_of_the_live_model_is_an_error():
    layer = torch.nn.Linear(2, 2)
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    layer.bias.data.neg_()
    with pytest.raises(RuntimeError, match="has changed bias of the live model"):
        check_unchanged(layer, before)


def test_errors_name_the_remedy(models, tmp_path, monkeypatch):
    path = tmp_path / "model.mlpackage"
    with pytest.raises(UserError, match="has 6 bits, and Core ML's activations 8"):
        convert_quantized(quantized(models["one class"], activation_bits=6), path, INFO)
    with pytest.raises(UserError, match="no palettes of 5 bits"):
        convert_palettized(models["one class"], path, INFO, bits=5)
    nhwc = copy.deepcopy(models["one class"])
    nhwc.to_nhwc()
    with pytest.raises(UserError, match="before to_nhwc"):
        convert_float(nhwc, path, INFO)
    with pytest.raises(UserError, match=r"ends in \.mlpackage"):
        convert_float(models["one class"], tmp_path / "model.mlmodel", INFO)
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    with pytest.raises(UserError, match="in a process of its own"):
        convert_float(models["one class"], path, INFO)
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(UserError, match=r"tinygan-edge\[ios\]"):
        convert_float(models["one class"], path, INFO)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_description_is_an_error():
    with pytest.raises(UserError, match="license is empty"):
        PackageInfo("a", "b", "c", " ", "1", {0: "zero"}, 0.5)
    with pytest.raises(UserError, match="list of classes is empty"):
        PackageInfo("a", "b", "c", "d", "1", {}, 0.5)
