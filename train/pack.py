"""Pack a folder of class folders into one file: `python train/pack.py FOLDER PACK.npz`.

The files go in as they are, with the names of their classes; training takes the pack wherever it takes a folder.
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tyro
from tqdm import tqdm

from train.cli import parse, run_script
from train.errors import UserError
from train.files import check_writable, save_arrays
from train.machine import usable_cores
from train.naming import Naming, named
from train.photo_sets import EncodedPhoto, list_folder, names_of_folders
from train.photos import decode_photo

_CHECKED_SIZE = 32  # pixels; to find out whether a photo can be read
_NAMED = 10  # damaged photos in a message


@dataclasses.dataclass(frozen=True)
class PackOptions:
    """What to pack, and into which file."""

    folder: tyro.conf.Positional[Path]
    """A folder with one folder of photos for each class; Tiny-ImageNet's and ImageNet's own layouts too."""
    pack: tyro.conf.Positional[Path]
    """The file to write, .npz."""
    damaged: int = 0
    """How many photos may be left out because they cannot be read; more are an error that names them."""
    fewest: int = 1
    """Photos that every class must have."""


def main(arguments: list[str]) -> None:
    """Run the script on `arguments`.

    Raises:
        UserError: no such folder, one without class folders, or photos that cannot be read.
    """
    options = parse(PackOptions, arguments, __doc__ or "")
    if options.pack.suffix != ".npz":
        raise UserError(f"{options.pack} must end in .npz")
    if not options.folder.is_dir():
        raise UserError(f"no folder {options.folder}; give one with a folder of photos for each class")
    check_writable(options.pack.parent)
    naming = named(names_of_folders(options.folder))
    if not naming.names:
        raise UserError(f"{options.folder} has no class folders; put the photos of each class into one")
    photos = list_folder(options.folder, list(range(len(naming.names))), naming)
    contents = _readable(photos, options.damaged)
    kept = [(photo, content) for photo, content in zip(photos, contents, strict=True) if content is not None]
    labels = np.array([photo.label for photo, _ in kept], np.int64)
    _check_counts(labels, naming, options)
    sizes = np.array([0, *(len(content) for _, content in kept)], np.int64)
    arrays = {
        "jpeg": np.frombuffer(b"".join(content for _, content in kept), np.uint8),
        "offsets": np.cumsum(sizes),
        "label": labels,
        "names": np.array(naming.names),
    }
    save_arrays(options.pack, arrays)
    print(
        f"wrote {options.pack}: {len(kept):,} photos of {len(naming.names)} classes, {sizes.sum() / 1e6:,.1f} MB"
    )


def _readable(photos: list[EncodedPhoto], damaged: int) -> list[bytes | None]:
    """Return the bytes of every photo, None for one that cannot be read."""

    def read(photo: EncodedPhoto) -> bytes | None:
        try:
            content = photo.read()
            decode_photo(content, _CHECKED_SIZE)
        except (ValueError, OSError):
            return None
        return content

    with ThreadPoolExecutor(min(8, usable_cores())) as pool:
        contents = list(tqdm(pool.map(read, photos), total=len(photos), desc="pack", unit=" photos"))
    lost = [photo.name for photo, content in zip(photos, contents, strict=True) if content is None]
    if len(lost) > damaged:
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        listed = ", ".join(lost[:_NAMED])
        raise UserError(
            f"not readable: {listed}{more}; replace them, or leave them out with --damaged {len(lost)}"
        )
    if lost:
        print(f"{len(lost)} damaged photos are left out: {', '.join(lost[:_NAMED])}", flush=True)
    return contents


def _check_counts(labels: np.ndarray, naming: Naming, options: PackOptions) -> None:
    counts = np.bincount(labels, minlength=len(naming.names))
    short = [f"{naming.names[k]} ({counts[k]})" for k in np.flatnonzero(counts < max(1, options.fewest))]
    if short:
        raise UserError(
            f"too few photos, fewer than {max(1, options.fewest)}, of {', '.join(short[:_NAMED])}; add some, or "
            "take those folders away"
        )


if __name__ == "__main__":
    run_script(main)
