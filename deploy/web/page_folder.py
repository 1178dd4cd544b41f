"""The page as a folder that any static server can show."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from deploy.manifest import MANIFEST_FILE, read_manifest
from deploy.web import litert_js
from train.errors import UserError
from train.files import file_hash, write_folder_atomically, write_json, write_text
from train.photo_sets import visible

_PAGE = Path(__file__).parent / "page"
_LICENSE = Path(__file__).parents[2] / "LICENSE"
_SERVICE_WORKER, LISTING_FILE = "service-worker.js", "files.json"
_VERSION_LINE = "const VERSION = 'VERSION';"


def write_page(artifacts: Path, file: str, folder: Path) -> None:
    """Write the page with one artifact; what was there gives way when it is whole.

    Args:
        artifacts: folder with a manifest.
        file: a `.tflite` file in it.
        folder: where the page goes; replaced if a page is there.

    Raises:
        UserError: LiteRT.js cannot be had, the artifact is not in the manifest or cannot be run by it, or `folder`
            holds something else than a page.
    """
    manifest = read_manifest(artifacts)
    entry = next((entry for entry in manifest["artifacts"] if entry["file"] == file), None)
    if entry is None:
        raise UserError(f"no {file} in {artifacts / MANIFEST_FILE}; export it again")
    if entry["checks"].get("litert_js", {}).get("fully_delegated") is False:
        raise UserError(
            f"{file} would be slow in a browser: XNNPACK does not compute every operation; choose int8"
        )
    if folder.exists() and visible(folder) and not (folder / LISTING_FILE).is_file():
        raise UserError(f"{folder} holds something else than a page; give another --out")
    litert = litert_js.fetch()

    def write(new: Path) -> None:
        shutil.copytree(_PAGE, new, ignore=shutil.ignore_patterns(".*"), copy_function=shutil.copyfile)
        (new / "litert").mkdir()
        for name in litert_js.FILES:
            shutil.copyfile(litert / name, new / "litert" / name)
        shutil.copyfile(_LICENSE, new / "litert" / "LICENSE")  # LiteRT.js has the same
        (new / "model").mkdir()
        head = {name: value for name, value in manifest.items() if name != "artifacts"}
        write_json(new / "model" / MANIFEST_FILE, {**head, "artifacts": [entry]})
        for name in (file, manifest["golden"]["first"]["files"][entry["student"]]):
            shutil.copyfile(artifacts / name, new / "model" / name)
        _write_listing(new)

    write_folder_atomically(folder, write)


def _write_listing(folder: Path) -> None:
    """Write `files.json`, and the hash of all files into the service worker, which browsers compare."""
    worker = folder / _SERVICE_WORKER
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    entries: dict[str, dict[str, Any]] = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": file_hash(path)}
        for path in paths
    }
    version = hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:16]
    del entries[_SERVICE_WORKER]
    text = worker.read_text(encoding="utf-8")
    assert text.count(_VERSION_LINE) == 1
    write_text(worker, text.replace(_VERSION_LINE, f"const VERSION = '{version}';"))
    listing = {"version": version, "litert": litert_js.VERSION, "files": entries}
    write_json(folder / LISTING_FILE, listing)
