"""The error of a Fréchet distance, which `train.frechet` computes."""

import dataclasses

import numpy as np

from benchmarks.quality.kid import disjoint_subsets
from train.errors import UserError
from train.frechet import frechet_distance, gaussian_statistics

SPLITS = 5  # of a set of images, to estimate a distance's error: so few that they stay large


@dataclasses.dataclass(frozen=True)
class FrechetError:
    """How far a distance of finitely many images is from that of infinitely many."""

    standard_error: float
    """By chance: the deviation over the splits, divided by the root of their number."""
    excess: float
    """By the number of images, of which every distance is too high: about in inverse proportion (Chong and
    Forsyth 2020), so that the splits, with a share of the images each, exceed the whole by this many times as
    much. With fewer images than dimensions it is a lower bound."""
    split_size: int
    """Images of a split."""
    splits: int


def frechet_error(distance: float, x: np.ndarray, y: np.ndarray, *, paired: bool, seed: int = 0) -> FrechetError:
    """Return the error of the distance of features x [n, D] and y [m, D], from `SPLITS` disjoint splits of both.

    Args:
        distance: of the whole sets.
        x: any float type.
        y: likewise.
        paired: rows of x and y are of the same latents, n = m; they stay together in the splits.
        seed: of the permutations.

    Raises:
        UserError: there are not enough rows for splits of two.
    """
    if min(len(x), len(y)) < 2 * SPLITS:
        raise UserError(
            f"the error of a Fréchet distance needs {2 * SPLITS} images of each set, there are {len(x)} and "
            f"{len(y)}; draw more"
        )
    random = np.random.default_rng(seed)
    of_x = disjoint_subsets(len(x), len(x) // SPLITS, SPLITS, random)
    of_y = of_x if paired else disjoint_subsets(len(y), len(y) // SPLITS, SPLITS, random)
    values = [
        frechet_distance(gaussian_statistics(x[i]), gaussian_statistics(y[j]))
        for i, j in zip(of_x, of_y, strict=True)
    ]
    error = float(np.std(values, ddof=1) / np.sqrt(SPLITS))
    excess = (float(np.mean(values)) - distance) / (SPLITS - 1)
    return FrechetError(error, excess, of_x.shape[1], SPLITS)
