"""The student with widths chosen per call, on one set of parameters: narrow layers are the first channels.

Every width that a search may find is trained as a part of the same network (US-Nets, Yu and Huang, ICCV 2019; for
generators Anycost GAN, Lin et al., CVPR 2021). `extract` cuts a student of its own out of it.
"""

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from train.errors import UserError
from train.generator import (
    ConditionalBatchNorm2d,
    DepthwiseSeparableConv2d,
    Generator,
    ResidualBlock,
    Widths,
    upsample,
)
from train.norm import BatchNorm2d, normalised

Latents = tuple[torch.Tensor, torch.Tensor]
"""z float32 [N, z_dim] and y int64 [N]."""

_Student = TypeVar("_Student", bound=Generator)


class ElasticGenerator(Generator):
    """A student with the parameters of `Generator`, of which a call uses the first channels of every layer.

    At its full widths it is that generator. Narrower ones normalise by the batch in train mode and leave the
    running statistics alone, which are the full widths'; in eval mode they take what is there.
    """

    chosen: Widths | None = None
    """Widths of calls that name none; None: all channels."""

    def forward(self, z: torch.Tensor, y: torch.Tensor, widths: Widths | None = None) -> torch.Tensor:
        """Draw images.

        Args:
            z: float [N, z_dim].
            y: int64 [N].
            widths: of every layer, none of them empty or above the full ones.

        Returns:
            Images [N, 3, H, W] in [-1, 1].
        """
        return self.synthesize(z, self.class_embedding(y), widths)

    def synthesize(self, z: torch.Tensor, embedding: torch.Tensor, widths: Widths | None = None) -> torch.Tensor:
        """z [N, z_dim] and class embeddings [N, class_embedding_dim], which may be mixtures → images."""
        return self.with_features(z, embedding, widths)[0]

    def with_features(
        self, z: torch.Tensor, embedding: torch.Tensor, widths: Widths | None = None
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return images as `synthesize`, and what every block gives, [N, C, H, W]."""
        widths = widths or self.chosen
        features: list[torch.Tensor] = []
        if widths is None or widths == self.config.resolved_widths:
            hooks = [block.register_forward_hook(lambda *call: features.append(call[-1])) for block in self.blocks]
            try:
                return super().synthesize(z, embedding), features
            finally:
                for hook in hooks:
                    hook.remove()
        rows = widths.stages[0] * 4 * 4
        linear = self.input_linear
        h = F.linear(z, linear.weight[:rows], linear.bias[:rows]).unflatten(1, (-1, 4, 4))
        for block, mid, after in zip(self.blocks, widths.mids, widths.stages[1:], strict=True):
            assert isinstance(block, ResidualBlock)
            h = _narrow_block(block, h, embedding, mid, after)
            features.append(h)
        h = F.relu(_narrow_norm(self.output_norm, h))
        return torch.tanh(_narrow_convolution(self.to_rgb, h, 3)), features


def _narrow_block(
    block: ResidualBlock, x: torch.Tensor, embedding: torch.Tensor, mid: int, after: int
) -> torch.Tensor:
    """Do what the block does to as many channels as x has, with `mid` between the convolutions and `after` out."""
    h = upsample(F.relu(_narrow_conditional_norm(block.norm1, x, embedding)))
    h = _narrow_convolution(block.conv1, h, mid)
    h = F.relu(_narrow_conditional_norm(block.norm2, h, embedding))
    h = _narrow_convolution(block.conv2, h, after)
    return h + upsample(_narrow_convolution(block.shortcut, x, after))


def _narrow_conditional_norm(
    module: ConditionalBatchNorm2d, x: torch.Tensor, embedding: torch.Tensor
) -> torch.Tensor:
    linear, channels = module.gain_bias, x.shape[1]
    weight, bias = (_first_of_both_halves(tensor, channels) for tensor in (linear.weight, linear.bias))
    gain, shift = F.linear(embedding, weight, bias)[:, :, None, None].chunk(2, dim=1)
    return torch.addcmul(shift, gain, _narrow_norm(module.norm, x))


def _first_of_both_halves(tensor: torch.Tensor, channels: int) -> torch.Tensor:
    """Gains are the first half of the rows and biases the second: [2C, …] → [2 · channels, …]."""
    return tensor.unflatten(0, (2, -1))[:, :channels].flatten(0, 1)


def _narrow_norm(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    channels = x.shape[1]
    weight, bias = (norm.weight[:channels], norm.bias[:channels]) if norm.affine else (None, None)
    if not norm.training:
        assert norm.running_mean is not None and norm.running_var is not None
        mean, variance = norm.running_mean[:channels], norm.running_var[:channels]
        return F.batch_norm(x, mean, variance, weight, bias, eps=norm.eps)
    h = normalised(x, norm.eps)
    if weight is not None and bias is not None:
        h = torch.addcmul(bias[:, None, None], weight[:, None, None], h)
    return h.to(x.dtype)


def _narrow_convolution(conv: nn.Module, x: torch.Tensor, outputs: int) -> torch.Tensor:
    inputs = x.shape[1]
    if isinstance(conv, DepthwiseSeparableConv2d):
        weight, bias = conv.depthwise.weight[:inputs], _bias(conv.depthwise)[:inputs]
        x = F.conv2d(x, weight, bias, padding=1, groups=inputs)
        conv = conv.pointwise
    assert isinstance(conv, nn.Conv2d)
    return F.conv2d(x, conv.weight[:outputs, :inputs], _bias(conv)[:outputs], padding=conv.padding)  # type: ignore[arg-type]


def _bias(conv: nn.Conv2d) -> torch.Tensor:
    assert conv.bias is not None
    return conv.bias


def elastic(student: Generator) -> ElasticGenerator:
    """Return a copy of a student whose widths can be chosen; in the student's mode."""
    return _with_state(ElasticGenerator, student, student.config.widths, student.state_dict())


def extract(student: Generator, widths: Widths) -> Generator:
    """Return the student of its own that narrower widths are; its parameters are copies, in the student's mode.

    Args:
        student: a student or an elastic one.
        widths: of every layer.

    Raises:
        UserError: a width is above the student's.
    """
    full = student.config.resolved_widths
    for name, wanted, there in (("stages", widths.stages, full.stages), ("mids", widths.mids, full.mids)):
        if len(wanted) != len(there) or any(w > t for w, t in zip(wanted, there, strict=True)):
            raise UserError(f"widths.{name} {wanted} are not within the student's {there}; give narrower ones")
    with torch.device("meta"):
        shapes = Generator(dataclasses.replace(student.config, widths=widths)).state_dict()
    state = {
        name: _first_of_both_halves(tensor, shapes[name].shape[0] // 2)
        if ".gain_bias." in name
        else tensor[tuple(slice(length) for length in shapes[name].shape)]
        for name, tensor in student.state_dict().items()
    }
    return _with_state(Generator, student, widths, state)


def _with_state(
    kind: type[_Student], student: Generator, widths: Widths, state: dict[str, torch.Tensor]
) -> _Student:
    """Return a generator like `student` with other widths and copies of the tensors of `state`."""
    with torch.device("meta"):  # no weights are drawn for nothing
        made = kind(dataclasses.replace(student.config, widths=widths))
    made.load_state_dict({name: tensor.detach().clone() for name, tensor in state.items()}, assign=True)
    return made.train(student.training)


@torch.no_grad()
def calibrate(student: Generator, batches: Sequence[Latents]) -> None:
    """Measure the norms' statistics anew, in place; the student is in eval mode afterwards.

    Those of a wider network mean nothing here. Two students are to be compared on one set of latents only.

    Args:
        student: in one process, its statistics those of the mean over the batches.
        batches: of equal size, on its device.
    """
    norms = [module for module in student.modules() if isinstance(module, BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean
    student.train()
    for z, y in batches:
        student(z, y)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    student.eval()
