"""Anybody's generator as a teacher: a Python function, or whatever a file in another format computes.

A function is called as f(z, y), z float32 [N, z_dim] and y int64 [N], and returns images [N, 3, H, W] in [-1, 1],
a tensor or an array. What it is stands in its attributes:

    draw.latents = "normal"                      # the law: truncated-normal, normal, uniform or sphere
    draw.z_dim = 64
    draw.classes = ["ant", "bee", "cat"]         # or their number
    draw.truncation = 0.8                        # the factor of the latents; 1 if it is left out
    draw.files = ["weights.pt"]                  # beside the function's file: what it was loaded from

A function takes tensors on the CPU; an object with `.to(device)`, such as a module, is moved to the device first.
"""

import dataclasses
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from train.errors import UserError, did_you_mean
from train.files import file_hash
from train.naming import named
from train.noise import SAMPLERS, consecutive_seeds, draw_latents, sampler_of

Draw = Callable[[torch.Tensor, torch.Tensor], Any]

_TOLERANCE = 1e-3  # beyond [-1, 1], as half precision rounds
_SAME = 0.05  # of 2: what rounding and another batch may change in a pixel
_PROBED = 4  # images


@dataclasses.dataclass(frozen=True)
class Description:
    """What a teacher is, of which only its function is known."""

    name: str
    fingerprint: str
    latents: str
    """A law: one of `train.noise.SAMPLERS`."""
    z_dim: int
    classes: Sequence[str] | int
    truncation: float = 1.0
    parameters: int | None = None


class FunctionTeacher:
    """A teacher of which nothing is known but how to call it; it is tried once, and every image is checked."""

    def __init__(self, description: Description, draw: Draw) -> None:
        """Check the description, draw a few images and find their size.

        Raises:
            UserError: the description is wrong, or the images are, or other ones come for the same latents.
        """
        classes = description.classes
        if isinstance(classes, str):
            raise UserError(
                f"{description.name}: classes is the text {classes!r}; give a list of names, or a number"
            )
        self.name, self.fingerprint = description.name, description.fingerprint
        self.parameters = description.parameters
        self.names = [] if isinstance(classes, int) else list(named([str(name) for name in classes]).names)
        self.num_classes = classes if isinstance(classes, int) else len(self.names)
        self.z_dim, self.truncation = description.z_dim, description.truncation
        self.teacher_classes: list[int] = []
        for what, value in (("z_dim", self.z_dim), ("classes", self.num_classes)):
            if not isinstance(value, int) or value < 1:
                raise UserError(f"{self.name}: {what} is {value!r}; give a whole number of 1 or more")
        if not 0 < self.truncation <= 1:
            raise UserError(f"{self.name}: truncation is {self.truncation}, not in (0, 1]")
        self.sampler = sampler_of(description.latents)
        self._draw, self._device = draw, torch.device("cpu")
        self.image_size = 0
        self._try()

    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """See `train.teacher.Teacher`.

        Raises:
            UserError: the images have the wrong shape, type or range, or are not numbers.
        """
        with torch.no_grad():
            images = self._draw(z.to(self._device), y.to(self._device))
        if isinstance(images, np.ndarray):
            images = torch.from_numpy(np.ascontiguousarray(images))
        if not isinstance(images, torch.Tensor):
            raise UserError(f"{self.name} returned {type(images).__name__}; return a tensor or an array of images")
        self._check(images, len(y))
        return images.detach().to(z.device, torch.float32).clamp(-1, 1)

    def to(self, device: torch.device) -> "FunctionTeacher":
        """See `train.teacher.Teacher`; a plain function stays on the CPU."""
        move = getattr(self._draw, "to", None)
        if callable(move):
            move(device)
            self._device = device
        return self

    def _check(self, images: torch.Tensor, count: int) -> None:
        size = self.image_size or (images.shape[-1] if images.dim() == 4 else 0)
        expected = [count, 3, size or "H", size or "W"]
        if list(images.shape) != expected:
            raise UserError(f"{self.name} made images of shape {list(images.shape)}; return {_shape(expected)}")
        if not images.is_floating_point():
            raise UserError(
                f"{self.name} made images of {_type(images)}; return floats in [-1, 1]: bytes / 127.5 - 1"
            )
        if not images.isfinite().all():
            raise UserError(f"{self.name} made images with NaN or infinity; check its weights and its precision")
        lowest, highest = images.min().item(), images.max().item()
        if lowest < -1 - _TOLERANCE or highest > 1 + _TOLERANCE:
            raise UserError(f"{self.name} made images in [{lowest:.3g}, {highest:.3g}]; bring them to [-1, 1]")

    def _try(self) -> None:
        z = draw_latents(self.sampler, consecutive_seeds(0, _PROBED), self.z_dim, self.truncation)
        z, y = torch.from_numpy(z), torch.arange(_PROBED) * (self.num_classes - 1) // (_PROBED - 1)
        first = self(z, y)
        self.image_size = first.shape[-1]
        for count in (_PROBED, _PROBED // 2):  # alone and in another batch
            difference = (self(z[:count], y[:count]) - first[:count]).abs().max().item()
            if difference > _SAME:
                raise UserError(
                    f"{self.name} makes other images of the same z and y, or in another batch, by "
                    f"{difference:.2g} of 2: switch off its noise and dropout, and put it into evaluation mode"
                )
        if first.min() >= 0:
            print(f"the images of {self.name} lie in [0, 1]; if black is 0 there, return 2 v - 1", flush=True)


def open_function(spec: str, truncation: float | None) -> FunctionTeacher:
    """Open `FILE.py:function` or `module:function`.

    Raises:
        UserError: it cannot be imported, says too little about itself, or as `FunctionTeacher`.
    """
    where, _, name = spec.rpartition(":")
    module = _load_file(Path(where)) if where.endswith(".py") else _load_module(where)
    known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    if name not in known:
        raise UserError(f"{where} has no function {name!r}{did_you_mean(name, known)}; give {where}:NAME")
    draw: Any = getattr(module, name)
    lacking = [wanted for wanted in ("latents", "z_dim", "classes") if not hasattr(draw, wanted)]
    if lacking:
        example = {"latents": '"normal"', "z_dim": "128", "classes": '["ant", "bee"]'}[lacking[0]]
        laws = f" (of {', '.join(SAMPLERS)})" if lacking[0] == "latents" else ""
        raise UserError(f"{spec} does not say its {lacking[0]}; write {name}.{lacking[0]} = {example}{laws}")
    own = Path(module.__file__ or "")
    files = [own, *(own.parent / file for file in getattr(draw, "files", ()))]
    if missing := [str(file) for file in files if not file.is_file()]:
        raise UserError(f"{spec} names the file {missing[0]}, which is not there; correct {name}.files")
    stated = getattr(draw, "truncation", 1.0) if truncation is None else truncation
    description = Description(
        f"{own.stem}-{name}", file_hash(*files), draw.latents, draw.z_dim, draw.classes, stated, _parameters(draw)
    )
    return FunctionTeacher(description, draw)


def _parameters(draw: object) -> int | None:
    return sum(p.numel() for p in draw.parameters()) if isinstance(draw, torch.nn.Module) else None


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"no file {path}; give FILE.py:function")
    # A name of its own, so that the file shadows no module; its folder is where it finds what lies beside it.
    unique = f"teacher_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    specification = importlib.util.spec_from_file_location(unique, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[unique] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        specification.loader.exec_module(module)
    except Exception as error:  # whatever somebody's code raises
        raise UserError(f"{path} cannot be imported ({type(error).__name__}: {error})") from None
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever somebody's code raises
        raise UserError(f"module {name} cannot be imported ({type(error).__name__}: {error})") from None


def _shape(expected: Sequence[object]) -> str:
    return f"[{', '.join(map(str, expected))}]"


def _type(images: torch.Tensor) -> str:
    return str(images.dtype).removeprefix("torch.")
