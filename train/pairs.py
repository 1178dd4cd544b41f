"""A teacher's images with their latents and classes: collected once, learned from many times."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from train.adapted_teacher import CombinedTeacher
from train.distributed import World
from train.errors import UserError, listed
from train.images import to_bytes
from train.pair_folder import (
    check_may_write,
    claimed,
    is_complete,
    missing_shards,
    read_index,
    write_index,
    write_plan,
)
from train.pair_format import COLLECT_AGAIN, FORMAT, PairSettings, checksum, map_shard, write_shard
from train.precision import without_tf32
from train.teacher import Teacher

DEFAULT_SHARD_SIZE = 5000  # 245 MB at 128 × 128; the paper's set makes 239 shards
IN_MEMORY_BYTES = 2 * 10**9
"""Sets below this are read into memory and have their checksums verified whenever they are opened."""


def collect_pairs(
    teacher: Teacher,
    folder: Path,
    classes: Sequence[int],
    *,
    per_class: int,
    seed: int,
    world: World,
    batch_size: int = 64,
    shard_size: int = DEFAULT_SHARD_SIZE,
    command: str = "",
) -> None:
    """Store `per_class` pairs of each class in `folder`, or what is still missing of them.

    Every process calls this with the same arguments; each makes its share of the missing shards.

    Args:
        teacher: already on `world.device`.
        folder: new, empty, or holding the same collection.
        classes: the labels to store, each once, in [0, teacher.num_classes).
        per_class: pairs of each class, 1 or more.
        seed: in [0, 2^32).
        world: this process among those that collect.
        batch_size: images that the teacher makes at once; it is no setting of the collection.
        shard_size: pairs per shard.
        command: what a user types to go on after a stop; messages about an unfinished folder name it.

    Raises:
        UserError: bad arguments, a folder with something else in it, too little disk space, or a teacher
            whose images are of the wrong size or not finite.
    """
    settings = pair_settings(teacher, classes, per_class=per_class, seed=seed, shard_size=shard_size)
    _check_settings(settings, batch_size)
    check_may_write(folder, settings)
    if not is_complete(folder, settings):
        with claimed(folder, settings, world):
            missing = missing_shards(folder, settings)
            if world.is_main and missing:
                write_plan(folder, settings, command)
            world.barrier()  # nobody finishes a shard before everybody has the same list
            shards = settings.shards
            if missing and (done := len(shards) - len(missing)):
                _say(world, f"{folder} has {done} of {len(shards)} shards; collecting the rest")
            mine = {name: shards[name] for name in missing[world.rank :: world.size]}
            _collect_shards(teacher, folder, settings, mine, world=world, batch_size=batch_size)
            world.barrier()
            if world.is_main and not is_complete(folder, settings):
                write_index(folder, settings)
    _say(world, f"{folder} is complete: {settings.count:,} pairs of {len(classes)} classes")


def pair_settings(
    teacher: Teacher,
    classes: Sequence[int],
    *,
    per_class: int,
    seed: int,
    shard_size: int = DEFAULT_SHARD_SIZE,
) -> PairSettings:
    """Return the settings of the collection that `collect_pairs` makes of the same arguments, unchecked."""
    return PairSettings(
        format=FORMAT,
        teacher=teacher.name,
        fingerprint=teacher.fingerprint,
        truncation=float(teacher.truncation),
        sampler=teacher.sampler,
        image_size=teacher.image_size,
        z_dim=teacher.z_dim,
        num_classes=teacher.num_classes,
        classes=[int(label) for label in classes],
        per_class=per_class,
        seed=seed,
        shard_size=shard_size,
        names=list(teacher.names),
        teacher_classes=list(teacher.teacher_classes),
        teachers=teacher.shares() if isinstance(teacher, CombinedTeacher) else [],
    )


class PairDataset:
    """A complete collection, or some classes of it: memory-mapped, or in memory where it is small.

    Its length is the number of pairs to train on; those that are held out to judge on come after them.
    """

    def __init__(
        self, folder: Path, verify: bool = False, held_out: int = 0, classes: Sequence[int] | None = None
    ) -> None:
        """Open the collection in `folder` and check shapes, counts and file sizes.

        Args:
            folder: what `collect_pairs` wrote.
            verify: recompute the checksums even of a set too large for memory.
            held_out: pairs to keep out of training; at most a tenth are, and as many of each class.
            classes: those whose pairs are wanted; all by default.

        Raises:
            UserError: there is no collection, it is unfinished or damaged, or it lacks a class.
        """
        self.folder = folder
        self.settings, self._checksums = read_index(folder)
        self.image_size = self.settings.image_size
        self.z_dim = self.settings.z_dim
        self.num_classes = self.settings.num_classes
        self.classes = _chosen_classes(self.settings, classes, folder)
        self.truncation = self.settings.truncation
        self.teacher = self.settings.teacher
        self._blocks = [
            map_shard(folder / name, self.settings, len(pairs)) for name, pairs in self.settings.shards.items()
        ]
        self._block_size = self.settings.shard_size
        count = self.settings.count
        small = count * self.settings.pair_bytes < IN_MEMORY_BYTES
        if verify or small:
            self.verify()
        if small:
            self._blocks = [tuple(torch.cat(parts) for parts in zip(*self._blocks, strict=True))]
            self._block_size = count
        self._wanted = None if len(self.classes) == len(self.settings.classes) else self._pairs_of(self.classes)
        self._count = count if self._wanted is None else len(self._wanted)
        # Pairs that were made elsewhere may lie in the order of their classes, and the last ones are of one.
        aside = min(held_out, self._count // 10) // len(self.classes) * len(self.classes)
        self._length = self._count - (0 if self.settings.total else aside)

    def __len__(self) -> int:
        return self._length

    @property
    def held_out(self) -> np.ndarray:
        """Indices of the pairs that are held out, int64, the classes in turn."""
        return np.arange(self._length, self._count)

    def gather(self, indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the pairs at `indices`, int64 [N] in [0, len) or of `held_out`, in that order and on the CPU.

        Returns:
            z float32 [N, z_dim], y int64 [N], images uint8 [N, H, W, 3].

        Raises:
            IndexError: an index is out of range.
        """
        indices = np.asarray(indices, dtype=np.int64)
        if len(indices) and not 0 <= indices.min() <= indices.max() < self._count:
            raise IndexError(f"pairs {indices.min()}…{indices.max()} are not all in 0…{self._count - 1}")
        if self._wanted is not None:
            indices = self._wanted[indices]
        gathered = [stored.new_empty((len(indices), *stored.shape[1:])) for stored in self._blocks[0]]
        block_of, row_of = np.divmod(indices, self._block_size)
        for block in np.unique(block_of):
            positions = np.flatnonzero(block_of == block)
            rows = torch.from_numpy(row_of[positions])
            for target, stored in zip(gathered, self._blocks[block], strict=True):
                target[torch.from_numpy(positions)] = stored[rows]
        images, z, y = gathered
        return z, y, images

    def first_of(self, label: int, count: int) -> list[int]:
        """Return the positions of the first `count` pairs of a class, or of as many as there are."""
        if not self.settings.total:  # a run of as many pairs as there are classes has each of them once
            stride = len(self.classes)
            return list(range(self.classes.index(label), len(self), stride))[:count]
        found = self._pairs_of([label])
        return (found if self._wanted is None else np.searchsorted(self._wanted, found))[:count].tolist()

    def _pairs_of(self, classes: Sequence[int]) -> np.ndarray:
        """Return which pairs of the whole collection are of some classes, int64, rising."""
        if not self.settings.total:
            columns = np.flatnonzero(np.isin(self.settings.classes, classes))
            rows = np.arange(0, self.settings.count, len(self.settings.classes))
            return (rows[:, None] + columns).ravel()
        return np.flatnonzero(np.isin(np.concatenate([y.numpy() for _, _, y in self._blocks]), classes))

    def verify(self) -> None:
        """Read every shard from the disk and compare its checksum.

        Raises:
            UserError: the first damaged shard, and what to do.
        """
        shards = list(zip(self.settings.shards.items(), self._checksums, strict=True))
        for (name, pairs), expected in tqdm(shards, desc="checksums", unit="shard", delay=2, leave=False):
            arrays = map_shard(self.folder / name, self.settings, len(pairs))
            if checksum(array.numpy() for array in arrays) != expected:
                raise UserError(f"{self.folder / name} does not match its checksum; {COLLECT_AGAIN}")


def _chosen_classes(settings: PairSettings, classes: Sequence[int] | None, folder: Path) -> list[int]:
    """Return the classes that are wanted, in the order in which the pairs have them."""
    if classes is None:
        return settings.classes
    if lacking := sorted(set(classes) - set(settings.classes)):
        raise UserError(
            f"{folder} has pairs of {len(settings.classes)} classes, and none of class {listed(lacking)}; leave "
            "it out, or collect again with it"
        )
    wanted = set(classes)
    return [label for label in settings.classes if label in wanted]


def _check_settings(settings: PairSettings, batch_size: int) -> None:
    counts = {"--per-class": settings.per_class, "--shard-size": settings.shard_size, "--batch-size": batch_size}
    for flag, value in counts.items():
        if value < 1:
            raise UserError(f"{flag} {value} is too small; give 1 or more")
    if not 0 <= settings.seed < 2**32:
        raise UserError(f"--seed {settings.seed} is out of range; give 0 to {2**32 - 1}")
    if not 0 < settings.truncation <= 1:
        raise UserError(f"truncation {settings.truncation} is out of range; give more than 0 and at most 1")
    if not settings.classes:
        raise UserError("there are no classes to collect; give at least one with --classes")
    for position, label in enumerate(settings.classes):
        if not 0 <= label < settings.num_classes:
            raise UserError(f"{settings.teacher} has no class {label}; give 0 to {settings.num_classes - 1}")
        if label in settings.classes[:position]:
            raise UserError(f"class {label} is listed twice; list each class once")


def _collect_shards(
    teacher: Teacher,
    folder: Path,
    settings: PairSettings,
    shards: dict[str, range],
    *,
    world: World,
    batch_size: int,
) -> None:
    """Make and write `shards`, this process's share, one after the other."""
    with tqdm(
        total=sum(map(len, shards.values())),
        desc=f"collect (process 1 of {world.size})" if world.size > 1 else "collect",
        unit=" images",
        disable=not world.is_main,
    ) as progress:
        for name, pairs in shards.items():
            z, y = settings.latents_and_classes(pairs)
            images = np.empty(settings.layout(len(pairs))["images"][1], dtype=np.uint8)
            for start in range(0, len(pairs), batch_size):
                part = slice(start, start + batch_size)
                images[part] = taught(teacher, z[part], y[part], world.device)
                progress.update(len(y[part]))
            write_shard(folder / name, {"images": images, "z": z, "y": y})


@torch.no_grad()
@without_tf32()
def taught(teacher: Teacher, z: np.ndarray, y: np.ndarray, device: torch.device) -> np.ndarray:
    """Return the images, uint8 [N, H, W, 3], of a teacher on `device` for z float32 [N, z_dim] and y int64 [N].

    Raises:
        UserError: they are of another shape, or not finite.
    """
    images = teacher(torch.from_numpy(z).to(device), torch.from_numpy(y).to(device))
    expected = (len(y), 3, teacher.image_size, teacher.image_size)
    if images.shape != expected:
        raise UserError(
            f"{teacher.name} made images of shape {list(images.shape)}, not {list(expected)}; check the teacher"
        )
    if not images.isfinite().all():
        raise UserError(f"{teacher.name} made images with NaN or infinity; check its weights and its precision")
    return to_bytes(images)


def _say(world: World, message: str) -> None:
    if world.is_main:
        print(message)
