"""One pure function per term of the objective (TinyGAN, equations 1 to 7). Every value is a float32 scalar."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


def pixel_loss(teacher: torch.Tensor, student: torch.Tensor) -> torch.Tensor:
    """L_KD-pix, equation 1, as a mean over pixels: images [N, 3, H, W] in [-1, 1]."""
    return F.l1_loss(student.float(), teacher.float())


def generator_hinge_loss(scores: torch.Tensor) -> torch.Tensor:
    """L_KD_S, equation 2, and L_GAN_S, which has the same form: −E[D(S(z, y), y)], scores [N]."""
    return -scores.float().mean()


def discriminator_hinge_loss(genuine: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """L_KD_D, equation 3, with the teacher's scores [N] as genuine; L_GAN_D, equation 5, with real images'."""
    return F.relu(1.0 - genuine.float()).mean() + F.relu(1.0 + generated.float()).mean()


def feature_weights(layers: int) -> list[float]:
    """Return α_i of equation 4 for a discriminator of `layers` layers, first to last: …, 1/16, 1/8, 1/4, 1.

    The released code's weights for its five layers are 1/32, 1/16, 1/8, 1/4, 1; a shallower discriminator
    keeps the last ones, so that the emphasis stays on the top.
    """
    return [1.0 if i == layers - 1 else 0.5 ** (layers - i) for i in range(layers)]


def feature_matching_loss(teacher: Sequence[torch.Tensor], student: Sequence[torch.Tensor]) -> torch.Tensor:
    """L_KD_feat, equation 4, as a mean over each layer's activations, weighted by `feature_weights`.

    Both lists come from one state of the discriminator; the teacher's carries no gradient.
    """
    terms = [
        weight * F.l1_loss(s.float(), t.detach().float())
        for weight, t, s in zip(feature_weights(len(teacher)), teacher, student, strict=True)
    ]
    return torch.stack(terms).sum()


def mode_seeking_loss(
    images: torch.Tensor, real_distance: torch.Tensor, target: float | torch.Tensor
) -> torch.Tensor:
    """Penalise images of one class that lie closer together than real ones do; for training from scratch only.

    Not in TinyGAN; after mode-seeking GANs (Mao et al., CVPR 2019), but with a target: the term is zero once
    the images of the first half of the batch differ from those of the second, class for class, by `target`
    times `real_distance`, the mean absolute difference in [0, 2] of two real images of one class (a scalar).
    """
    first, second = images.float().chunk(2)
    return F.relu(target - F.l1_loss(first, second) / real_distance)


def orthogonal_loss(kernels: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return Σ ‖W Wᵀ ⊙ (1 − I)‖²_F over weights [out, …]: filters of one layer shall be orthogonal, of any length.

    Not in TinyGAN; BigGAN's (Brock et al., ICLR 2019), weighted 1e-4 there.
    """
    total = torch.zeros((), device=kernels[0].device)
    for kernel in kernels:
        filters = kernel.float().flatten(1)
        products = filters @ filters.T
        total = total + (products - torch.diag(products.diagonal())).square().sum()
    return total


def regularised_kernels(generator: nn.Module) -> list[nn.Parameter]:
    """Return the weights that `orthogonal_loss` is for: of linears, and of convolutions over all channels.

    Depthwise filters look at a channel each, so that nothing has to keep them apart; class embeddings are left
    out as in BigGAN.
    """
    found = []
    for name, module in generator.named_modules():
        whole = isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
        if whole and not name.endswith("embeddings"):
            found += [parameter for parameter in module.parameters(recurse=False) if parameter.dim() > 1]
    return found
