"""Equal channels before rounding: exact for the float network, and free on the phone.

One grid serves all channels of an activation, so the widest channel decides how coarsely the narrow ones are
rounded. A positive factor and a constant per channel, `x' = factor · (x + constant)`, can be put in at one layer
and taken out at the next: factors pass through relu, resize and depthwise convolution, constants move between
biases. Rows and depthwise weights have a scale for each channel and lose nothing; the columns of pointwise
weights share their rows' scales and do, so that the factors are tempered (Nagel et al., 2019, arXiv:1906.04721).
"""

from collections.abc import Sequence

import torch
from torch import nn

from compress.deploy_form import ClassAffine, DeployBlock, DeployGenerator
from compress.points import Layer
from compress.reach import Reach, measure_reaches

_LARGEST_RATIO = 64.0
_BIAS_SHARE = 0.5  # of a modulation's mean bias that moves into the convolution before it
_LARGEST_CONSTANT = 2.0  # of conv1's outputs, whose variance is 1
_FIRST_STEP, _LAST_STEP = 1.5, 1.01


@torch.no_grad()
def equalise(deploy: DeployGenerator, batches: Sequence[tuple[torch.Tensor, ...]], strength: float = 0.75) -> None:
    """Bring the channels of each activation towards one range, in place.

    A student of standard convolutions stays as it is.

    Args:
        deploy: the float form, before it is quantized.
        batches: (z, class weights), to see the channels' ranges.
        strength: 1 makes the ranges equal, 0 leaves the factors away. Pointwise weights of four bits lose more
            than is won.
    """
    if deploy.config.architecture != "dw":
        return
    channels = _Channels(deploy)
    for k, constant in enumerate(channels.bias_over_gain(batches)):
        moved = (_BIAS_SHARE * constant).clamp(-_LARGEST_CONSTANT, _LARGEST_CONSTANT)
        channels.change_hidden(k, torch.ones_like(moved), moved)
    reach = measure_reaches(deploy, batches)
    last = len(deploy.blocks)
    for k in range(last + 1):
        before = [reach[f"blocks.{k - 1}.{name}.output"] for name in ("conv2.pointwise", "shortcut")] if k else []
        entry = reach[f"blocks.{k}.input" if k < last else "features"]
        if k == 0:
            moves = [-entry.centre]
            reaches = [entry.moved(moves[0])]
        else:
            moves = [-side.centre for side in before]
            if k == last:  # relu comes next: together they must not move
                half = (moves[0] - moves[1]) / 2
                moves = [half, -half]
            reaches = [entry.moved(moves[0] + moves[1])]
            reaches += [side.moved(move) for side, move in zip(before, moves, strict=True)]
        channels.change_input(k, factors(reaches, strength), [move.float() for move in moves])
        if k == last:
            return
        for half in (1, 2):
            modulation = f"blocks.{k}.modulation{half}."
            channels.change_modulation(
                k, half, factors([reach[modulation + "product"], reach[modulation + "output"]], strength)
            )
            depthwise = reach[f"blocks.{k}.conv{half}.depthwise.output"]
            move = -depthwise.centre
            channels.change_depthwise(k, half, factors([depthwise.moved(move)], strength), move.float())
            if half == 1:
                factor = factors([reach[f"blocks.{k}.conv1.pointwise.output"]], strength)
                channels.change_hidden(k, factor, torch.zeros_like(factor))


def factors(reaches: Sequence[Reach], strength: float) -> torch.Tensor:
    """Return the factors, float32 [C], that make the rounding errors of activations which share them smallest.

    The ends of the activations' ranges are searched; a channel gets the largest factor that keeps it inside.

    Args:
        reaches: one for each activation.
        strength: the power that the factors are raised to.
    """
    need = torch.stack([-reach.low.clamp(max=0) for reach in reaches] + [r.high.clamp(min=0) for r in reaches])
    weight = torch.stack([reach.weight for reach in reaches])
    count = len(reaches)

    def factors_of(ends: torch.Tensor) -> torch.Tensor:
        inverse = (need / ends[:, None]).amax(0)
        return 1 / inverse.clamp(min=float(inverse.max()) / _LARGEST_RATIO)

    def cost(ends: torch.Tensor) -> float:
        widths = (ends[:count] + ends[count:]).square()
        return float((widths[:, None] * weight / factors_of(ends).square()).sum())

    ends = need.amax(1).clamp(min=1e-9)
    # One end alone often changes nothing, because the other decides.
    together = [[end] for end in range(2 * count)] + [[end, end + count] for end in range(count)]
    best, step = cost(ends), _FIRST_STEP
    while step > _LAST_STEP:
        better = False
        for moved in together:
            for ratio in (step, 1 / step):
                trial = ends.clone()
                trial[moved] *= ratio
                if (found := cost(trial)) < best * (1 - 1e-6):
                    ends, best, better = trial, found, True
        if not better:
            step = step**0.5
    chosen = factors_of(ends) ** strength
    return (chosen / chosen.log().mean().exp()).float()


class _Channels:
    """Puts factors and constants into the outputs of one layer and takes them out at the next, in place."""

    def __init__(self, deploy: DeployGenerator) -> None:
        assert isinstance(deploy.class_affine, ClassAffine)
        self.deploy, self.affine = deploy, deploy.class_affine
        sizes = list(self.affine.sizes.values())
        weights, biases = (x.split(sizes) for x in (self.affine.linear.weight, self.affine.linear.bias))
        self.rows = dict(zip(self.affine.sizes, zip(weights, biases, strict=True), strict=True))
        self.blocks: list[DeployBlock] = list(deploy.blocks)  # type: ignore[arg-type]

    def bias_over_gain(self, batches: Sequence[tuple[torch.Tensor, ...]]) -> list[torch.Tensor]:
        """Return, for each second modulation, the constant that replaces most of its bias, by least squares."""
        class_weights = torch.cat([batch[1] for batch in batches])
        vectors = self.affine(self.deploy.class_embedding(class_weights))
        named = dict(zip(self.affine.sizes, vectors, strict=True))
        pairs = [
            [named[f"block{k}_{kind}2"].flatten(1) for kind in ("gain", "bias")] for k in range(len(self.blocks))
        ]
        return [(gain * bias).sum(0) / gain.square().sum(0).clamp(min=1e-12) for gain, bias in pairs]

    def change_input(self, k: int, factor: torch.Tensor, constants: list[torch.Tensor]) -> None:
        """Change the input of a block, or that of to_rgb; `constants` are of all layers that make it."""
        if k == 0:
            linear, pixels = self.deploy.input_linear, self.deploy.input_linear.out_features // len(factor)
            _put_in(linear, *(x.repeat_interleave(pixels) for x in (factor, constants[0])))
        else:
            block = self.blocks[k - 1]
            for layer, constant in zip((block.conv2[-1], block.shortcut), constants, strict=True):
                _put_in(_operation(layer), factor, constant)
        constant = torch.stack(constants).sum(0)
        if k == len(self.blocks):
            _operation(self.deploy.to_rgb).weight.div_(factor[:, None, None])
            return
        self._take_out(k, 1, factor, constant)
        _take_out(_operation(self.blocks[k].shortcut), factor, constant)

    def change_hidden(self, k: int, factor: torch.Tensor, constant: torch.Tensor) -> None:
        """Change the output of a block's first convolution."""
        _put_in(_operation(self.blocks[k].conv1[-1]), factor, constant)
        self._take_out(k, 2, factor, constant)

    def change_modulation(self, k: int, half: int, factor: torch.Tensor) -> None:
        """Change a modulation's product and output."""
        for kind in ("gain", "bias"):
            weight, bias = self.rows[f"block{k}_{kind}{half}"]
            weight.mul_(factor[:, None])
            bias.mul_(factor)
        self._depthwise(k, half)[0].weight.div_(factor[:, None, None, None])

    def change_depthwise(self, k: int, half: int, factor: torch.Tensor, constant: torch.Tensor) -> None:
        """Change the output of a depthwise convolution."""
        depthwise, pointwise = self._depthwise(k, half)
        _put_in(depthwise, factor, constant)
        _take_out(pointwise, factor, constant)

    def _depthwise(self, k: int, half: int) -> list[nn.Conv2d]:
        return [_operation(layer) for layer in (self.blocks[k].conv1, self.blocks[k].conv2)[half - 1]]

    def _take_out(self, k: int, half: int, factor: torch.Tensor, constant: torch.Tensor) -> None:
        """gain · (x' / factor - constant) + bias."""
        (gain, gain_bias), (bias, bias_bias) = (self.rows[f"block{k}_{kind}{half}"] for kind in ("gain", "bias"))
        bias.sub_(gain * constant.reshape(-1, 1))
        bias_bias.sub_(gain_bias * constant)
        gain.div_(factor[:, None])
        gain_bias.div_(factor)


def _operation(layer: nn.Module) -> nn.Conv2d:
    assert isinstance(layer, Layer)
    assert isinstance(layer.operation, nn.Conv2d)
    return layer.operation


def _put_in(operation: nn.Conv2d | nn.Linear, factor: torch.Tensor, constant: torch.Tensor) -> None:
    assert operation.bias is not None
    operation.bias.add_(constant).mul_(factor)
    operation.weight.mul_(factor.reshape(-1, *[1] * (operation.weight.dim() - 1)))


def _take_out(pointwise: nn.Conv2d, factor: torch.Tensor, constant: torch.Tensor) -> None:
    assert pointwise.bias is not None
    pointwise.bias.sub_(pointwise.weight.flatten(1) @ constant)
    pointwise.weight.div_(factor[:, None, None])
