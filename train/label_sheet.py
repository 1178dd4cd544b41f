"""A picture of real images with their classes' names, on which shuffled labels are seen."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageFont

from train.classes import short_name
from train.images import save_png, sheet
from train.reals import RealImages
from train.sampling import LABEL_PADDING, with_labels

_FONT_SIZE = 15
_GAP = 4  # pixels below each row
_NOTE_HEIGHT = 24
_SMALL = 64  # images below this size are doubled


def write_label_sheet(
    reals: RealImages, names: Sequence[str], path: Path, per_class: int = 8, max_classes: int = 20
) -> None:
    """Write a PNG with one row of images per class, its name at the left, so that shuffled labels are seen.

    `names` has the name of every class index. At most `max_classes` rows of at most `per_class` images are
    spread evenly over all that there are; a last line tells of classes left out. Images below 64 px are doubled.
    """
    present = sorted(reals.by_class)
    shown = [present[i] for i in _spread(len(present), max_classes)]
    chosen = [reals.by_class[index][_spread(len(reals.by_class[index]), per_class)] for index in shown]
    scale = 2 if reals.images.shape[1] < _SMALL else 1
    side = reals.images.shape[1] * scale
    rows, pitch = len(shown), side + _GAP
    labels = [(row * pitch + side // 2, short_name(index, names[index])) for row, index in enumerate(shown)]
    if rows < len(present):
        labels.append((rows * pitch + 10, f"{rows} of {len(present)} classes"))
    height = rows * pitch + _NOTE_HEIGHT * (len(labels) - rows)
    body = Image.new("RGB", (max(map(len, chosen)) * side, height), "white")
    for row, positions in enumerate(chosen):
        body.paste(sheet([reals.images[positions]], scale=scale), (0, row * pitch))
    font = ImageFont.load_default(_FONT_SIZE)
    margin = max(int(font.getlength(text)) for _, text in labels) + 2 * LABEL_PADDING
    save_png(with_labels(body, labels, margins=(margin, 0), font=font), path)


def _spread(count: int, at_most: int) -> list[int]:
    """Return up to `at_most` of 0 … count - 1, evenly spaced."""
    return [i * count // min(count, at_most) for i in range(min(count, at_most))]
