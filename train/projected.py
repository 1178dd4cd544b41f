"""A critic on the frozen features of an image classifier: a teacher of photographs in hours, not weeks.

After Sauer et al., Projected GANs Converge Faster (NeurIPS 2021): the feature maps of a pretrained network are
mixed across channels and scales by fixed random convolutions, and a small head judges each of the four mixtures.
Class conditioning is ours: a projection (Miyato and Koyama, 2018) on the class's mean feature.
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from train.discriminator import DiscriminatorConfig, bias_of, normed_weight, spectrally_normed
from train.errors import UserError
from train.feature_network import MAP_CHANNELS, POOLED_CHANNELS, FeatureNetwork
from train.images import from_bytes

_MIXED_CHANNELS = (64, 64, 128, 256)  # of each scale's mixture
_NEGATIVE_SLOPE = 0.2
_GROUPS = 8  # of the heads' group norms
_SMALLEST_MAP = 4  # heads reduce their map to this side
_BATCH = 128  # photos at a time, for the class means


class FixedConv(nn.Module):
    """A random convolution that is never trained; the heads learn behind it, so that it is part of the state."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        weight = torch.empty(out_channels, in_channels, kernel, kernel)
        nn.init.kaiming_normal_(weight, nonlinearity="linear")
        self.weight: torch.Tensor
        self.register_buffer("weight", weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, in, H, W] → [N, out, H, W]."""
        return F.conv2d(x, self.weight, padding=self.weight.shape[-1] // 2)


class Head(nn.Module):
    """Judges one mixture: strided convolutions down to 4×4, then a score for each place."""

    def __init__(self, side: int, in_channels: int, width: int) -> None:
        super().__init__()
        halvings = max(0, int(math.log2(max(_SMALLEST_MAP, side) // _SMALLEST_MAP)))
        widths = [in_channels] + [2 * width] * halvings
        self.halve = nn.ModuleList(
            spectrally_normed(nn.Conv2d(i, o, 4, stride=2, padding=1, bias=False))
            for i, o in itertools.pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(_GROUPS, 2 * width) for _ in self.halve)
        self.last = spectrally_normed(nn.Conv2d(widths[-1], width, 3, padding=1))
        self.score = spectrally_normed(nn.Conv2d(width, 1, 1))
        self.class_linear = spectrally_normed(nn.Linear(POOLED_CHANNELS, width))

    def forward(self, x: torch.Tensor, class_features: torch.Tensor) -> torch.Tensor:
        """x [N, C, side, side] and class features [N, POOLED_CHANNELS] → scores, float32 [N, places]."""
        for conv, norm in zip(self.halve, self.norms, strict=True):
            x = F.conv2d(x, normed_weight(conv), stride=2, padding=1)
            x = F.leaky_relu(norm(x), _NEGATIVE_SLOPE)
        x = F.leaky_relu(F.conv2d(x, normed_weight(self.last), bias_of(self.last), padding=1), _NEGATIVE_SLOPE)
        unconditional = F.conv2d(x, normed_weight(self.score), bias_of(self.score))
        with torch.autocast(x.device.type, enabled=False):
            linear = F.linear(class_features, normed_weight(self.class_linear), bias_of(self.class_linear))
            embedding = F.leaky_relu(linear, _NEGATIVE_SLOPE)[:, :, None, None]
            projection = (x.float() * embedding).sum(dim=1, keepdim=True) / math.sqrt(x.shape[1])
        return (unconditional.float() + projection).flatten(1)


class ProjectedDiscriminator(nn.Module):
    """Heads on fixed random mixtures of EfficientNet-lite0's maps; the heads are all that is trained.

    Its interface is that of `train.discriminator.Discriminator`; there are several scores an image.
    """

    def __init__(self, config: DiscriminatorConfig, num_classes: int) -> None:
        super().__init__()
        if config.channels % (_GROUPS // 2):
            raise UserError(
                f"--discriminator.channels {config.channels} must be a multiple of {_GROUPS // 2} for the "
                "projected kind; take 32 or 64"
            )
        self.network = FeatureNetwork(config.feature_size)
        self.across_channels = nn.ModuleList(
            FixedConv(i, o, 1) for i, o in zip(MAP_CHANNELS, _MIXED_CHANNELS, strict=True)
        )
        self.across_scales = nn.ModuleList(
            FixedConv(coarse, fine, 3) for fine, coarse in itertools.pairwise(_MIXED_CHANNELS)
        )
        self.heads = nn.ModuleList(
            Head(config.feature_size // scale, channels, config.channels)
            for scale, channels in zip((4, 8, 16, 32), _MIXED_CHANNELS, strict=True)
        )
        self.class_features: torch.Tensor
        self.register_buffer("class_features", torch.zeros(num_classes, POOLED_CHANNELS))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Score images.

        Args:
            x: [N, 3, H, W] in [-1, 1].
            y: int64 [N].

        Returns:
            Scores, float32 [N, places of all four heads], and the four mixtures, finest first.
        """
        mixtures = self._mixtures(x)
        class_features = self.class_features[y]
        scores = [head(mixture, class_features) for head, mixture in zip(self.heads, mixtures, strict=True)]
        return torch.cat(scores, dim=1), mixtures

    def _mixtures(self, x: torch.Tensor) -> list[torch.Tensor]:
        mixed = [mix(found) for mix, found in zip(self.across_channels, self.network.maps(x), strict=True)]
        for fine, mix in reversed(list(enumerate(self.across_scales))):
            coarse = F.interpolate(
                mix(mixed[fine + 1]), size=mixed[fine].shape[2:], mode="bilinear", align_corners=False
            )
            mixed[fine] = (mixed[fine] + coarse) * math.sqrt(0.5)  # keeps the variance
        return mixed

    @torch.no_grad()
    def learn_classes(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Set what the class conditioning looks at: every class's mean feature, standardised over the classes.

        Args:
            images: uint8 [N, H, W, 3], some of every class.
            labels: int64 [N].
        """
        device = self.class_features.device
        sums, counts = torch.zeros_like(self.class_features), torch.zeros(len(self.class_features), device=device)
        for start in tqdm(range(0, len(labels), _BATCH), desc="mean features of the classes", unit="batch"):
            x = from_bytes(torch.from_numpy(np.array(images[start : start + _BATCH])).to(device))
            y = torch.from_numpy(labels[start : start + _BATCH]).to(device)
            sums.index_add_(0, y, self.network(x))
            counts.index_add_(0, y, torch.ones_like(y, dtype=counts.dtype))
        there = counts > 0
        means = sums[there] / counts[there, None]
        spread = means - means.mean(dim=0)
        self.class_features[there] = spread / spread.std().clamp_min(1e-6)
