import copy
import dataclasses
import functools
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from compress.by_class import ByClass
from compress.deploy_form import deploy_form, one_hot
from compress.export_points import use_integer_resize
from compress.fake_quant import QuantGenerator
from compress.int8_file import INT8_FORMAT, load_int8, save_int8
from compress.one_class import specialise
from compress.points import Point
from compress.quant_config import QuantConfig
from compress.quantizer import QuantOperation, QuantPoint, round_to_grid
from train.errors import UserError
from train.snapshot import SnapshotInfo

CLASSES = 5

CONFIGS = {
    "w8a8": QuantConfig(),
    "w4a8": QuantConfig(weight_bits=4),
    "w5 max": QuantConfig(weight_bits=5, weight_range="max"),
    "w8a6 min-max": QuantConfig(activation_bits=6, range_method="minmax"),
    "a10 percentile": QuantConfig(activation_bits=10, range_method="percentile"),
    "float activations": QuantConfig(activation_bits=None),
    "float weights": QuantConfig(weight_bits=None),
    "shared": QuantConfig(class_path="shared"),
    "float class path": QuantConfig(class_path="float"),
    "int8 image": QuantConfig(int8_image=True),
    "exceptions": QuantConfig(exceptions=(("to_rgb.*", None), ("blocks.0.*.weight", 4))),
}


@pytest.fixture(scope="module")
def deploy(trained_like):
    return deploy_form(trained_like())


@pytest.fixture(scope="module")
def as_configured(deploy, calibrated):
    """Name of a config → student, which a test must not change."""
    return functools.cache(lambda name: calibrated(deploy, CONFIGS[name]))


@pytest.fixture
def student(as_configured):
    return copy.deepcopy(as_configured("w8a8"))


@pytest.fixture(scope="module")
def calibrated(batches):
    def calibrate(form, config=None):
        student = QuantGenerator(form, config)
        student.calibrate(batches())
        return student

    return calibrate


def info(deploy):
    return SnapshotInfo(deploy.config, {0: "zero", 3: "three"}, truncation=0.5, source="a test", images=7)


def load(path):
    """Tensors that outlive the file, which a test may overwrite."""
    return {name: tensor.clone() for name, tensor in load_file(path).items()}


def psnr(a, b):
    return float(10 * torch.log10(4 / (a - b).square().mean()))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_exported_graph_is_the_fake_quantized_forward(as_configured, name, latents):
    student = as_configured(name)
    z, y = latents(4, seed=9)
    weights = one_hot(y, CLASSES)
    with torch.no_grad():
        images = student(z, weights)
        for float_weights in (False, True):
            assert torch.equal(student.export_form(float_weights)(z, weights), images)
        assert torch.equal(ByClass(student)(z, y), images)


@pytest.mark.parametrize(("architecture", "float_weights"), [("dw", True), ("std", False)])
def test_torch_export_gives_quantized_decomposed_operations_at_the_same_scales(
    architecture, float_weights, trained_like, latents, calibrated
):
    student = calibrated(deploy_form(trained_like(architecture)))
    z, y = latents(1)
    inputs = (z, one_hot(y, CLASSES))
    form = use_integer_resize(student.export_form(float_weights))
    program = torch.export.export(form, inputs)
    with torch.no_grad():
        assert torch.equal(program.module()(*inputs), form(*inputs))
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    quantize = [
        node for node in calls if "quantize_per_tensor" in str(node.target) and "deq" not in str(node.target)
    ]
    dequantize = [node for node in calls if "dequantize" in str(node.target)]
    assert all(len(node.users) == 1 for node in dequantize)  # one for each consumer
    grids = {(float(scale), int(zero)) for scale, zero in (p.grid() for p in student.points().values())}
    assert {(node.args[1], node.args[2]) for node in quantize} == grids
    for node in calls:
        if any(kind in str(node.target) for kind in ("conv2d", "linear")) and "aten" in str(node.target):
            assert all("quantize_per_tensor" in str(user.target) for user in node.users)
    assert any("decomposed.dequantize_per_channel" in str(node.target) for node in calls)
    assert any("decomposed.quantize_per_channel" in str(node.target) for node in calls) is float_weights


def test_a_batch_of_any_size_can_be_exported(student, latents):
    z, y = latents(4)
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    program = torch.export.export(student.export_form(), (z, one_hot(y, CLASSES)), dynamic_shapes=(batch, batch))
    z, y = latents(7)
    with torch.no_grad():
        assert torch.equal(program.module()(z, one_hot(y, CLASSES)), student(z, one_hot(y, CLASSES)))


def test_nhwc_export_gives_nearly_the_same_images(student, latents):
    z, y = latents(4)
    weights = one_hot(y, CLASSES)
    with torch.no_grad():
        images = student.export_form(nhwc=True)(z, weights)
        assert images.shape == (4, 32, 32, 3)
        # Sums in another order may cross a rounding boundary here and there.
        assert psnr(images.permute(0, 3, 1, 2), student(z, weights)) > 50


def test_ties_round_like_the_exported_operation():
    x = torch.arange(-40, 40) * 0.125
    scale, zero_point = torch.tensor(0.25), torch.tensor(3.0)
    ops = torch.ops.quantized_decomposed
    levels = ops.quantize_per_tensor(x, 0.25, 3, -16, 15, torch.int8)
    expected = ops.dequantize_per_tensor(levels, 0.25, 3, -16, 15, torch.int8)
    assert torch.equal(round_to_grid(x, scale, zero_point, -16, 15), expected)


@pytest.mark.parametrize(
    ("layer", "point"),
    [("input_linear", "latent"), ("blocks.1.conv1.pointwise", "blocks.1.conv1.depthwise.output")],
)
def test_a_file_has_its_biases_on_the_grids_of_integer_sums(deploy, student, tmp_path, layer, point):
    operation = student.operations()[f"{layer}.weight"]
    before = operation.operation.bias.detach().clone()
    save_int8(tmp_path / "student.safetensors", student, info(deploy))
    steps = student.points()[point].grid()[0] * operation.scale()
    whole = torch.round(before / steps)
    assert not torch.equal(whole * steps, before)
    assert torch.allclose(operation.operation.bias, whole * steps, rtol=1e-6, atol=0)


def test_ties_of_averages_go_up_and_no_other_value_moves():
    point = QuantPoint(Point(), 8)
    point.set_range(-8, -8 + 255 / 16)  # a step is a sixteenth
    point.mode = "quantize"
    sixteenths = torch.arange(-1600, 1600).float()
    x = sixteenths / 256
    up = torch.floor(sixteenths / 16 + 0.5) / 16
    assert torch.equal(point(x, averaged=True), up)
    even = point(x)
    assert torch.equal(even[even != up], up[even != up] - 1 / 16)
    assert set((sixteenths[even != up] % 32).tolist()) == {8}


def test_the_gradient_passes_inside_the_range_and_stops_outside():
    x = torch.tensor([-9.0, -1.0, 0.3, 1.0, 9.0], requires_grad=True)
    round_to_grid(x, torch.tensor(0.5), torch.tensor(0.0), -8, 7).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("architecture", ["dw", "std"])
def test_gradients_reach_every_weight(architecture, trained_like, latents, calibrated):
    student = calibrated(deploy_form(trained_like(architecture)), QuantConfig(weight_bits=4)).train()
    z, y = latents(8)
    student(z, one_hot(y, CLASSES)).square().sum().backward()
    dead = [n for n, p in student.named_parameters() if p.grad is None or p.grad.abs().sum() == 0]
    assert dead == []


def test_more_bits_come_closer_to_the_float_images(deploy, latents, calibrated):
    z, y = latents(16, seed=9)
    weights = one_hot(y, CLASSES)
    with torch.no_grad():
        images = deploy(z, weights)
        figures = [psnr(calibrated(deploy, QuantConfig(b, 8))(z, weights), images) for b in (4, 5, 6, 8)]
    assert figures == sorted(figures)
    assert figures[-1] > 36


def test_ranges_are_learned_in_training_until_they_are_frozen(student, latents):
    z, y = latents(16, seed=5)
    inputs = z, one_hot(y, CLASSES)
    point = student.points()["blocks.0.input"]
    before = point.range.clone()
    student.train()(*inputs).square().sum().backward()
    assert point.stretch.grad.abs().min() > 0
    with torch.no_grad():
        point.stretch.copy_(torch.tensor([0.5, 1.5]))
    student(*inputs)
    assert torch.equal(point.range, before * torch.tensor([0.5, 1.5]))
    learned = point.range.clone()
    student.freeze_ranges()
    with torch.no_grad():
        point.stretch.fill_(1)
    point.stretch.grad = None
    student(*inputs).square().sum().backward()
    assert torch.equal(point.range, learned)
    assert point.stretch.grad.tolist() == [0, 0]  # there, because every process must report it
    student.freeze_ranges(False)
    student.eval()(*inputs)  # in eval mode they stay as well
    assert torch.equal(point.range, learned)


def test_known_ranges_never_move(student, latents):
    z, y = latents(4)
    student.train()(z, one_hot(y, CLASSES) * 0.5).sum().backward()
    point = student.points()["class_weights"]
    assert point.range.tolist() == [0, 1]
    assert point.stretch is None


def test_one_hot_weights_stay_exact(student):
    point = student.points()["class_weights"]
    assert (point(torch.eye(CLASSES)) - torch.eye(CLASSES)).abs().max() < 1e-6


def test_the_state_dict_holds_everything(deploy, student, latents):
    z, y = latents(4)
    inputs = (z, one_hot(y, CLASSES))
    student.train()(*inputs)
    student.freeze_ranges()
    twin = QuantGenerator(deploy)
    twin.load_state_dict(student.state_dict())
    twin.mode = "quantize"
    with torch.no_grad():
        assert torch.equal(twin(*inputs), student(*inputs))
    assert bool(twin.frozen) and twin.has_frozen_ranges
    assert copy.deepcopy(twin).has_frozen_ranges
    assert ranges_stay(twin.train(), inputs)
    twin.load_state_dict(student.state_dict() | {"frozen": torch.tensor(False)})
    assert not twin.has_frozen_ranges
    assert not ranges_stay(twin, inputs)


def ranges_stay(student, inputs) -> bool:
    """Whether a forward pass leaves a range alone whose stretch was changed."""
    point = student.points()["latent"]
    before = point.range.clone()
    with torch.no_grad():
        point.stretch.fill_(2)
    student(*inputs)
    return torch.equal(point.range, before)


def test_a_deep_copy_is_independent(student, latents):
    z, y = latents(4)
    twin = copy.deepcopy(student).train()
    before = student.points()["latent"].range.clone()
    with torch.no_grad():
        twin.points()["latent"].stretch.fill_(2)
    twin(z, one_hot(y, CLASSES))
    assert torch.equal(student.points()["latent"].range, before)
    assert not torch.equal(twin.points()["latent"].range, before)


def test_the_form_is_copied_and_calibration_keeps_its_images(deploy, latents, calibrated):
    z, y = latents(4)
    student = calibrated(deploy)
    student.mode = "float"
    with torch.no_grad():
        assert (student(z, one_hot(y, CLASSES)) - deploy(z, one_hot(y, CLASSES))).abs().max() < 1e-6
    assert not {p.data_ptr() for p in student.parameters()} & {p.data_ptr() for p in deploy.parameters()}


def test_single_layers_can_be_quantized_or_left_out(deploy, student, latents):
    z, y = latents(16, seed=9)
    weights = one_hot(y, CLASSES)
    layers = student.layers()
    assert {"to_rgb.weight", "to_rgb.output", "blocks.0.conv1.depthwise.output"} <= set(layers)
    with torch.no_grad():
        images, everything = deploy(z, weights), student(z, weights)
        with student.only([]):
            assert (student(z, weights) - images).abs().max() < 1e-6
        with student.only(["to_rgb.output"]):
            one = psnr(student(z, weights), images)
        with student.only(set(layers) - {"to_rgb.output"}):
            others = psnr(student(z, weights), images)
        assert torch.equal(student(z, weights), everything)
    assert one > others > 30
    with pytest.raises(UserError, match=r"no quantized layer to_rgb\.wieght \(did you mean to_rgb\.weight\?\)"):  # noqa: SIM117
        with student.only(["to_rgb.wieght"]):
            pass


def test_each_gain_and_bias_has_its_own_range(student):
    ranges = {n: p.range.tolist() for n, p in student.points().items() if n.startswith("class_affine.vectors")}
    assert len(ranges) == 3 * 4
    assert len({tuple(r) for r in ranges.values()}) == len(ranges)


def test_exceptions_are_per_layer(deploy):
    student = QuantGenerator(deploy, CONFIGS["exceptions"])
    assert "to_rgb.weight" not in student.layers()
    assert student.operations()["blocks.0.conv2.pointwise.weight"].bits == 4
    assert student.operations()["blocks.1.conv2.pointwise.weight"].bits == 8


def test_one_class_is_quantized_too(deploy, latents, batches):
    student = QuantGenerator(specialise(deploy, 2))
    student.calibrate([(z,) for z, _ in batches()])
    z, _ = latents(4)
    with torch.no_grad():
        assert torch.equal(student.export_form()(z), student(z))
        assert psnr(student(z), deploy(z, one_hot(torch.full((4,), 2), CLASSES))) > 36
    with pytest.raises(UserError, match="a OneClassGenerator is not stored"):
        save_int8(Path("never"), student, info(deploy))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_file_gives_the_same_images_bit_for_bit(deploy, as_configured, tmp_path, name, latents):
    student = as_configured(name)
    path = tmp_path / "student_int8.safetensors"
    save_int8(path, student, info(deploy))
    loaded, description = load_int8(path)
    assert description == info(deploy)
    assert loaded.quantization == student.quantization
    z, y = latents(4, seed=9)
    inputs = (z, one_hot(y, CLASSES))
    with torch.no_grad():
        assert torch.equal(loaded(*inputs), student(*inputs))
        assert torch.equal(loaded.export_form()(*inputs), student(*inputs))
    save_int8(tmp_path / "again.safetensors", loaded, description)
    first, second = load(path), load_file(tmp_path / "again.safetensors")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_file_is_small_and_holds_the_scales_of_the_graph(deploy, student, tmp_path):
    path = tmp_path / "student_int8.safetensors"
    save_int8(path, student, info(deploy))
    tensors = load(path)
    assert {tensors[name].dtype for name in student.operations()} == {torch.int8}
    form = student.export_form()
    assert float(tensors["blocks.0.input.scale"]) == form.get_submodule("blocks.0.input").grid[0]
    assert torch.equal(tensors["to_rgb.weight_scale"], form.get_submodule("to_rgb.operation").scale)


def test_damaged_files_are_refused_in_one_line(deploy, student, tmp_path):
    path = tmp_path / "student_int8.safetensors"
    with pytest.raises(UserError, match="no int8 student at"):
        load_int8(path)
    save_int8(path, student, info(deploy))
    tensors, metadata = load(path), {"format": INT8_FORMAT}
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        load_int8(path)
    save_file(tensors, path, {"format": "another"})
    with pytest.raises(UserError, match="its format is 'another'"):
        load_int8(path)
    save_file(tensors, path, metadata)
    with pytest.raises(UserError, match="damaged description"):
        load_int8(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("latent.range"), r"misses latent\.range"),
        (lambda t: t.update(stranger=torch.ones(1)), "unknown stranger"),
        (lambda t: t.update({"to_rgb.weight": torch.ones(3, 4, 3, 3)}), r"to_rgb\.weight is torch\.float32"),
        (lambda t: t.update({"latent.scale": t["latent.scale"] * 2}), r"latent\.scale does not belong"),
        (lambda t: t.update({"latent.range": t["latent.range"] * 0}), "does not belong"),
    ],
)
def test_files_with_wrong_tensors_are_refused(deploy, student, tmp_path, change, message):
    path = tmp_path / "student_int8.safetensors"
    save_int8(path, student, info(deploy))
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load(path)
    change(tensors)
    save_file(tensors, path, metadata)
    with pytest.raises(UserError, match=message) as error:
        load_int8(path)
    assert "\n" not in str(error.value)


def test_ranges_that_collapse_or_explode_name_the_layer(deploy, student, batches):
    dead = copy.deepcopy(deploy)
    dead.to_rgb.operation.weight.data.zero_()
    dead.to_rgb.operation.bias.data.zero_()
    with pytest.raises(UserError, match=r"range of to_rgb\.output collapsed to \[0\.0, 0\.0\]"):
        QuantGenerator(dead).calibrate(batches())
    z, weights = batches()[0]
    with pytest.raises(UserError, match=r"latent.*(exploded|not a number)"):
        QuantGenerator(deploy).calibrate([(z * float("inf"), weights)])
    with pytest.raises(UserError, match="not set"):
        QuantGenerator(deploy).mode = "quantize"
    with pytest.raises(UserError, match="at least one batch"):
        QuantGenerator(deploy).calibrate([])
    student.form.to_rgb.operation.operation.weight.data.fill_(float("nan"))
    with pytest.raises(UserError, match=r"to_rgb\.weight is not finite"):
        student.export_form()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weight_bits": 9}, "weight_bits = 9 is not between 2 and 8"),
        ({"activation_bits": 1}, "activation_bits = 1 is not between 2 and 16"),
        ({"percentile": 20}, "percentile 20 is not in"),
        ({"exceptions": (("to_rgb.weight", 12),)}, r"to_rgb\.weight = 12"),
    ],
)
def test_bad_settings_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        QuantConfig(**fields)


def test_an_exception_for_no_layer_is_refused(deploy):
    with pytest.raises(UserError, match=r"'to_rgb\.weigth' matches no layer"):
        QuantGenerator(deploy, dataclasses.replace(QuantConfig(), exceptions=(("to_rgb.weigth", None),)))


@pytest.mark.parametrize("pattern", ["to_rgb.*", "to_rgb.w*", "*"])
def test_no_pattern_gives_a_weight_more_than_eight_bits(deploy, pattern):
    with pytest.raises(UserError, match=r"gives (to_rgb|input_linear)\.weight 16 bits.* 8 at most; name") as error:
        QuantGenerator(deploy, QuantConfig(exceptions=((pattern, 16),)))
    assert "\n" not in str(error.value)
    student = QuantGenerator(deploy, QuantConfig(exceptions=(("to_rgb.output", 16), ("to_rgb.*", 8))))
    assert student.points()["to_rgb.output"].bits == 16
    assert student.operations()["to_rgb.weight"].bits == 8


def test_a_dead_channel_is_no_trouble(deploy, latents, calibrated):
    dead = copy.deepcopy(deploy)
    dead.get_parameter("blocks.0.conv1.depthwise.operation.weight").data[0] = 0
    student = calibrated(dead)
    z, y = latents(2)
    assert torch.isfinite(student(z, one_hot(y, CLASSES))).all()


@pytest.mark.parametrize("bits", [4, 8])
def test_scales_of_depthwise_channels_are_numbers_that_float16_has(deploy, bits):
    small = copy.deepcopy(deploy)
    small.get_parameter("blocks.0.conv1.depthwise.operation.weight").data[:4].mul_(1e-3)
    small.get_parameter("class_affine.linear.weight").data.mul_(1e-4)
    operations = QuantGenerator(small, QuantConfig(weight_bits=bits)).operations()
    assert (
        operations["blocks.0.conv1.depthwise.weight"].scale().min() >= torch.finfo(torch.float16).smallest_normal
    )
    first_gains = operations["class_affine.vectors.block0_gain1.weight"]
    assert (first_gains.levels().abs().amax(1) == first_gains.highest).all()


def test_a_batch_of_one_calibrates_and_runs(deploy, latents):
    student = QuantGenerator(deploy)
    z, y = latents(1)
    student.calibrate([(z, one_hot(y, CLASSES))])
    assert student.train()(z, one_hot(y, CLASSES)).shape == (1, 3, 32, 32)


def test_quantizers_are_of_two_kinds(student):
    kinds = {type(module) for module in (*student.operations().values(), *student.points().values())}
    assert kinds == {QuantOperation, QuantPoint}
