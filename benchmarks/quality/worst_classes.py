"""A picture of the classes that a model draws worst, as the paper's Figure 11."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from train.images import save_png
from train.reals import RealImages
from train.sampling import labelled_rows

COLUMNS = 8


def write_worst_classes(
    path: Path,
    classes: Mapping[int, float],
    own: RealImages,
    above: RealImages,
    *,
    names: Mapping[int, str],
    words: tuple[str, str],
) -> None:
    """Write a PNG with two rows per class: the images to compare with above, the model's below.

    Args:
        path: of the PNG.
        classes: class → intra-FID, in the order in which they are drawn.
        own: the model's images.
        above: what to compare with; column by column of the same latents if its labels are those of `own`.
        names: class index → name; one without a name is called by its index.
        words: what the rows of each pair show.
    """
    columns = min(
        COLUMNS, *(np.count_nonzero(labels == label) for label in classes for labels in (own.labels, above.labels))
    )
    rows, left, right = [], [], []
    for label, value in classes.items():
        rows += [part.images[np.flatnonzero(part.labels == label)[:columns]] for part in (above, own)]
        name = names.get(label, str(label)).split(",", 1)[0]
        left += [f"{name} {words[0]}", words[1]]
        right += ["", f"{value:.3g}"]
    scale = max(1, 64 // own.images.shape[1])
    save_png(labelled_rows(rows, left, right, scale=scale), path)
