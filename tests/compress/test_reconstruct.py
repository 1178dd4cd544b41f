"""Weights rounded together, and biases that make up for rounding."""

import copy

import pytest
import torch

from compress import reconstruct as reconstruction
from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantGenerator
from compress.int8_file import load_int8, save_int8
from compress.quant_config import QuantConfig
from compress.reconstruct import reconstruct, round_together
from train.snapshot import SnapshotInfo


def _error(weight, rounded, inputs):
    return float((inputs @ (weight - rounded).mT).square().mean())


def test_columns_make_up_for_the_rounding_of_others():
    torch.manual_seed(0)
    inputs = (torch.randn(2, 500, 3) @ torch.randn(2, 3, 12) + 0.1 * torch.randn(2, 500, 12)).double()
    weight = torch.randn(2, 5, 12).double()
    scale = weight.abs().amax(2) / 7
    moments = inputs.mT @ inputs / 500
    rounded = round_together(weight, moments, scale, 7)
    levels = rounded / scale[:, :, None]
    assert torch.allclose(levels, levels.round(), atol=1e-9)
    assert levels.abs().max() < 7.001
    plain = torch.round(weight / scale[:, :, None]).clamp(-7, 7) * scale[:, :, None]
    assert _error(weight, rounded, inputs) < 0.3 * _error(weight, plain, inputs)


def test_inputs_without_relation_are_rounded_plainly():
    weight = torch.randn(1, 4, 9, generator=torch.Generator().manual_seed(0)).double()
    scale = weight.abs().amax(2) / 127
    rounded = round_together(weight, torch.eye(9).double()[None], scale, 127)
    assert torch.allclose(rounded, torch.round(weight / scale[:, :, None]) * scale[:, :, None], atol=1e-9)


@pytest.mark.parametrize(("groups", "size", "padding"), [(1, 3, 1), (6, 3, 1), (1, 1, 0)])
def test_only_used_positions_are_unfolded_and_moments_come_in_parts(groups, size, padding, monkeypatch):
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(6, 12, size, padding=padding, groups=groups)
    x = torch.randn(5, 6, 16, 16) + 1
    monkeypatch.setattr(reconstruction, "_POSITIONS", 100)
    stride = reconstruction._stride(x)
    assert stride == 13
    unfolded = torch.nn.functional.unfold(x, size, padding=padding)[:, :, ::stride]
    assert torch.equal(reconstruction._patches(x, convolution, stride), unfolded)
    target = convolution(x).detach().flatten(2)[:, :, ::stride]
    found = []
    for images in (2, 5):
        monkeypatch.setattr(reconstruction, "_IMAGES_AT_ONCE", images)
        found.append(reconstruction._moments(x, target, convolution))
    for parts, whole in zip(*found, strict=True):
        assert torch.allclose(parts, whole, rtol=1e-12, atol=1e-12)
    inputs = unfolded.unflatten(1, (groups, -1)).permute(1, 0, 3, 2).flatten(1, 2).double()
    outputs = target.unflatten(1, (groups, -1)).permute(1, 0, 3, 2).flatten(1, 2).double()
    centre, mean, moments, shared = found[0]
    assert torch.allclose(centre, inputs.mean(1, keepdim=True))
    assert torch.allclose(mean, outputs.mean(1, keepdim=True))
    inputs, outputs = inputs - centre, outputs - mean
    assert torch.allclose(moments, inputs.mT @ inputs / inputs.shape[1])
    assert torch.allclose(shared, inputs.mT @ outputs / inputs.shape[1])


def test_fine_blocks_are_fitted_on_fewer_latents(trained_like, batches, monkeypatch):
    """At the paper's size all latents at once would be gigabytes."""
    deploy = deploy_form(trained_like())
    student = QuantGenerator(deploy, QuantConfig(weight_bits=4))
    student.calibrate(batches())
    seen = {}
    for k, block in enumerate(student.form.blocks):
        block.conv1.register_forward_hook(lambda m, inputs, output, k=k: seen.update({k: len(output)}))
    monkeypatch.setattr(reconstruction, "_PIXELS", 32 * 32 * 4)
    reconstruct(student, deploy, batches())
    assert seen == {0: 48, 1: 16, 2: 4}
    seen.clear()
    student(*batches()[0])
    assert seen == {0: 16, 1: 16, 2: 16}  # nothing of it stays


@pytest.mark.parametrize(("architecture", "bits"), [("dw", 4), ("std", 4), ("dw", 8)])
def test_images_come_closer_to_the_float_ones(architecture, bits, trained_like, latents, batches):
    deploy = deploy_form(trained_like(architecture))
    plain = QuantGenerator(deploy, QuantConfig(weight_bits=bits))
    plain.calibrate(batches(8))
    fitted = copy.deepcopy(plain)
    reconstruct(fitted, deploy, batches(8))
    z, y = latents(64, seed=9)
    inputs = (z, one_hot(y, 5))
    with torch.no_grad():
        images = deploy(*inputs)
        before, after = (float((student(*inputs) - images).square().mean()) for student in (plain, fitted))
        assert after < (0.7 if bits == 4 else 1.0) * before
        assert torch.equal(fitted.export_form()(*inputs), fitted(*inputs))


def test_a_file_keeps_what_is_fitted(trained_like, latents, batches, tmp_path):
    deploy = deploy_form(trained_like())
    student = QuantGenerator(deploy, QuantConfig(weight_bits=4))
    student.calibrate(batches())
    reconstruct(student, deploy, batches())
    z, y = latents(4, seed=9)
    inputs = (z, one_hot(y, 5))
    path = tmp_path / "student_int8.safetensors"
    save_int8(path, student, SnapshotInfo(deploy.config, {0: "zero"}, truncation=0.5, source="a test", images=7))
    with torch.no_grad():
        assert torch.equal(load_int8(path)[0](*inputs), student(*inputs))


def test_what_is_fitted_lies_on_the_grid(trained_like, batches):
    deploy = deploy_form(trained_like())
    student = QuantGenerator(deploy, QuantConfig(weight_bits=4))
    student.calibrate(batches())
    reconstruct(student, deploy, batches())
    operation = student.operations()["blocks.1.conv1.pointwise.weight"]
    weight = operation.operation.weight
    assert torch.allclose(
        operation.levels() * operation.scale()[:, None, None, None], weight, rtol=1e-5, atol=1e-7
    )
    linear = student.operations()["input_linear.weight"].operation
    assert torch.equal(linear.weight, deploy.input_linear.weight)
