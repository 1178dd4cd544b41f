import shutil

import numpy as np
import pytest
import torch
from mil_packages import build, convert, edit, operation, save
from torch import nn

from deploy.ios.mil_program import load_program
from train.errors import UserError

pytest.importorskip("coremltools")


def images(models, form, package, **options):
    """What the package draws of 16 latents, and what the live form draws."""
    program = load_program(package)
    (output,) = program.outputs
    given = models.inputs(getattr(form, "form", form), 16, seed=3)
    inputs = [
        dict(zip(program.inputs, (x[None].numpy() for x in row), strict=True)) for row in zip(*given, strict=True)
    ]
    drawn = np.concatenate([program.run(row, **options)[output] for row in inputs])
    with torch.no_grad():  # one by one: sums over a batch may round otherwise
        return drawn, np.concatenate([form(*(x[None] for x in row)) for row in zip(*given, strict=True)])


def psnr(one, other):
    error = float(np.square(one.astype(np.float64) - other).mean())
    return 10 * np.log10(4 / error) if error else np.inf


def test_a_float_generator_draws_what_torch_draws(models, float_package):
    drawn, expected = images(models, models.deploy, float_package)
    assert psnr(drawn, expected) >= 100
    z, weights = models.inputs(models.deploy, 16, seed=3)
    with torch.no_grad():
        assert psnr(drawn, models.deploy(z, weights.roll(1, 0)).numpy()) < 60
    program = load_program(float_package)
    types = [operation.type for operation in program.operations]
    assert types.count("conv") == 16 and "const" not in types
    assert program.opset == "CoreML6" and str(program.inputs["z"]) == "fp32 [1, 8]"


@pytest.mark.slow  # the artifacts' gate sees the same
def test_fp16_stays_near_the_float_generator(models, tmp_path):
    inputs = {"z": torch.zeros(1, 8)}
    package = save(convert(models.one_class, inputs, precision="FLOAT16"), tmp_path)
    assert {weight.dtype for weight in load_program(package).weights()} == {"fp16"}
    assert 60 < psnr(*images(models, models.one_class, package)) < 100


def test_a_quantized_package_draws_exactly_what_the_student_draws(models, int4_student, int4_package):
    drawn, expected = images(models, int4_student, int4_package)
    assert np.array_equal(drawn, expected)
    # Ties rounded the other way are other images, which the comparison sees.
    drawn, _ = images(models, int4_student, int4_package, rounding="divide")
    assert 25 < psnr(drawn, expected) < 100


@pytest.mark.slow
def test_an_int8_package_of_all_classes_draws_exactly_what_the_student_draws(models, tmp_path):
    inputs = {"z": torch.zeros(1, 8), "class_weights": torch.zeros(1, 3)}
    student = models.quantized(models.deploy)
    package = save(convert(student.export_form(), inputs, "iOS17"), tmp_path)
    assert np.array_equal(*images(models, student, package))
    check_stored(load_program(package), student, "int8")


def test_levels_scales_and_grids_are_the_students(int4_student, int4_package):
    check_stored(load_program(int4_package), int4_student, "int4")


def check_stored(program, student, dtype):
    weights = program.weights()
    assert {weight.dtype for weight in weights} == {dtype}
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
    assert {grid.dtype for grid in program.grids()} <= {"int8", "uint8"}


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


@pytest.fixture(scope="module")
def any_picture(tmp_path_factory):
    import coremltools as ct

    output = [ct.ImageType(name="y", color_layout=ct.colorlayout.RGB)]
    model = convert(Picture(False), {"x": torch.zeros(1, 3, 4, 4)}, outputs=output)
    return load_program(save(model, tmp_path_factory.mktemp("picture")))


@pytest.mark.parametrize("value", [0.3, -1.5, 1.5, float("nan")])
def test_an_image_of_anything_but_bytes_is_refused(any_picture, value):
    program, x = any_picture, torch.zeros(1, 3, 4, 4)
    assert program.run({"x": x.numpy()})["y"].max() == 128
    x[0, 1, 2, 3] = value
    with pytest.raises(UserError, match=r"image y has the value .*floor and clip"):
        program.run({"x": x.numpy()})


@pytest.fixture(scope="module")
def small_package(tmp_path_factory):
    kernel = np.ones((2, 3, 1, 1), np.float32)
    model = build(lambda mb, x: mb.relu(x=mb.conv(x=x, weight=kernel)), (1, 3, 4, 4))
    return save(model, tmp_path_factory.mktemp("small"))


@pytest.fixture
def small(small_package, tmp_path):
    """A copy to be edited."""
    return shutil.copytree(small_package, tmp_path / "model.mlpackage")


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


def test_a_missing_weight_file_is_named(int4_package, tmp_path):
    copied = shutil.copytree(int4_package, tmp_path / "model.mlpackage")
    (weights,) = copied.rglob("weight.bin")
    content = weights.read_bytes()
    weights.unlink()
    with pytest.raises(UserError, match=r"weight\.bin, which does not exist"):
        load_program(copied)
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"weight\.bin \(.*convert the model again"):
        load_program(copied)
