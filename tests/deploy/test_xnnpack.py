import copy
from types import SimpleNamespace

import pytest
import torch
from exported_files import run_program
from stand_ins import trained_like_student

from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantGenerator
from compress.one_class import specialise
from compress.quant_config import QuantConfig
from deploy import xnnpack
from deploy.executorch_program import load_program, read_contents
from deploy.xnnpack import lower_xnnpack
from deploy.xnnpack_file import check_weights, read_graph
from train.errors import UserError
from train.generator import GeneratorConfig

CLASSES, Z_DIM = 3, 8


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


def with_classes(latents):
    return latents, one_hot(torch.arange(len(latents)) % CLASSES, CLASSES)


def written(folder, student, inputs):
    path = folder / "student.pte"
    path.write_bytes(lower_xnnpack(student.export_form(), tuple(x[:1] for x in inputs)).buffer)
    return SimpleNamespace(student=student, path=path, inputs=inputs)


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


@pytest.fixture
def int8(android_exports, latents):
    """The int8 student and its file; see `android_exports`."""
    path = android_exports("student_xnnpack_int8.pte")
    return SimpleNamespace(
        student=android_exports.source.quantized["int8"], path=path, inputs=with_classes(latents)
    )


def images_of(item):
    with torch.no_grad():
        return item.student(*item.inputs)


def test_an_int8_student_is_one_delegate_with_its_upsamples_in_int8(int8):
    contents = read_contents(int8.path)
    assert contents.delegates == ("XnnpackBackend",) and contents.kernels == {}
    graph = read_graph(int8.path)
    assert graph.int8_resizes == graph.operations["XNNStaticResizeBilinear2D"] == 6
    vectors = 12  # gains and biases: they turn float to get two more dimensions, one after the other
    assert graph.operations["XNNConvert"] == 3 + 2 * vectors  # the inputs, and what goes into tanh
    assert graph.operations["XNNTanh"] == 1
    assert len(graph.layers) == len(int8.student.operations())


def test_an_int8_file_draws_what_its_student_draws(int8):
    images = run_program(int8.path, *int8.inputs)
    assert psnr(images, images_of(int8)) > 30
    first = [x[:1].numpy() for x in int8.inputs]
    one, two = (load_program(int8.path, threads)(*first) for threads in (1, 2))
    assert (one == images[:1]).all() and (two == one).all()


def test_a_file_has_the_weights_of_its_student(int8):
    check_weights(int8.path, int8.student)
    check_weights(int8.path.read_bytes(), int8.student)


@pytest.mark.parametrize("part", ["weight", "scale", "bias", "grid"])
def test_one_changed_number_is_found(int8, part):
    student = copy.deepcopy(int8.student)
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
        check_weights(int8.path, student)


def test_a_changed_byte_of_the_file_is_found(int8):
    data = bytearray(int8.path.read_bytes())
    levels = int8.student.operations()["input_linear.weight"].levels().numpy().tobytes()
    data[data.index(levels) + 5] ^= 1
    with pytest.raises(UserError, match=r"integers and scales of input_linear\.weight"):
        check_weights(bytes(data), int8.student)


def test_nothing_of_the_override_stays():
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


def test_a_float_student_is_exact(one_class_exports, latents):
    path, source = one_class_exports("student_xnnpack_fp32.pte"), one_class_exports.source
    assert psnr(run_program(path, latents), source.form(latents).detach()) > 120
    graph = read_graph(path)
    assert graph.layers == [] and graph.grids == set() and graph.int8_resizes == 0
    with pytest.raises(UserError, match=r"of input_linear\.weight are not in the file"):
        check_weights(path, source.quantized["int8"])


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "bits"), [("dw", 4), ("std", 8), ("std", 4)])
def test_other_students(tmp_path, latents, architecture, bits):
    inputs = with_classes(latents)
    student = calibrated(deploy(architecture), QuantConfig(weight_bits=bits))
    item = written(tmp_path, student, inputs)
    assert read_graph(item.path).int8_resizes == 6
    check_weights(item.path, student)
    assert psnr(run_program(item.path, *inputs), images_of(item)) > 30


@pytest.mark.slow
def test_an_int8_student_of_one_class(one_class_exports, latents):
    path, student = one_class_exports("student_xnnpack_int8.pte"), one_class_exports.source.quantized["int8"]
    graph = read_graph(path)
    assert graph.operations["XNNConvert"] == 2 and graph.int8_resizes == 6  # the latent, and what goes into tanh
    assert psnr(run_program(path, latents), student(latents).detach()) > 30


@pytest.mark.slow
def test_a_float_student_of_all_classes(android_exports, latents):
    path, inputs = android_exports("student_xnnpack_fp32.pte"), with_classes(latents)
    assert psnr(run_program(path, *inputs), android_exports.source.form(*inputs).detach()) > 120
    assert read_contents(path).delegates == ("XnnpackBackend",)
