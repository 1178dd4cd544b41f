"""Images from a generator in batches, and sheets of them with a label beside each row."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import nn
from tqdm import tqdm

from train.generator import Generator
from train.images import Font, fit, row_tops, sheet

_FONT_SIZE = 14
LABEL_PADDING = 8  # pixels on both sides of a label
_WIDEST_LABEL = 200  # pixels; longer names are cut


def generate(generator: nn.Module, z: torch.Tensor, y: torch.Tensor, batch_size: int = 64) -> torch.Tensor:
    """Return the images of a generator in eval mode; its own modes are put back afterwards.

    Args:
        generator: (z, y) → images in [-1, 1], on any device.
        z: float32 [N, z_dim], truncation included.
        y: int64 [N].
        batch_size: images per forward pass.

    Returns:
        float32 [N, 3, H, W] in [-1, 1] on the CPU.
    """
    return _in_batches(generator, generator, z, y, batch_size)


def generate_mixtures(
    generator: Generator, z: torch.Tensor, embeddings: torch.Tensor, batch_size: int = 64
) -> torch.Tensor:
    """Like `generate`, with class embeddings, float32 [N, class_embedding_dim], in place of classes."""
    return _in_batches(generator, generator.synthesize, z, embeddings, batch_size)


def _in_batches(
    module: nn.Module,
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    z: torch.Tensor,
    condition: torch.Tensor,
    batch_size: int,
) -> torch.Tensor:
    weight = next(itertools.chain(module.parameters(), module.buffers()), None)
    device = "cpu" if weight is None else weight.device
    parts = list(zip(z.split(batch_size), condition.split(batch_size), strict=True))
    batches = tqdm(parts, desc="drawing", unit=" batches", delay=3, leave=False)
    with _evaluating(module), torch.no_grad():
        return torch.cat([function(a.to(device), b.to(device)).float().cpu() for a, b in batches])


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    # Not `module.train(before)`: that would thaw norms that somebody froze one by one.
    modes = {child: child.training for child in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for child, training in modes.items():
            child.training = training


def labelled_rows(
    rows: Sequence[np.ndarray],
    left: Sequence[str],
    right: Sequence[str] = (),
    scale: int = 1,
    *,
    above: Sequence[str] = (),
    group: int = 0,
) -> Image.Image:
    """Lay rows of images under one another with a label on the left of each, and on the right if given.

    Args:
        rows: R rows, each uint8 [N, H, W, 3].
        left: R texts; one that does not fit loses its end.
        right: R texts, or none.
        scale: whole-number enlargement of each pixel.
        above: texts over the columns, as in `sheet`.
        group: rows that belong together, as there.
    """
    body = sheet(rows, above, scale, group)
    height = rows[0].shape[1] * scale
    tops = row_tops(len(rows), height, labelled=bool(above), group=group)
    middles = [top + height // 2 for top in tops]
    font = ImageFont.load_default(_FONT_SIZE)
    sides = [[fit(label, font, _WIDEST_LABEL) for label in labels] for labels in (left, right)]
    margins = [_margin(labels, font) for labels in sides]
    beside = [list(zip(middles, labels, strict=False)) for labels in sides]
    return with_labels(body, *beside, margins=margins, font=font)


def with_labels(
    body: Image.Image,
    left: Sequence[tuple[int, str]],
    right: Sequence[tuple[int, str]] = (),
    *,
    margins: Sequence[int],
    font: Font,
) -> Image.Image:
    """Write texts on white margins beside a picture, towards it.

    Args:
        body: the picture.
        left: the height of its middle, in pixels from the top, and the text of each label on the left.
        right: of those on the right.
        margins: widths of both, in pixels.
        font: of the labels.
    """
    picture = Image.new("RGB", (margins[0] + body.width + margins[1], body.height), "white")
    picture.paste(body, (margins[0], 0))
    draw = ImageDraw.Draw(picture)
    for x, anchor, labels in (
        (margins[0] - LABEL_PADDING, "rm", left),
        (margins[0] + body.width + LABEL_PADDING, "lm", right),
    ):
        for middle, label in labels:
            draw.text((x, middle), label, fill="black", font=font, anchor=anchor)
    return picture


def _margin(labels: Sequence[str], font: Font) -> int:
    if not labels:
        return 0
    return int(max(font.getlength(label) for label in labels)) + 1 + 2 * LABEL_PADDING
