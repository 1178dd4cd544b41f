"""The files of a collection of teacher images: settings, plan, index and shards.

A collection is a folder with `shard-NNNNN/{images,z,y}.npy` (uint8 NHWC, float32, int64) and, once it is
complete, `index.json`; until then `plan.json` pins its settings. Pair i depends on the settings and i alone:
its class is classes[i mod C], so any run of C pairs has every class once, and its latent has the seed
seed · 2^32 + i. Shards therefore come out the same in any order and from any number of processes.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from train.checkpoint import write_json
from train.errors import UserError
from train.noise import consecutive_seeds, truncated_normal

FORMAT = "tinygan-edge-pairs-1"
COLLECT_AGAIN = "delete that shard's folder and run collect again"
"""The remedy for a damaged shard."""

_RECORD = "shard.json"  # count and checksum of the shard that it lies in


@dataclasses.dataclass(frozen=True)
class PairSettings:
    """Everything that determines the pairs of a collection."""

    format: str
    teacher: str
    fingerprint: str
    """SHA-256 of the teacher's files."""
    truncation: float
    sampler: str
    """Name of the rule from seeds to latents."""
    image_size: int
    z_dim: int
    num_classes: int
    """Labels that the teacher knows; the collection has those in `classes`."""
    classes: list[int]
    per_class: int
    seed: int
    shard_size: int

    @property
    def count(self) -> int:
        """Pairs in the whole collection."""
        return len(self.classes) * self.per_class

    @property
    def pair_bytes(self) -> int:
        """Bytes of one pair."""
        return 3 * self.image_size**2 + 4 * self.z_dim + 8

    @property
    def shards(self) -> dict[str, range]:
        """Folder of each shard → its pairs."""
        starts = range(0, self.count, self.shard_size)
        return {
            f"shard-{number:05d}": range(start, min(start + self.shard_size, self.count))
            for number, start in enumerate(starts)
        }

    def layout(self, pairs: int) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
        """Name of each array in a shard of `pairs` pairs → its type and shape."""
        return {
            "images": (np.dtype("u1"), (pairs, self.image_size, self.image_size, 3)),
            "z": (np.dtype("<f4"), (pairs, self.z_dim)),
            "y": (np.dtype("<i8"), (pairs,)),
        }

    def latents_and_classes(self, pairs: range) -> tuple[np.ndarray, np.ndarray]:
        """Return z float32 [len(pairs), z_dim] and y int64 [len(pairs)] of consecutive pairs."""
        seeds = consecutive_seeds(self.seed * 2**32 + pairs.start, len(pairs))
        classes = np.array(self.classes, dtype=np.int64)
        return (
            truncated_normal(seeds, self.z_dim, self.truncation),
            classes[np.arange(pairs.start, pairs.stop) % len(classes)],
        )


def is_whole(shard: Path) -> bool:
    """Return whether the folder `shard` has all its files."""
    return all((shard / name).is_file() for name in ("images.npy", "z.npy", "y.npy", _RECORD))


def missing_shards(folder: Path, settings: PairSettings) -> list[str]:
    """Return the shards that are not in `folder`, or miss a file, in order."""
    return [name for name in settings.shards if not is_whole(folder / name)]


def write_shard(shard: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the three arrays and their record into a temporary folder, flush to disk and rename."""
    temporary = shard.with_name(f".{shard.name}.tmp")
    temporary.mkdir()
    try:
        for name, array in arrays.items():
            with open(temporary / f"{name}.npy", "wb") as file:
                np.save(file, array)
                file.flush()
                os.fsync(file.fileno())
        write_json(temporary / _RECORD, {"count": len(arrays["y"]), "sha256": checksum(arrays.values())})
        os.replace(temporary, shard)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def checksum(arrays: Iterable[np.ndarray]) -> str:
    """Return the SHA-256 of the bytes of images, z and y, in this order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.data)
    return digest.hexdigest()


def map_shard(shard: Path, settings: PairSettings, pairs: int) -> tuple[torch.Tensor, ...]:
    """Memory-map images, z and y of one shard of `pairs` pairs.

    Raises:
        UserError: a file is missing, or its type, shape or size is wrong.
    """
    if not is_whole(shard):
        raise UserError(f"{shard} is missing or incomplete; {COLLECT_AGAIN}")
    return tuple(
        _map_array(shard / f"{name}.npy", dtype, shape) for name, (dtype, shape) in settings.layout(pairs).items()
    )


def _map_array(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> torch.Tensor:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UserError(f"{path} is damaged ({error}); {COLLECT_AGAIN}") from None
    if not isinstance(array, np.memmap) or not array.flags.c_contiguous:
        raise UserError(f"{path} is no array in C order; {COLLECT_AGAIN}")
    if array.dtype != dtype or array.shape != shape:
        raise UserError(
            f"{path} holds {array.dtype} {list(array.shape)}, not {dtype} {list(shape)}; {COLLECT_AGAIN}"
        )
    size = path.stat().st_size
    if size != array.offset + array.nbytes:
        raise UserError(f"{path} has {size} bytes, not {array.offset + array.nbytes}; {COLLECT_AGAIN}")
    # NumPy's own maps keep their files open, and hundreds of shards would exceed a process's limit.
    content = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)[array.offset :]
    return content.view(torch.from_numpy(np.empty(0, dtype)).dtype).view(shape)


def write_plan(folder: Path, settings: PairSettings, command: str) -> None:
    """Pin the settings of a collection that is not, or no longer, complete."""
    write_json(folder / "plan.json", {**dataclasses.asdict(settings), "command": command})
    (folder / "index.json").unlink(missing_ok=True)


def write_index(folder: Path, settings: PairSettings) -> None:
    """Declare a collection complete, from the records in its shards."""
    shards = [{"folder": name, **_read_json(folder / name / _RECORD)} for name in settings.shards]
    write_json(folder / "index.json", {**dataclasses.asdict(settings), "shards": shards})
    (folder / "plan.json").unlink()


def read_index(folder: Path) -> tuple[PairSettings, list[str]]:
    """Return the settings of a complete collection and the checksum of each shard.

    Raises:
        UserError: there is no collection in `folder`, or it is unfinished, or its index is damaged.
    """
    path = folder / "index.json"
    if not path.is_file():
        raise UserError(_why_no_index(folder))
    index = _read_json(path)
    records = index.pop("shards", None)
    settings = _parse_settings(index, path)
    try:
        listed = {record["folder"]: record["count"] for record in records}
        checksums = [record["sha256"] for record in records]
    except (KeyError, TypeError):
        listed, checksums = {}, []
    if listed != {name: len(pairs) for name, pairs in settings.shards.items()}:
        raise UserError(f"{path} does not list its shards as it should; restore it or delete the folder")
    return settings, checksums


def _why_no_index(folder: Path) -> str:
    if not (folder / "plan.json").is_file():
        return f"no pairs in {folder}; collect some with: python train/collect.py --out {folder}"
    settings, command = read_plan(folder)
    done = len(settings.shards) - len(missing_shards(folder, settings))
    again = command or "collect_pairs with the same arguments"
    return f"{folder} has {done} of {len(settings.shards)} shards; collect the rest with: {again}"


def read_plan(folder: Path) -> tuple[PairSettings, str]:
    """Return the settings of an unfinished collection, and the command that resumes it ("" if unknown).

    Raises:
        UserError: the plan is damaged.
    """
    path = folder / "plan.json"
    plan = _read_json(path)
    command = plan.pop("command", "")
    return _parse_settings(plan, path), command


def _parse_settings(fields: dict[str, Any], path: Path) -> PairSettings:
    if fields.get("format") != FORMAT:
        raise UserError(f"{path} has format {fields.get('format')!r}, not {FORMAT!r}; collect into another folder")
    types = typing.get_type_hints(PairSettings) | {"classes": list}
    wrong = sorted(types.keys() ^ fields.keys())
    wrong = wrong or [name for name, kind in types.items() if not isinstance(fields[name], kind)]
    wrong = wrong or [name for name in ("image_size", "z_dim", "per_class", "shard_size") if fields[name] < 1]
    if wrong:
        raise UserError(f"{path} is damaged ({wrong[0]}); restore it or delete the folder")
    return PairSettings(**fields)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); restore it or delete the folder") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (no JSON object); restore it or delete the folder")
    return content
