"""Widths chosen per call, students cut out, statistics measured anew, channels sorted."""

import pytest
import torch

from compress.channel_order import channel_importance, reordered, sort_channels
from compress.elastic import calibrate, elastic, extract
from train.errors import UserError
from train.generator import Generator, Widths

NARROW = Widths((24, 9, 8, 3), (5, 8, 2))  # of (32, 16, 8, 4) and (16, 8, 4)


@pytest.fixture(params=["dw", "std"])
def student(request, trained_like) -> Generator:
    return trained_like(request.param)


def difference(a, b):
    return float((a - b).detach().abs().max())


@pytest.mark.parametrize("training", [False, True])
def test_the_full_elastic_student_is_the_student(student, latents, training):
    z, y = latents(6)
    whole = elastic(student).train(training)
    student.train(training)
    assert torch.equal(whole(z, y), student(z, y))
    assert torch.equal(whole(z, y, student.config.resolved_widths), student(z, y))
    ours, theirs = whole.state_dict(), student.state_dict()
    assert list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("training", [False, True])
def test_narrow_widths_are_the_student_that_is_cut_out(student, latents, training):
    z, y = latents(6)
    whole = elastic(student).train(training)
    cut = extract(whole, NARROW)
    assert cut.config.widths == NARROW and cut.training == training
    before = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    images = whole(z, y, NARROW)
    assert difference(images, cut(z, y)) <= 1e-5
    assert difference(images, whole(z, y)) > 1e-2
    assert all(torch.equal(tensor, before[name]) for name, tensor in whole.state_dict().items() if not training)
    whole.chosen = NARROW
    assert torch.equal(whole(z, y), images)


def test_narrow_calls_train_the_first_channels_and_leave_the_statistics(student, latents):
    whole = elastic(student).train()
    statistics = whole.blocks[0].norm1.norm.running_mean.clone()
    whole(*latents(6), NARROW).square().mean().backward()
    assert torch.equal(whole.blocks[0].norm1.norm.running_mean, statistics)
    gradient = whole.blocks[1].shortcut.weight.grad
    assert gradient[:8, :9].any() and not gradient[8:].any() and not gradient[:, 9:].any()
    assert all(p.grad is not None for p in whole.parameters())  # several processes wait for each


def test_wider_than_the_student_is_refused(student):
    with pytest.raises(UserError, match=r"widths.mids \(5, 9, 2\) are not within the student's \(16, 8, 4\)"):
        extract(student, Widths(NARROW.stages, (5, 9, 2)))


def test_statistics_are_those_of_the_latents(student, latents):
    cut = extract(student, NARROW)
    z, y = latents(32)
    calibrate(cut, [(z, y)])
    assert not cut.training
    first = cut.input_linear(z).unflatten(1, (-1, 4, 4))
    norm = cut.blocks[0].norm1.norm
    assert torch.allclose(norm.running_mean, first.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, first.var((0, 2, 3)), rtol=1e-4)
    assert norm.momentum == 0.1
    again = extract(student, NARROW)
    calibrate(again, [(z, y)])
    assert torch.equal(again(z, y), cut(z, y))


def test_sorting_changes_no_image(student, latents):
    z, y = latents(6)
    student = student.double()
    z = z.double()
    ordered = sort_channels(student, [(z, y)])
    assert difference(ordered(z, y), student(z, y)) < 1e-12
    assert not torch.equal(ordered.blocks[0].shortcut.weight, student.blocks[0].shortcut.weight)
    for name, importance in channel_importance(ordered, [(z, y)]).items():
        assert (importance.diff() <= 1e-9 * importance.max()).all(), name


def test_importance_is_what_the_image_loses(student, latents):
    """Of a channel of the last stage, which only the RGB convolution reads, before tanh bends much."""
    with torch.no_grad():
        student.to_rgb.weight.mul_(1e-3)
        student.to_rgb.bias.zero_()
    batches = [latents(16, seed) for seed in range(40)]
    importance = channel_importance(student, batches)["stages.3"]
    lost = torch.zeros(4)
    with torch.no_grad():
        images = [student(*batch) for batch in batches]
        for channel in range(4):
            kept = student.to_rgb.weight[:, channel].clone()
            student.to_rgb.weight[:, channel] = 0
            lost[channel] = sum((student(*b) - x).square().sum() for b, x in zip(batches, images, strict=True))
            student.to_rgb.weight[:, channel] = kept
    assert torch.allclose(importance, lost, rtol=0.5)  # random signs: right on average
    assert importance.argmax() == lost.argmax()


def test_any_permutation_is_exact(student, latents):
    z, y = latents(4)
    student, z = student.double(), z.double()
    sizes = {name: len(x) for name, x in channel_importance(student, [(z, y)]).items()}
    moved = reordered(student, {name: torch.randperm(size) for name, size in sizes.items()})
    assert difference(moved(z, y), student(z, y)) < 1e-12
