"""Channels in the order of their importance: narrow layers are the first channels, so these must be the best.

An exact rewrite: the same images, but for the order in which numbers are added.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import nn

from compress.elastic import Latents
from compress.importance import parts
from train.generator import ConditionalBatchNorm2d, DepthwiseSeparableConv2d, Generator, ResidualBlock

Channels = dict[str, torch.Tensor]
"""For "stages.K", the channels of the features after K doublings, and "mids.K", those between the convolutions of
block K: a tensor [C]."""


def sort_channels(student: Generator, batches: Sequence[Latents]) -> Generator:
    """Return a student whose channels come in the order of their importance, the most important first.

    Args:
        student: in eval mode; it is not changed.
        batches: latents to judge the channels on, on its device.
    """
    importance = channel_importance(student, batches)
    return reordered(student, {name: x.argsort(descending=True, stable=True) for name, x in importance.items()})


def channel_importance(student: Generator, batches: Sequence[Latents]) -> Channels:
    """Return how much the images would change without a channel: mean (Σ a · ∂image/∂a)², to first order.

    a are the channel's values where layers take them in; the sum is over all places and all those layers.

    Args:
        student: in eval mode.
        batches: latents, on its device.
    """
    readers = _readers(student)
    device = student.input_linear.weight.device
    random = torch.Generator(device).manual_seed(0)
    total: Channels = {}
    for part in parts(student.config, batches, "weighing channels"):
        seen: list[tuple[str, torch.Tensor]] = []
        hooks = [layer.register_forward_pre_hook(_noter(seen, name)) for name, layer in readers]
        try:
            with torch.enable_grad():
                images = student(part[0].detach().requires_grad_(), part[1])
        finally:
            for hook in hooks:
                hook.remove()
        # With a random sign for each pixel the squared sum is, on average, the sum over all pixels of theirs.
        signs = torch.randint(0, 2, images.shape, generator=random, device=device) * 2.0 - 1
        gradients = torch.autograd.grad(images, [x for _, x in seen], signs)
        effect: Channels = {}
        for (name, x), gradient in zip(seen, gradients, strict=True):
            effect[name] = effect.get(name, 0) + (x * gradient).sum((2, 3)).detach()
        for name, x in effect.items():
            total[name] = total.get(name, 0) + x.square().sum(0)
    return total


def _readers(student: Generator) -> list[tuple[str, nn.Module]]:
    """Return every layer that takes in channels, with their name; a norm's reader is the convolution behind it."""
    found: list[tuple[str, nn.Module]] = []
    for k, block in enumerate(student.blocks):
        assert isinstance(block, ResidualBlock)
        found += [(f"stages.{k}", block.conv1), (f"stages.{k}", block.shortcut), (f"mids.{k}", block.conv2)]
    return [*found, (f"stages.{len(student.blocks)}", student.to_rgb)]


def _noter(seen: list[tuple[str, torch.Tensor]], name: str) -> Callable:
    def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        del module
        seen.append((name, inputs[0]))

    return hook


@torch.no_grad()
def reordered(student: Generator, orders: Channels) -> Generator:
    """Return a copy of a student whose channel k is channel `order[k]` of the given one.

    Args:
        student: dw or std.
        orders: a permutation, int64 [C], for each of `Channels`.
    """
    result = copy.deepcopy(student)
    pixels = torch.arange(4 * 4, device=result.input_linear.weight.device)
    rows = (orders["stages.0"][:, None] * len(pixels) + pixels).flatten()
    _take(rows, result.input_linear.weight, result.input_linear.bias)
    for k, block in enumerate(result.blocks):
        assert isinstance(block, ResidualBlock)
        before, mid, after = (orders[name] for name in (f"stages.{k}", f"mids.{k}", f"stages.{k + 1}"))
        _reorder_norm(block.norm1, before)
        _reorder_convolution(block.conv1, before, mid)
        _reorder_norm(block.norm2, mid)
        _reorder_convolution(block.conv2, mid, after)
        _reorder_convolution(block.shortcut, before, after)
    last, norm = orders[f"stages.{len(result.blocks)}"], result.output_norm
    _take(last, norm.weight, norm.bias, norm.running_mean, norm.running_var)
    _take(last, result.to_rgb.weight, dim=1)
    return result


def _reorder_norm(module: ConditionalBatchNorm2d, order: torch.Tensor) -> None:
    _take(order, module.norm.running_mean, module.norm.running_var)
    _take(torch.cat([order, order + len(order)]), module.gain_bias.weight, module.gain_bias.bias)


def _reorder_convolution(conv: nn.Module, inputs: torch.Tensor, outputs: torch.Tensor) -> None:
    if isinstance(conv, DepthwiseSeparableConv2d):
        _take(inputs, conv.depthwise.weight, conv.depthwise.bias)
        conv = conv.pointwise
    assert isinstance(conv, nn.Conv2d)
    _take(inputs, conv.weight, dim=1)
    _take(outputs, conv.weight, conv.bias)


def _take(order: torch.Tensor, *tensors: torch.Tensor | None, dim: int = 0) -> None:
    for tensor in tensors:
        assert tensor is not None
        tensor.copy_(tensor.index_select(dim, order))
