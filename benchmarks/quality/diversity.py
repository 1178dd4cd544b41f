"""How different the images of one class are, by a network's features."""

import numpy as np


def within_class_distance(features: np.ndarray, y: np.ndarray) -> float | None:
    """Return the mean Euclidean distance of two images of one class, averaged over the classes.

    Args:
        features: float32 [N, D].
        y: int64 [N].

    Returns:
        The distance, or None if every class has one image only.
    """
    means = []
    for label in np.unique(y):
        own = features[y == label].astype(np.float64)
        count = len(own)
        if count < 2:
            continue
        squares = np.einsum("nd,nd->n", own, own)
        squared = np.maximum(squares[:, None] + squares - 2 * own @ own.T, 0.0)
        np.fill_diagonal(squared, 0.0)  # of an image to itself, but for rounding
        means.append(np.sqrt(squared).sum() / (count * (count - 1)))
    return float(np.mean(means)) if means else None
