"""Real images for the conditional GAN loss (Equation 5): decoded once, then memory-mapped."""

import functools
import hashlib
import io
import json
import os
import shutil
import struct
import tempfile
import time
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.Image import DecompressionBombError
from tqdm import tqdm

from train.classes import class_names, find_class, short_name
from train.errors import UserError

_CACHE_FORMAT = 1  # raise it when decoding changes, so that old caches are left alone
_DECODING_BATCH = 256  # images in flight; bounds the memory
_ABANDONED_AFTER = 3600.0  # seconds without a write, after which a temporary folder belongs to a killed run
# What Pillow raises for damaged files of its many formats.
_DAMAGED_IMAGE = (OSError, RuntimeError, SyntaxError, ValueError, IndexError, struct.error, DecompressionBombError)
_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True, eq=False)
class RealImages:
    """Real images of one size and their classes."""

    images: np.ndarray
    """uint8 [N, H, W, 3], RGB; may be a read-only memory map."""
    labels: np.ndarray
    """int64 [N], class indices."""
    source: str
    """Where they come from, for records."""

    @functools.cached_property
    def by_class(self) -> dict[int, np.ndarray]:
        """Class index → positions of its images, int64 [n], rising; classes without images are left out."""
        order = np.argsort(self.labels, kind="stable")
        classes, starts = np.unique(self.labels[order], return_index=True)
        return dict(zip(classes.tolist(), np.split(order, starts[1:]), strict=True))


@dataclass(frozen=True)
class _EncodedImage:
    label: int
    name: str  # for errors
    content: Path | np.ndarray  # a file, or its bytes


def load_reals(path: Path, image_size: int, classes: Sequence[int], num_classes: int, cache: Path) -> RealImages:
    """Read the images of `classes`; the first call decodes them into `cache`, later ones memory-map them.

    An image of another size is scaled until its shorter side has `image_size` pixels, then cropped around the
    centre. Of an animation the first frame counts. The order is by class and file name, or that of the pack.

    Args:
        path: a folder with one folder of images per class, named as `find_class` accepts, or an image pack
            (.npz with `jpeg`, uint8, all files end to end; `offsets`, [N + 1]; `label`, [N]).
        image_size: pixels per side.
        classes: the indices wanted; images of other classes are not read.
        num_classes: how many classes the indices count through.
        cache: gets `<cache>/<key>/images.npy` and `labels.npy`; the key follows the files and arguments.

    Raises:
        UserError: nothing at `path`, a folder that names no class, a file that is no image, a damaged pack or
            cache, a class without images, or a disk that is too full.
    """
    wanted = sorted(set(classes))
    if path.is_dir():
        encoded = _list_folder(path, wanted, num_classes)
        files = [image.content for image in encoded if isinstance(image.content, Path)]
    elif path.is_file() and path.suffix == ".npz":
        encoded, files = None, [path]
    else:
        raise UserError(f"no real images at {path}; give a folder of class folders or an image pack (.npz)")
    folder = cache / _key(path, files, image_size, wanted, num_classes)
    if not folder.is_dir():
        encoded = _read_pack(path, wanted, num_classes) if encoded is None else encoded
        _check_every_class(encoded, wanted, class_names(num_classes), path)
        _decode_into(folder, encoded, image_size)
    try:
        images = np.load(folder / "images.npy", mmap_mode="r")
        labels = np.load(folder / "labels.npy")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"the image cache {folder} is damaged ({error}); delete that folder") from None
    return RealImages(images, labels, str(path))


def _key(path: Path, files: Sequence[Path], image_size: int, wanted: list[int], num_classes: int) -> str:
    stats = [(file.relative_to(path).as_posix(), file.stat()) for file in files]
    files_now = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    facts = [_CACHE_FORMAT, str(path.resolve()), files_now, image_size, wanted, num_classes]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _list_folder(path: Path, wanted: list[int], num_classes: int) -> list[_EncodedImage]:
    selected = set(wanted)
    encoded = []
    for folder in _visible(path):
        if not folder.is_dir():
            raise UserError(f"{folder} lies outside the class folders; move it into one, or away")
        try:
            label = find_class(folder.name, num_classes)
        except UserError as error:
            raise UserError(f"{path} has a folder that fits no class: {error}") from None
        for file in _visible(folder) if label in selected else ():
            if not file.is_file():
                raise UserError(f"{file} is no file; class folders hold images only")
            encoded.append(_EncodedImage(label, str(file), file))
    return sorted(encoded, key=lambda image: (image.label, image.name))


def classes_in(path: Path, num_classes: int) -> list[int]:
    """Return the classes that a folder of class folders or an image pack has, sorted.

    Raises:
        UserError: as `load_reals`.
    """
    if path.is_dir():
        return sorted({find_class(folder.name, num_classes) for folder in _visible(path) if folder.is_dir()})
    return sorted({image.label for image in _read_pack(path, list(range(num_classes)), num_classes)})


def _visible(folder: Path) -> list[Path]:
    """Return what `folder` holds, sorted, without the files that operating systems scatter."""
    visible = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entry for entry in visible if entry.name.lower() not in _SYSTEM_FILES)


def _read_pack(path: Path, wanted: list[int], num_classes: int) -> list[_EncodedImage]:
    try:
        # np.load would also take a file that is no archive, and return an array.
        with open(path, "rb") as file, np.lib.npyio.NpzFile(file) as pack:
            jpeg, offsets, labels = (pack[field] for field in ("jpeg", "offsets", "label"))
    except (KeyError, OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} needs readable arrays jpeg, offsets and label ({error}); copy it again") from None
    if (
        jpeg.dtype != np.uint8
        or {offsets.dtype.kind, labels.dtype.kind} - {"i", "u"}
        or offsets.shape != (labels.size + 1,)
        or (offsets[0], offsets[-1]) != (0, jpeg.size)
        or (offsets[1:] <= offsets[:-1]).any()
    ):
        raise UserError(f"{path} is a damaged image pack: its offsets do not cut jpeg into {labels.size} files")
    outside = (labels < 0) | (labels >= num_classes)
    if outside.any():
        raise UserError(
            f"{path} has an image of class {labels[outside][0]}, outside 0-{num_classes - 1}; "
            "take a pack of the teacher's classes"
        )
    return [
        _EncodedImage(int(labels[i]), f"image {i} of {path}", jpeg[offsets[i] : offsets[i + 1]])
        for i in np.flatnonzero(np.isin(labels, wanted))
    ]


def _check_every_class(encoded: list[_EncodedImage], wanted: list[int], names: list[str], path: Path) -> None:
    missing = sorted(set(wanted) - {image.label for image in encoded})
    first = ", ".join([short_name(index, names[index]) for index in missing[:4]] + ["…"] * (len(missing) > 4))
    if missing or not wanted:
        raise UserError(
            f"{path} has no images of {len(missing)} of the {len(wanted)} classes ({first}); "
            "add some or choose classes that it has"
        )


def _decode_into(folder: Path, encoded: list[_EncodedImage], image_size: int) -> None:
    """Write images.npy and labels.npy; `folder` appears whole or not at all."""
    cache = folder.parent
    cache.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(cache, folder.name)
    _check_disk_space(cache, len(encoded) * image_size * image_size * 3)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{folder.name}-") as temporary:
        unfinished = Path(temporary, "unfinished")
        unfinished.mkdir()
        np.save(unfinished / "labels.npy", np.array([image.label for image in encoded], dtype=np.int64))
        with open(unfinished / "images.npy", "wb") as file:
            _write_images(file, encoded, image_size)
            file.flush()
            os.fsync(file.fileno())
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another run has just decoded the same images
                raise


def _write_images(file: io.BufferedWriter, encoded: list[_EncodedImage], image_size: int) -> None:
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


def _decode(encoded: _EncodedImage, image_size: int) -> np.ndarray:
    """Return uint8 [image_size, image_size, 3].

    Raises:
        UserError: it is no image, or a damaged one, or its pixels have no known range.
    """
    content = encoded.content
    file = io.BytesIO(content.read_bytes() if isinstance(content, Path) else content.tobytes())
    try:
        with Image.open(file) as image:
            rgb = _to_rgb(ImageOps.exif_transpose(image))
    except _DAMAGED_IMAGE as error:
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else error
        raise UserError(f"{encoded.name} is not a readable image ({reason}); replace or remove it") from None
    return np.asarray(_fit(rgb, image_size))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow would clip its 65536 levels at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"{image.mode} pixels have no fixed range, save it with 8 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _fit(image: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side to `size`, antialiased, and crop around the centre."""
    width, height = image.size
    if min(width, height) != size:
        scale = size / min(width, height)
        width, height = max(size, round(width * scale)), max(size, round(height * scale))
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))


def _clear_abandoned(cache: Path, key: str) -> None:
    for folder in cache.glob(f".{key}-*"):
        last_write = max(entry.stat().st_mtime for entry in (folder, *folder.glob("**/*")))
        if time.time() - last_write > _ABANDONED_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


def _check_disk_space(cache: Path, needed: int) -> None:
    free = shutil.disk_usage(cache).free
    if needed > free:
        raise UserError(
            f"the decoded images need {needed / 1e9:.3f} GB at {cache}, where {free / 1e9:.3f} GB are free; "
            "make room or choose another cache folder"
        )
