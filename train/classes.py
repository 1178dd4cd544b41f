"""Classes by index, WordNet ID or name: the 1000 of ImageNet, the ten digits, or plain numbers."""

import functools
import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from train.errors import UserError, did_you_mean

_IMAGENET = Path(__file__).parent / "assets" / "imagenet_classes.json"
_INDEX_OR_RANGE = re.compile(r"([0-9]{1,9})(?:\s*-\s*([0-9]{1,9}))?")


def parse_classes(text: str, num_classes: int) -> list[int]:
    """Read indices and inclusive ranges, "0-397,400", as sorted indices without repetition.

    Raises:
        UserError: anything else than indices and rising ranges, or an index outside [0, num_classes).
    """
    indices: set[int] = set()
    for part in text.split(","):
        match = _INDEX_OR_RANGE.fullmatch(part.strip())
        if match is None:
            raise UserError(f"classes {text!r}: {part.strip()!r} is no index or range; write them like 0-9,12")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UserError(f"classes {text!r}: the range {part.strip()!r} runs backwards; write {last}-{first}")
        if last >= num_classes:
            raise UserError(
                f"classes {text!r}: {last} is too large; {num_classes} classes have indices 0-{num_classes - 1}"
            )
        indices.update(range(first, last + 1))
    return sorted(indices)


def classes_text(indices: Sequence[int]) -> str:
    """Return rising indices as `parse_classes` reads them, runs of them as ranges: 0-2,7."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def class_names(num_classes: int) -> list[str]:
    """Return a name for every index: digits for 10 classes, ImageNet's for 1000, else "class 0" and so on.

    An ImageNet name is one or more synonyms with ", " between them. Index 134, a bird, and 517, a machine, are
    both called "crane".
    """
    if num_classes == 1000:
        return [name for _, name in _imagenet()]
    return [str(index) if num_classes == 10 else f"class {index}" for index in range(num_classes)]


def first_synonym(name: str) -> str:
    """Return the first of a name's synonyms, "goldfish" of "goldfish, Carassius auratus"."""
    return name.split(",", 1)[0]


def short_name(index: int, name: str) -> str:
    """Return the index and the first synonym; "7" and "class 7" hold their index already."""
    return name if str(index) in name.split() else f"{index} {first_synonym(name)}"


def find_class(folder_name: str, num_classes: int) -> int:
    """Return the index of the class that a folder is named after.

    Args:
        folder_name: an index, a WordNet ID (n02119789), a class's whole name or one of its synonyms; case does
            not matter, and an underscore is a space.
        num_classes: how many classes there are; WordNet IDs belong to the 1000 of ImageNet.

    Raises:
        UserError: no class has that name, or more than one has it.
    """
    name = _normalise(folder_name)
    if re.fullmatch("[0-9]{1,9}", name):
        if int(name) >= num_classes:
            raise UserError(
                f"class {folder_name!r} is too large; {num_classes} classes have indices 0-{num_classes - 1}"
            )
        return int(name)
    owners = _owners_of_names(num_classes)
    if name not in owners:
        kinds = "index, WordNet ID or ImageNet name" if num_classes == 1000 else f"index 0-{num_classes - 1}"
        raise UserError(f"{folder_name!r} is no class{did_you_mean(name, owners)}; name it by {kinds}")
    if len(owners[name]) > 1:
        choices = " or ".join(f"{index} ({_imagenet()[index][0]})" for index in owners[name])
        raise UserError(f"the class name {folder_name!r} has several meanings; name it by index or ID: {choices}")
    return owners[name][0]


@functools.cache
def _imagenet() -> list[tuple[str, str]]:
    """Return (WordNet ID, name) of each class in index order."""
    return [(wnid, name) for wnid, name in json.loads(_IMAGENET.read_text(encoding="utf-8"))]


@functools.cache
def _owners_of_names(num_classes: int) -> dict[str, list[int]]:
    """Map each normalised name, synonym and WordNet ID to the indices that bear it."""
    owners: dict[str, set[int]] = {}
    for index, name in enumerate(class_names(num_classes)):
        for spelling in spellings(name):
            owners.setdefault(spelling, set()).add(index)
    if num_classes == 1000:
        for index, (wnid, _) in enumerate(_imagenet()):
            owners.setdefault(wnid, set()).add(index)
    return {name: sorted(indices) for name, indices in owners.items()}


def spellings(name: str) -> list[str]:
    """Return a name and its synonyms, the whole one first, without what does not matter: case and spaces."""
    return [_normalise(part) for part in (name, *name.split(","))]


def _normalise(name: str) -> str:
    # Macs write an accent as a letter of its own.
    return " ".join(unicodedata.normalize("NFC", name).replace("_", " ").casefold().split())
