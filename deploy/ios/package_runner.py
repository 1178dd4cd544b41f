"""Core ML packages as functions: by Core ML on a Mac, by the evaluator of their MIL program elsewhere."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from deploy.ios.coreml import coremltools
from deploy.ios.mil_program import load_program
from deploy.parity import Runner
from train.images import from_bytes

RUNNER = "Core ML" if sys.platform == "darwin" else "the MIL evaluator"


def load_package(path: Path) -> Runner:
    """Load a package of batch 1.

    Returns:
        Its inputs, each float32 [1, length] → image float32 [1, 3, H, W] in [-1, 1]; of an RGB picture the centre
        of each byte's interval.

    Raises:
        UserError: the package is damaged, or coremltools is not installed.
    """
    names, predict = _core_ml(path) if sys.platform == "darwin" else _evaluator(path)

    def run(*inputs: np.ndarray) -> np.ndarray:
        (image,) = predict(dict(zip(names, inputs, strict=True))).values()
        if isinstance(image, np.ndarray) and image.dtype != np.uint8:
            return image.astype(np.float32)
        pixels = np.asarray(image)[..., :3]  # on a Mac a PIL image, with or without alpha
        return from_bytes(torch.from_numpy(pixels.copy())[None]).numpy()

    return run


def _evaluator(path: Path) -> tuple[list[str], Callable[[Mapping[str, np.ndarray]], Mapping]]:
    program = load_program(path)
    return list(program.inputs), program.run


def _core_ml(path: Path) -> tuple[list[str], Callable[[Mapping[str, np.ndarray]], Mapping]]:
    model = coremltools().models.MLModel(str(path))
    return [feature.name for feature in model.get_spec().description.input], model.predict
