"""How near images come to those of another model, drawn from the same latents: PSNR, SSIM, L1."""

import dataclasses

import numpy as np
import torch

_BATCH = 16  # small enough for the caches
_WINDOW, _SIGMA = 11, 1.5  # of the Gaussian weights, as in Wang et al. 2004
_K1, _K2 = 0.01, 0.03


@dataclasses.dataclass(frozen=True)
class Fidelity:
    """Of a set of images to their references."""

    psnr: float | None
    """dB, from the mean squared error of the whole set; None where all bytes are equal."""
    ssim: float
    """Structural similarity, mean over images; 1 where they are equal."""
    l1: float
    """Mean absolute difference of values in [-1, 1], so in [0, 2]."""


def fidelity(images: np.ndarray, references: np.ndarray) -> Fidelity:
    """Compare two sets of images, uint8 [N, H, W, 3], one by one.

    Raises:
        ValueError: they differ in shape.
    """
    if images.shape != references.shape:
        raise ValueError(f"images of shape {images.shape} cannot be paired with {references.shape}")
    squares = absolutes = similarities = 0.0
    for start in range(0, len(images), _BATCH):
        a, b = (
            torch.from_numpy(np.array(part[start : start + _BATCH])).permute(0, 3, 1, 2).float()
            for part in (images, references)
        )
        squares += float((a - b).square().sum(dtype=torch.float64))
        absolutes += float((a - b).abs().sum(dtype=torch.float64))
        similarities += float(ssim(a, b).sum(dtype=torch.float64))
    count = images.size
    psnr = 10 * np.log10(255**2 * count / squares) if squares else None
    return Fidelity(None if psnr is None else float(psnr), similarities / len(images), absolutes / count / 127.5)


def ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the structural similarity of pairs of images, [N] (Wang et al. 2004).

    Of each colour channel, with Gaussian weights of 11 × 11 pixels (σ 1.5), at the positions where the window lies
    inside of the image; the mean over positions and channels.

    Args:
        a: float [N, C, H, W] in [0, 255], H and W from 11; float32 is good to four digits or more.
        b: likewise.
    """
    maps = _blur(torch.stack([a, b, a * b, a.square() + b.square()]))
    mean_a, mean_b, mean_product, mean_squares = maps
    product, squares = mean_a * mean_b, mean_a.square() + mean_b.square()
    c1, c2 = (_K1 * 255) ** 2, (_K2 * 255) ** 2
    similarity = (2 * product + c1) * (2 * (mean_product - product) + c2)
    similarity /= (squares + c1) * (mean_squares - squares + c2)
    return similarity.reshape(len(a), -1).mean(dim=1)


def _blur(x: torch.Tensor) -> torch.Tensor:
    """Return the weighted means of all windows in the last two dimensions; faster here than a convolution."""
    offsets = torch.arange(_WINDOW, dtype=torch.float64) - _WINDOW // 2
    weights = torch.exp(-offsets.square() / (2 * _SIGMA**2))
    weights = (weights / weights.sum()).tolist()
    for dimension in (-2, -1):
        size = x.shape[dimension] - _WINDOW + 1
        total = x.narrow(dimension, 0, size) * weights[0]
        for start in range(1, _WINDOW):
            total.add_(x.narrow(dimension, start, size), alpha=weights[start])
        x = total
    return x
