"""The multiply-accumulates of a deploy form, without building it: a search asks for thousands of widths."""

import itertools

from train.generator import GeneratorConfig

_KERNEL = 3 * 3


def multiply_accumulates(config: GeneratorConfig) -> int:
    """Return those that one image takes in convolutions and Linears: what counting a run of the form gives.

    Args:
        config: of a dw or std student.
    """
    widths = config.resolved_widths
    stages, mids = widths.stages, widths.mids
    total = config.num_classes * config.class_embedding_dim  # class weights → embedding
    total += config.class_embedding_dim * 2 * (sum(stages[:-1]) + sum(mids))  # gains and biases
    total += config.z_dim * stages[0] * 4 * 4
    for k, ((before, after), mid) in enumerate(zip(itertools.pairwise(stages), mids, strict=True)):
        pixels = (4 * 2**k) ** 2  # of the block's input; its output has four times as many
        total += pixels * before * after  # the shortcut, before its upsample
        total += 4 * pixels * (_convolution(config, before, mid) + _convolution(config, mid, after))
    return total + config.image_size**2 * _KERNEL * stages[-1] * 3


def _convolution(config: GeneratorConfig, inputs: int, outputs: int) -> int:
    """Return the multiply-accumulates of a 3×3 convolution for one pixel."""
    if config.architecture == "std":
        return _KERNEL * inputs * outputs
    return _KERNEL * inputs + inputs * outputs
