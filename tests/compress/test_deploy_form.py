import pytest
import torch
from stand_ins import trained_like_student

from compress.deploy_form import deploy_form, one_hot
from compress.equalise import equalise
from compress.one_class import specialise
from train.errors import UserError
from train.generator import GeneratorConfig, Widths

CLASSES = 5

SIZES = [32, 64, 128]


def difference(a, b):
    return float((a - b).detach().abs().max())


@pytest.mark.parametrize("architecture", ["dw", "std"])
@pytest.mark.parametrize("size", SIZES)
def test_the_rewrite_is_exact(architecture, size, trained_like, latents):
    student = trained_like(architecture, size)
    deploy = deploy_form(student)
    z, y = latents(4)
    with torch.no_grad():
        images = student(z, y)
        assert images.std() > 0.1
        assert difference(deploy(z, one_hot(y, CLASSES)), images) <= 1e-5


@pytest.mark.parametrize("architecture", ["dw", "std"])
def test_mixtures_of_classes_morph(architecture, trained_like, latents):
    student = trained_like(architecture)
    z, _ = latents(3)
    weights = torch.rand(3, CLASSES).softmax(1)
    with torch.no_grad():
        expected = student.synthesize(z, weights @ student.class_embedding.weight)
        assert difference(deploy_form(student)(z, weights), expected) <= 1e-5


@pytest.mark.parametrize("architecture", ["dw", "std"])
@pytest.mark.parametrize("size", SIZES)
def test_one_class_is_the_student_at_that_class(architecture, size, trained_like, latents):
    student = trained_like(architecture, size)
    deploy = deploy_form(student)
    z, _ = latents(3)
    with torch.no_grad():
        for index in (0, CLASSES - 1):
            images = student(z, torch.full((3,), index))
            assert difference(specialise(deploy, index)(z), images) <= 1e-5


def test_a_class_that_is_not_there_is_refused(trained_like):
    with pytest.raises(UserError, match="class 5 is not one of the student's 5; give 0 to 4"):
        specialise(deploy_form(trained_like()), CLASSES)


@pytest.mark.parametrize("architecture", ["dw", "std"])
def test_the_student_is_left_alone(architecture, trained_like):
    student = trained_like(architecture)
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    deploy = deploy_form(student)
    with torch.no_grad():
        for parameter in deploy.parameters():
            parameter.add_(1)
    specialise(deploy, 0)
    assert all(torch.equal(before[name], tensor) for name, tensor in student.state_dict().items())


def test_one_class_shares_nothing_with_its_source(trained_like):
    deploy = deploy_form(trained_like())
    before = {name: tensor.clone() for name, tensor in deploy.state_dict().items()}
    for parameter in specialise(deploy, 1).parameters():
        parameter.data.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in deploy.state_dict().items())


def test_there_is_one_linear_for_all_gains_and_biases(trained_like):
    deploy = deploy_form(trained_like(image_size=128))
    linears = {name for name, module in deploy.named_modules() if isinstance(module, torch.nn.Linear)}
    assert linears == {"class_embedding", "class_affine.linear", "input_linear"}
    assert not any("norm" in name or "running" in name for name in deploy.state_dict())


def test_every_parameter_can_be_trained(trained_like, latents):
    deploy = deploy_form(trained_like())
    z, y = latents(8)
    deploy(z, one_hot(y, CLASSES)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in deploy.parameters())


def test_nhwc_gives_the_same_images(trained_like, latents):
    deploy = deploy_form(trained_like())
    z, y = latents(3)
    with torch.no_grad():
        images = deploy(z, one_hot(y, CLASSES))
        deploy.to_nhwc()
        deploy.to_nhwc()
        assert difference(deploy(z, one_hot(y, CLASSES)).permute(0, 3, 1, 2), images) <= 1e-6


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_equal_channels_change_no_image(strength, trained_like, batches):
    deploy = deploy_form(trained_like())
    z, weights = batches()[0]
    with torch.no_grad():
        images, before = (
            deploy(z, weights),
            deploy.get_parameter("blocks.0.conv1.depthwise.operation.weight").clone(),
        )
        equalise(deploy, batches(), strength)
        assert difference(deploy(z, weights), images) <= 1e-5
    assert not torch.equal(deploy.get_parameter("blocks.0.conv1.depthwise.operation.weight"), before)


def test_depthwise_outputs_come_closer_in_range(trained_like, batches):
    def spread(deploy):
        seen = {}
        hook = deploy.get_submodule("blocks.0.conv1.depthwise").register_forward_hook(
            lambda m, i, o: seen.update(x=o)
        )
        with torch.no_grad():
            deploy(*batches()[0])
        hook.remove()
        reach = seen["x"].abs().amax((0, 2, 3))
        return float(reach.max() / reach.min())

    deploy = deploy_form(trained_like())
    before = spread(deploy)
    equalise(deploy, batches(), 1.0)
    assert before > 1.2
    # Outliers that cost the image little may reach farther.
    assert spread(deploy) - 1 < 0.6 * (before - 1)


def test_weights_that_are_not_finite_are_refused(trained_like):
    student = trained_like()
    student.to_rgb.weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(UserError, match=r"to_rgb\.weight is not finite"):
        deploy_form(student)


def test_a_network_that_is_no_student_is_refused():
    with pytest.raises(UserError, match="a Linear has no deploy form"):
        deploy_form(torch.nn.Linear(2, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ["dw", "std"])
def test_widths_of_every_layer_are_followed(architecture, latents):
    widths = Widths((7, 5, 9, 6), (4, 11, 3))
    student = trained_like_student(GeneratorConfig(architecture, 4, 32, CLASSES, 8, 16, widths))
    deploy = deploy_form(student)
    z, y = latents(4)
    with torch.no_grad():
        images = student(z, y)
        assert difference(deploy(z, one_hot(y, CLASSES)), images) <= 1e-5
        assert difference(specialise(deploy, 2)(z), student(z, torch.full((4,), 2))) <= 1e-5
