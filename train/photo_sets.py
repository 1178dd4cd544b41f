"""Sets of photos: folders with one folder of images per class, and image packs."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from train.errors import UserError
from train.naming import Naming, named, read_lines

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


def list_folder(path: Path, wanted: list[int], naming: Naming) -> list[EncodedPhoto]:
    """Return the photos of the classes `wanted` in a folder of class folders, by class and file name.

    Raises:
        UserError: something in it is no class folder, two folders name one class, or something is no file.
    """
    selected = set(wanted)
    encoded = []
    for file, label in _annotated(path, naming):
        if label in selected:
            encoded.append(EncodedPhoto(label, str(file), file))
    folders = _class_folders(path, naming).items()
    for label, folder in tqdm(folders, desc="listing photos", unit="class", delay=2, leave=False):
        for file in _photos_in(folder) if label in selected else ():
            encoded.append(EncodedPhoto(label, str(file), file))
    return sorted(encoded, key=lambda image: (image.label, image.name))


def classes_in(path: Path, naming: Naming) -> list[int]:
    """Return the classes that a folder of class folders or an image pack has, sorted.

    Raises:
        UserError: as `list_folder` and `read_pack`.
    """
    if path.is_dir():
        annotated = {label for _, label in _annotated(path, naming)}
        return sorted(annotated | _class_folders(path, naming).keys())
    return sorted({image.label for image in read_pack(path, list(range(len(naming.names))), naming)})


def naming_of(path: Path, naming: Naming) -> Naming:
    """Return the naming of photos whose folders, or whose pack, have names of their own, else `naming`.

    Such folders count as ImageNet's loader counts them, in the order of their names.

    Args:
        path: a folder or a pack.
        naming: how the classes are called otherwise.

    Raises:
        UserError: there are not as many folders as classes, or the pack is damaged.
    """
    if naming.own or not path.exists():
        return naming
    found = _names_in(path)
    if not found or any(_fits(name, naming) for name in found):
        return naming
    if len(found) != len(naming.names):
        raise UserError(
            f"{path} has {len(found)} classes, {', '.join(found[:4])} …, and the student {len(naming.names)}; "
            f"pass --generator.num-classes {len(found)}, or name the folders after the teacher's classes"
        )
    return named(found)


def names_of_folders(path: Path) -> list[str]:
    """Return the names of the class folders in `path`, in the order of ImageNet's loader."""
    return [folder.name for folder in visible(_root(path)) if folder.is_dir()]


def _names_in(path: Path) -> list[str]:
    if path.is_dir():
        return [] if (_root(path) / _ANNOTATIONS).is_file() else names_of_folders(path)
    return _open_pack(path)[3]


def _fits(name: str, naming: Naming) -> bool:
    try:
        naming.find(name)
    except UserError:
        return False
    return True


def _class_folders(path: Path, naming: Naming) -> dict[int, Path]:
    """Return class → its folder: in `path`, or in its train folder, as downloads have it."""
    root = _root(path)
    if (root / _ANNOTATIONS).is_file():
        return {}
    found: dict[int, Path] = {}
    for folder in visible(root):
        if not folder.is_dir():
            raise UserError(f"{folder} lies outside the class folders; move it into one, or away")
        try:
            label = naming.find(folder.name)
        except UserError as error:
            raise UserError(f"{root} has a folder that fits no class: {error}") from None
        if label is None:
            continue
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
    files = visible(inner if inner.is_dir() else folder)
    for file in files:
        if not file.is_file():
            raise UserError(f"{file} is no file; class folders hold images only")
    return files


def _annotated(path: Path, naming: Naming) -> list[tuple[Path, int]]:
    """Return the photos and classes of a folder whose classes are in a list, as in Tiny-ImageNet's "val"."""
    listed = path / _ANNOTATIONS
    if not listed.is_file():
        return []
    found = []
    for number, line in enumerate(read_lines(listed, "list"), 1):
        fields = line.split("\t")
        if len(fields) < 2 or not (path / "images" / fields[0]).is_file():
            raise UserError(f"{listed}, line {number}, names no photo and its class: {line[:60]!r}")
        if (label := naming.find(fields[1])) is not None:
            found.append((path / "images" / fields[0], label))
    return found


def visible(folder: Path) -> list[Path]:
    """Return what `folder` holds, sorted, without the files that operating systems scatter."""
    shown = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entry for entry in shown if entry.name.lower() not in _SYSTEM_FILES)


def read_pack(path: Path, wanted: list[int], naming: Naming) -> list[EncodedPhoto]:
    """Return the photos of the classes `wanted` in an image pack, in its order.

    Raises:
        UserError: it is damaged, or has a class that there is not.
    """
    jpeg, offsets, labels, names = _open_pack(path)
    chosen = set(wanted)
    try:
        if names:
            classes = {number: naming.find(name) for number, name in enumerate(names)}
        else:
            classes = {number: naming.of_number(number) for number in np.unique(labels).tolist()}
    except UserError as error:
        raise UserError(f"{path} has photos that fit no class: {error}") from None
    return [
        EncodedPhoto(label, f"image {i} of {path}", jpeg[offsets[i] : offsets[i + 1]])
        for i, number in enumerate(labels.tolist())
        if (label := classes[number]) is not None and label in chosen
    ]


def _open_pack(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Return jpeg, offsets, labels and the names of the classes, if the pack has names."""
    try:
        # np.load would also take a file that is no archive, and return an array.
        with open(path, "rb") as file, np.lib.npyio.NpzFile(file) as pack:
            jpeg, offsets, labels = (pack[field] for field in ("jpeg", "offsets", "label"))
            names = [str(name) for name in pack["names"]] if "names" in pack else []
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
    if names and labels.size and not 0 <= labels.min() <= labels.max() < len(names):
        raise UserError(f"{path} is a damaged image pack: it has labels beyond its {len(names)} names")
    return jpeg, offsets, labels, names
