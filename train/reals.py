"""Real images for the conditional GAN loss (Equation 5): decoded once, then memory-mapped."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train import digits
from train.classes import short_name
from train.errors import UserError, listed
from train.naming import Naming, numbered
from train.photo_sets import EncodedPhoto, check_photo_set, list_folder, read_pack
from train.real_cache import cache_folder, fill_cache, read_cache

LEAVE_OUT = ", or leave them out with --damaged {count}"
"""The remedy for damaged photos, of scripts with this flag."""


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


def open_reals(
    source: str,
    image_size: int,
    classes: Sequence[int],
    num_classes: int,
    cache: Path,
    *,
    naming: Naming | None = None,
    damaged: int = 0,
    remedy: str = "",
) -> RealImages:
    """Return the real images of `classes`: the embedded digits for "digits", else photos as `load_reals`.

    Raises:
        UserError: as there, or the digits do not fit.
    """
    if source == "digits":
        return _digits(image_size, classes, num_classes)
    path = Path(source)
    return load_reals(path, image_size, classes, num_classes, cache, naming=naming, damaged=damaged, remedy=remedy)


def load_reals(
    path: Path,
    image_size: int,
    classes: Sequence[int],
    num_classes: int,
    cache: Path,
    *,
    naming: Naming | None = None,
    damaged: int = 0,
    remedy: str = "",
) -> RealImages:
    """Return photos of `classes`; the first call decodes them into `cache`, later ones memory-map them.

    One of another size is scaled until its shorter side has `image_size` pixels, then cropped around the centre.
    Of an animation the first frame counts. The order is by class and file name, or that of the pack.

    Args:
        path: a folder with one folder of images per class, named as `find_class` accepts, or an image pack
            (.npz with `jpeg`, uint8, all files end to end; `offsets`, [N + 1]; `label`, [N]).
        image_size: pixels per side.
        classes: the indices wanted; images of other classes are not read.
        num_classes: how many classes the indices count through.
        naming: what they are called; by default as `class_names` calls them.
        damaged: how many photos may be left out because they cannot be read.
        remedy: what else to do about more of them, with {count} in it.
        cache: gets `<cache>/<key>/images.npy` and `labels.npy`; the key follows the files and arguments.

    Raises:
        UserError: nothing at `path`, a folder that names no class, a file that is no image, a damaged pack or
            cache, a class without images, or a disk that is too full.
    """
    wanted = sorted(set(classes))
    check_photo_set(path)
    naming = naming or numbered(num_classes)
    encoded = list_folder(path, wanted, naming) if path.is_dir() else None
    files = [path] if encoded is None else [photo.content for photo in encoded if isinstance(photo.content, Path)]
    own = [list(naming.names), list(naming.numbers)] if naming.own else []
    folder = cache_folder(cache, path, files, image_size, wanted, num_classes, *own)
    if not folder.is_dir():
        encoded = read_pack(path, wanted, naming) if encoded is None else encoded
        _check_every_class(encoded, wanted, naming.names, path)
        fill_cache(folder, encoded, image_size, damaged, remedy)
    return RealImages(*read_cache(folder, damaged, remedy), str(path))


def _digits(image_size: int, classes: Sequence[int], num_classes: int) -> RealImages:
    if (image_size, num_classes) != (digits.SIZE, digits.CLASSES):
        raise UserError(
            f"the digits are {digits.SIZE} px and {digits.CLASSES} classes, the model has {image_size} px and "
            f"{num_classes}; give a folder of class folders or an image pack"
        )
    images, labels = digits.real_digits()
    return of_classes(RealImages(images, labels, "scikit-learn's handwritten digits"), classes)


def of_classes(reals: RealImages, classes: Sequence[int]) -> RealImages:
    """Return the images of `classes` alone.

    Raises:
        UserError: there are none of some class.
    """
    lacking = sorted(set(classes) - reals.by_class.keys())
    if lacking:
        raise UserError(
            f"{reals.source} has no images of {len(lacking)} of the {len(set(classes))} classes asked for, "
            f"the first is {lacking[0]}; add some or leave those classes out"
        )
    if reals.by_class.keys() == set(classes):
        return reals
    chosen = np.flatnonzero(np.isin(reals.labels, list(classes)))
    return RealImages(reals.images[chosen], reals.labels[chosen], reals.source)


def _check_every_class(encoded: list[EncodedPhoto], wanted: list[int], names: Sequence[str], path: Path) -> None:
    missing = sorted(set(wanted) - {image.label for image in encoded})
    first = listed([short_name(index, names[index]) for index in missing], 4)
    if missing or not wanted:
        raise UserError(
            f"{path} has no images of {len(missing)} of the {len(wanted)} classes ({first}); "
            "add some or choose classes that it has"
        )
