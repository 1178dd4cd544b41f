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
"""Values of a point, and a weight for each, for each of its uses in a forward pass.

Those of images are [N, C, positions], at some positions of each image.
"""

_PIXELS_AT_ONCE = 2**15
# Of each image at a point: neighbours say the same, and to count all of them would cost more than the network.
_VALUES, _FEWEST_POSITIONS = 2**14, 64


def weigh(
    form: nn.Module,
    config: GeneratorConfig,
    points: Mapping[str, nn.Module],
    batches: Sequence[tuple[torch.Tensor, ...]],
    *,
    title: str,
    positions: int | None = None,
) -> Iterator[dict[str, Weighed]]:
    """Run a form, which must not round, on parts of the batches; yield the values of its points and their weights.

    A product that relu will drop is given as what relu needs of it: anything up to minus the bias, weight 0.

    Args:
        form: a deploy form with points.
        config: of the student.
        points: modules of the form whose outputs are asked for.
        batches: inputs of the form.
        title: of the bar.
        positions: of each image, at which its values are taken, about; None: enough for 16,384 values.
    """
    if not points:
        return
    device = next(form.parameters()).device
    random = torch.Generator(device).manual_seed(0)
    for part in parts(config, batches, title):
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
        gradients = iter(torch.autograd.grad(images, tensors, signs, materialize_grads=True))
        weighed: dict[str, Weighed] = {}
        for name, seen in outputs.items():
            floor = floors.get(points[name])
            weighed[name] = [_weighed(x.detach(), next(gradients), floor, positions) for x in seen]
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
    values: torch.Tensor, gradient: torch.Tensor, floor: torch.Tensor | None, positions: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    values, weights = _some(values, positions), _some(gradient, positions).square()
    return (values if floor is None else torch.maximum(values, floor.flatten(2))), weights


def _some(x: torch.Tensor, positions: int | None) -> torch.Tensor:
    """[N, C, H, W] → [N, C, positions]; other shapes stay."""
    if x.dim() != 4:
        return x
    places = x.flatten(2)
    wanted = positions or max(_FEWEST_POSITIONS, _VALUES // x.shape[1])
    return places[:, :, :: places.shape[2] // wanted | 1]  # odd, so that all columns are met


def parts(
    config: GeneratorConfig, batches: Sequence[tuple[torch.Tensor, ...]], title: str
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Cut batches to what caches, and the memory of a backward pass, allow; `title` is that of a bar."""
    size = max(1, _PIXELS_AT_ONCE // config.image_size**2)
    with tqdm(
        total=sum(len(batch[0]) for batch in batches), desc=title, unit=" latents", delay=3, leave=False
    ) as bar:
        for batch in batches:
            for part in zip(*(x.split(size) for x in batch), strict=True):
                yield part
                bar.update(len(part[0]))
