"""Exported files run by their own runtimes, image by image."""

from pathlib import Path

import numpy as np
import torch

from deploy.android.tflite_file import Kernels, load_tflite
from deploy.executorch_program import load_program


def run_program(path: Path, *inputs: torch.Tensor) -> np.ndarray:
    """Run a .pte file for every row of the inputs, float32 [N, …]; return its first output, [N, …]."""
    run = load_program(path)
    rows = zip(*(x.split(1) for x in inputs), strict=True)
    return np.concatenate([run(*(x.numpy() for x in row)) for row in rows])


def run_tflite(path: Path, *inputs: np.ndarray, kernels: Kernels = "xnnpack") -> np.ndarray:
    """Run a .tflite file for every row of the inputs, float32 [N, …]; return float32 [N, H, W, 3] in [-1, 1]."""
    run = load_tflite(path, kernels)
    images = [run(*(x[k : k + 1] for x in inputs)) for k in range(len(inputs[0]))]
    return np.concatenate(images).transpose(0, 2, 3, 1)
