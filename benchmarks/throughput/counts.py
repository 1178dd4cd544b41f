"""What a training step computes and moves at least, and what the machine can compute and move at most."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

_ATEN = torch.ops.aten
_TRIALS = 5  # the fastest counts
COUNTED = (
    "two for every multiply-accumulate of convolutions, Linears and matrix products, forward and backward, by "
    "torch.utils.flop_counter's formulas, over real steps of the same loop without torch.compile (one step, or "
    "where steps differ, the n-th and another one, weighted); but a gradient of a convolution counts as much as "
    "the convolution: for a grouped one that module's formula is too large by the number of groups"
)
MOVED = (
    "inputs, weights and outputs of the same operations and of their gradients, each read or written once per "
    "operation in the precision of the step: what must be moved even if everything else (norms, activations, "
    "resizing, losses, optimizers) were fused into them"
)
ATTAINABLE = (
    "FLOP/s: the faster of a large square matrix product and the same product as a pointwise convolution "
    "(which, unlike the former, may use TF32 for float32 on a GPU), in the precision of the row; bytes/s: a "
    "large copy, bytes read and written; each the best of five trials in the same run"
)


@dataclasses.dataclass(frozen=True)
class Work:
    """Of an iteration."""

    flops: float
    """See `COUNTED`."""
    moved_bytes: float
    """See `MOVED`."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """Of a machine; see `ATTAINABLE`."""

    flops_per_second: float
    bytes_per_second: float


def count(run: Callable[[], object]) -> Work:
    """Run something once and count; compiled code is not looked into."""
    with _Counter() as counter:
        run()
    return Work(counter.flops, counter.moved_bytes)


class _Counter(TorchDispatchMode):
    """Adds up what convolutions and matrix products compute and move; see `COUNTED` and `MOVED`.

    FlopCounterMode itself cannot be taken: it follows modules by hooks, which torch.autograd.grad refuses.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.moved_bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        operation = func.overloadpacket
        if operation is _ATEN.convolution_backward:
            gradient, x, weight, *rest = args
            to_input, to_weight, _ = rest[-1]
            # Either gradient takes as many multiply-accumulates as the convolution.
            self.flops += 2 * gradient.numel() * weight[0].numel() * (int(to_input) + int(to_weight))
            # The input's gradient needs no input, the weight's no weight.
            self._move(gradient, weight if to_input else None, x if to_weight else None, result)
        elif operation in (_ATEN.convolution, _ATEN.mm, _ATEN.addmm, _ATEN.bmm):
            self.flops += flop_registry[operation](*args, **(kwargs or {}), out_val=result)
            self._move(args, result)
        return result

    def _move(self, *values: Any) -> None:
        tensors = {id(leaf): leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)}
        self.moved_bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def attainable(device: torch.device, dtype: torch.dtype, size: int = 0) -> Limits:
    """Measure what the device can do at most.

    Args:
        device: where.
        dtype: of the factors.
        size: rows of the square factors, a multiple of 128; by default large enough for the kind of device.
    """
    big = device.type != "cpu"
    size = size or (8192 if big else 2048)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    image = a.view(1, size, size // 128, 128).to(memory_format=torch.channels_last)
    kernel = b.view(size, size, 1, 1).to(memory_format=torch.channels_last)
    repeats = 10 if big else 1
    with torch.no_grad():
        seconds = min(
            _fastest(lambda: torch.mm(a, b), device, repeats),
            _fastest(lambda: F.conv2d(image, kernel), device, repeats),
        )
        source = torch.zeros(32 * size * size, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        copying = _fastest(lambda: target.copy_(source), device, repeats)
    return Limits(2 * size**3 / seconds, 2 * source.numel() / copying)


def _fastest(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Return the seconds of one run."""
    run()
    found = []
    for _ in range(_TRIALS):
        synchronize(device)
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        synchronize(device)
        found.append((time.perf_counter() - start) / repeats)
    return min(found)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
