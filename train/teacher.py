"""A teacher is (z, y) → image and nothing more: a black box (TinyGAN, Section 3.1)."""

from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F

from train.errors import UserError, did_you_mean
from train.files import file_hash
from train.snapshot import load_snapshot

EMBEDDED = {"digits": Path(__file__).parent / "assets" / "digits_teacher"}
PUBLISHED = ("biggan-deep-128",)  # the only size that a student here can learn


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
    parameters: int
    """How many it has."""

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
        self.parameters = sum(parameter.numel() for parameter in self.network.parameters())

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
        self.parameters = sum(parameter.numel() for parameter in self._generator.parameters())

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
        spec: `digits` (embedded), `biggan-deep-128` (downloaded through the library), a folder in the
            library's format, or `snapshot:FILE`.
        truncation: of its latents, in (0, 1]; by default 0.5, or what a snapshot was trained on.

    Raises:
        UserError: there is no such teacher, or its files are damaged.
    """
    if truncation is not None and not 0 < truncation <= 1:
        raise UserError(f"truncation must be in (0, 1], not {truncation}")
    if spec.startswith("snapshot:"):
        return SnapshotTeacher(Path(spec.removeprefix("snapshot:")), truncation)
    if spec.startswith("pairs:"):
        raise UserError(f"{spec} holds stored images, not a teacher that can draw new ones")
    if spec in PUBLISHED:
        from train.biggan import library_files

        weights, config = library_files(spec)
        name = spec
    else:
        from train.biggan import CONFIG_FILE, WEIGHTS_FILE

        folder = EMBEDDED.get(spec, Path(spec))
        if not folder.is_dir():
            known = [*EMBEDDED, *PUBLISHED]
            hint = "" if spec in known else did_you_mean(spec, known)
            raise UserError(
                f"no teacher {spec!r}{hint}: give {', '.join(known)}, snapshot:FILE or a "
                f"folder with {CONFIG_FILE} and {WEIGHTS_FILE}"
            )
        name = spec if spec in EMBEDDED else folder.name
        weights, config = folder / WEIGHTS_FILE, folder / CONFIG_FILE
    return BigGANTeacher(name, weights, config, 0.5 if truncation is None else truncation)
