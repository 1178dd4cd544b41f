"""Pixels: the one rule between [-1, 1] and bytes, and sheets of images as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from train.files import write_atomically

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LABEL_HEIGHT = 12
ROW_GAP = 2  # white pixels between rows, so that the strokes of two images do not run together
_GROUP_GAP = 8  # between groups of rows


def to_bytes(images: torch.Tensor) -> np.ndarray:
    """Turn images in [-1, 1], float [N, 3, H, W], into uint8 [N, H, W, 3].

    byte = trunc(clamp(127.5 v + 128, 0, 255)) and NaN → 0, the rule that the phone apps follow too.
    """
    levels = (images.detach().float() * 127.5 + 128.0).nan_to_num(nan=0.0).clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def from_bytes(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 [N, H, W, 3] into float32 [N, 3, H, W] in [-1, 1]: the centre of each byte's interval."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def within_class_deviation(images: np.ndarray, y: np.ndarray) -> float:
    """Return the standard deviation over a class's images, averaged over pixels and classes, in levels."""
    return float(np.mean([images[y == label].astype(np.float64).std(axis=0).mean() for label in np.unique(y)]))


def sheet(rows: Sequence[np.ndarray], labels: Sequence[str] = (), scale: int = 1, group: int = 0) -> Image.Image:
    """Lay rows of images (each uint8 [N, H, W, 3]) under one another, `ROW_GAP` apart, `labels` above the columns.

    Args:
        rows: one or more rows of equal N, H and W.
        labels: at most N texts; one that does not fit its column loses its end; none leaves out the label line.
        scale: whole-number enlargement of each pixel, for small images.
        group: rows that belong together, farther apart from the next ones; 0 for none.
    """
    lines = [np.concatenate(list(row), axis=1).repeat(scale, axis=0).repeat(scale, axis=1) for row in rows]
    height, across, _ = lines[0].shape
    tops = row_tops(len(rows), height, labelled=bool(labels), group=group)
    picture = Image.new("RGB", (across, tops[-1] + height), "white")
    for top, line in zip(tops, lines, strict=True):
        picture.paste(Image.fromarray(line), (0, top))
    draw, font, width = ImageDraw.Draw(picture), ImageFont.load_default(), rows[0].shape[2] * scale
    for column, label in enumerate(labels):
        draw.text((column * width + 2, 0), fit(label, font, width - 4), fill="black", font=font)
    return picture


def row_tops(rows: int, height: int, *, labelled: bool = False, group: int = 0) -> list[int]:
    """Return where each row of a `sheet` begins, in pixels from the top; `height` is an enlarged row's."""
    first = _LABEL_HEIGHT if labelled else 0
    groups = [row // group if group else 0 for row in range(rows)]
    return [first + row * (height + ROW_GAP) + groups[row] * (_GROUP_GAP - ROW_GAP) for row in range(rows)]


def fit(label: str, font: Font, width: float) -> str:
    """Return `label`, less the end that is wider than `width` pixels."""
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(label + "...") > width:
        label = label[:-1]
    return label.rstrip() + "..."


def write_images_header(file: IO[bytes], shape: Sequence[int]) -> None:
    """Begin a .npy file of images, uint8 of `shape`, to which they are written in order."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)})


def save_png(picture: Image.Image, path: Path) -> None:
    """Write `picture` so that `path` only ever holds a whole file."""
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))
