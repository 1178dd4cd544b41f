"""What the classes of a student are called, and which of them a folder or a label of photos means."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

from train.classes import class_names, find_class, spellings
from train.errors import UserError, did_you_mean, listed


@dataclasses.dataclass(frozen=True)
class Naming:
    """The names of every class index, and how photos name them."""

    names: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    """The teacher's number of every class, where the student counts them anew; empty: the same."""
    own: bool = False
    """Whether the names are the data's own, and not those that `train.classes.class_names` has."""

    def find(self, folder_name: str) -> int | None:
        """Return the class that a folder is named after; None for one that only the teacher has.

        Raises:
            UserError: it names no class, or several.
        """
        if not self.own:
            return find_class(folder_name, len(self.names))
        owners = self._owners.get(spellings(folder_name)[0], [])
        if len(owners) == 1:
            return owners[0]
        if self._of_imagenet:
            return self._positions.get(find_class(folder_name, 1000))
        if folder_name.strip().isdecimal():
            return self.of_number(int(folder_name))
        hint = did_you_mean(folder_name, self.names)
        raise UserError(f"{folder_name!r} is no class{hint}; they are {listed(self.names)}")

    def of_number(self, number: int) -> int | None:
        """Return the class of a number: the teacher's where it counts otherwise; None for one that is not chosen.

        Raises:
            UserError: there is no such class.
        """
        if self.numbers:
            return self._positions.get(number)
        if not 0 <= number < len(self.names):
            raise UserError(
                f"class {number} is outside 0-{len(self.names) - 1}; take photos of the teacher's classes"
            )
        return number

    @functools.cached_property
    def _owners(self) -> dict[str, list[int]]:
        owners: dict[str, list[int]] = {}
        for index, name in enumerate(self.names):
            for spelling in dict.fromkeys(spellings(name)):
                owners.setdefault(spelling, []).append(index)
        return owners

    @functools.cached_property
    def _positions(self) -> dict[int, int]:
        return {number: index for index, number in enumerate(self.numbers)}

    @functools.cached_property
    def _of_imagenet(self) -> bool:
        """Whether the classes are some of ImageNet's 1000, whose WordNet IDs then name them too."""
        imagenet = class_names(1000)
        return bool(self.numbers) and all(
            number < 1000 and imagenet[number] == name
            for number, name in zip(self.numbers, self.names, strict=True)
        )


def numbered(num_classes: int) -> Naming:
    """Return the naming of so many classes without names of their own."""
    return Naming(tuple(class_names(num_classes)))


def named(names: Sequence[str], numbers: Sequence[int] = ()) -> Naming:
    """Return the naming of classes with names of their own.

    Raises:
        UserError: a name is empty, or two classes have the same name.
    """
    seen: dict[str, str] = {}
    for name in names:
        key = spellings(name)[0]
        if not key:
            raise UserError(f"class {names.index(name)} has an empty name; give every class one")
        # Two of ImageNet's are both called "crane", and their numbers tell them apart.
        if key in seen and not numbers:
            raise UserError(f"two classes are called {seen[key]!r} and {name!r}; give each a name of its own")
        seen[key] = name
    return Naming(tuple(names), tuple(numbers), own=True)


def read_lines(path: Path, what: str) -> list[str]:
    """Read the lines of a text about classes, UTF-8 with or without the mark that Windows puts first.

    Raises:
        UserError: it cannot be read, or is in another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the {what} {path} cannot be read ({error}); save it as UTF-8") from None
