"""How much the values of an activation matter for the image: their squared gradients.

An error e at a value moves the images by about (∂image/∂value · e)². Weighted so, ranges are wide where an error
is seen and narrow where relu or tanh hide it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import nn
from tqdm import tqdm

from compress.deploy_form import Modulation
from train.generator import GeneratorConfig

Weighed = list[tuple[torch.Tensor, torch.Tensor]]
"""Values of a point, and a weight for each, for each of its uses in a forward pass."""

_PIXELS_AT_ONCE = 2**15


def weigh(
    form: nn.Module,
    config: GeneratorConfig,
    points: Mapping[str, nn.Module],
    batches: Sequence[tuple[torch.Tensor, ...]],
) -> Iterator[dict[str, Weighed]]:
    """Run a form, which must not round, on parts of the batches; yield the values of its points and their weights.

    A product that relu will drop is given as what relu needs of it: anything up to minus the bias, weight 0.

    Args:
        form: a deploy form with points.
        config: of the student.
        points: modules of the form whose outputs are asked for.
        batches: inputs of the form.
    """
    if not points:
        return
    device = next(form.parameters()).device
    random = torch.Generator(device).manual_seed(0)
    pieces = list(parts(config, batches))
    for part in tqdm(pieces, desc="weighing errors by their effect", unit=" parts", delay=3, leave=False):
        outputs: dict[str, list[torch.Tensor]] = {name: [] for name in points}
        floors: dict[nn.Module, torch.Tensor] = {}
        hooks = [point.register_forward_hook(_output_noter(outputs[name])) for name, point in points.items()]
        hooks += [
            module.register_forward_pre_hook(_floor_noter(floors))
            for module in form.modules()
            if isinstance(module, Modulation)
        ]
        try:
            with torch.enable_grad():
                images = form(*(x.detach().clone().requires_grad_() for x in part))
        finally:
            for hook in hooks:
                hook.remove()
        # With a random sign for each pixel the squared gradient is, on average, the sum over all pixels of theirs.
        signs = torch.randint(0, 2, images.shape, generator=random, device=device) * 2.0 - 1
        tensors = [output for seen in outputs.values() for output in seen]
        gradients = iter(torch.autograd.grad(images, tensors, signs, allow_unused=True))
        weighed: dict[str, Weighed] = {}
        for name, seen in outputs.items():
            uses = [(x.detach(), next(gradients)) for x in seen]
            weighed[name] = [_weighed(x, g, floors.get(points[name])) for x, g in uses if g is not None]
        yield weighed


def _output_noter(seen: list[torch.Tensor]) -> Callable:
    def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        del module, inputs
        seen.append(output)

    return hook


def _floor_noter(floors: dict[nn.Module, torch.Tensor]) -> Callable:
    def hook(module: Modulation, inputs: tuple[torch.Tensor, ...]) -> None:
        floors[module.product] = -inputs[2].detach()

    return hook


def _weighed(
    values: torch.Tensor, gradient: torch.Tensor, floor: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    weights = gradient.square()
    return (values if floor is None else torch.maximum(values, floor)), weights


def parts(
    config: GeneratorConfig, batches: Sequence[tuple[torch.Tensor, ...]]
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Cut batches to what the memory of a backward pass allows."""
    size = max(1, _PIXELS_AT_ONCE // config.image_size**2)
    for batch in batches:
        yield from zip(*(x.split(size) for x in batch), strict=True)
