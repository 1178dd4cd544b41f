"""Equal channels before rounding: exact for the float network, and free on the phone.

One grid serves all channels of an activation, so the widest channel decides how coarsely the narrow ones are
rounded. A positive factor per channel passes through relu, resize and depthwise convolution, so it can be put
in at one layer and taken out at the next: in at the rows of gains and biases and out at the depthwise weights,
in at the depthwise weights and out at the columns of the pointwise ones. Rows and depthwise weights have a scale
for each channel and lose nothing (Nagel et al., 2019, arXiv:1906.04721).
"""

from collections.abc import Sequence

import torch
from torch import nn

from compress.deploy_form import ClassAffine, DeployBlock, DeployGenerator, Modulation
from compress.points import Layer

_LARGEST_FACTOR = 64.0


class _Reach:
    """Forward hook that notes how far each channel of a module's output goes."""

    def __init__(self) -> None:
        self.reach = torch.zeros(())

    def __call__(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        del module, inputs
        self.reach = torch.maximum(self.reach.to(output.device), output.detach().abs().amax((0, 2, 3)))

    def factors(self, strength: float) -> torch.Tensor:
        """Return what brings each channel towards the widest one, float32 [C]."""
        widest = self.reach.max()
        return (widest / self.reach.clamp(min=widest / _LARGEST_FACTOR)) ** strength


@torch.no_grad()
def equalise(deploy: DeployGenerator, batches: Sequence[tuple[torch.Tensor, ...]], strength: float = 0.75) -> None:
    """Bring the channels of modulations and depthwise outputs towards one range each, in place.

    A student of standard convolutions stays as it is.

    Args:
        deploy: the float form, before it is quantized.
        batches: (z, class weights), to see the channels' ranges.
        strength: 1 makes the ranges equal, 0 leaves them. On the digits student at eight bits 0.75 gave most
            (41.6 → 43.0 dB to its float images); pointwise weights of four bits lose more than is won.
    """
    if deploy.config.architecture != "dw":
        return
    assert isinstance(deploy.class_affine, ClassAffine)
    rows = deploy.class_affine.linear
    names, sizes = list(deploy.class_affine.sizes), list(deploy.class_affine.sizes.values())
    affine_weights = dict(zip(names, rows.weight.split(sizes), strict=True))
    affine_biases = dict(zip(names, rows.bias.split(sizes), strict=True))
    for k, block in enumerate(deploy.blocks):
        assert isinstance(block, DeployBlock)
        for half, (modulation, conv) in enumerate(
            ((block.modulation1, block.conv1), (block.modulation2, block.conv2)), start=1
        ):
            depthwise, pointwise = _operation(conv[0]), _operation(conv[1])
            modulated, convolved = _observe(deploy, batches, modulation, depthwise)
            inward, outward = modulated.factors(strength), convolved.factors(strength)
            for kind in ("gain", "bias"):
                affine_weights[f"block{k}_{kind}{half}"].mul_(inward[:, None])
                affine_biases[f"block{k}_{kind}{half}"].mul_(inward)
            depthwise.weight.mul_((outward / inward)[:, None, None, None])
            pointwise.weight.div_(outward[:, None, None])


def _observe(
    deploy: DeployGenerator,
    batches: Sequence[tuple[torch.Tensor, ...]],
    modulation: Modulation,
    depthwise: nn.Conv2d,
) -> tuple[_Reach, _Reach]:
    """Return the reach of gain · x and of the depthwise output."""
    modulated, convolved = _Reach(), _Reach()
    hooks = [modulation.product.register_forward_hook(modulated), depthwise.register_forward_hook(convolved)]
    try:
        for batch in batches:
            deploy(*batch)
    finally:
        for hook in hooks:
            hook.remove()
    return modulated, convolved


def _operation(layer: nn.Module) -> nn.Conv2d:
    assert isinstance(layer, Layer) and isinstance(layer.operation, nn.Conv2d)
    return layer.operation
