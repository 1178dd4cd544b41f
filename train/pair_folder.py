"""A collection's folder: which one it is, whether it is whole, and whether this process may write there."""

import contextlib
import dataclasses
import json
import shutil
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from train.commands import typed
from train.distributed import World
from train.errors import UserError
from train.files import remove, write_json
from train.locks import locked
from train.pair_format import FORMAT, OPTIONAL, RECORD, PairSettings, is_whole
from train.photo_sets import visible


def missing_shards(folder: Path, settings: PairSettings) -> list[str]:
    """Return the shards that are not in `folder`, or miss a file, in order."""
    return [name for name in settings.shards if not is_whole(folder / name)]


def is_complete(folder: Path, settings: PairSettings) -> bool:
    """Return whether all shards are there and nothing is left to do."""
    return (folder / "index.json").is_file() and not missing_shards(folder, settings)


def check_may_write(folder: Path, settings: PairSettings) -> None:
    """Check that what is still missing may be collected into `folder`, and fits on its disk.

    Raises:
        UserError: the folder is not new, empty, or a collection with exactly these settings; or the disk is full.
    """
    _check_same_settings(folder, settings)
    shards = settings.shards
    _check_disk_space(
        folder, sum(len(shards[name]) for name in missing_shards(folder, settings)) * settings.pair_bytes
    )


@contextlib.contextmanager
def claimed(folder: Path, settings: PairSettings, world: World) -> Iterator[None]:
    """Let this process, or the processes of its world, alone write to a collection; another command waits.

    Raises:
        UserError: as `check_may_write`, for what another command has put there meanwhile.
    """
    with contextlib.ExitStack() as stack:
        if world.is_main:
            stack.enter_context(locked(folder, f"collects pairs in {folder}"))
            check_may_write(folder, settings)
            _remove_leftovers(folder)
        world.barrier()  # nobody writes before the folder is cleared
        yield
        world.barrier()  # nobody leaves the folder to others before everybody has done its share


def _check_same_settings(folder: Path, settings: PairSettings) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a folder with --out")
    stored = stored_settings(folder)
    if stored is None:
        if folder.exists() and (other := visible(folder)):
            name = other[0].name
            raise UserError(f"{folder} holds other files ({name}), not pairs; give a new folder with --out")
        return
    pinned, asked = dataclasses.asdict(stored), dataclasses.asdict(settings)
    different = [name for name in asked if pinned[name] != asked[name]]
    if different:
        has = ", ".join(f"{name} {_brief(pinned[name])}" for name in different)
        wants = ", ".join(f"{name} {_brief(asked[name])}" for name in different)
        raise UserError(
            f"{folder} is a collection with {has}, and this call asks for {wants}; "
            "use the same settings or another --out"
        )


def stored_settings(folder: Path) -> PairSettings | None:
    """Return what the collection in `folder` was begun with; None without one.

    Raises:
        UserError: its plan or index is damaged.
    """
    for _ in range(3):  # another process may be turning the plan into the index
        with contextlib.suppress(FileNotFoundError):
            if (folder / "index.json").is_file():
                return read_index(folder)[0]
            if (folder / "plan.json").is_file():
                return read_plan(folder)[0]
        if not any(folder.glob("shard-*")):
            break
    return None


def _brief(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(f"{part['teacher']} for {len(part['classes'])} classes" for part in value)
    if isinstance(value, list) and len(value) > 6:
        return f"[{value[0]}, {value[1]}, … {value[-1]}: {len(value)} classes]"
    return f"{value[:12]}…" if isinstance(value, str) and len(value) == 64 else str(value)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a kill left half-written, and shards that miss a file; nobody else writes here now."""
    for path in [*folder.glob(".*.tmp"), *(shard for shard in folder.glob("shard-*") if not is_whole(shard))]:
        remove(path)


def _check_disk_space(folder: Path, needed: int) -> None:
    disk = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(disk).free
    if needed > free:
        raise UserError(
            f"the pairs still to collect need {needed / 1e9:,.3f} GB and {disk} has {free / 1e9:,.3f} GB free; "
            "free some, lower --per-class or give another --out; in train/main.py these are --data.per-class and "
            "--runtime.shared"
        )


def write_plan(folder: Path, settings: PairSettings, command: str) -> None:
    """Pin the settings of a collection that is not, or no longer, complete."""
    write_json(folder / "plan.json", {**settings.as_json(), "command": command})
    (folder / "index.json").unlink(missing_ok=True)


def write_index(folder: Path, settings: PairSettings) -> None:
    """Declare a collection complete, from the records in its shards."""
    shards = [{"folder": name, **_read_json(folder / name / RECORD)} for name in settings.shards]
    write_json(folder / "index.json", {**settings.as_json(), "shards": shards})
    (folder / "plan.json").unlink(missing_ok=True)


def read_index(folder: Path) -> tuple[PairSettings, list[str]]:
    """Return the settings of a complete collection and the checksum of each shard.

    Raises:
        UserError: there is no collection in `folder`, or it is unfinished, or its index is damaged.
    """
    path = folder / "index.json"
    if not path.is_file():
        raise UserError(_why_no_index(folder))
    index = _read_json(path)
    records = index.pop("shards", None)
    settings = _parse_settings(index, path)
    try:
        listed = {record["folder"]: record["count"] for record in records}
        checksums = [record["sha256"] for record in records]
    except (KeyError, TypeError):
        listed, checksums = {}, []
    if listed != {name: len(pairs) for name, pairs in settings.shards.items()}:
        raise UserError(f"{path} does not list its shards as it should; restore it or delete the folder")
    return settings, checksums


def _why_no_index(folder: Path) -> str:
    if not (folder / "plan.json").is_file():
        command = typed("train/collect.py", "--teacher", "digits", "--out", folder)
        return f"no pairs in {folder}; collect some, of the teacher that you want, with: {command}"
    settings, command = read_plan(folder)
    done = len(settings.shards) - len(missing_shards(folder, settings))
    again = command or "collect_pairs with the same arguments"
    return f"{folder} has {done} of {len(settings.shards)} shards; collect the rest with: {again}"


def read_plan(folder: Path) -> tuple[PairSettings, str]:
    """Return the settings of an unfinished collection, and the command that resumes it ("" if unknown).

    Raises:
        UserError: the plan is damaged.
    """
    path = folder / "plan.json"
    plan = _read_json(path)
    command = plan.pop("command", "")
    return _parse_settings(plan, path), command


def _parse_settings(fields: dict[str, Any], path: Path) -> PairSettings:
    if fields.get("format") != FORMAT:
        raise UserError(f"{path} has format {fields.get('format')!r}, not {FORMAT!r}; collect into another folder")
    types = typing.get_type_hints(PairSettings) | dict.fromkeys(
        ("classes", "names", "teacher_classes", "teachers"), list
    )
    wrong = sorted((types.keys() ^ fields.keys()) - (OPTIONAL - fields.keys()))
    wrong = wrong or [name for name, value in fields.items() if not isinstance(value, types[name])]
    wrong = wrong or [name for name in ("image_size", "z_dim", "per_class", "shard_size") if fields[name] < 1]
    if wrong:
        raise UserError(f"{path} is damaged ({wrong[0]}); restore it or delete the folder")
    return PairSettings(**fields)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); restore it or delete the folder") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (no JSON object); restore it or delete the folder")
    return content
