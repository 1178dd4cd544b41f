"""The paper's other generators at 128 px as networks, to be counted and timed: their weights say nothing here.

SNGAN-projection (Miyato and Koyama, ICLR 2018) and SAGAN (Zhang et al., ICML 2019), both of 64 channels and 1,000
classes, written down from the papers and checked against the numbers of parameters that TinyGAN's Table 1 prints.
"""

import dataclasses
import functools
import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.cost import Cost, measure_cost

CLASSES, SIZE, CHANNELS = 1000, 128, 64
_GENERATOR_WIDTHS = (16, 16, 8, 4, 2, 1)  # at 4×4 and after each doubling, in multiples of CHANNELS
_DISCRIMINATOR_WIDTHS = (1, 2, 4, 8, 16, 16)  # after each block; the last one keeps the resolution
_ATTENTION_SIDE = 32  # of SAGAN's self-attention, in either network


class ClassNorm(nn.Module):
    """Batch normalisation with a gain and a bias of its own for every class and channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain, self.bias = nn.Embedding(CLASSES, channels), nn.Embedding(CLASSES, channels)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """x [N, C, H, W] and y int64 [N] → [N, C, H, W]."""
        return self.norm(x) * self.gain(y)[:, :, None, None] + self.bias(y)[:, :, None, None]


class UpBlock(nn.Module):
    """Norm, ReLU, nearest upsample, 3×3, norm, ReLU, 3×3; the shortcut's 1×1 after its upsample."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ClassNorm(in_channels), ClassNorm(out_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """x [N, in, H, W] → [N, out, 2H, 2W]."""
        h = self.conv1(F.interpolate(F.relu(self.norm1(x, y)), scale_factor=2.0))
        h = self.conv2(F.relu(self.norm2(h, y)))
        return h + self.shortcut(F.interpolate(x, scale_factor=2.0))


class DownBlock(nn.Module):
    """ReLU, 3×3, ReLU, 3×3, average; SNGAN and SAGAN differ in the `middle` channels between the two."""

    def __init__(self, in_channels: int, middle: int, out_channels: int, *, halve: bool, first: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, middle, 3, padding=1)
        self.conv2 = nn.Conv2d(middle, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if halve else nn.Identity()
        self.halve, self.first = halve, first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, in, H, W] → [N, out, H / 2, W / 2], or of the same size."""
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x)))) + self.shortcut(x)
        return F.avg_pool2d(h, 2) if self.halve else h


class SelfAttention(nn.Module):
    """Keys and queries of an eighth of the channels, values of half of them; keys and values are max-pooled."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key = (nn.Conv2d(channels, channels // 8, 1, bias=False) for _ in range(2))
        self.value = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.output = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, C, H, W] → [N, C, H, W]."""
        query = self.query(x).flatten(2)
        key, value = (F.max_pool2d(conv(x), 2).flatten(2) for conv in (self.key, self.value))
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        seen = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.share * self.output(seen)


class Generator(nn.Module):
    """(z, y) → images [N, 3, 128, 128] in [-1, 1]."""

    def __init__(self, *, attention: bool) -> None:
        super().__init__()
        widths = [CHANNELS * width for width in _GENERATOR_WIDTHS]
        self.linear = nn.Linear(128, widths[0] * 4 * 4)
        self.blocks = nn.ModuleList(UpBlock(i, o) for i, o in itertools.pairwise(widths))
        self.attention_after = int(math.log2(_ATTENTION_SIDE)) - 2 if attention else 0  # that many blocks
        self.attention = SelfAttention(widths[self.attention_after]) if attention else nn.Identity()
        self.norm = nn.BatchNorm2d(widths[-1])
        self.to_rgb = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """z float [N, 128] and y int64 [N]."""
        x = self.linear(z).unflatten(1, (-1, 4, 4))
        for index, block in enumerate(self.blocks, 1):
            x = block(x, y)
            if index == self.attention_after:
                x = self.attention(x)
        return torch.tanh(self.to_rgb(F.relu(self.norm(x))))


class Discriminator(nn.Module):
    """(x, y) → scores [N]; class projection. Spectral norms, which add no parameters, are left out."""

    def __init__(self, *, attention: bool) -> None:
        super().__init__()
        widths = [3, *(CHANNELS * width for width in _DISCRIMINATOR_WIDTHS)]
        last = len(widths) - 2
        self.blocks = nn.ModuleList(
            # SNGAN keeps the width in the first convolution of a block, SAGAN's code widens there.
            DownBlock(i, o if attention or not n else i, o, halve=n < last, first=not n)
            for n, (i, o) in enumerate(itertools.pairwise(widths))
        )
        self.attention_after = int(math.log2(SIZE // _ATTENTION_SIDE)) if attention else 0
        self.attention = SelfAttention(widths[self.attention_after]) if attention else nn.Identity()
        self.linear, self.class_embedding = nn.Linear(widths[-1], 1), nn.Embedding(CLASSES, widths[-1])

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """x [N, 3, 128, 128] and y int64 [N]."""
        for index, block in enumerate(self.blocks, 1):
            x = block(x)
            if index == self.attention_after:
                x = self.attention(x)
        pooled = F.relu(x).sum(dim=(2, 3))
        return self.linear(pooled).squeeze(1) + (self.class_embedding(y) * pooled).sum(dim=1)


@dataclasses.dataclass(frozen=True)
class Baseline:
    """What a network of the paper's Table 1 comes to by our count."""

    generator: Cost
    discriminator_parameters: int
    note: str
    """Why the count differs from the print, if it does."""


@functools.cache
def baselines() -> dict[str, Baseline]:
    """Count both networks without weights, by the names of Table 1."""
    attention = (
        "the matrix products of attention are counted here, 42 M multiply-accumulates; without them it is 9.17 G, "
        "printed are 9.18"
    )
    return {
        "SNGAN-projection": _count(attention=False, note=""),
        "SAGAN": _count(attention=True, note=attention),
    }


def _count(*, attention: bool, note: str) -> Baseline:
    with torch.device("meta"):
        generator, discriminator = Generator(attention=attention).eval(), Discriminator(attention=attention)
        cost = measure_cost(generator, torch.zeros(1, 128), torch.zeros(1, dtype=torch.int64))
    return Baseline(cost, sum(parameter.numel() for parameter in discriminator.parameters()), note)
