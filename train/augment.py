"""Differentiable augmentation of the discriminator's inputs, for training from scratch on few images.

After Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (NeurIPS 2020): translation
and cutout, applied to real and generated images alike.
"""

import torch
import torch.nn.functional as F

RANDOM_NUMBERS = 5  # uniform numbers that one image needs
BACKGROUND = -1.0


def shift_and_cutout(images: torch.Tensor, uniform: torch.Tensor, probability: float) -> torch.Tensor:
    """Shift each image by at most a tenth of its side and blank a square of a quarter of its side.

    Args:
        images: [N, 3, H, W] in [-1, 1], H = W.
        uniform: [N, RANDOM_NUMBERS] in [0, 1), where the randomness comes from.
        probability: of changing an image at all; shift and cutout go together.

    Returns:
        [N, 3, H, W]; uncovered and blanked pixels are `BACKGROUND`.
    """
    size = images.shape[-1]
    reach, hole = size // 10, size // 4
    change = uniform[:, 0] < probability
    shift = ((uniform[:, 1:3] * (2 * reach + 1)).long() - reach) * change[:, None]
    corner = (uniform[:, 3:5] * (size - hole + 1)).long()

    padded = F.pad(images, (reach,) * 4, value=BACKGROUND)
    axis = torch.arange(size, device=images.device)
    rows = axis + reach - shift[:, :1]
    columns = axis + reach - shift[:, 1:]
    batch = torch.arange(len(images), device=images.device)
    shifted = padded[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

    in_rows = (axis >= corner[:, :1]) & (axis < corner[:, :1] + hole)
    in_columns = (axis >= corner[:, 1:]) & (axis < corner[:, 1:] + hole)
    blank = in_rows[:, :, None] & in_columns[:, None, :] & change[:, None, None]
    return shifted.masked_fill(blank[:, None], BACKGROUND)
