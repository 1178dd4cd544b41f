"""Pairs that were made elsewhere: images, latents and classes in files, checked and stored as a collection."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from train.adapted_teacher import area_weights
from train.classes import classes_text
from train.distributed import World
from train.errors import UserError
from train.generator import IMAGE_SIZES
from train.noise import GIVEN, law_of
from train.pair_folder import check_may_write, claimed, is_complete, missing_shards, write_index, write_plan
from train.pair_format import FORMAT, PairSettings, write_shard
from train.photo_sets import visible
from train.photos import decode_image

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_FEWEST = 1000  # latent values from which a law can be told


def store_given_pairs(
    images: Path,
    latents: Path,
    labels: Path,
    folder: Path,
    *,
    names: Sequence[str],
    sampler: str,
    truncation: float,
    image_size: int | None,
    shard_size: int,
    world: World,
    command: str,
) -> None:
    """Store pairs from files in `folder`; run again after a stop it goes on.

    Args:
        images: a folder of image files, in the order of their names, 2.png before 10.png; a .npy, or a .npz with
            one array or `images`: uint8 [N, H, W, 3], or float [N, 3, H, W] in [-1, 1].
        latents: a .npy, float32 [N, z_dim].
        labels: a .npy, whole numbers [N], at least 0.
        folder: new, empty, or holding these pairs unfinished.
        names: of every class; none for "class 0" and so on.
        sampler: the law that the latents follow, which is checked, or `GIVEN`.
        truncation: the factor that they were multiplied by.
        image_size: pixels per side to store; None for the images' own, or the next student's below it.
        shard_size: pairs per shard.
        world: of one process.
        command: that a user types to go on.

    Raises:
        UserError: a file is missing or damaged, counts differ, or the latents do not follow the law.
    """
    z, y = _array(latents, "latents"), _array(labels, "labels")
    source = _Images(images)
    if z.ndim != 2 or z.dtype.kind != "f" or not len(z):
        raise UserError(f"{latents} holds {z.dtype} {list(z.shape)}, not float32 [N, z_dim]")
    if y.shape != (len(z),) or y.dtype.kind not in "iu":
        raise UserError(
            f"{labels} holds {y.dtype} {list(y.shape)}, not whole numbers [{len(z)}], one for each latent"
        )
    if len(source) != len(z):
        raise UserError(f"{images} has {len(source)} images, and {latents} {len(z)} latents; give one for each")
    z, y = np.ascontiguousarray(z, "<f4"), np.ascontiguousarray(y, "<i8")
    if not np.isfinite(z).all():
        raise UserError(f"{latents} holds NaN or infinity; draw them again")
    count = len(names) or int(y.max()) + 1
    if y.min() < 0 or y.max() >= count:
        raise UserError(
            f"{labels} has a class {y.min() if y.min() < 0 else y.max()}, and there are {count} classes"
        )
    check_law(z, sampler, truncation, latents)
    classes = np.unique(y).tolist()
    if missing := sorted(set(range(count)) - set(classes)):
        print(
            f"{labels} has no image of {len(missing)} of the {count} classes: {classes_text(missing)}", flush=True
        )
    settings = PairSettings(
        format=FORMAT,
        teacher=Path(os.path.abspath(images)).stem,
        fingerprint=_fingerprint(source, z, y),
        truncation=truncation,
        sampler=sampler,
        image_size=_stored_size(source.size, image_size, images),
        z_dim=z.shape[1],
        num_classes=count,
        classes=classes,
        per_class=int(np.bincount(y)[classes].min()),
        seed=0,
        shard_size=shard_size,
        names=list(names),
        total=len(z),
    )
    if settings.image_size != source.size:
        print(
            f"the images of {source.size} px are brought to {settings.image_size} px by area resampling",
            flush=True,
        )
    check_may_write(folder, settings)
    if not is_complete(folder, settings):
        with claimed(folder, settings, world):
            _store_missing(source, z, y, folder, settings, command=command)
    print(f"{folder} is complete: {settings.count:,} pairs of {len(settings.classes)} classes")


def _store_missing(
    source: "_Images", z: np.ndarray, y: np.ndarray, folder: Path, settings: PairSettings, *, command: str
) -> None:
    """Write the shards that are not there, unless another command has just done so."""
    missing = missing_shards(folder, settings)
    if missing:
        write_plan(folder, settings, command)
    with tqdm(total=sum(len(settings.shards[name]) for name in missing), unit=" images") as bar:
        for name in missing:
            rows = settings.shards[name]
            pixels = np.stack([np.ascontiguousarray(_resized(source[i], settings.image_size)) for i in rows])
            part = slice(rows.start, rows.stop)
            write_shard(folder / name, {"images": pixels, "z": z[part], "y": y[part]})
            bar.update(len(rows))
    if not is_complete(folder, settings):
        write_index(folder, settings)


def check_law(z: np.ndarray, sampler: str, truncation: float, what: object) -> None:
    """Check that latents may follow a law: their bounds, mean and deviation.

    Args:
        z: float32 [N, z_dim].
        sampler: of the law; nothing is checked of `GIVEN`.
        truncation: the factor.
        what: they are, for the message.

    Raises:
        UserError: they do not.
    """
    law = law_of(sampler)
    if sampler == GIVEN:
        return
    unit = z.astype(np.float64) / truncation
    bound, deviation = {
        "truncated-normal": (2.0, 0.8796),  # of N(0, 1) cut at ±2
        "normal": (np.inf, 1.0),
        "uniform": (1.0, 3**-0.5),
        "sphere": (1.0, z.shape[1] ** -0.5),
    }[law]
    found = []
    if np.abs(unit).max() > bound * (1 + 1e-5):
        found.append(f"a value of {np.abs(z).max():.4g}, beyond {bound * truncation:.4g}")
    if law == "sphere" and np.abs(np.linalg.norm(unit, axis=1) - 1).max() > 1e-3:
        found.append(f"lengths that are not {truncation:g}")
    if z.size >= _FEWEST and not 0.9 < unit.std() / deviation < 1.1:
        found.append(f"a deviation of {z.std():.3g}, not {deviation * truncation:.3g}")
    if z.size >= _FEWEST and abs(unit.mean()) > 0.1 * deviation:
        found.append(f"a mean of {z.mean():.3g}, not 0")
    if found:
        raise UserError(
            f"{what} do not follow the law {law} with truncation {truncation:g}: they have {found[0]}; state the "
            "right ones with --law and --truncation, or --law given"
        )


class _Images:
    """Images by position, uint8 [H, W, 3], all of one size."""

    def __init__(self, path: Path) -> None:
        self._files: list[Path] = []
        self._array: Any = None
        if path.is_dir():
            self._files = sorted(
                (file for file in visible(path) if file.suffix.lower() in _SUFFIXES), key=_counted_name
            )
            if not self._files:
                raise UserError(f"{path} has no images ({', '.join(sorted(_SUFFIXES))})")
            self.size = _opened(self._files[0]).shape[1]
            return
        array = _array(path, "images")
        last = array.ndim == 4 and array.shape[3] == 3 and array.dtype == np.uint8
        first = array.ndim == 4 and array.shape[1] == 3 and array.dtype.kind == "f"
        if not (last or first) or not len(array):
            shape = f"{array.dtype} {list(array.shape)}"
            raise UserError(f"{path} holds {shape}, not uint8 [N, H, W, 3] or float [N, 3, H, W] in [-1, 1]")
        self._array, self.size = array, array.shape[2]
        if array.shape[1 if last else 3] != self.size:
            raise UserError(f"{path} holds images that are no squares, {list(array.shape)}; crop them")

    def __len__(self) -> int:
        return len(self._files) if self._array is None else len(self._array)

    def __getitem__(self, index: int) -> np.ndarray:
        if self._array is None:
            pixels = _opened(self._files[index])
            if pixels.shape != (self.size, self.size, 3):
                wanted = f"{self.size} × {self.size} as the first one"
                raise UserError(f"{self._files[index]} is {pixels.shape[1]} × {pixels.shape[0]}, not {wanted}")
            return pixels
        image = np.asarray(self._array[index])
        if image.dtype == np.uint8:
            return image
        if not (np.isfinite(image).all() and np.abs(image).max() <= 1.001):
            raise UserError(f"image {index} has values outside [-1, 1]; bring them there")
        return np.clip(image.transpose(1, 2, 0).astype(np.float32) * 127.5 + 128, 0, 255).astype(np.uint8)


def _counted_name(file: Path) -> list[tuple[bool, int, str]]:
    """Return what sorts names as their numbers count: 2.png before 10.png."""
    return [(not digits, int(digits or 0), text) for digits, text in re.findall(r"(\d+)|(\D+)", file.name)]


def _opened(file: Path) -> np.ndarray:
    """Return uint8 [H, W, 3]."""
    try:
        return np.asarray(decode_image(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is no readable image ({error}); make it again") from None


def _array(path: Path, what: str) -> np.ndarray:
    if not path.is_file():
        raise UserError(f"no {what} at {path}; give a .npy file")
    try:
        content = np.load(path, mmap_mode="r" if path.suffix == ".npy" else None, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        with content:
            name = what if what in content.files else content.files[0]
            return content[name]
    except (OSError, ValueError, EOFError, IndexError, KeyError) as error:
        raise UserError(f"{path} is not readable as {what} ({error}); save it with numpy.save") from None


def _stored_size(size: int, wanted: int | None, what: Path) -> int:
    chosen = max((known for known in IMAGE_SIZES if known <= size), default=0) if wanted is None else wanted
    if chosen not in IMAGE_SIZES or chosen > size:
        sizes = ", ".join(map(str, IMAGE_SIZES))
        raise UserError(
            f"{what} has images of {size} px, and a student {sizes}; give larger ones, or --image-size"
        )
    return chosen


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    """Return uint8 [size, size, 3] by area resampling."""
    if len(image) == size:
        return image
    weights = area_weights(len(image), size).numpy()
    return np.rint(np.einsum("oh,hwc,pw->opc", weights, image, weights)).clip(0, 255).astype(np.uint8)


def _fingerprint(images: _Images, z: np.ndarray, y: np.ndarray) -> str:
    """Return the SHA-256 of the pairs themselves."""
    digest = hashlib.sha256()
    for index in tqdm(range(len(images)), desc="looking at the images", unit=" images", delay=2, leave=False):
        digest.update(images[index].tobytes())
    digest.update(z.tobytes())
    digest.update(y.tobytes())
    return digest.hexdigest()
