"""How near images come to those of another model, drawn from the same latents: PSNR, SSIM, L1."""

import dataclasses

import numpy as np
import torch

_BATCH = 64
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
            torch.from_numpy(np.array(part[start : start + _BATCH])).permute(0, 3, 1, 2).double()
            for part in (images, references)
        )
        squares += float((a - b).square().sum())
        absolutes += float((a - b).abs().sum())
        similarities += float(ssim(a, b).sum())
    count = images.size
    psnr = 10 * np.log10(255**2 * count / squares) if squares else None
    return Fidelity(None if psnr is None else float(psnr), similarities / len(images), absolutes / count / 127.5)


def ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the structural similarity of pairs of images, [N] (Wang et al. 2004).

    Of each colour channel, with Gaussian weights of 11 × 11 pixels (σ 1.5), at the positions where the window lies
    inside of the image; the mean over positions and channels.

    Args:
        a: float64 [N, C, H, W] in [0, 255], H and W from 11.
        b: likewise.
    """

    down, across = (_window_matrix(size, a.dtype) for size in a.shape[2:])
    # Products with dense matrices are far faster than convolutions in float64.
    maps = torch.stack([a, b, a * b, a.square() + b.square()]) @ across.T
    maps = maps.mT @ down.T
    mean_a, mean_b, mean_product, mean_squares = maps
    product, squares = mean_a * mean_b, mean_a.square() + mean_b.square()
    c1, c2 = (_K1 * 255) ** 2, (_K2 * 255) ** 2
    similarity = (2 * product + c1) * (2 * (mean_product - product) + c2)
    similarity /= (squares + c1) * (mean_squares - squares + c2)
    return similarity.reshape(len(a), -1).mean(dim=1)


def _window_matrix(size: int, dtype: torch.dtype) -> torch.Tensor:
    """Return the matrix [size - 10, size] whose rows hold the window's weights, each row one pixel further."""
    offsets = torch.arange(_WINDOW, dtype=dtype) - _WINDOW // 2
    weights = torch.exp(-offsets.square() / (2 * _SIGMA**2))
    matrix = torch.zeros(size - _WINDOW + 1, size, dtype=dtype)
    for row in range(len(matrix)):
        matrix[row, row : row + _WINDOW] = weights / weights.sum()
    return matrix
