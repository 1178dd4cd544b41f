"""The files of an artifact: one file, or a folder such as a Core ML package, without what a desktop left in it."""

import hashlib
import json
import uuid
from pathlib import Path

from train.errors import UserError
from train.files import file_hash, write_json

PACKAGE_MANIFEST = "Manifest.json"


def counted_files(path: Path) -> list[Path]:
    """Return the files that make an artifact, sorted; hidden ones do not count."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path))


def hidden_files(path: Path) -> list[str]:
    """Return the hidden files in an artifact's folder, which neither count nor travel into an app."""
    if path.is_file():
        return []
    return sorted(str(f.relative_to(path)) for f in path.rglob("*") if f.is_file() and _is_hidden(f, path))


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def file_size(path: Path) -> int:
    """Return the bytes of a file, or of all counted files in a folder."""
    return sum(file.stat().st_size for file in counted_files(path))


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of all counted files in a folder."""
    if path.is_file():
        return file_hash(path)
    total = hashlib.sha256()
    for file in counted_files(path):
        total.update(f"{file.relative_to(path).as_posix()}\0{file_hash(file)}\n".encode())
    return total.hexdigest()


def unlisted_files(package: Path) -> list[Path]:
    """Return the counted files of a Core ML package that its Manifest.json does not list; none of other artifacts.

    Raises:
        UserError: the Manifest.json is damaged.
    """
    manifest = package / PACKAGE_MANIFEST
    if not manifest.is_file():
        return []
    try:
        items = json.loads(manifest.read_text(encoding="utf-8"))["itemInfoEntries"].values()
        listed = [package / "Data" / item["path"] for item in items]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{manifest} is damaged ({error!r}); export the package again") from None
    known = {manifest, *listed}
    return [file for file in counted_files(package) if not known.intersection((file, *file.parents))]


def tidy_package(package: Path) -> None:
    """Remove what a Core ML package's Manifest.json does not list, and make its random identifiers fixed ones."""
    for file in unlisted_files(package):
        file.unlink()
    content = json.loads((package / PACKAGE_MANIFEST).read_text(encoding="utf-8"))
    items = content["itemInfoEntries"]
    names = {old: str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])).upper() for old, item in items.items()}
    content["itemInfoEntries"] = dict(sorted((names[old], item) for old, item in items.items()))
    content["rootModelIdentifier"] = names[content["rootModelIdentifier"]]
    write_json(package / PACKAGE_MANIFEST, dict(sorted(content.items())))
