"""The student generator (TinyGAN, Section 4.1, Figures 5 and 6)."""

import dataclasses
import itertools
import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from train.errors import UserError
from train.norm import BatchNorm2d

IMAGE_SIZES = (32, 64, 128)
"""That a generator can draw, pixels per side."""

Architecture = Literal["dw", "std", "biggan"]


@dataclasses.dataclass(frozen=True)
class Widths:
    """Channels of a student, layer by layer; what is left empty follows the paper's rule."""

    stages: tuple[int, ...] = ()
    """At 4×4 and after each doubling; by the paper's rule, `channels` times 1, 2, 4, … from the last one back, 16
    at most."""
    mids: tuple[int, ...] = ()
    """Between the two convolutions of each doubling; by the paper's rule, those after the doubling."""


@dataclasses.dataclass(frozen=True)
class GeneratorConfig:
    """Everything that fixes a generator's architecture."""

    architecture: Architecture = "dw"
    """dw: depthwise separable 3×3 convolutions; std: standard ones; biggan: BigGAN-deep, for teachers."""
    channels: int = 32
    """Channels before the RGB convolution; the paper's "Ch."."""
    image_size: int = 128
    """Pixels per side: 32, 64 or 128."""
    num_classes: int = 1000
    """Rows of the class embedding."""
    z_dim: int = 128
    """Length of the latent."""
    class_embedding_dim: int = 128
    """Length of the class embedding that feeds every conditional norm."""
    widths: Widths = Widths()
    """Channels of every layer, where they are not to follow from `channels`; dw and std only."""

    def __post_init__(self) -> None:
        if self.image_size not in IMAGE_SIZES:
            raise UserError(f"image size {self.image_size} is not one of {', '.join(map(str, IMAGE_SIZES))}")
        for name in ("channels", "num_classes", "z_dim", "class_embedding_dim"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        self._check_widths()

    def _check_widths(self) -> None:
        if self.architecture == "biggan" and self.widths != Widths():
            raise UserError(f"widths {self.widths} are for dw and std students; leave them out for a biggan")
        for name, length in (("stages", self.doublings + 1), ("mids", self.doublings)):
            given = getattr(self.widths, name)
            if given and (len(given) != length or min(given) < 1):
                raise UserError(
                    f"widths.{name} {' '.join(map(str, given))} must be {length} numbers of at least 1 for images "
                    f"of {self.image_size} px"
                )

    @property
    def doublings(self) -> int:
        """Number of blocks, each of which doubles the resolution from 4×4 on."""
        return int(math.log2(self.image_size)) - 2

    @property
    def resolved_widths(self) -> Widths:
        """The widths of every layer, those of the paper's rule included."""
        rule = (self.channels * min(16, 2**k) for k in range(self.doublings, -1, -1))
        stages = self.widths.stages or tuple(rule)
        return Widths(stages, self.widths.mids or stages[1:])

    def record(self) -> dict[str, Any]:
        """Return plain values for a file; widths that all follow the rule are left out, as in older files."""
        values = dataclasses.asdict(self)
        if self.widths == Widths():
            del values["widths"]
        return values

    @classmethod
    def from_record(cls, values: dict[str, Any]) -> "GeneratorConfig":
        """Undo `record`, also after a way through JSON.

        Raises:
            TypeError, ValueError, AttributeError: these are no such values.
            UserError: they are, and out of range.
        """
        widths = {name: tuple(map(int, given)) for name, given in values.get("widths", {}).items()}
        return cls(**{**values, "widths": Widths(**widths)})


class ConditionalBatchNorm2d(nn.Module):
    """Batch normalisation with gain and bias from the class embedding: `gain(e) · norm(x) + bias(e)`."""

    def __init__(self, channels: int, embedding_dim: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(channels, affine=False)
        self.gain_bias = nn.Linear(embedding_dim, 2 * channels)
        # Every class starts at gain 1, bias 0. The released code slices the wrong axis here, so that its
        # gains start near the sum of the embedding.
        nn.init.zeros_(self.gain_bias.weight)
        with torch.no_grad():
            self.gain_bias.bias.copy_(torch.cat([torch.ones(channels), torch.zeros(channels)]))

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """x [N, C, H, W] and embedding [N, E] → [N, C, H, W]."""
        gain, bias = self.gain_bias(embedding)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(bias, gain, self.norm(x))


def _conv1x1(in_channels: int, out_channels: int) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, out_channels, 1)
    nn.init.xavier_uniform_(conv.weight)
    return conv


def _conv3x3(in_channels: int, out_channels: int, groups: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, groups=groups)
    nn.init.xavier_uniform_(conv.weight, gain=math.sqrt(2))
    return conv


class DepthwiseSeparableConv2d(nn.Module):
    """A 3×3 convolution as a depthwise 3×3 followed by a pointwise 1×1 (Section 4.1)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.depthwise = _conv3x3(in_channels, in_channels, groups=in_channels)
        self.pointwise = _conv1x1(in_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, in, H, W] → [N, out, H, W]."""
        return self.pointwise(self.depthwise(x))


def upsample(x: torch.Tensor) -> torch.Tensor:
    """Double height and width, bilinear with half-pixel centres."""
    if torch.is_grad_enabled() and torch.compiler.is_compiling() and not torch.compiler.is_exporting():
        return upsample_by_slices(x)
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def upsample_by_slices(x: torch.Tensor) -> torch.Tensor:
    """Do what `upsample` does with sums of slices, for training compiled.

    The compiler turns the gradient of an interpolation into scattered additions, and that of slices into slices.
    """
    for dim in (2, 3):
        inner = x.shape[dim] - 1
        before = torch.cat([x.narrow(dim, 0, 1), x.narrow(dim, 0, inner)], dim)
        after = torch.cat([x.narrow(dim, 1, inner), x.narrow(dim, inner, 1)], dim)
        x = torch.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], dim + 1).flatten(dim, dim + 1)
    return x


class ResidualBlock(nn.Module):
    """One doubling of the resolution (Figure 6), its shortcut's 1×1 before the upsample and not after it.

    The two commute, since the resize is linear and keeps constants; at the low resolution it is four times
    cheaper, which is a quarter of all multiply-accumulates of a student of 128 px.
    """

    def __init__(self, config: GeneratorConfig, in_channels: int, mid_channels: int, out_channels: int) -> None:
        super().__init__()
        conv = DepthwiseSeparableConv2d if config.architecture == "dw" else _conv3x3
        self.norm1 = ConditionalBatchNorm2d(in_channels, config.class_embedding_dim)
        self.conv1 = conv(in_channels, mid_channels)
        self.norm2 = ConditionalBatchNorm2d(mid_channels, config.class_embedding_dim)
        self.conv2 = conv(mid_channels, out_channels)
        self.shortcut = _conv1x1(in_channels, out_channels)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """x [N, in, H, W] → [N, out, 2H, 2W]."""
        h = self.conv1(upsample(F.relu(self.norm1(x, embedding))))
        h = self.conv2(F.relu(self.norm2(h, embedding)))
        return h + self.side(x)

    def side(self, x: torch.Tensor) -> torch.Tensor:
        """Return the shortcut's part of the output: x [N, in, H, W] → [N, out, 2H, 2W]."""
        return upsample(self.shortcut(x))


class Generator(nn.Module):
    """z and class → image; the latent enters at the first layer only, the class in every conditional norm."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        stages, mids = config.resolved_widths.stages, config.resolved_widths.mids
        self.class_embedding = nn.Embedding(config.num_classes, config.class_embedding_dim)
        self.input_linear = nn.Linear(config.z_dim, stages[0] * 4 * 4)
        # The first block keeps the width at 128 px (16 × channels is the cap), so widths may repeat.
        self.blocks = nn.ModuleList(
            ResidualBlock(config, i, mid, o) for (i, o), mid in zip(itertools.pairwise(stages), mids, strict=True)
        )
        self.output_norm = BatchNorm2d(stages[-1])
        self.to_rgb = nn.Conv2d(stages[-1], 3, 3, padding=1)

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """z float [N, z_dim] and y int64 [N] → images [N, 3, H, W] in [-1, 1]."""
        return self.synthesize(z, self.class_embedding(y))

    def synthesize(self, z: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """z [N, z_dim] and class embeddings [N, class_embedding_dim], which may be mixtures → images."""
        h = self.input_linear(z).unflatten(1, (-1, 4, 4))
        for block in self.blocks:
            h = block(h, embedding)
        return torch.tanh(self.to_rgb(F.relu(self.output_norm(h))))


def build_generator(config: GeneratorConfig) -> Generator:
    """Build a student, freshly initialised.

    Raises:
        UserError: the architecture is a teacher's, which train.build knows.
    """
    if config.architecture == "biggan":
        raise UserError("a biggan is a teacher's architecture, not a student's; take dw or std")
    return Generator(config)
