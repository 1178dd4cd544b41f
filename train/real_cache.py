"""Decoded photos on disk: which folder they are in, whether it is whole, and how they come there."""

import hashlib
import json
import shutil
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from train.errors import UserError
from train.files import write_folder_atomically, write_json
from train.images import write_images_header
from train.locks import locked
from train.machine import usable_cores
from train.photo_sets import EncodedPhoto
from train.photos import decode_photo

_FORMAT = 1  # raise it when decoding changes, so that old caches are left alone
_DECODING_BATCH = 256  # images in flight; bounds the memory
_IMAGES, _LABELS, _LEFT_OUT = "images.npy", "labels.npy", "left_out.json"
_NAMED = 20  # damaged photos in a message


def cache_folder(cache: Path, path: Path, files: Sequence[Path], *settings: int | list[int] | list[str]) -> Path:
    """Return the folder in `cache` of the photos at `path`; another one once a file has changed.

    Args:
        cache: of all sets of photos.
        path: the set.
        files: of the set, all that are wanted.
        settings: whatever else decides what is decoded.
    """
    looked_at = tqdm(files, desc="looking for changed photos", unit="file", delay=2, leave=False)
    stats = [(file.relative_to(path).as_posix(), file.stat()) for file in looked_at]
    files_now = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    facts = [_FORMAT, str(path.resolve()), files_now, *settings]
    return cache / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def read_cache(folder: Path, damaged: int, remedy: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, a read-only memory map uint8 [N, H, W, 3], and their labels, int64 [N].

    Raises:
        UserError: the cache is damaged, or leaves out more than `damaged` photos.
    """
    listed = folder / _LEFT_OUT
    try:
        left_out = json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else []
        arrays = np.load(folder / _IMAGES, mmap_mode="r"), np.load(folder / _LABELS)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"the image cache {folder} is damaged ({error}); delete that folder") from None
    if left_out:
        _check_damaged(left_out, len(arrays[1]) + len(left_out), damaged, remedy)
        print(f"{len(left_out)} damaged photos are left out: {_listed(left_out)}", flush=True)
    return arrays


def fill_cache(folder: Path, encoded: list[EncodedPhoto], image_size: int, damaged: int, remedy: str) -> None:
    """Decode photos into `folder`, which appears whole or not at all; of two processes one waits for the other.

    Raises:
        UserError: more than `damaged` photos cannot be read, or the disk is too full.
    """

    def write(unfinished: Path) -> None:
        unfinished.mkdir()
        labels = np.array([photo.label for photo in encoded], dtype=np.int64)
        failures = _write_images(unfinished / _IMAGES, encoded, image_size)
        if failures:
            _check_damaged([failures[k] for k in sorted(failures)], len(encoded), damaged, remedy)
            kept = np.delete(np.arange(len(encoded)), sorted(failures))
            lacking = sorted(set(labels) - set(labels[kept]))
            if lacking:
                raise UserError(
                    f"all photos of class {lacking[0]} are damaged; replace them or leave that class out"
                )
            # Once more without them: their places in the file are taken.
            again = _write_images(unfinished / _IMAGES, [encoded[k] for k in kept], image_size)
            assert not again
            labels = labels[kept]
            write_json(unfinished / _LEFT_OUT, [failures[k] for k in sorted(failures)])
        np.save(unfinished / _LABELS, labels)

    cache = folder.parent
    with locked(cache, f"decodes the same images into {cache}", name=f".{folder.name}.lock"):
        if not folder.is_dir():
            _check_disk_space(cache, len(encoded) * image_size * image_size * 3)
            write_folder_atomically(folder, write)


def _check_damaged(failures: list[str], count: int, damaged: int, remedy: str) -> None:
    if len(failures) <= damaged:
        return
    instead = remedy.format(count=len(failures))
    if len(failures) == 1:
        raise UserError(f"{failures[0]}; replace or remove it{instead}")
    text = f"{len(failures)} of {count} photos are damaged: {_listed(failures)}"
    raise UserError(f"{text}; replace or remove them{instead}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _write_images(path: Path, encoded: list[EncodedPhoto], image_size: int) -> dict[int, str]:
    """Write the decoded images into one .npy file; return position → name and reason of those that are damaged."""
    shape = (len(encoded), image_size, image_size, 3)
    failures: dict[int, str] = {}
    blank = np.zeros(shape[1:], np.uint8)

    def decode(photo: EncodedPhoto) -> np.ndarray | str:
        try:
            return decode_photo(photo.read(), image_size)
        except (ValueError, OSError) as error:
            return f"{photo.name} is not a readable image ({error})"

    # Written in order and not through a memory map: a disk that fills up is then an error, not a crash.
    with (
        open(path, "wb") as file,
        warnings.catch_warnings(),
        ThreadPoolExecutor(min(8, usable_cores())) as pool,
        tqdm(total=len(encoded), desc="decoding real images", unit="image") as progress,
    ):
        write_images_header(file, shape)
        # ImageNet has photos with damaged EXIF data; their pixels are good.
        warnings.filterwarnings("ignore", module="PIL")
        for start in range(0, len(encoded), _DECODING_BATCH):
            batch = encoded[start : start + _DECODING_BATCH]
            for position, image in enumerate(pool.map(decode, batch), start):
                if isinstance(image, str):
                    failures[position] = image
                file.write((blank if isinstance(image, str) else image).tobytes())
                progress.update()
    return failures


def _check_disk_space(cache: Path, needed: int) -> None:
    free = shutil.disk_usage(cache).free
    if needed > free:
        raise UserError(
            f"the decoded images need {needed / 1e9:.3f} GB at {cache}, where {free / 1e9:.3f} GB are free; "
            "make room or choose another cache folder"
        )
