"""Files that survive a kill: the training state to resume from, and the snapshot that inference needs."""

import contextlib
import dataclasses
import importlib
import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from train.errors import UserError
from train.generator import Generator, GeneratorConfig

SNAPSHOT_FORMAT = "tinygan-edge-student-1"
# What later stages write → module:function that reads it. A name, not an import: nothing here depends on them.
LATER_FORMATS: dict[str | None, str] = {"tinygan-edge-int8-student-1": "compress.int8_file:load_int8_by_class"}


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


def write_atomically(path: Path, write: Any) -> None:
    """Call `write(temporary_path)`, flush to disk and rename: `path` holds the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # safetensors writes files that only their owner can read
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, (RuntimeError, SafetensorError)):  # what a full disk looks like in both libraries
            raise UserError(
                f"{path} cannot be written ({error}); free disk space or choose another folder"
            ) from None
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(json.dumps(value, indent=2) + "\n"))


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training state: nested dictionaries of tensors and plain values."""
    write_atomically(path, lambda temporary: torch.save(dict(state), temporary))


def load_state(path: Path) -> dict[str, Any]:
    """Read a training state onto the CPU.

    Raises:
        UserError: the file is damaged or was not written by `save_state`.
    """
    return load_torch_file(path, "training state")


def load_torch_file(path: Path, what: str) -> dict[str, Any]:
    """Read a dictionary that `torch.save` wrote, refusing anything but tensors and plain values.

    Raises:
        UserError: there is no such file, or it is damaged, or it holds something else.
    """
    if not path.is_file():
        raise UserError(f"no {what} at {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        RuntimeError,
        pickle.UnpicklingError,
        OSError,
        EOFError,
        LookupError,
        ValueError,
        AssertionError,
    ) as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise UserError(f"{path} is not a readable {what} ({reason}); restore it or delete it") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not a {what}")
    return content


def check_state_dict(state: Mapping[str, torch.Tensor], module: nn.Module, path: Path) -> None:
    """Compare names and shapes before anything is loaded.

    Raises:
        UserError: the first differences, by name.
    """
    expected = module.state_dict()
    missing = sorted(expected.keys() - state.keys())
    unexpected = sorted(state.keys() - expected.keys())
    reshaped = [
        f"{name} is {list(state[name].shape)}, not {list(expected[name].shape)}"
        for name in sorted(expected.keys() & state.keys())
        if state[name].shape != expected[name].shape
    ]
    problems = [f"misses {missing[0]} and {len(missing) - 1} more"] if missing else []
    problems += [f"has the unknown {unexpected[0]} and {len(unexpected) - 1} more"] if unexpected else []
    problems += reshaped[:1]
    if problems:
        raise UserError(f"{path} does not fit the architecture: it {'; '.join(problems)}")


def save_snapshot(path: Path, generator: nn.Module, info: SnapshotInfo) -> None:
    """Write a generator's weights, norm statistics and description as one safetensors file."""
    metadata = {
        "format": SNAPSHOT_FORMAT,
        "info": json.dumps(dataclasses.asdict(info)),
    }
    save_tensors(path, generator.state_dict(), metadata)


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write named tensors as a safetensors file, atomically."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda temporary: save_file(plain, temporary, metadata))


def load_snapshot(path: Path) -> tuple[Generator, SnapshotInfo]:
    """Read a student, in eval mode on the CPU, and its description.

    Raises:
        UserError: there is no such file, or it is damaged, or it is not a student of this project.
    """
    tensors, metadata = read_tensors(path, "student snapshot", "train one with: python train/main.py")
    if metadata.get("format") != SNAPSHOT_FORMAT:
        raise UserError(
            f"{path} is no student snapshot: its format is {metadata.get('format')!r}, not {SNAPSHOT_FORMAT!r}"
        )
    info = read_info(metadata, path)
    generator = Generator(info.generator)
    check_state_dict(tensors, generator, path)
    generator.load_state_dict(tensors)
    return generator.eval(), info


def load_student(path: Path) -> tuple[Generator, SnapshotInfo]:
    """Read a student in any of its forms: a snapshot, or what a later stage made of one.

    Returns:
        A generator, in eval mode on the CPU, or a module that can be called, asked for class embeddings and
        told to synthesize like one; and its description.

    Raises:
        UserError: as `load_snapshot`.
    """
    stored = None
    if path.is_file():
        with contextlib.suppress(SafetensorError, OSError), safe_open(path, framework="pt") as file:
            stored = (file.metadata() or {}).get("format")
    module, _, function = LATER_FORMATS.get(stored, "").partition(":")
    return getattr(importlib.import_module(module), function)(path) if module else load_snapshot(path)


def read_tensors(path: Path, what: str, remedy: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read a safetensors file: its tensors by name, and its metadata.

    Raises:
        UserError: there is no such file (what to do then is the `remedy`), or it is damaged.
    """
    if not path.is_file():
        raise UserError(f"no {what} at {path}; {remedy}")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a readable safetensors file ({error})") from None


def read_info(metadata: Mapping[str, str], path: Path) -> SnapshotInfo:
    """Read the description in a snapshot's metadata.

    Raises:
        UserError: it is damaged.
    """
    try:
        fields = json.loads(metadata["info"])
        generator = GeneratorConfig(**fields.pop("generator"))
        classes = {int(index): name for index, name in fields.pop("classes").items()}
        return SnapshotInfo(generator=generator, classes=classes, **fields)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} has a damaged description ({error!r})") from None
