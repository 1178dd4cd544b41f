"""Kernel Inception Distance (Bińkowski et al. 2018): the squared maximum mean discrepancy of features."""

import dataclasses

import numpy as np

from train.errors import UserError

LARGEST_SUBSET = 1000
SUBSETS = 10  # at least, of a small set: so few that the subsets stay large


@dataclasses.dataclass(frozen=True)
class KernelDistance:
    """The mean over disjoint subsets, and how it was taken."""

    value: float
    """Unbiased, so that it may fall below 0."""
    standard_error: float
    """Of `value`: the subsets share no image, so their deviation over √subsets, without a correction."""
    subset_size: int
    subsets: int
    seed: int
    """Of the permutations that cut the sets into subsets."""


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return (x·y / D + 1)³ of every pair of rows, x [n, D] and y [m, D]: [n, m]."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Return the unbiased estimate of the squared discrepancy of x [n, D] and y [m, D]; n and m from 2."""
    within_x, within_y = polynomial_kernel(x, x), polynomial_kernel(y, y)
    n, m = len(x), len(y)
    # A sample's likeness to itself says nothing about the distribution.
    mean_x = (within_x.sum() - np.trace(within_x)) / (n * (n - 1))
    mean_y = (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
    return float(mean_x + mean_y - 2 * polynomial_kernel(x, y).mean())


def subset_plan(n: int, m: int, subset_size: int | None) -> tuple[int, int]:
    """Return size and number of the disjoint subsets of two sets of n and m images.

    Raises:
        UserError: as `kernel_distance`.
    """
    count = min(n, m)
    size = min(LARGEST_SUBSET, count // SUBSETS) if subset_size is None else subset_size
    if size < 2 or count // size < 2:
        needed = 2 * SUBSETS if subset_size is None else 2 * max(size, 2)
        raise UserError(
            f"KID by subsets of {max(size, 2)} needs {needed} images of each set, there are {n} and {m}; "
            "draw more or choose smaller subsets"
        )
    return size, count // size


def disjoint_subsets(count: int, size: int, subsets: int, random: np.random.Generator) -> np.ndarray:
    """Return positions in a set of `count`, each once at most: int64 [subsets, size], in ascending order."""
    return np.sort(random.permutation(count)[: subsets * size].reshape(subsets, size))


def kernel_distance(x: np.ndarray, y: np.ndarray, subset_size: int | None = None, seed: int = 0) -> KernelDistance:
    """Return the distance of features x [n, D] and y [m, D], the mean over disjoint subsets of both.

    Args:
        x: any float type.
        y: likewise.
        subset_size: rows of x and of y that are compared at a time; None takes the largest of which there are ten
            in the smaller set, at most 1,000.
        seed: of the permutations.

    Raises:
        UserError: there are not enough rows for two subsets of two.
    """
    size, subsets = subset_plan(len(x), len(y), subset_size)
    random = np.random.default_rng(seed)
    of_x, of_y = (disjoint_subsets(len(rows), size, subsets, random) for rows in (x, y))
    values = [
        squared_mmd(np.asarray(x[i], np.float64), np.asarray(y[j], np.float64))
        for i, j in zip(of_x, of_y, strict=True)
    ]
    error = float(np.std(values, ddof=1) / np.sqrt(subsets))
    return KernelDistance(float(np.mean(values)), error, size, subsets, seed)
