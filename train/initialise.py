"""Starts a run from somebody's weights instead of random ones."""

from pathlib import Path

import torch
from torch import nn

from train.files import check_state_dict, load_torch_file, read_tensors


def initialise(generator: nn.Module, source: str) -> None:
    """Load the weights at `source` into `generator`.

    Args:
        generator: a student or a BigGAN in training.
        source: a snapshot of a run (.safetensors), or a BigGAN's folder in the library's format.

    Raises:
        UserError: nothing readable is there, or it is of another architecture, size or number of classes.
    """
    path = Path(source)
    if path.is_dir():
        from train.biggan import WEIGHTS_FILE

        path = path / WEIGHTS_FILE
        stored = load_torch_file(path, "BigGAN weights file")
        tensors = {f"model.{name}": tensor for name, tensor in stored.items()}
    else:
        tensors, _ = read_tensors(path, "snapshot to start from", "give --initialise another file or folder")
    tensors = {
        name: tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    check_state_dict(tensors, generator, path)
    generator.load_state_dict(tensors)
