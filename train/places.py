"""What a run began with: its settings, and where its data lies, found again from elsewhere or after a move."""

import dataclasses
import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from train.config import TrainConfig, without_folders
from train.errors import UserError

CONFIG_FILE = "config.json"
PATHS = ("teacher", "reals", "class_embedding")
"""Settings of a run's data that may name a file or a folder; `pairs:` or `snapshot:` may stand before it."""

_NO_PATHS = {"", "digits", "biggan-deep-128"}
_HUB = "hub:"  # and what follows is no path either


def beside(run: Path, name: str) -> Path:
    """Return the folder `name` beside a run folder, which may be "."."""
    return Path(os.path.abspath(run)).parent / name


def record_places(data: Mapping[str, str], run: Path) -> dict[str, dict[str, str]]:
    """Return for each path in a run's settings where it is: in full, and as seen from the run folder."""
    found = {}
    for name in (*PATHS, "shared"):
        value = data[name]
        if value not in _NO_PATHS and not value.startswith(_HUB):
            path = os.path.abspath(_path_in(value))
            found[name] = {"full": path, "from_run": os.path.relpath(path, os.path.abspath(run))}
    return found


def read_settings(run: Path) -> dict[str, Any]:
    """Read a run's config.json; the paths of its data are made such that they hold from the current folder.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = run / CONFIG_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        settings, places = content["settings"], content.get("places", {})
        data = settings["data"]
        data.setdefault("held_out", 0)  # older versions trained on all pairs
        for name in PATHS:
            data[name] = _found_again(data[name], places.get(name, {}), run)
        if shared := places.get("shared"):
            settings["shared"] = _found_again(shared["full"], shared, run)
        return settings
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} was not written by this version of train/main.py ({error!r})") from None


def as_begun(config: TrainConfig, run: Path) -> TrainConfig:
    """Return the settings with no pairs held out where `run` has begun to train on all of them."""
    try:
        data = json.loads((run / CONFIG_FILE).read_text(encoding="utf-8"))["settings"]["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return config  # there is none, or `check_folder` says what is wrong with it
    if "held_out" in data:
        return config
    return dataclasses.replace(config, data=dataclasses.replace(config.data, held_out=0))


def check_folder(folder: Path, config: TrainConfig) -> None:
    """Raise a UserError if `folder` was made with other settings, or by something else."""
    path = folder / CONFIG_FILE
    if not path.is_file():
        return
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))["settings"]
        # A setting that an older version did not have: it did what the default does.
        stored = without_folders(_filled(stored, settings_record(TrainConfig())))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{folder} was not made by train/main.py; choose another --run or delete it") from None
    ours = without_folders(settings_record(config))
    differences = [f"{name} {old!r}, not {new!r}" for name, old, new in _differences(stored, ours)]
    if differences:
        more = f" (and {len(differences) - 1} more differences)" if len(differences) > 1 else ""
        raise UserError(f"{folder} was made with {differences[0]}{more}; choose another --run or delete it")


def _filled(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return nested settings with the defaults of those that they miss."""
    whole = defaults | values
    nested = {name: value for name, value in whole.items() if isinstance(value, dict) and name in defaults}
    return whole | {name: _filled(value, defaults[name]) for name, value in nested.items()}


def settings_record(config: TrainConfig) -> dict[str, Any]:
    """Return what a run's config.json says of its settings."""
    return json.loads(json.dumps(config.learned(), default=str))


def _differences(old: Any, new: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        parts = (_differences(old.get(k), new.get(k), f"{name}.{k}" if name else k) for k in keys)
        return list(itertools.chain.from_iterable(parts))
    return [] if old == new else [(name, old, new)]


def _path_in(value: str) -> str:
    return value.rpartition(":")[2] if value.startswith(("pairs:", "snapshot:")) else value


def _found_again(value: str, place: Mapping[str, str], run: Path) -> str:
    """Return a setting with its path where that is now: where it was, or moved with the run; else where it was."""
    if value in _NO_PATHS or value.startswith(_HUB):
        return value
    typed = _path_in(value)
    run = Path(os.path.abspath(run))
    candidates = (
        [place["full"], run / place["from_run"]] if place else [Path(typed), *(p / typed for p in run.parents)]
    )
    found = next((path for path in map(Path, candidates) if path.exists()), Path(candidates[0]))
    return value.removesuffix(typed) + os.path.abspath(found)
