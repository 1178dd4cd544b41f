"""Every term against a number worked out by hand."""

import pytest
import torch

from train import losses


def test_pixel_loss_is_the_mean_absolute_difference():
    teacher = torch.tensor([[[[0.0, 1.0]]]])
    student = torch.tensor([[[[0.5, -1.0]]]])
    assert losses.pixel_loss(teacher, student) == 1.25


def test_generator_hinge_loss_is_minus_the_mean_score():
    assert losses.generator_hinge_loss(torch.tensor([1.0, -3.0, 5.0])) == -1.0


def test_discriminator_hinge_loss_stops_at_the_margins():
    genuine = torch.tensor([2.0, 0.5, -1.0])  # 0, 0.5, 2
    generated = torch.tensor([-2.0, -0.25, 1.0])  # 0, 0.75, 2
    assert losses.discriminator_hinge_loss(genuine, generated) == pytest.approx(2.5 / 3 + 2.75 / 3)


def test_feature_weights_are_the_released_ones():
    assert losses.feature_weights(5) == [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1]
    assert losses.feature_weights(3) == [1 / 8, 1 / 4, 1]


def test_feature_matching_loss_weights_the_top_most():
    teacher = [torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 1, 1)]
    student = [torch.full((1, 1, 2, 2), 4.0), torch.tensor([[[[1.0]], [[-3.0]]]])]
    assert losses.feature_matching_loss(teacher, student) == pytest.approx(0.25 * 4 + 1 * 2)


def test_feature_matching_loss_has_no_gradient_to_the_teacher():
    teacher, student = torch.zeros(2, 3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    losses.feature_matching_loss([teacher], [student]).backward()
    assert teacher.grad is None
    assert student.grad is not None


def test_mode_seeking_loss_is_zero_once_images_differ_enough():
    images = torch.tensor([0.0, 1.0, 0.5, 0.5]).reshape(4, 1, 1, 1)  # halves differ by 0.5 on average
    assert losses.mode_seeking_loss(images, torch.tensor(1.0), 0.8) == pytest.approx(0.3)
    assert losses.mode_seeking_loss(images, torch.tensor(0.5), 0.8) == 0


def test_losses_are_float32_whatever_comes_in():
    half = torch.ones(2, 3, 4, 4, dtype=torch.bfloat16)
    assert losses.pixel_loss(half, half).dtype == torch.float32
    assert losses.generator_hinge_loss(half).dtype == torch.float32
    assert losses.feature_matching_loss([half], [half]).dtype == torch.float32
