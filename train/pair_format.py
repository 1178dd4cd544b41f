"""The files of a collection of teacher images: settings, plan, index and shards.

A collection is a folder with `shard-NNNNN/{images,z,y}.npy` (uint8 NHWC, float32, int64) and, once it is
complete, `index.json`; until then `plan.json` pins its settings. Pair i depends on the settings and i alone:
its class is classes[i mod C], so any run of C pairs has every class once, and its latent has the seed
seed · 2^32 + i. Shards therefore come out the same in any order and from any number of processes. Pairs that were
made elsewhere (`train.given_pairs`) are stored in the same files; latents and classes are then what was given.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from train.errors import UserError
from train.files import write_folder_atomically, write_json
from train.noise import consecutive_seeds, draw_latents

FORMAT = "tinygan-edge-pairs-1"
COLLECT_AGAIN = "delete that shard's folder and run collect again"
"""The remedy for a damaged shard."""

OPTIONAL = {"names", "teacher_classes", "teachers", "total"}
"""Settings that not every collection has."""

RECORD = "shard.json"  # count and checksum of the shard that it lies in


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
    names: list[str] = dataclasses.field(default_factory=list)
    """Of every class index; empty: as `train.classes.class_names` calls them."""
    teacher_classes: list[int] = dataclasses.field(default_factory=list)
    """The teacher's number of every class index, where the chosen classes are counted anew; empty: the same."""
    teachers: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """Of several teachers the name (`teacher`), `fingerprint` and `classes` of each; empty: there is one."""
    total: int = 0
    """Pairs, where they were made elsewhere and classes have different numbers of them; 0: `per_class` of each."""

    def as_json(self) -> dict[str, Any]:
        """Return plain values; what a collection does not use is left out, as older ones do not know it."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if value or name not in OPTIONAL}

    @property
    def count(self) -> int:
        """Pairs in the whole collection."""
        return self.total or len(self.classes) * self.per_class

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
            draw_latents(self.sampler, seeds, self.z_dim, self.truncation),
            classes[np.arange(pairs.start, pairs.stop) % len(classes)],
        )


def write_shard(shard: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the three arrays and their record; the folder `shard` appears whole or not at all."""

    def write(folder: Path) -> None:
        folder.mkdir()
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        write_json(folder / RECORD, {"count": len(arrays["y"]), "sha256": checksum(arrays.values())})

    write_folder_atomically(shard, write)


def is_whole(shard: Path) -> bool:
    """Return whether the folder `shard` has all its files."""
    return all((shard / name).is_file() for name in ("images.npy", "z.npy", "y.npy", RECORD))


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
