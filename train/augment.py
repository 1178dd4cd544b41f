"""Differentiable augmentation of the discriminator's inputs, for training from scratch on few images.

After Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (NeurIPS 2020): colour, translation
and cutout, applied to real and generated images alike.
"""

import torch
import torch.nn.functional as F

RANDOM_NUMBERS = 8  # uniform numbers that one image needs
BLACK, GREY = -1.0, 0.0  # the background of digits; the middle of photographs


def augmented(
    images: torch.Tensor, uniform: torch.Tensor, probability: float, *, photographs: bool
) -> torch.Tensor:
    """Change each image with `probability`: shift and cutout, and for photographs colour first.

    Args:
        images: [N, 3, H, W] in [-1, 1], H = W.
        uniform: [N, RANDOM_NUMBERS] in [0, 1), where the randomness comes from.
        probability: of changing an image at all; all changes go together.
        photographs: change colours too, and blank with grey; otherwise blank with black.
    """
    if photographs:
        images = change_colour(images, uniform[:, 5:8], uniform[:, 0] < probability)
    return shift_and_cutout(images, uniform[:, :5], probability, GREY if photographs else BLACK)


def change_colour(images: torch.Tensor, uniform: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
    """Change brightness by up to ±0.5, saturation by a factor in [0, 2), contrast by one in [0.5, 1.5).

    Args:
        images: [N, 3, H, W] in [-1, 1].
        uniform: [N, 3] in [0, 1).
        change: bool [N], which images to change.

    Returns:
        [N, 3, H, W], which may leave [-1, 1].
    """
    amount = ((uniform - 0.5) * change[:, None])[:, :, None, None, None]
    images = images + amount[:, 0]
    grey = images.mean(dim=1, keepdim=True)
    images = torch.lerp(grey, images, 1 + 2 * amount[:, 1])
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(middle, images, 1 + amount[:, 2])


def shift_and_cutout(
    images: torch.Tensor, uniform: torch.Tensor, probability: float, background: float
) -> torch.Tensor:
    """Shift each image by at most a tenth of its side and blank a square of a quarter of its side.

    Args:
        images: [N, 3, H, W] in [-1, 1], H = W.
        uniform: [N, 5] in [0, 1), where the randomness comes from.
        probability: of changing an image at all; shift and cutout go together.
        background: of uncovered and blanked pixels.
    """
    size = images.shape[-1]
    reach, hole = size // 10, size // 4
    change = uniform[:, 0] < probability
    shift = ((uniform[:, 1:3] * (2 * reach + 1)).long() - reach) * change[:, None]
    corner = (uniform[:, 3:5] * (size - hole + 1)).long()

    padded = F.pad(images, (reach,) * 4, value=background)
    axis = torch.arange(size, device=images.device)
    rows = axis + reach - shift[:, :1]
    columns = axis + reach - shift[:, 1:]
    batch = torch.arange(len(images), device=images.device)
    shifted = padded[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

    in_rows = (axis >= corner[:, :1]) & (axis < corner[:, :1] + hole)
    in_columns = (axis >= corner[:, 1:]) & (axis < corner[:, 1:] + hole)
    blank = in_rows[:, :, None] & in_columns[:, None, :] & change[:, None, None]
    return shifted.masked_fill(blank[:, None], background)
