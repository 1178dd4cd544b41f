"""A teacher is (z, y) → image and nothing more: a black box (TinyGAN, Section 3.1)."""

import os
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F

from train.classes import class_names
from train.errors import UserError, did_you_mean
from train.files import file_hash
from train.noise import SAMPLER
from train.snapshot import load_snapshot

EMBEDDED = {name: Path(__file__).parent / "assets" / f"{name}_teacher" for name in ("digits", "animals")}
PUBLISHED = ("biggan-deep-128",)
MIRROR = "osanseviero/BigGAN-deep-128"
"""On the hub: `biggan-deep-128`, for when the library's own address does not answer."""
_KINDS = ("hub", "onnx", "pairs", "saved_model", "snapshot")
FORMS = "digits, animals, biggan-deep-128, hub:OWNER/NAME, snapshot:FILE, FILE.py:function, module:function, "
FORMS += "onnx:FILE, saved_model:FOLDER"


class Teacher(Protocol):
    """What the rest of the project may know of a teacher."""

    name: str
    """What it is, for records: `biggan-deep-128`, a folder's name, …"""
    fingerprint: str
    """SHA-256 of the files that it was loaded from."""
    image_size: int
    z_dim: int
    num_classes: int
    truncation: float
    """The truncation that its latents are drawn with."""
    parameters: int | None
    """How many it has; None where nobody knows."""
    sampler: str
    """Of its latents: one of `train.noise.SAMPLERS`."""
    names: list[str]
    """Of every class index; empty: as `train.classes.class_names` calls them."""
    teacher_classes: list[int]
    """The number of every class in the teacher that this one is some classes of; empty: the same."""

    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """z float32 [N, z_dim], truncation included, and y int64 [N] → images [N, 3, H, W] in [-1, 1]."""
        ...

    def to(self, device: torch.device) -> "Teacher":
        """Move the teacher and return it."""
        ...


class BigGANTeacher:
    """BigGAN-deep, sampled as in the paper: latents and norms at one truncation, 0.5 by default."""

    def __init__(self, name: str, weights: Path, config: Path, truncation: float = 0.5) -> None:
        from train.biggan import load_biggan

        self.network = load_biggan(weights, config, truncation)
        """The library's, (z, class weights, truncation) → images; in eval mode."""
        self.name, self.truncation = name, truncation
        self.fingerprint = file_hash(weights, config)
        self.image_size = self.network.config.output_dim
        self.z_dim = self.network.config.z_dim
        self.num_classes = self.network.config.num_classes
        self.parameters: int | None = sum(parameter.numel() for parameter in self.network.parameters())
        self.sampler, self.names, self.teacher_classes = SAMPLER, [], []

    @torch.no_grad()
    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """See `Teacher`."""
        return self.network(z, F.one_hot(y, self.num_classes).to(z.dtype), self.truncation)

    def to(self, device: torch.device) -> "BigGANTeacher":
        """See `Teacher`."""
        self.network.to(device)
        return self


class SnapshotTeacher:
    """A student of ours as the teacher of another one."""

    def __init__(self, path: Path, truncation: float | None = None) -> None:
        self._generator, info = load_snapshot(path)
        self.name = path.stem
        self.fingerprint = file_hash(path)
        self.truncation = info.truncation if truncation is None else truncation
        self.image_size = info.generator.image_size
        self.z_dim = info.generator.z_dim
        self.num_classes = info.generator.num_classes
        self.parameters: int | None = sum(parameter.numel() for parameter in self._generator.parameters())
        self.sampler = info.sampler
        given = class_names(self.num_classes)
        self.names = [info.classes.get(index, name) for index, name in enumerate(given)]
        self.names = [] if self.names == given else self.names
        self.teacher_classes = []

    @torch.no_grad()
    def __call__(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """See `Teacher`."""
        return self._generator(z, y)

    def to(self, device: torch.device) -> "SnapshotTeacher":
        """See `Teacher`."""
        self._generator.to(device)
        return self


def open_teacher(spec: str, truncation: float | None = None) -> Teacher:
    """Open a teacher.

    Args:
        spec: `digits` or `animals` (embedded), `biggan-deep-128` (downloaded through the library), a folder in the
            library's format, `hub:OWNER/NAME` (such a folder), `snapshot:FILE`, `FILE.py:function`,
            `module:function` (train.function_teacher), `onnx:FILE` or `saved_model:FOLDER` (train.file_teachers).
        truncation: of its latents, in (0, 1]; by default 0.5, what a snapshot was trained on, or what the teacher
            says of itself.

    Raises:
        UserError: there is no such teacher, or its files are damaged.
    """
    if truncation is not None and not 0 < truncation <= 1:
        raise UserError(f"truncation must be in (0, 1], not {truncation}")
    if spec.startswith("snapshot:"):
        return SnapshotTeacher(Path(spec.removeprefix("snapshot:")), truncation)
    if spec.startswith("pairs:"):
        raise UserError(f"{spec} holds stored images, not a teacher that can draw new ones")
    kind, colon, rest = spec.partition(":")
    if kind in ("onnx", "saved_model") and colon:
        from train.file_teachers import open_onnx, open_saved_model

        return (open_onnx if kind == "onnx" else open_saved_model)(rest, truncation)
    if is_function(spec):
        from train.function_teacher import open_function

        return open_function(spec, truncation)
    if spec in PUBLISHED:
        weights, config = _published_files(spec)
        name = spec
    elif kind == "hub" and colon:
        from train.file_teachers import hub_files

        weights, config = hub_files(rest)
        name = rest.rpartition("/")[2]
    else:
        from train.biggan import CONFIG_FILE, WEIGHTS_FILE

        folder = EMBEDDED.get(spec, Path(spec))
        if not folder.is_dir():
            known = [*EMBEDDED, *PUBLISHED]
            hint = "" if spec in known else did_you_mean(spec, known)
            raise UserError(
                f"no teacher {spec!r}{hint}: give {FORMS} or a folder with {CONFIG_FILE} and {WEIGHTS_FILE}"
            )
        name = spec if spec in EMBEDDED else Path(os.path.abspath(folder)).name
        weights, config = folder / WEIGHTS_FILE, folder / CONFIG_FILE
    return BigGANTeacher(name, weights, config, 0.5 if truncation is None else truncation)


def is_function(spec: str) -> bool:
    """Return whether a teacher is somebody's function, FILE.py:function or module:function."""
    where, colon, name = spec.rpartition(":")
    module = where.replace(".", "_").isidentifier() and where not in _KINDS and not Path(where).exists()
    return bool(colon) and name.isidentifier() and (where.endswith(".py") or module)


def _published_files(name: str) -> tuple[Path, Path]:
    """Return (weights, config) of a published model, from the library's address or its mirror on the hub."""
    from train.biggan import library_files

    try:
        return library_files(name)
    except UserError as error:
        from train.file_teachers import hub_files

        print(f"{error}; trying its mirror, hub:{MIRROR}", flush=True)
        return hub_files(MIRROR)
