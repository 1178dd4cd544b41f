"""Decoded photos on disk: which folder they are in, whether it is whole, and how they come there."""

import hashlib
import io
import json
import os
import shutil
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from train.errors import UserError
from train.files import write_folder_atomically
from train.locks import locked
from train.photo_sets import EncodedPhoto
from train.photos import decode_photo

_FORMAT = 1  # raise it when decoding changes, so that old caches are left alone
_DECODING_BATCH = 256  # images in flight; bounds the memory
_IMAGES, _LABELS = "images.npy", "labels.npy"


def cache_folder(cache: Path, path: Path, files: Sequence[Path], *settings: int | list[int]) -> Path:
    """Return the folder in `cache` of the photos at `path`; another one once a file has changed.

    Args:
        cache: of all sets of photos.
        path: the set.
        files: of the set, all that are wanted.
        settings: whatever else decides what is decoded.
    """
    stats = [(file.relative_to(path).as_posix(), file.stat()) for file in files]
    files_now = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    facts = [_FORMAT, str(path.resolve()), files_now, *settings]
    return cache / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def read_cache(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, a read-only memory map uint8 [N, H, W, 3], and their labels, int64 [N].

    Raises:
        UserError: it is damaged.
    """
    try:
        return np.load(folder / _IMAGES, mmap_mode="r"), np.load(folder / _LABELS)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"the image cache {folder} is damaged ({error}); delete that folder") from None


def fill_cache(folder: Path, encoded: list[EncodedPhoto], image_size: int) -> None:
    """Decode photos into `folder`, which appears whole or not at all; of two processes one waits for the other.

    Raises:
        UserError: a photo is damaged, or the disk is too full.
    """

    def write(unfinished: Path) -> None:
        unfinished.mkdir()
        np.save(unfinished / _LABELS, np.array([photo.label for photo in encoded], dtype=np.int64))
        with open(unfinished / _IMAGES, "wb") as file:
            _write_images(file, encoded, image_size)

    cache = folder.parent
    with locked(cache, f"decodes the same images into {cache}", name=f".{folder.name}.lock"):
        if not folder.is_dir():
            _check_disk_space(cache, len(encoded) * image_size * image_size * 3)
            write_folder_atomically(folder, write)


def _write_images(file: io.BufferedWriter, encoded: list[EncodedPhoto], image_size: int) -> None:
    shape = (len(encoded), image_size, image_size, 3)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    # Written in order and not through a memory map: a disk that fills up is then an error, not a crash.
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
        tqdm(total=len(encoded), desc="decoding real images", unit="image") as progress,
    ):
        # ImageNet has photos with damaged EXIF data; their pixels are good.
        warnings.filterwarnings("ignore", module="PIL")
        for start in range(0, len(encoded), _DECODING_BATCH):
            batch = encoded[start : start + _DECODING_BATCH]
            for image in pool.map(lambda image: _decode(image, image_size), batch):
                file.write(image.tobytes())
                progress.update()


def _decode(photo: EncodedPhoto, image_size: int) -> np.ndarray:
    try:
        return decode_photo(photo.read(), image_size)
    except ValueError as error:
        raise UserError(f"{photo.name} is not a readable image ({error}); replace or remove it") from None


def _check_disk_space(cache: Path, needed: int) -> None:
    free = shutil.disk_usage(cache).free
    if needed > free:
        raise UserError(
            f"the decoded images need {needed / 1e9:.3f} GB at {cache}, where {free / 1e9:.3f} GB are free; "
            "make room or choose another cache folder"
        )
