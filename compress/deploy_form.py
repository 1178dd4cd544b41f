"""The exact rewrite of a trained student for inference.

- Every batch norm is folded into the weights that make its input, so that each block's input and each
  `conv1` output has zero mean and unit variance over the training batches: also a good int8 range.
- Every bias moves into the last convolution before the next sum; those of depthwise and shortcut convolutions
  are 0, and free for what rounding needs.
- The shortcut's 1×1 runs before its upsample, as in training and not as in the authors' code.
- One Linear makes the gains and biases of all conditional norms.
- A vector of class weights replaces the class index: one-hot for a plain class, a mixture to morph.
"""

import itertools
import math
from collections import OrderedDict
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn

from compress.points import Layer, Point
from train.errors import UserError
from train.generator import DepthwiseSeparableConv2d, Generator, GeneratorConfig, ResidualBlock, upsample


class Modulation(nn.Module):
    """`relu(gain · x + bias)`, what is left of a conditional norm and its activation."""

    def __init__(self) -> None:
        super().__init__()
        self.product = Point()
        self.output = Point()

    def forward(self, x: torch.Tensor, gain: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """x [N, C, H, W], gain and bias [N, C, 1, 1] → [N, C, H, W]."""
        return self.output(F.relu(self.product(x * gain) + bias))


class ClassAffine(nn.Module):
    """The class embedding → the gains and biases of all modulations, by one Linear."""

    def __init__(self, embedding_dim: int, sizes: dict[str, int]) -> None:
        super().__init__()
        self.sizes = sizes
        self.embedding = Point()
        self.linear = nn.Linear(embedding_dim, sum(sizes.values()))
        self.rows = Point()
        self.slices = nn.ModuleDict({name: Point() for name in sizes})

    def forward(self, embedding: torch.Tensor) -> list[torch.Tensor]:
        """[N, class_embedding_dim] → for each of `sizes` a tensor [N, size, 1, 1]."""
        rows = self.rows.fork(self.linear(self.embedding(embedding)), len(self.sizes))
        outputs, start = [], 0
        for row, (name, size) in zip(rows, self.sizes.items(), strict=True):
            outputs.append(self.slices[name](row[:, start : start + size, None, None]))
            start += size
        return outputs


class DeployBlock(nn.Module):
    """One doubling of the resolution; its input is normalised."""

    def __init__(self, architecture: str, in_channels: int, mid_channels: int, out_channels: int) -> None:
        super().__init__()
        self.input = Point()
        self.modulation1 = Modulation()
        self.conv1 = _convolution(architecture, in_channels, mid_channels)
        self.modulation2 = Modulation()
        self.conv2 = _convolution(architecture, mid_channels, out_channels)
        self.shortcut = Layer(nn.Conv2d(in_channels, out_channels, 1))

    def forward(self, x: torch.Tensor, affine: list[torch.Tensor], observe: bool = True) -> torch.Tensor:
        """x [N, in, H, W], affine = gain1, bias1, gain2, bias2 [N, C, 1, 1] → [N, out, 2H, 2W]."""
        gain1, bias1, gain2, bias2 = affine
        x, side = self.input.fork(x, 2, observe)
        h = self.modulation1(x, gain1, bias1)
        h = self.modulation1.output(upsample(h), averaged=True)
        h = self.modulation2(self.conv1(h), gain2, bias2)
        side = self.shortcut(side)
        return self.conv2(h) + self.shortcut.output(upsample(side), averaged=True)


class ImageForm(nn.Module):
    """The way in and the way out, which all deploy forms share.

    Args:
        config: of the student.
        blocks: modules with a point `input`, where the output of the first Linear goes.
        input_linear: z → the input of the first block, flat.
        to_rgb: the last convolution.
    """

    def __init__(
        self, config: GeneratorConfig, blocks: Iterable[nn.Module], input_linear: nn.Linear, to_rgb: Layer
    ) -> None:
        super().__init__()
        self.config = config
        self.latent = Point()
        self.input_linear = input_linear
        self.blocks = nn.ModuleList(blocks)
        self.features = Point()
        self.to_rgb = to_rgb
        # The int8 grid of tanh on every phone runtime: scale 1/128, zero point 0.
        self.image = Point(fixed=(-1.0, 127 / 128))
        self.nhwc = False

    def first_features(self, z: torch.Tensor) -> torch.Tensor:
        """z [N, z_dim] → the input of the first block, [N, C, 4, 4]."""
        # The Linear's output goes to the point of the first block, which sees the reshaped tensor again.
        h = self.blocks[0].input(self.input_linear(self.latent(z)))  # type: ignore[operator]
        if self.nhwc:
            return h.reshape(z.shape[0], 4, 4, -1).permute(0, 3, 1, 2)
        return h.reshape(z.shape[0], -1, 4, 4)

    def to_image(self, h: torch.Tensor) -> torch.Tensor:
        """Turn the last block's output, [N, C, H, W], into images, [N, 3, H, W] or [N, H, W, 3], in [-1, 1]."""
        image = self.image(torch.tanh(self.to_rgb(self.features(F.relu(h)))))
        return image.permute(0, 2, 3, 1) if self.nhwc else image

    def to_nhwc(self) -> None:
        """Reorder the rows of the first Linear, in place, so that its output is NHWC; images are then too.

        For runtimes that compute in NHWC: no transposition is left in their graph.
        """
        if self.nhwc:
            return
        for x in (*self.input_linear.parameters(), *self.input_linear.buffers()):
            x.data = x.data.reshape(-1, 16, *x.shape[1:]).transpose(0, 1).reshape(x.shape).contiguous()
        self.nhwc = True


class DeployGenerator(ImageForm):
    """z and class weights → image, without norms."""

    class_affine: nn.Module

    def __init__(self, config: GeneratorConfig) -> None:
        stages, mids = config.resolved_widths.stages, config.resolved_widths.mids
        super().__init__(
            config,
            (
                DeployBlock(config.architecture, i, mid, o)
                for (i, o), mid in zip(itertools.pairwise(stages), mids, strict=True)
            ),
            nn.Linear(config.z_dim, stages[0] * 4 * 4),
            Layer(nn.Conv2d(stages[-1], 3, 3, padding=1), through=torch.tanh),
        )
        sizes = {
            f"block{k}_{kind}{half}": width
            for k, normed in enumerate(zip(stages, mids, strict=False))
            for half, width in enumerate(normed, start=1)
            for kind in ("gain", "bias")
        }
        self.class_weights = Point(fixed=(0.0, 1.0))
        self.class_embedding = nn.Linear(config.num_classes, config.class_embedding_dim, bias=False)
        self.class_affine = ClassAffine(config.class_embedding_dim, sizes)

    def forward(self, z: torch.Tensor, class_weights: torch.Tensor) -> torch.Tensor:
        """z float32 [N, z_dim] and class weights float32 [N, num_classes] → [N, 3, H, W] in [-1, 1]."""
        affines = self.class_affine(self.class_embedding(self.class_weights(class_weights)))
        h = self.first_features(z)
        for k, block in enumerate(self.blocks):
            h = block(h, affines[4 * k : 4 * k + 4], observe=k > 0)
        return self.to_image(h)


def one_hot(y: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Classes int64 [N] → class weights float32 [N, num_classes]."""
    return F.one_hot(y, num_classes).float()


def deploy_form(generator: Generator) -> DeployGenerator:
    """Rewrite a student, as it is in eval mode; its own parameters are copied, not shared.

    Raises:
        UserError: it is no student, or a weight or statistic is not finite.
    """
    if not isinstance(generator, Generator):
        raise UserError(f"a {type(generator).__name__} has no deploy form; give a dw or std student")
    for name, tensor in generator.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise UserError(
                f"the student's {name} is not finite; take a snapshot from before its training diverged"
            )
    deploy = DeployGenerator(generator.config).to(generator.input_linear.weight.device)
    with torch.no_grad():
        _fold(generator, deploy)
    return deploy.train(generator.training)


def _convolution(architecture: str, in_channels: int, out_channels: int) -> nn.Sequential:
    if architecture == "std":
        return nn.Sequential(OrderedDict(full=Layer(nn.Conv2d(in_channels, out_channels, 3, padding=1))))
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels)
    pointwise = nn.Conv2d(in_channels, out_channels, 1)
    return nn.Sequential(OrderedDict(depthwise=Layer(depthwise), pointwise=Layer(pointwise)))


def _fold(generator: Generator, deploy: DeployGenerator) -> None:
    """Fill `deploy`; the folding is done in float64 and rounded once."""
    blocks: list[ResidualBlock] = list(generator.blocks)  # type: ignore[arg-type]
    norms = [_scale_shift(block.norm1.norm) for block in blocks] + [_scale_shift(generator.output_norm)]
    affines = [norm.gain_bias for block in blocks for norm in (block.norm1, block.norm2)]
    assert isinstance(deploy.class_affine, ClassAffine)
    _set(deploy.class_affine.linear, torch.cat([a.weight for a in affines]), torch.cat([a.bias for a in affines]))
    _set(deploy.class_embedding, generator.class_embedding.weight.T)
    pixels = deploy.input_linear.out_features // len(norms[0][0])
    scale, shift = norms[0][0].repeat_interleave(pixels), norms[0][1].repeat_interleave(pixels)
    linear = generator.input_linear
    _set(deploy.input_linear, linear.weight.double() * scale[:, None], linear.bias.double() * scale + shift)
    _set(deploy.to_rgb.operation, generator.to_rgb.weight, generator.to_rgb.bias)
    for block, target, before, after in zip(blocks, deploy.blocks, norms, norms[1:], strict=False):
        assert isinstance(target, DeployBlock)
        weight = block.shortcut.weight.double() / before[0][:, None, None]
        constant = _bias(block.shortcut) - weight.flatten(1) @ before[1]
        _set(target.shortcut.operation, weight * after[0][:, None, None, None])
        _fold_convolution(block.conv1, target.conv1, _scale_shift(block.norm2.norm))
        _fold_convolution(block.conv2, target.conv2, after, constant)


def _fold_convolution(
    source: nn.Module,
    target: nn.Sequential,
    norm: tuple[torch.Tensor, torch.Tensor],
    constant: torch.Tensor | float = 0.0,
) -> None:
    """Make `target` compute `norm(source(x) + constant)`."""
    layers = [_operation_of(layer) for layer in target]
    last, bias = source, constant
    if isinstance(source, DepthwiseSeparableConv2d):
        last = source.pointwise
        bias = bias + last.weight.double().flatten(1) @ _bias(source.depthwise)
        _set(layers[0], source.depthwise.weight)
    assert isinstance(last, nn.Conv2d)
    scale, shift = norm
    _set(
        layers[-1],
        last.weight.double() * scale[:, None, None, None],
        (_bias(last) + bias) * scale + shift,
    )


def _scale_shift(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the float64 [C] of `norm(x) = scale · x + shift`."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double() * scale
    return (
        (scale * norm.weight.double(), shift * norm.weight.double() + norm.bias) if norm.affine else (scale, shift)
    )


def _bias(conv: nn.Conv2d) -> torch.Tensor:
    assert conv.bias is not None
    return conv.bias.double()


def _operation_of(layer: nn.Module) -> nn.Module:
    assert isinstance(layer, Layer)
    return layer.operation


def _set(operation: nn.Module, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
    assert isinstance(operation, nn.Linear | nn.Conv2d) and math.prod(weight.shape) == operation.weight.numel()
    operation.weight.copy_(weight)
    if operation.bias is not None:
        operation.bias.copy_(torch.zeros_like(operation.bias) if bias is None else bias)
