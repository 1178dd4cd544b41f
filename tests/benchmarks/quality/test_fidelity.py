import numpy as np
import pytest
import torch
from quality_images import random_images

from benchmarks.quality.fidelity import fidelity, ssim


def test_hand_worked_psnr_and_l1():
    images = np.full((70, 16, 16, 3), 100, np.uint8)  # more than one batch
    others = images.copy()
    others[0] += 51  # a fifth of the range in one image of 70
    found = fidelity(images, others)
    assert found.psnr == pytest.approx(20 * np.log10(5) + 10 * np.log10(70))
    assert found.l1 == pytest.approx(0.4 / 70)


def test_equal_images():
    images = random_images(0, 3)
    found = fidelity(images, images.copy())
    assert (found.psnr, found.l1) == (None, 0) and found.ssim == pytest.approx(1)


def test_ssim_of_flat_images():
    # No variance: (2ab + C₁) / (a² + b² + C₁).
    a, b, c1 = 60.0, 90.0, (0.01 * 255) ** 2
    found = ssim(torch.full((1, 3, 16, 16), a).double(), torch.full((1, 3, 16, 16), b).double())
    assert found.item() == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1))


def test_ssim_of_one_window_by_its_definition():
    random = np.random.default_rng(0)
    a, b = random.uniform(0, 255, (2, 11, 11))
    y, x = np.mgrid[-5:6, -5:6]
    weights = np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    weights /= weights.sum()
    mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
    variance_a, variance_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
    covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    expected /= (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    found = ssim(torch.from_numpy(a)[None, None], torch.from_numpy(b)[None, None])
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_ssim_is_the_mean_over_images_and_falls_with_noise():
    images = random_images(1, 70)
    noise = np.random.default_rng(2).integers(-40, 41, images.shape)
    noisy = (images + noise).clip(0, 255).astype(np.uint8)
    half = images.copy()
    half[:35] = noisy[:35]
    all_noisy, half_noisy = fidelity(noisy, images).ssim, fidelity(half, images).ssim
    assert 0 < all_noisy < half_noisy < 1
    first = fidelity(noisy[:35], images[:35]).ssim
    assert half_noisy == pytest.approx((first + 1) / 2)


def test_other_shapes_cannot_be_paired():
    with pytest.raises(ValueError, match="cannot be paired"):
        fidelity(random_images(0, 3), random_images(0, 2))


def test_single_precision_is_enough():
    # Bright and almost flat, where the variance is the small difference of large numbers.
    images = np.random.default_rng(0).integers(240, 244, (16, 32, 32, 3)).astype(np.uint8)
    others = np.random.default_rng(1).integers(240, 244, (16, 32, 32, 3)).astype(np.uint8)
    a, b = (torch.from_numpy(part).permute(0, 3, 1, 2).double() for part in (images, others))
    assert fidelity(images, others).ssim == pytest.approx(ssim(a, b).mean().item(), abs=1e-4)
