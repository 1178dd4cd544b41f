"""The pictures of the app's screens in its README."""

from pathlib import Path

from PIL import Image

from tests.android.catalog import PROJECT
from train.errors import UserError

SHOWN = ("main", "morph", "blend", "play", "link", "race", "picker", "benchmark")
FOLDER = PROJECT / "pictures"
_WIDTH = 480  # enough for a README


def find_pictures(folder: Path) -> list[Path]:
    """Return the pictures among those that the app's tests took.

    Raises:
        UserError: one is missing.
    """
    found = [folder / f"{name}.png" for name in SHOWN]
    for path in found:
        if not path.is_file():
            raise UserError(f"no test took {path.name}; is the test of the app that draws it still there?")
    return found


def show(pictures: list[Path]) -> None:
    """Put smaller copies into the project."""
    for path in pictures:
        with Image.open(path) as picture:
            size = (_WIDTH, round(picture.height * _WIDTH / picture.width))
            small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        small.save(FOLDER / f"{path.stem}.jpg", quality=90, subsampling=0, optimize=True)
