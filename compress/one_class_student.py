"""The quantized student of one class."""

import dataclasses
import fnmatch
from collections.abc import Sequence

import torch

from compress.biases import round_biases
from compress.deploy_form import DeployGenerator
from compress.fake_quant import QuantGenerator
from compress.one_class import specialise


def specialise_quantized(
    student: QuantGenerator, class_index: int, batches: Sequence[tuple[torch.Tensor, ...]]
) -> QuantGenerator:
    """Fold the gains and biases of one class into a quantized student, which is not changed.

    A gain scales whole output channels, so the weights keep their levels, but for the sign. The activations'
    ranges, which were those of all classes, are chosen anew for this one.

    Args:
        student: rounding, of all classes.
        class_index: the class.
        batches: (z,), to choose the ranges with.

    Raises:
        UserError: there is no such class, or an activation is constant.
    """
    form = student.dequantized_form()
    assert isinstance(form, DeployGenerator)
    one_class = specialise(form, class_index)
    config = student.quantization
    names = QuantGenerator(one_class, dataclasses.replace(config, exceptions=())).layers()
    # Layers of the class path are gone.
    kept = tuple(exception for exception in config.exceptions if fnmatch.filter(names, exception[0]))
    quantized = QuantGenerator(one_class, dataclasses.replace(config, exceptions=kept)).eval()
    quantized.calibrate(batches)
    _keep_grids(quantized, student)
    quantized.freeze_ranges()
    round_biases(quantized)
    return quantized


@torch.no_grad()
def _keep_grids(quantized: QuantGenerator, student: QuantGenerator) -> None:
    """Give the weights the levels that they had; chosen anew, a grid would round them a second time."""
    before = student.operations()
    for name, operation in quantized.operations().items():
        if name in before:
            largest = before[name].levels().abs().flatten(1).amax(1)
            operation.clip.copy_(operation.highest / largest.clamp(min=1))
