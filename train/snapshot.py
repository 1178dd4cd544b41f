"""The snapshot that inference needs: a student's weights with its description, in one file."""

import contextlib
import dataclasses
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from train.commands import to_install, typed
from train.errors import UserError
from train.files import check_state_dict, read_tensors, save_tensors
from train.generator import Generator, GeneratorConfig, build_generator
from train.noise import SAMPLER

STUDENT_FILE = "student.safetensors"
_FAMILY = "tinygan-edge-"
SNAPSHOT_FORMAT = f"{_FAMILY}student-1"
_READERS = "tinygan_edge.students"  # the entry points (pyproject.toml) by which later stages read what they write


@dataclasses.dataclass(frozen=True)
class SnapshotInfo:
    """What a student's snapshot says about itself, beside its weights."""

    generator: GeneratorConfig
    classes: dict[int, str]
    """The classes that it was trained on: index of the class embedding → name."""
    truncation: float
    """Truncation of the latents that it was trained on."""
    source: str
    """Where it comes from: the teacher and the preset, or the file that it was imported from."""
    images: int = 0
    """Teacher or real images seen in training."""
    sampler: str = SAMPLER
    """Of the latents that it was trained on: one of `train.noise.SAMPLERS`, or `GIVEN`."""
    teacher_classes: dict[int, int] = dataclasses.field(default_factory=dict)
    """Index of the class embedding → the teacher's number of that class; empty: the same."""


def save_snapshot(path: Path, generator: nn.Module, info: SnapshotInfo) -> None:
    """Write a generator's weights, norm statistics and description as one safetensors file."""
    metadata = {
        "format": SNAPSHOT_FORMAT,
        "info": info_text(info),
    }
    save_tensors(path, generator.state_dict(), metadata)


def info_text(info: SnapshotInfo) -> str:
    """Return a description as it stands in a file's metadata; `read_info` reads it."""
    return json.dumps(dataclasses.asdict(info) | {"generator": info.generator.record()})


def load_snapshot(path: Path) -> tuple[Generator, SnapshotInfo]:
    """Read a student, in eval mode on the CPU, and its description.

    Raises:
        UserError: there is no such file, or it is damaged, or it is not a student of this project.
    """
    tensors, info = read_snapshot(path)
    generator = build_generator(info.generator)
    check_state_dict(tensors, generator, path)
    generator.load_state_dict(tensors)
    return generator.eval(), info


def read_snapshot(path: Path) -> tuple[dict[str, torch.Tensor], SnapshotInfo]:
    """Read a generator's weights, on the CPU, and its description.

    Raises:
        UserError: there is no such file, or it is damaged, or it is none of `save_snapshot`.
    """
    run = path.parent if path.name == STUDENT_FILE else Path("runs/digits")
    remedy = f"train one with: {typed('train/main.py', '--run', run)}"
    tensors, metadata = read_tensors(path, "student snapshot", remedy)
    if metadata.get("format") != SNAPSHOT_FORMAT:
        raise UserError(
            f"{path} is no student snapshot: its format is {metadata.get('format')!r}, not {SNAPSHOT_FORMAT!r}"
        )
    return tensors, read_info(metadata, path)


def load_student(path: Path) -> tuple[Generator, SnapshotInfo]:
    """Read a student in any of its forms: a snapshot, or what a later stage made of one.

    Returns:
        A generator, in eval mode on the CPU, or a module that can be called, asked for class embeddings and
        told to synthesize like one; and its description.

    Raises:
        UserError: as `load_snapshot`.
    """
    stored = ""
    if path.is_file():
        with contextlib.suppress(SafetensorError, OSError), safe_open(path, framework="pt") as file:
            stored = (file.metadata() or {}).get("format", "")
    for reader in importlib.metadata.entry_points(group=_READERS, name=stored):
        return reader.load()(path)
    if stored.startswith(_FAMILY) and not stored.startswith(f"{_FAMILY}student-"):
        raise UserError(
            f"{path} has the format {stored!r}, which nothing that is installed reads; {to_install('compress')}"
        )
    return load_snapshot(path)


def read_info(metadata: Mapping[str, str], path: Path) -> SnapshotInfo:
    """Read the description in a snapshot's metadata.

    Raises:
        UserError: it is damaged.
    """
    try:
        fields = json.loads(metadata["info"])
        generator = GeneratorConfig.from_record(fields.pop("generator"))
        classes = {int(index): name for index, name in fields.pop("classes").items()}
        numbers = {int(index): int(number) for index, number in fields.pop("teacher_classes", {}).items()}
        return SnapshotInfo(generator=generator, classes=classes, teacher_classes=numbers, **fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} has a damaged description ({error!r})") from None
