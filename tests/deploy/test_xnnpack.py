import copy
from types import SimpleNamespace

import pytest
import torch
from stand_ins import trained_like_student

from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantConfig, QuantGenerator
from compress.one_class import specialise
from deploy import xnnpack
from deploy.executorch_program import load_program, run_program
from deploy.xnnpack import lower_xnnpack
from deploy.xnnpack_file import check_weights, read_graph
from train.errors import UserError
from train.generator import GeneratorConfig

CLASSES, Z_DIM = 5, 8


def psnr(a, b):
    return float(10 * torch.log10(4 / (torch.as_tensor(a) - b).square().mean()))


def registries():
    from executorch.backends.xnnpack.operators import node_visitor
    from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS

    return dict(node_visitor._node_visitor_dict), list(ALL_PARTITIONER_CONFIGS)


def calibrated(form, config=None):
    torch.manual_seed(3)
    student = QuantGenerator(form, config)
    batches = [(torch.randn(16, Z_DIM), torch.rand(16, CLASSES).softmax(1)) for _ in range(2)]
    one_class = not hasattr(form, "class_affine")
    student.calibrate([batch[:1] if one_class else batch for batch in batches])
    return student.eval()


def written(folder, name, student, inputs):
    """Lower and store a student once for the tests of this module."""
    module = student.export_form(float_weights=False) if isinstance(student, QuantGenerator) else student
    lowered = lower_xnnpack(module, tuple(x[:1] for x in inputs))
    path = folder / f"{name}.pte"
    path.write_bytes(lowered.buffer)
    return SimpleNamespace(student=student, lowered=lowered, path=path, inputs=inputs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("xnnpack")


def deploy(architecture):
    config = GeneratorConfig(
        architecture, 4, image_size=32, num_classes=CLASSES, z_dim=Z_DIM, class_embedding_dim=16
    )
    return deploy_form(trained_like_student(config)).eval()


@pytest.fixture(scope="module")
def form():
    return deploy("dw")


@pytest.fixture(scope="module")
def latents():
    random = torch.Generator().manual_seed(1)
    return torch.randn(32, Z_DIM, generator=random).clamp(-2, 2)


@pytest.fixture(scope="module")
def one_class(form, folder, latents):
    return written(folder, "one_class_int8", calibrated(specialise(form, 3).eval()), (latents,))


def images_of(item):
    with torch.no_grad():
        return item.student(*item.inputs)


def test_an_int8_student_is_one_delegate_with_its_upsamples_in_int8(one_class):
    assert one_class.lowered.delegates == ("XnnpackBackend",) and one_class.lowered.outside == {}
    graph = read_graph(one_class.path)
    assert graph.int8_resizes == graph.operations["XNNStaticResizeBilinear2D"] == 6
    assert graph.operations["XNNConvert"] == 2  # the latent, and what goes into tanh
    assert graph.operations["XNNTanh"] == 1
    assert len(graph.layers) == len(one_class.student.operations())


def test_an_int8_file_draws_what_its_student_draws(one_class):
    images = run_program(one_class.path, *one_class.inputs)
    assert psnr(images, images_of(one_class)) > 30
    one, two = (load_program(one_class.path, threads)(one_class.inputs[0][:1].numpy()) for threads in (1, 2))
    assert (one == images[:1]).all() and (two == one).all()


def test_a_file_has_the_weights_of_its_student(one_class):
    check_weights(one_class.path, one_class.student)
    check_weights(one_class.path.read_bytes(), one_class.student)


@pytest.mark.parametrize("part", ["weight", "scale", "bias", "grid"])
def test_one_changed_number_is_found(one_class, part):
    student = copy.deepcopy(one_class.student)
    name = "blocks.1.conv1.pointwise.weight"
    operation = student.operations()[name]
    levels, scale = operation.levels().clone(), operation.scale().clone()
    if part == "weight":
        levels[2, 1, 0, 0] += 1 if levels[2, 1, 0, 0] < 0 else -1
        operation.load_levels(levels, scale)
    elif part == "scale":
        scale[2] = torch.nextafter(scale[2], torch.tensor(1.0))
        operation.load_levels(levels, scale)
    elif part == "bias":
        operation.operation.bias.data[2] += 1e-3
    else:
        student.points()["features"].range[1] *= 1.001
    expected = {"bias": f"bias of {name}", "grid": "grids differ"}.get(part, f"integers and scales of {name}")
    with pytest.raises(UserError, match=expected):
        check_weights(one_class.path, student)


def test_a_changed_byte_of_the_file_is_found(one_class):
    data = bytearray(one_class.path.read_bytes())
    levels = one_class.student.operations()["input_linear.weight"].levels().numpy().tobytes()
    data[data.index(levels) + 5] ^= 1
    with pytest.raises(UserError, match=r"integers and scales of input_linear\.weight"):
        check_weights(bytes(data), one_class.student)


def test_nothing_of_the_override_stays(one_class):
    before = registries()
    with xnnpack._int8_resize() as configs:
        assert registries() != before
        assert len(configs) == len(before[1]) and configs != before[1]
    assert registries() == before
    with pytest.raises(ZeroDivisionError), xnnpack._int8_resize():
        _ = 1 / 0
    assert registries() == before


def test_other_activations_than_eight_bits_are_refused(form, latents):
    student = calibrated(specialise(form, 0).eval(), QuantConfig(activation_bits=6))
    with pytest.raises(UserError, match="levels -32 to 31, and XNNPACK has 8 bits only"):
        lower_xnnpack(student.export_form(), (latents[:1],))


def test_a_float_student_is_exact_and_stays_as_it_is(form, folder, latents):
    one = specialise(form, 2).eval()
    before = copy.deepcopy(one.state_dict())
    item = written(folder, "one_class_fp32", one, (latents,))
    assert psnr(run_program(item.path, latents), images_of(item)) > 120
    assert all(torch.equal(tensor, before[name]) for name, tensor in one.state_dict().items())
    graph = read_graph(item.path)
    assert graph.layers == [] and graph.grids == set() and graph.int8_resizes == 0
    with pytest.raises(UserError, match=r"of input_linear\.weight are not in the file"):
        check_weights(item.path, calibrated(one))


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("architecture", ["dw", "std"])
def test_a_student_of_all_classes(folder, latents, architecture, bits):
    inputs = latents, one_hot(torch.arange(len(latents)) % CLASSES, CLASSES)
    student = calibrated(deploy(architecture), QuantConfig(weight_bits=bits))
    item = written(folder, f"{architecture}_int{bits}", student, inputs)
    graph = read_graph(item.path)
    vectors = 12  # gains and biases: they turn float to get two more dimensions, one after the other
    assert graph.operations["XNNConvert"] == 3 + 2 * vectors and graph.int8_resizes == 6
    check_weights(item.path, student)
    assert psnr(run_program(item.path, *inputs), images_of(item)) > 30


@pytest.mark.slow
def test_a_float_student_of_all_classes(form, folder, latents):
    inputs = latents, one_hot(torch.arange(len(latents)) % CLASSES, CLASSES)
    item = written(folder, "fp32", form, inputs)
    assert psnr(run_program(item.path, *inputs), images_of(item)) > 120
    assert item.lowered.delegates == ("XnnpackBackend",)
