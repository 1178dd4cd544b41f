import shutil

import numpy as np
import pytest
import torch
from mil_packages import build, convert, edit, operation, save
from stand_ins import trained_like_student
from torch import nn

from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantConfig, QuantGenerator
from deploy.ios.mil_program import load_program
from train.errors import UserError
from train.generator import GeneratorConfig

pytest.importorskip("coremltools")

CONFIG = GeneratorConfig("dw", channels=4, image_size=32, num_classes=5, z_dim=8, class_embedding_dim=6)
INPUTS = {"z": torch.zeros(1, 8), "class_weights": torch.zeros(1, 5)}


def latents(seed):
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(16, CONFIG.z_dim, generator=random).clamp(-2, 2)
    return z, one_hot(torch.randint(0, CONFIG.num_classes, (16,), generator=random), CONFIG.num_classes)


def images(program, latent, **options):
    inputs = [{"z": z[None].numpy(), "class_weights": y[None].numpy()} for z, y in zip(*latent, strict=True)]
    return np.concatenate([program.run(x, **options)["y"] for x in inputs])


def psnr(one, other):
    error = float(np.square(one.astype(np.float64) - other).mean())
    return 10 * np.log10(4 / error) if error else np.inf


@pytest.fixture(scope="module")
def form():
    return deploy_form(trained_like_student(CONFIG))


@pytest.fixture(scope="module", params=[8, pytest.param(4, marks=pytest.mark.slow)], ids=["W8A8", "W4A8"])
def student(request, form):
    student = QuantGenerator(form, QuantConfig(weight_bits=request.param))
    student.calibrate([latents(1), latents(2)])
    return student.eval()


@pytest.fixture(scope="module")
def float_package(form, tmp_path_factory):
    return save(convert(form, INPUTS), tmp_path_factory.mktemp("float"))


@pytest.fixture(scope="module")
def int8_package(student, tmp_path_factory):
    target = "iOS17" if student.quantization.weight_bits == 8 else "iOS18"
    return save(convert(student.export_form(), INPUTS, target), tmp_path_factory.mktemp("int8"))


def test_a_float_generator_draws_what_torch_draws(form, float_package):
    program = load_program(float_package)
    latent = latents(3)
    with torch.no_grad():
        expected = form(*latent).numpy()
        form_of_another = form(latent[0], latent[1].roll(1, 0)).numpy()
    assert psnr(images(program, latent), expected) >= 100
    assert psnr(images(program, latent), form_of_another) < 60
    assert program.op_types()["conv"] == 16 and "const" not in program.op_types()
    assert program.opset == "CoreML6" and str(program.inputs["z"]) == "fp32 [1, 8]"


def test_fp16_stays_near_the_float_generator(form, tmp_path):
    program = load_program(save(convert(form, INPUTS, precision="FLOAT16"), tmp_path))
    assert {weight.dtype for weight in program.weights()} == {"fp16"}
    with torch.no_grad():
        distance = psnr(images(program, latents(3)), form(*latents(3)).numpy())
    assert 60 < distance < 100


def test_an_int8_package_draws_exactly_what_the_student_draws(student, int8_package):
    program = load_program(int8_package)
    with torch.no_grad():
        expected = student(*latents(3)).numpy()
    assert np.array_equal(images(program, latents(3)), expected)
    # Ties rounded the other way are other images, which the comparison sees.
    assert 25 < psnr(images(program, latents(3), rounding="divide"), expected) < 70


def test_levels_scales_and_grids_are_the_students(student, int8_package):
    program = load_program(int8_package)
    weights = program.weights()
    assert {weight.dtype for weight in weights} == {f"int{student.quantization.weight_bits}"}
    stored = {(w.levels.tobytes(), w.scale.tobytes(), w.levels.shape) for w in weights}
    expected = {
        (o.levels().numpy().tobytes(), o.scale().numpy().tobytes(), tuple(o.levels().shape))
        for o in student.operations().values()
    }
    assert stored == expected and len(weights) == len(student.operations())
    for weight in weights:
        assert weight.levels is not None and weight.scale is not None and weight.zero_point is not None
        assert np.array_equal((weight.levels - weight.zero_point) * weight.scale, weight.values)
        assert not weight.zero_point.any() and weight.scale.ndim == weight.levels.ndim
        assert weight.bias is None or weight.bias.shape == weight.levels.shape[:1]
    grids = {(float(grid.scale), int(grid.zero_point)) for grid in program.grids()}
    assert grids == {tuple(map(float, point.grid())) for point in student.points().values()}
    assert {grid.dtype for grid in program.grids()} == {"int8", "uint8"}


class Picture(nn.Module):
    """The input as whole numbers, or not."""

    def __init__(self, whole):
        super().__init__()
        self.whole = whole

    def forward(self, x):
        x = x * 127.5 + 128
        return torch.clamp(torch.floor(x), 0, 255) if self.whole else x


@pytest.mark.parametrize("precision", ["FLOAT32", "FLOAT16"])
def test_an_image_output_is_bytes(tmp_path, precision):
    import coremltools as ct

    output = [ct.ImageType(name="y", color_layout=ct.colorlayout.RGB)]
    x = torch.linspace(-1, 1, 3 * 6 * 4).reshape(1, 3, 6, 4)
    model = convert(Picture(True), {"x": x}, precision=precision, outputs=output)
    program = load_program(save(model, tmp_path))
    image = program.run({"x": x.numpy()})["y"]
    assert str(program.outputs["y"]) == "RGB image 6×4"
    assert image.dtype == np.uint8 and image.shape == (6, 4, 3)
    if precision == "FLOAT32":
        assert np.array_equal(image, (x * 127.5 + 128).floor().clamp(0, 255)[0].permute(1, 2, 0).byte().numpy())
    assert image[0, 0, 0] == 0 and image[-1, -1, -1] == 255


@pytest.mark.parametrize("value", [0.3, -1.5, 1.5, float("nan")])
def test_an_image_of_anything_but_bytes_is_refused(tmp_path, value):
    import coremltools as ct

    output = [ct.ImageType(name="y", color_layout=ct.colorlayout.RGB)]
    x = torch.zeros(1, 3, 4, 4)
    program = load_program(save(convert(Picture(False), {"x": x}, outputs=output), tmp_path))
    assert program.run({"x": x.numpy()})["y"].max() == 128
    x[0, 1, 2, 3] = value
    with pytest.raises(UserError, match=r"image y has the value .*floor and clip"):
        program.run({"x": x.numpy()})


@pytest.fixture
def small(tmp_path):
    kernel = np.ones((2, 3, 1, 1), np.float32)
    return save(build(lambda mb, x: mb.relu(x=mb.conv(x=x, weight=kernel)), (1, 3, 4, 4)), tmp_path)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "input a is missing; the program takes a fp32"),
        ({"a": np.zeros((1, 3, 4, 4), np.float32), "b": np.zeros(1)}, "input b is unknown"),
        ({"a": np.zeros((1, 3, 4, 5), np.float32)}, r"input a is float32 \[1, 3, 4, 5\]"),
        ({"a": np.zeros((1, 3, 4, 4))}, r"input a is float64 \[1, 3, 4, 4\], but the program states fp32"),
    ],
)
def test_wrong_inputs_are_named(small, inputs, message):
    with pytest.raises(UserError, match=message):
        load_program(small).run(inputs)


def _another_dtype(model):
    operation(model, "relu").outputs[0].type.tensorType.dataType = 10  # FLOAT16


def _another_shape(model):
    operation(model, "conv").outputs[0].type.tensorType.dimensions[2].constant.size = 5


def _another_kind(model):
    operation(model, "relu").type = "relu6"


def _another_source(model):
    operation(model, "relu").inputs["x"].arguments[0].name = "nowhere"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_another_dtype, r"of relu is float32 \[1, 2, 4, 4\], but the program states fp16"),
        (_another_shape, r"of conv is float32 \[1, 2, 4, 4\], but the program states fp32 \[1, 2, 5, 4\]"),
        (_another_kind, "operation relu6 .* cannot be computed: there is no such operation"),
        (_another_source, "uses nowhere, which is not computed before"),
    ],
)
def test_a_program_that_contradicts_itself_is_refused(small, change, message):
    edit(small, change)
    with pytest.raises(UserError, match=message):
        # The output's description may notice first.
        load_program(edit(small, _describe_as_stated)).run({"a": np.zeros((1, 3, 4, 4), np.float32)})


def _describe_as_stated(model):
    stated = operation(model, model_last(model)).outputs[0].type.tensorType
    array = model.description.output[0].type.multiArrayType
    array.dataType = {10: array.FLOAT16, 11: array.FLOAT32}[stated.dataType]


def model_last(model):
    function = model.mlProgram.functions["main"]
    return function.block_specializations[function.opset].operations[-1].type


def _flexible(model):
    model.mlProgram.functions["main"].inputs[0].type.tensorType.dimensions[0].unknown.variadic = False


def _described_otherwise(model):
    model.description.output[0].type.multiArrayType.shape[1] = 3


def _no_constant(model):
    op = operation(model, "conv")
    op.inputs["weight"].arguments[0].name = op.inputs["x"].arguments[0].name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_flexible, "shape of the input a is not static"),
        (_described_otherwise, "output .* is described as"),
        (lambda model: model.neuralNetwork.SetInParent(), "is a neuralNetwork, not an ML Program"),
    ],
)
def test_a_package_that_is_not_evaluated_is_refused(small, change, message):
    with pytest.raises(UserError, match=message):
        load_program(edit(small, change))


def test_a_weight_that_is_computed_is_refused(small):
    with pytest.raises(UserError, match=r"weight of .* is no constant"):
        load_program(edit(small, _no_constant)).weights()


def test_damaged_packages_are_named(small, tmp_path):
    with pytest.raises(UserError, match=r"no \.mlpackage folder"):
        load_program(tmp_path / "nothing.mlpackage")
    (model,) = small.rglob("*.mlmodel")
    content = model.read_bytes()
    model.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="is damaged"):
        load_program(small)
    model.unlink()
    with pytest.raises(UserError, match="it misses"):
        load_program(small)
    (small / "Manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"damaged Manifest\.json"):
        load_program(small)


def test_a_missing_weight_file_is_named(int8_package, tmp_path):
    copied = shutil.copytree(int8_package, tmp_path / "model.mlpackage")
    (weights,) = copied.rglob("weight.bin")
    content = weights.read_bytes()
    weights.unlink()
    with pytest.raises(UserError, match=r"weight\.bin, which does not exist"):
        load_program(copied)
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"weight\.bin \(.*convert the model again"):
        load_program(copied)
