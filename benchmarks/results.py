"""`results.json`: every measured row; tables and plots are made from it alone."""

import json
import os
import platform
from pathlib import Path
from typing import Any, Literal

from train.errors import UserError
from train.files import write_json

FORMAT = "tinygan-edge-results-1"
RESULTS_FILE = "results.json"
Section = Literal["cost", "latency", "quality"]
SECTIONS: tuple[Section, ...] = ("cost", "latency", "quality")


class Results:
    """Rows in three sections, written to disk after every change, so that a stopped benchmark goes on.

    A row is a JSON object with a `key`, which tells it from the others of its section, and `inputs`: whatever
    decides its figures (hashes, settings, the device). A row of other inputs is not kept.

    Args:
        path: of `results.json`; what is there is gone on with.
        model: what all the rows are about; rows of another one are dropped.

    Raises:
        UserError: the file is damaged or of another version.
    """

    def __init__(self, path: Path, model: dict[str, Any]) -> None:
        self.path = path
        self.content: dict[str, Any] = {"format": FORMAT, "model": _plain(model), "notes": {}}
        self.content |= {section: [] for section in SECTIONS}
        if path.is_file():
            stored = read_results(path)
            if stored["model"] == self.content["model"]:
                self.content = stored

    def kept(self, section: Section, key: str, inputs: dict[str, Any]) -> bool:
        """Return whether a row of these inputs is there."""
        return any(row["key"] == key and row["inputs"] == _plain(inputs) for row in self.content[section])

    def put(self, section: Section, key: str, inputs: dict[str, Any], figures: dict[str, Any]) -> None:
        """Add a row, in place of one of the same key."""
        row = _plain({"key": key, "inputs": inputs, **figures})
        self.content.get("failures", {}).pop(f"{section}/{key}", None)
        rows: list[dict[str, Any]] = self.content[section]
        for index, other in enumerate(rows):
            if other["key"] == key:
                rows[index] = row
                break
        else:
            rows.append(row)
        self.write()

    def put_failure(self, section: Section, key: str, inputs: dict[str, Any], why: str) -> None:
        """Record that the row of these inputs cannot be had, so that nobody tries again; a row of the key goes."""
        rows: list[dict[str, Any]] = self.content[section]
        self.content[section] = [row for row in rows if row["key"] != key]
        self.content.setdefault("failures", {})[f"{section}/{key}"] = _plain({"inputs": inputs, "why": why})
        self.write()

    def failure(self, section: Section, key: str, inputs: dict[str, Any]) -> str | None:
        """Return why the row of these inputs cannot be had; None where nothing is known of it."""
        found = self.content.get("failures", {}).get(f"{section}/{key}")
        return found["why"] if found and found["inputs"] == _plain(inputs) else None

    def keep_only(self, section: Section, prefix: str, keys: list[str]) -> None:
        """Drop the rows whose key begins with `prefix` and is none of `keys`; order the others like those."""
        rows: list[dict[str, Any]] = self.content[section]
        mine = {row["key"]: row for row in rows if row["key"].startswith(prefix)}
        others = [row for row in rows if row["key"] not in mine]
        self.content[section] = [*others, *(mine[key] for key in keys if key in mine)]
        self.write()

    def say(self, subject: str, **values: Any) -> None:
        """Record something about a whole section: its protocol, what was left out and why."""
        self.content["notes"][subject] = _plain(values)
        self.write()

    def write(self) -> None:
        """Write the file."""
        write_json(self.path, self.content)


def read_results(path: Path) -> dict[str, Any]:
    """Read a results file.

    Raises:
        UserError: it is missing, damaged or of another version.
    """
    if not path.is_file():
        raise UserError(f"no results at {path}; measure with: python benchmarks/run_device.py")
    try:
        content = json.loads(path.read_text())
        sections = [content[section] for section in SECTIONS]
        if not all(isinstance(row["key"], str) and "inputs" in row for rows in sections for row in rows):
            raise TypeError("a row without key")
        found, _ = content["format"], (content["model"], content["notes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error!r}); delete it and measure again") from None
    if found != FORMAT:
        raise UserError(f"{path} is of format {found!r}, not {FORMAT!r}; delete it and measure again")
    return content


def this_machine() -> dict[str, Any]:
    """Return what identifies the machine that measures: its processor by name, cores, system."""
    return {
        "target": "host",
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu_name() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _plain(value: Any) -> Any:
    """Return a value as it comes back from JSON, so that stored and new ones compare equal."""
    return json.loads(json.dumps(value, default=str))
