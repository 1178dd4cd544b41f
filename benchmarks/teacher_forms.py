"""A BigGAN teacher as phone runtimes take it: its class norms folded, exact up to rounding.

With the truncation fixed a class norm is a gain and a bias per channel, each one Linear of the condition:
(x − μ) / √(σ² + ε) · (1 + S c) + O c = g · x + b. The library computes it in operations that no delegate takes.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from train.errors import UserError
from train.teacher import BigGANTeacher, Teacher


class FoldedNorm(nn.Module):
    """One of the library's norms as g(c) · x + b(c), or with constants where it has no classes."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        # At a fixed truncation all rows of the tables are equal (train.biggan).
        mean, variance = norm.get_buffer("running_means")[0], norm.get_buffer("running_vars")[0]
        inverse = (variance + float(norm.eps)).rsqrt()  # pyright: ignore[reportArgumentType]
        self.of_class = hasattr(norm, "scale")
        if self.of_class:
            scale, offset = norm.get_parameter("scale.weight"), norm.get_parameter("offset.weight")
            self.gain = _linear(scale * inverse[:, None], inverse)
            self.bias = _linear(offset - scale * (mean * inverse)[:, None], -mean * inverse)
        else:
            weight = norm.get_parameter("weight") * inverse
            self.register_buffer("constant_gain", weight[:, None, None].clone())
            self.register_buffer(
                "constant_bias", (norm.get_parameter("bias") - mean * weight)[:, None, None].clone()
            )

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """x [N, C, H, W] and condition [N, D] → [N, C, H, W]."""
        if not self.of_class:
            return x * self.get_buffer("constant_gain") + self.get_buffer("constant_bias")
        return x * self.gain(condition)[:, :, None, None] + self.bias(condition)[:, :, None, None]


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.load_state_dict({"weight": weight, "bias": bias})
    return linear


def _upsample(channels: int, *, transposed: bool) -> nn.Module:
    """Return nearest-neighbour ×2: TFLite has it, XNNPACK a depthwise transposed convolution, here of ones."""
    if not transposed:
        return nn.Upsample(scale_factor=2)
    copies = nn.ConvTranspose2d(channels, channels, 2, 2, groups=channels, bias=False)
    nn.init.ones_(copies.weight)
    return copies


class FoldedBlock(nn.Module):
    """One of the library's blocks, norms folded."""

    def __init__(self, block: nn.Module, *, transposed: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(FoldedNorm(block.get_submodule(f"bn_{n}")) for n in range(4))
        self.convs = nn.ModuleList(block.get_submodule(f"conv_{n}") for n in range(4))
        middle, out = (block.get_parameter(f"conv_{n}.weight").shape[0] for n in (0, 3))
        self.kept = out if block.drop_channels else None
        doubles = bool(block.up_sample)
        self.upsample, self.upsample_side = (
            _upsample(channels, transposed=transposed) if doubles else nn.Identity() for channels in (middle, out)
        )

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """x [N, in, H, W] and condition [N, D] → [N, out, H or 2H, W or 2W]."""
        h = x
        for n, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            h = F.relu(norm(h, condition))
            h = conv(self.upsample(h) if n == 1 else h)
        return h + self.upsample_side(x if self.kept is None else x[:, : self.kept])


class FoldedTeacher(nn.Module):
    """z float32 [N, z_dim], truncation included, and class weights [N, classes] → images [N, 3, H, W].

    Args:
        teacher: stays as it is.
        nhwc: for TFLite, images as [N, H, W, 3]; else for XNNPACK.

    Raises:
        UserError: the teacher is no BigGAN.
    """

    def __init__(self, teacher: Teacher, *, nhwc: bool = False) -> None:
        super().__init__()
        if not isinstance(teacher, BigGANTeacher):
            raise UserError(f"the teacher {teacher.name} is no BigGAN, and how to lower it is unknown")
        model = copy.deepcopy(teacher.network)
        network = model.generator
        self.embeddings, self.nhwc = model.embeddings, nhwc
        # Rows in NCHW order: no transposition is left after the first Linear.
        self.input_linear = network.gen_z
        for parameter in self.input_linear.parameters():
            parameter.data = parameter.data.unflatten(0, (16, -1)).transpose(0, 1).flatten(0, 1).contiguous()
        self.layers = nn.ModuleList(
            FoldedBlock(layer, transposed=not nhwc) if hasattr(layer, "bn_0") else layer
            for layer in network.layers
        )
        self.output_norm, self.to_rgb = FoldedNorm(network.bn), network.conv_to_rgb
        self.eval().requires_grad_(False)

    def forward(self, z: torch.Tensor, class_weights: torch.Tensor) -> torch.Tensor:
        """See the class."""
        condition = torch.cat((z, self.embeddings(class_weights)), dim=1)
        x = self.input_linear(condition).unflatten(1, (-1, 4, 4))
        for layer in self.layers:
            x = layer(x, condition) if isinstance(layer, FoldedBlock) else layer(x)
        image = torch.tanh(self.to_rgb(F.relu(self.output_norm(x, condition))))
        return image.permute(0, 2, 3, 1) if self.nhwc else image
