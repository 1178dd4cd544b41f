"""Sets of photos: folders with one folder of images per class, and image packs."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train.classes import find_class
from train.errors import UserError

_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "__macosx", "@eadir", "lost+found"}
_ANNOTATIONS = "val_annotations.txt"


@dataclass(frozen=True)
class EncodedPhoto:
    """An image file of a class."""

    label: int
    name: str
    """For messages."""
    content: Path | np.ndarray
    """Where it is, or its bytes."""

    def read(self) -> bytes:
        """Return its bytes."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content.tobytes()


def check_photo_set(path: Path) -> None:
    """Raise a UserError unless there is a folder or an image pack at `path`."""
    if not (path.is_dir() or (path.is_file() and path.suffix == ".npz")):
        raise UserError(f"no real images at {path}; give a folder of class folders or an image pack (.npz)")


def list_folder(path: Path, wanted: list[int], num_classes: int) -> list[EncodedPhoto]:
    """Return the photos of the classes `wanted` in a folder of class folders, by class and file name.

    Raises:
        UserError: something in it is no class folder, two folders name one class, or something is no file.
    """
    selected = set(wanted)
    encoded = []
    for file, label in _annotated(path, num_classes):
        if label in selected:
            encoded.append(EncodedPhoto(label, str(file), file))
    for label, folder in _class_folders(path, num_classes).items():
        for file in _photos_in(folder) if label in selected else ():
            encoded.append(EncodedPhoto(label, str(file), file))
    return sorted(encoded, key=lambda image: (image.label, image.name))


def classes_in(path: Path, num_classes: int) -> list[int]:
    """Return the classes that a folder of class folders or an image pack has, sorted.

    Raises:
        UserError: as `list_folder` and `read_pack`.
    """
    if path.is_dir():
        annotated = {label for _, label in _annotated(path, num_classes)}
        return sorted(annotated | _class_folders(path, num_classes).keys())
    return sorted({image.label for image in read_pack(path, list(range(num_classes)), num_classes)})


def _class_folders(path: Path, num_classes: int) -> dict[int, Path]:
    """Return class → its folder: in `path`, or in its train folder, as downloads have it."""
    root = _root(path)
    if (root / _ANNOTATIONS).is_file():
        return {}
    found: dict[int, Path] = {}
    for folder in _visible(root):
        if not folder.is_dir():
            raise UserError(f"{folder} lies outside the class folders; move it into one, or away")
        try:
            label = find_class(folder.name, num_classes)
        except UserError as error:
            raise UserError(f"{root} has a folder that fits no class: {error}") from None
        if label in found:
            names = f"{found[label].name!r} and {folder.name!r}"
            raise UserError(f"{root} has two folders of class {label}, {names}; merge them, or move one away")
        found[label] = folder
    return found


def _root(path: Path) -> Path:
    """Return where the class folders are: Tiny-ImageNet and ImageNet have them in "train", beside lists."""
    for inner in ("train", "Data/CLS-LOC/train", "ILSVRC/Data/CLS-LOC/train"):
        if (path / inner).is_dir():
            return path / inner
    return path


def _photos_in(folder: Path) -> list[Path]:
    """Return the files of a class folder; Tiny-ImageNet's have them in "images", beside a list of boxes."""
    inner = folder / "images"
    files = _visible(inner if inner.is_dir() else folder)
    for file in files:
        if not file.is_file():
            raise UserError(f"{file} is no file; class folders hold images only")
    return files


def _annotated(path: Path, num_classes: int) -> list[tuple[Path, int]]:
    """Return the photos and classes of a folder whose classes are in a list, as in Tiny-ImageNet's "val"."""
    listed = path / _ANNOTATIONS
    if not listed.is_file():
        return []
    found = []
    for number, line in enumerate(listed.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split("\t")
        if len(fields) < 2 or not (path / "images" / fields[0]).is_file():
            raise UserError(f"{listed}, line {number}, names no photo and its class: {line[:60]!r}")
        found.append((path / "images" / fields[0], find_class(fields[1], num_classes)))
    return found


def _visible(folder: Path) -> list[Path]:
    """Return what `folder` holds, sorted, without the files that operating systems scatter."""
    visible = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entry for entry in visible if entry.name.lower() not in _SYSTEM_FILES)


def read_pack(path: Path, wanted: list[int], num_classes: int) -> list[EncodedPhoto]:
    """Return the photos of the classes `wanted` in an image pack, in its order.

    Raises:
        UserError: it is damaged, or has a class outside [0, num_classes).
    """
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
        EncodedPhoto(int(labels[i]), f"image {i} of {path}", jpeg[offsets[i] : offsets[i + 1]])
        for i in np.flatnonzero(np.isin(labels, wanted))
    ]
