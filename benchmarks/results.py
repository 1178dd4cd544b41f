"""`results.json`: every measured row; tables and plots are made from it alone."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from train.commands import typed
from train.errors import UserError
from train.files import write_json
from train.locks import locked

FORMAT = "tinygan-edge-results-1"
RESULTS_FILE = "results.json"
Section = Literal["cost", "latency", "quality"]
SECTIONS: tuple[Section, ...] = ("cost", "latency", "quality")


class Results:
    """Rows in three sections, written to disk after every change, so that a stopped benchmark goes on.

    A row is a JSON object with a `key`, which tells it from the others of its section, and `inputs`: whatever
    decides its figures (hashes, settings, the device). A row of other inputs is not kept. Several commands may
    measure into one file: each change is made to what is on disk then, under a lock.

    Args:
        path: of `results.json`; what is there is gone on with.
        model: what all the rows are about; rows of another one are dropped.

    Raises:
        UserError: the file is damaged or of another version.
    """

    def __init__(self, path: Path, model: dict[str, Any]) -> None:
        self.path, self._begun = path, False
        self._others: set[str] = set()  # section/key of rows and failures that other commands have put meanwhile
        self._empty: dict[str, Any] = {"format": FORMAT, "model": _plain(model), "notes": {}}
        self._empty |= {section: [] for section in SECTIONS}
        self.content = self._stored() or self._empty

    def kept(self, section: Section, key: str, inputs: dict[str, Any]) -> bool:
        """Return whether a row of these inputs is there."""
        return any(row["key"] == key and row["inputs"] == _plain(inputs) for row in self.content[section])

    def put(self, section: Section, key: str, inputs: dict[str, Any], figures: dict[str, Any]) -> None:
        """Add a row, in place of one of the same key."""
        row = _plain({"key": key, "inputs": inputs, **figures})
        with self._changing():
            self.content.get("failures", {}).pop(f"{section}/{key}", None)
            rows: list[dict[str, Any]] = self.content[section]
            for index, other in enumerate(rows):
                if other["key"] == key:
                    rows[index] = row
                    break
            else:
                rows.append(row)

    def put_failure(self, section: Section, key: str, inputs: dict[str, Any], why: str) -> None:
        """Record why the row of these inputs could not be had; a row of the key goes."""
        with self._changing():
            rows: list[dict[str, Any]] = self.content[section]
            self.content[section] = [row for row in rows if row["key"] != key]
            self.content.setdefault("failures", {})[f"{section}/{key}"] = _plain({"inputs": inputs, "why": why})

    def keep_only(self, section: Section, prefix: str, keys: list[str]) -> None:
        """Drop the rows whose key begins with `prefix` and is none of `keys`; order the others like those.

        What another command has put since this one began stays.
        """
        with self._changing():
            rows: list[dict[str, Any]] = self.content[section]
            stale = f"{section}/{prefix}"
            kept = {f"{section}/{key}" for key in keys}
            mine = {row["key"]: row for row in rows if row["key"] in keys}
            others = [
                row for row in rows if row["key"] not in mine and self._stays(f"{section}/{row['key']}", stale)
            ]
            self.content[section] = [*others, *(mine[key] for key in keys if key in mine)]
            failures = self.content.get("failures", {})
            self.content["failures"] = {k: v for k, v in failures.items() if k in kept or self._stays(k, stale)}

    def _stays(self, name: str, stale: str) -> bool:
        return not name.startswith(stale) or name in self._others

    def say(self, subject: str, **values: Any) -> None:
        """Record something about a whole section: its protocol, what was left out and why."""
        with self._changing():
            self.content["notes"][subject] = _plain(values)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Take what is on disk, and write the result of the context."""
        doing = f"writes {self.path}"
        with locked(self.path.parent, doing, name=f".{self.path.name}.lock"):
            stored = self._stored()
            if stored is None and self._begun and self.path.is_file():
                raise UserError(f"{self.path} is about another model now; measure into another folder with --out")
            before = _named(self.content)
            self._others |= {name for name, row in _named(stored or {}).items() if before.get(name) != row}
            self.content, self._begun = stored or self._empty, True
            yield
            write_json(self.path, self.content)

    def _stored(self) -> dict[str, Any] | None:
        """Return what is on disk; None if there is nothing about this model."""
        stored = read_results(self.path) if self.path.is_file() else None
        return stored if stored and stored["model"] == self._empty["model"] else None


def _named(content: dict[str, Any]) -> dict[str, Any]:
    """Return section/key → row, and of failures what is known of them."""
    rows = {f"{section}/{row['key']}": row for section in SECTIONS for row in content.get(section, ())}
    return rows | content.get("failures", {})


def read_results(path: Path) -> dict[str, Any]:
    """Read a results file.

    Raises:
        UserError: it is missing, damaged or of another version.
    """
    if not path.is_file():
        folder = path.parent
        where = ("--run", folder.parent) if folder.name == "benchmark" else ("--out", folder)
        raise UserError(f"no results at {path}; measure with: {typed('benchmarks/run_device.py', *where)}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        sections = [content[section] for section in SECTIONS]
        if not all(isinstance(row["key"], str) and "inputs" in row for rows in sections for row in rows):
            raise TypeError("a row without key")
        found, _ = content["format"], (content["model"], content["notes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error!r}); delete it and measure again") from None
    if found != FORMAT:
        raise UserError(f"{path} is of format {found!r}, not {FORMAT!r}; delete it and measure again")
    return content


def _plain(value: Any) -> Any:
    """Return a value as it comes back from JSON, so that stored and new ones compare equal."""
    return json.loads(json.dumps(value, default=str))
