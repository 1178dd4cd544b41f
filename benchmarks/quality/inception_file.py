"""Where the standard Inception lies: stated, in clean-fid's own cache, or fetched into it when asked to."""

import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.quality.features import missing
from train.errors import UserError
from train.files import write_atomically

INCEPTION_FILE = "inception-2015-12-05.pt"


def find_inception(stated: Path | None, *, download: bool) -> Path | None:
    """Return the file of the standard Inception; None where there is none and `download` is not set.

    Raises:
        UserError: the cached file is damaged, clean-fid is not installed, or the download fails.
    """
    if stated is not None:
        return stated
    cached = Path(tempfile.gettempdir()) / INCEPTION_FILE  # where clean-fid looks for it
    if cached.is_file() and zipfile.is_zipfile(cached):
        return cached
    if download:
        return _fetch(cached)
    if cached.is_file():
        raise UserError(
            f"{cached}, from clean-fid's cache, is damaged; fetch it again with --download, or delete it"
        )
    return None


def _fetch(path: Path) -> Path:
    try:
        from cleanfid.downloads_helper import inception_url
    except ModuleNotFoundError as error:
        raise missing(error) from None
    try:
        with urllib.request.urlopen(inception_url, timeout=30) as response:
            size = int(response.headers.get("Content-Length") or 0)
            megabytes = f"{size / 1e6:.0f} MB" if size else "of unstated size"
            print(f"downloading {INCEPTION_FILE}, {megabytes}, from {inception_url} to {path}", flush=True)
            with tqdm.wrapattr(response, "read", total=size or None, desc=INCEPTION_FILE) as stream:
                write_atomically(path, lambda temporary: _save(temporary, stream, inception_url))
    except (urllib.error.URLError, OSError) as error:
        raise UserError(
            f"{inception_url} cannot be fetched ({error}); give the file with --inception, or leave --download out"
        ) from None
    return path


def _save(path: Path, stream: Any, origin: str) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(stream, file)
    if not zipfile.is_zipfile(path):  # cut short, or a page that says why not
        raise UserError(f"{origin} gave no TorchScript file; try again, or give the file with --inception")
