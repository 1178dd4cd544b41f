"""What a model costs on paper: multiply-accumulates, parameters, peak memory of activations."""

import dataclasses
import weakref
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from train.biggan import weightless_biggan_deep_128

PUBLISHED_SOURCE = (
    "TinyGAN, Table 1 (Chang and Lu, ACCV 2020); whole network, 128 px; as published, not measured here"
)
# name, parameters with the discriminator (#Par.) and of the generator alone, FLOPs as the paper counts them (one
# for a multiply-accumulate), FID, intra-FID.
_PUBLISHED = (
    ("SNGAN-projection", 72.0e6, 42.0e6, 9.10e9, 29.0, 84.1),
    ("SAGAN", 81.5e6, 42.0e6, 9.18e9, None, None),
    ("BigGAN-deep", 85.0e6, 50.4e6, 8.32e9, 19.8, 55.6),
    ("TinyGAN-std, 32 channels", 12.6e6, 9.3e6, 2.29e9, 21.6, 70.6),
    ("TinyGAN-std, 16 channels", 6.2e6, 2.9e6, 0.58e9, 27.4, 88.1),
    ("TinyGAN-dw, 32 channels", 6.4e6, 3.1e6, 0.44e9, 24.2, 79.1),
)


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of drawing one image."""

    parameters: int
    multiply_accumulates: int
    """In convolutions, Linears and products of matrices."""
    peak_activation_elements: int
    """Most numbers alive at a time, weights and inputs left out."""

    def row(self, bytes_per_activation: int | None) -> dict[str, Any]:
        """Return the figures of a row; the peak in bytes where the size of a number is known."""
        row: dict[str, Any] = {
            "parameters": self.parameters,
            "multiply_accumulates": self.multiply_accumulates,
            "flops": 2 * self.multiply_accumulates,
        }
        if bytes_per_activation is not None:
            row["peak_activation_bytes"] = bytes_per_activation * self.peak_activation_elements
        return row


def measure_cost(model: nn.Module, *inputs: torch.Tensor) -> Cost:
    """Run a model once and count; tensors may be on the meta device.

    Args:
        model: in eval mode.
        inputs: of one image.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    with torch.no_grad(), _LiveElements() as live:
        model(*inputs)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Cost(parameters, counter.get_total_flops() // 2, live.peak)


def biggan_deep_128() -> Cost:
    """Count BigGAN-deep-128, the published architecture without its weights, as our trainer runs it as teacher.

    Spectral norms are folded into the weights, and the RGB convolution has the 3 of its 128 channels that are
    used; as the library computes it, with all 128, it takes 11.32 G multiply-accumulates.
    """
    model = weightless_biggan_deep_128()
    z = torch.zeros(1, model.config.z_dim, device="meta")
    weights = torch.zeros(1, model.config.num_classes, device="meta")
    return measure_cost(_AtTruncation(model), z, weights)


class _AtTruncation(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return self.model(z, weights, 1.0)


def published_rows() -> dict[str, dict[str, Any]]:
    """Return the rows of the paper's Table 1 by name; what they call FLOPs are multiply-accumulates."""
    rows = {}
    for name, total, parameters, operations, fid, intra_fid in _PUBLISHED:
        rows[name] = {
            "published": PUBLISHED_SOURCE,
            "parameters": int(parameters),
            "parameters_with_discriminator": int(total),
            "multiply_accumulates": int(operations),
            "flops": int(2 * operations),
        }
        rows[name] |= {k: v for k, v in {"fid": fid, "intra_fid": intra_fid}.items() if v is not None}
    return rows


class _LiveElements(TorchDispatchMode):
    """Counts the numbers that tensors made inside hold at the same time; views share theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {tensor.untyped_storage()._cdata for tensor in _tensors((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if storage._cdata not in given | self._alive:
                self._begin(storage, storage.nbytes() // tensor.element_size())
        return result

    def _begin(self, storage: torch.UntypedStorage, elements: int) -> None:
        self._alive.add(storage._cdata)
        self.now += elements
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._end, storage._cdata, elements)

    def _end(self, key: int, elements: int) -> None:
        self._alive.discard(key)
        self.now -= elements


def _tensors(values: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]
