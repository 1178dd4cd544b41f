"""Files that survive a kill and a neighbour: atomic writes, and tensors whose file is a function of its content.

A file is written under a temporary name of this process alone and then renamed, so that its path holds the old
file or the whole new one, whoever else writes there. Locks are in train.locks.
"""

import contextlib
import errno
import hashlib
import json
import os
import pickle
import re
import secrets
import shutil
import socket
import struct
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from train.errors import UserError, first_line

_ABANDONED_AFTER = 24 * 3600.0  # seconds without a write, after which a temporary file is a leftover, whoever's
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_FOR_NUMPY = "requested and"  # so many bytes, and so many written
# What torch.load raises for damaged files.
_UNREADABLE = (RuntimeError, pickle.UnpicklingError, OSError, EOFError, LookupError, ValueError, AssertionError)
_NAME_BYTES = 120  # of the target in a temporary name; file systems end at 255
_TEMPORARY = re.compile(r"\..*\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}\.tmp(\.[a-z]+)?")


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Call `write(temporary_path)`, flush to disk and rename: `path` holds the old file or the whole new one.

    Raises:
        UserError: a library cannot write, as on a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        with _one_line_if_full(path):
            with open(temporary, "xb") as file:
                mode = os.fstat(file.fileno()).st_mode & 0o777
            write(temporary)
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        temporary.chmod(mode)  # safetensors writes files that only their owner can read
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _one_line_if_full(path: Path) -> Iterator[None]:
    """Turn what libraries make of a full disk into a UserError that names `path`."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors have kinds of their own
        if isinstance(error, OSError) and error.errno not in _FULL and _FULL_FOR_NUMPY not in str(error):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"{path} cannot be written ({reason}); free disk space or choose another folder") from None


def check_writable(folder: Path, flag: str = "") -> None:
    """Raise a UserError, which names `flag`, unless a folder may be made or written into; nothing is made."""
    what = f"{flag} {folder}".strip()
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UserError(f"{what} cannot be written: {there} is not a folder")
    if not os.access(there, os.W_OK):
        raise UserError(f"{what} cannot be written: no permission in {there}; choose another folder")


def write_folder_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Call `write(temporary_path)`, which makes that folder, and rename it: `path` holds a whole folder or none.

    A folder that is there already gives way, one that another process has just put there too.

    Raises:
        UserError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (temporary_beside(path, path.suffix) for _ in range(2))
    try:
        with _one_line_if_full(path):
            write(temporary)
            for file in temporary.rglob("*"):
                if file.is_file():
                    with open(file, "rb+") as opened:
                        os.fsync(opened.fileno())
        while True:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, old)
            try:
                os.replace(temporary, path)
                break
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                remove(old)
    finally:
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)


def temporary_beside(path: Path, suffix: str = "") -> Path:
    """Return a hidden name beside `path` that no other process takes; clear what kills have left there."""
    stem = os.fsencode(path.name)[:_NAME_BYTES].decode(errors="ignore")
    _remove_leftovers(path.parent, stem)
    return path.with_name(f".{stem}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.tmp{suffix}")


def _remove_leftovers(folder: Path, stem: str) -> None:
    """Remove the temporary files and folders of `stem…` that killed processes have left in `folder`."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(f".{stem}") and (match := _TEMPORARY.fullmatch(entry.name)):
                mine = match["machine"] == _machine()
                if (mine and _has_ended(int(match["process"]))) or _is_old(entry):
                    remove(Path(entry.path))


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _machine() -> str:
    """Return what tells this machine, or container, from others that write to the same disk."""
    try:
        processes = os.readlink("/proc/self/ns/pid")  # two containers may count their processes alike
    except OSError:
        processes = ""
    return hashlib.sha256(f"{socket.gethostname()} {processes}".encode()).hexdigest()[:8]


def _has_ended(process: int) -> bool:
    if os.name == "nt":  # where os.kill ends the process that is asked about
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _is_old(entry: os.DirEntry) -> bool:
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_AFTER


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically, whatever the locale."""
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode()))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def save_torch(path: Path, content: Mapping[str, Any]) -> None:
    """Write nested dictionaries of tensors and plain values with `torch.save`, atomically."""

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:  # given a name, it would write the name into the file
            torch.save(dict(content), file)

    write_atomically(path, write)


def load_torch_file(path: Path, what: str) -> dict[str, Any]:
    """Read a dictionary that `torch.save` wrote, onto the CPU, refusing anything but tensors and plain values.

    Raises:
        UserError: there is no such file, or it is damaged, or it holds something else.
    """
    if not path.is_file():
        raise UserError(f"no {what} at {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise UserError(
            f"{path} is not a readable {what} ({first_line(error)}); restore it or delete it"
        ) from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not a {what}")
    return content


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write named tensors as a safetensors file, atomically; equal content gives equal bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def write(temporary: Path) -> None:
        save_file(plain, temporary, dict(metadata))
        _sort_metadata(temporary)

    write_atomically(path, write)


def _sort_metadata(path: Path) -> None:
    """Put a safetensors file's metadata into order: the library writes it in that of a hash table."""
    with open(path, "rb+") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        if "__metadata__" in header:
            header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(ordered) > length:
            raise RuntimeError(f"the header of {path} does not fit into its {length} bytes")
        file.seek(8)
        file.write(ordered.ljust(length))


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


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray | np.generic]) -> None:
    """Write named arrays as a .npz that `numpy.load` reads, atomically; equal content gives equal bytes.

    `numpy.savez` writes the time of day into the file.
    """

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)

    write_atomically(path, write)


def short_name(name: str, limit: int = 150) -> str:
    """Return a file's name itself; a long one, for which file systems have no room, cut and with its hash."""
    encoded = name.encode()
    if len(encoded) <= limit:
        return name
    return f"{encoded[: limit - 9].decode(errors='ignore')}-{hashlib.sha256(encoded).hexdigest()[:8]}"


def file_hash(*paths: Path) -> str:
    """Return the SHA-256 over the contents of `paths`, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
