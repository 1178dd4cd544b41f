"""Weights that are rounded together: what one loses, the others of its channel and the bias make up for.

Layer by layer, on the rounded inputs that a layer will have on the phone, the outputs are brought back to those
of the float form: by least squares over the weights, then by rounding one column after another and letting those
still to come take up its error (GPTQ, Frantar et al., 2023, arXiv:2210.17323), then by a bias that makes the mean
of each channel right. The graph stays as it is; no teacher is needed.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.hooks import RemovableHandle
from tqdm import tqdm

from compress.deploy_form import DeployGenerator
from compress.fake_quant import QuantGenerator
from compress.quantizer import QuantOperation

_LATENTS = 256
_PIXELS = 2**18  # of a block's output: the coarser it is, the more latents are needed, and the less they cost
_POSITIONS = 40_000  # of a layer's output that its weights are fitted to
_IMAGES_AT_ONCE = 8
_RIDGE = 1e-3  # of the inputs' mean variance: keeps weights where the inputs say little
_DAMPING = 1e-4


@torch.no_grad()
def reconstruct(
    student: QuantGenerator, form: DeployGenerator, batches: Sequence[tuple[torch.Tensor, ...]]
) -> None:
    """Round the convolutions' weights anew, in place.

    Args:
        student: made from `form` and calibrated.
        form: the float form.
        batches: inputs; 256 latents are used at most, at high resolutions fewer.
    """
    layers = {
        name: operation
        for name, operation in student.operations().items()
        if isinstance(operation.operation, nn.Conv2d)
    }
    latents = tuple(torch.cat(parts)[:_LATENTS] for parts in zip(*batches, strict=True))
    targets: dict[str, torch.Tensor] = {}
    with tqdm(total=2 * len(layers), desc="fitting rounded weights", unit=" layers") as bar:
        hooks = [_fewer_latents(k, block) for net in (form, student.form) for k, block in enumerate(net.blocks)]
        for name, layer in layers.items():
            convolution = form.get_submodule(name.removesuffix("weight") + "operation")
            hooks += [
                convolution.register_forward_hook(_target_noter(targets, name)),
                layer.register_forward_pre_hook(_fitter(layer, targets, name)),
            ]
            hooks += [net.register_forward_hook(lambda *_: bar.update() and None) for net in (convolution, layer)]
        try:
            form(*latents)
            student(*latents)  # each layer is fitted when its input is there
        finally:
            for hook in hooks:
                hook.remove()


def _fewer_latents(k: int, block: nn.Module) -> RemovableHandle:
    """Let the k-th block, and what comes after it, go on with as many latents as are needed."""
    count = max(1, min(_LATENTS, _PIXELS // (8 * 2**k) ** 2))
    return block.register_forward_pre_hook(lambda _, inputs: (inputs[0][:count], [x[:count] for x in inputs[1]]))


def _target_noter(targets: dict[str, torch.Tensor], name: str) -> Callable:
    def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        del module, inputs
        targets[name] = output.flatten(2)[:, :, :: _stride(output)].clone()

    return hook


def _fitter(operation: QuantOperation, targets: dict[str, torch.Tensor], name: str) -> Callable:
    def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        del module
        _fit(operation, inputs[0], targets.pop(name))

    return hook


def _stride(x: torch.Tensor) -> int:
    """Return which positions are used, counted along the rows; odd, so that all columns are met."""
    return x.shape[0] * x.shape[2] * x.shape[3] // _POSITIONS | 1


def _patches(x: torch.Tensor, convolution: nn.Conv2d, stride: int) -> torch.Tensor:
    """[N, C, H, W] → what the kernel sees at every `stride`-th position, [N, C · kernel size, positions]."""
    (rows, columns), (up, left) = convolution.kernel_size, (int(side) for side in convolution.padding)
    position = torch.arange(0, x.shape[2] * x.shape[3], stride, device=x.device)
    padded = F.pad(x, (left, left, up, up))
    first = position // x.shape[3] * padded.shape[3] + position % x.shape[3]
    steps = [row * padded.shape[3] + column for row in range(rows) for column in range(columns)]
    places = padded.flatten(2)
    return torch.stack([places[:, :, first + step] for step in steps], 2).flatten(1, 2)


def _moments(
    x: torch.Tensor, target: torch.Tensor, convolution: nn.Conv2d
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return means and centred second moments at the used positions, over all of them, in parts.

    Args:
        x: inputs [N, C, H, W].
        target: float outputs at the used positions, [N, O, positions].
        convolution: of G groups, each with I inputs, those of all its kernel, and O / G outputs.

    Returns:
        The inputs' mean float64 [G, 1, I], the outputs' [G, 1, O / G], the inputs' second moments [G, I, I], and
        those of inputs with outputs [G, I, O / G].
    """
    sums: list[torch.Tensor] = []
    for some, wanted in zip(x.split(_IMAGES_AT_ONCE), target.split(_IMAGES_AT_ONCE), strict=True):
        inputs, outputs = (
            part.unflatten(1, (convolution.groups, -1)).permute(1, 2, 0, 3).flatten(2).double()
            for part in (_patches(some, convolution, _stride(x)), wanted)
        )
        found = [inputs.sum(2)[:, None], outputs.sum(2)[:, None], inputs @ inputs.mT, inputs @ outputs.mT]
        sums = [before + now for before, now in zip(sums, found, strict=True)] if sums else found
    centre, mean, moments, shared = (total / (target.shape[0] * target.shape[2]) for total in sums)
    return centre, mean, moments - centre.mT @ centre, shared - centre.mT @ mean


def _fit(operation: QuantOperation, x: torch.Tensor, target: torch.Tensor) -> None:
    """Fit weights and bias to inputs [N, C, H, W] and float outputs at the used positions, [N, O, positions]."""
    convolution = operation.operation
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.bias is not None
    shape, groups = convolution.weight.shape, convolution.groups
    centre, mean, moments, shared = _moments(x, target, convolution)
    weight = convolution.weight.double().reshape(groups, -1, moments.shape[1])
    missing = shared - moments @ weight.mT
    weight = weight + torch.linalg.solve(_stiffened(moments, _RIDGE), missing).mT
    convolution.weight.copy_(weight.reshape(shape))
    operation.clip.fill_(1)
    operation.choose_clip()
    scale = operation.scale().double().reshape(groups, -1)
    rounded = round_together(weight, _stiffened(moments, _DAMPING), scale, operation.highest)
    _set_rounded(operation, rounded.reshape(shape[0], -1).float())
    # The bias is added in 32 bits.
    convolution.bias.copy_((mean - centre @ rounded.mT).flatten())


def round_together(weight: torch.Tensor, moments: torch.Tensor, scale: torch.Tensor, highest: int) -> torch.Tensor:
    """Round weights so that the outputs' squared error is small, not the weights'.

    Args:
        weight: float64 [G, O, I], for groups of layers.
        moments: second moments of the inputs, positive definite, float64 [G, I, I].
        scale: of the grids, float64 [G, O].
        highest: level of the largest weight.

    Returns:
        Weights on the grids, float64 [G, O, I].
    """
    # The inputs that matter most come first, while there are others left to make up for them.
    order = moments.diagonal(dim1=1, dim2=2).argsort(1, descending=True)
    columns = order[:, None].expand_as(weight)
    rest = weight.gather(2, columns)
    ordered = moments.gather(1, order[:, :, None].expand_as(moments)).gather(2, order[:, None].expand_as(moments))
    factor = torch.linalg.cholesky(torch.linalg.inv(ordered), upper=True)
    rounded = torch.empty_like(weight)
    for column in range(weight.shape[2]):
        value = rest[:, :, column]
        level = torch.round(value / scale).clamp(-highest, highest)
        rounded[:, :, column] = level * scale
        error = (value - rounded[:, :, column]) / factor[:, column, column, None]
        rest[:, :, column:] -= error[:, :, None] * factor[:, None, column, column:]
    return torch.empty_like(weight).scatter_(2, columns, rounded)


def _stiffened(moments: torch.Tensor, share: float) -> torch.Tensor:
    """Add a share of the mean diagonal to the diagonal."""
    diagonal = moments.diagonal(dim1=1, dim2=2).mean(1)[:, None, None].clamp(min=1e-12)
    return moments + share * diagonal * torch.eye(moments.shape[1], dtype=moments.dtype, device=moments.device)


def _set_rounded(operation: QuantOperation, rounded: torch.Tensor) -> None:
    """Take over weights [O, …] that are on the grids, and keep the grids."""
    weight, scale = operation.operation.weight, operation.scale()
    reach = rounded.abs().amax(1)
    alive = reach > 0  # a channel of zeros stays as it was, and is rounded plainly
    weight.copy_(torch.where(alive[:, None], rounded, weight.flatten(1)).reshape(weight.shape))
    operation.clip.copy_(torch.where(alive, scale * operation.highest / reach.clamp(min=1e-30), operation.clip))
