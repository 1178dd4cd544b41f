"""Was a photo learned by heart: the training photos nearest to generated images, by a network's features."""

import numpy as np
from PIL import Image

from train.images import sheet


def nearest(features: np.ndarray, of_photos: np.ndarray) -> np.ndarray:
    """Return the position of the nearest photo to each image, int64 [N], by Euclidean distance.

    Args:
        features: of the images, float32 [N, D].
        of_photos: float32 [M, D].
    """
    squares = np.einsum("md,md->m", of_photos, of_photos, dtype=np.float64)
    products = features.astype(np.float64) @ of_photos.T.astype(np.float64)
    return np.argmin(squares - 2 * products, axis=1)


def nearest_sheet(images: np.ndarray, photos: np.ndarray, columns: int = 8) -> Image.Image:
    """Lay images over their nearest photos, both uint8 [N, H, W, 3], in pairs of whole rows."""
    rows, columns = [], min(columns, len(images))
    for start in range(0, len(images) - columns + 1, columns):
        rows += [images[start : start + columns], photos[start : start + columns]]
    return sheet(rows, scale=max(1, 64 // images.shape[1]), group=2)
