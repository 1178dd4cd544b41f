"""Fréchet distance between Gaussians (Heusel et al. 2017), exact, in float64 and without a matrix square root.

    d² = |μ₁ − μ₂|² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁ Σ₂)^½

The last trace is the sum of the square roots of the eigenvalues of Σ₁ Σ₂, which symmetric matrices have too:

* Σ₁ = L Lᵀ (Cholesky): Lᵀ Σ₂ L; where Σ₁ is singular, its square root from an eigendecomposition in place of L.
* Fewer samples than dimensions, Σ = XᵀX / (n − 1) of the centred features X [n, D]: the n × n matrix X₁ Σ₂ X₁ᵀ;
  of two such sets it is the sum of the singular values of X₁X₂ᵀ [n₁, n₂].
"""

import dataclasses

import numpy as np
import scipy.linalg
from scipy.linalg.blas import dtrmm  # pyright: ignore[reportAttributeAccessIssue]

from train.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianStatistics:
    """Mean and unbiased covariance of features; `gaussian_statistics` makes it."""

    count: int
    """Samples, 2 or more."""
    mean: np.ndarray
    """float64 [D]."""
    covariance: np.ndarray | None
    """float64 [D, D]; None where there are fewer samples than dimensions."""
    centred: np.ndarray | None
    """float64 [count, D], the features without their mean, where there are fewer samples than dimensions."""

    @property
    def trace(self) -> float:
        """Return the trace of the covariance."""
        if self.covariance is not None:
            return float(np.trace(self.covariance))
        assert self.centred is not None
        return float(np.square(self.centred).sum() / (self.count - 1))


class GaussianAccumulator:
    """Collects features in parts of any size; memory stays at D × D, however many samples there are."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._count = 0
        self._mean = np.zeros(dimensions)
        self._scatter: np.ndarray | None = None
        self._parts: list[np.ndarray] = []  # kept until there are as many samples as dimensions

    def add(self, features: np.ndarray) -> None:
        """Take in features [n, D] of any float type.

        Raises:
            UserError: they hold NaN or infinity.
        """
        part = np.asarray(features, np.float64)
        assert part.ndim == 2 and part.shape[1] == self.dimensions, part.shape
        if not np.isfinite(part).all():
            raise UserError("features hold NaN or infinity; the images or the feature network are damaged")
        if self._scatter is None:
            self._parts.append(part)
            if sum(map(len, self._parts)) < self.dimensions:
                return
            part, self._parts = np.concatenate(self._parts), []
            self._scatter = np.zeros((self.dimensions, self.dimensions))
        if len(part):
            self._merge(part, self._scatter)

    def _merge(self, part: np.ndarray, scatter: np.ndarray) -> None:
        """Chan, Golub and LeVeque's update, which does not subtract large sums from each other."""
        mean = part.mean(axis=0)
        centred, shift = part - mean, mean - self._mean
        total = self._count + len(part)
        scatter += centred.T @ centred
        scatter += np.outer(shift, shift) * (self._count * len(part) / total)
        self._mean = self._mean + shift * (len(part) / total)
        self._count = total

    def statistics(self) -> GaussianStatistics:
        """Return the statistics of everything added.

        Raises:
            UserError: there are fewer than two samples.
        """
        kept = np.concatenate([*self._parts, np.empty((0, self.dimensions))])
        count = self._count + len(kept)
        if count < 2:
            raise UserError(f"a covariance needs 2 images or more, there are {count}; draw more")
        if self._scatter is not None:
            return GaussianStatistics(count, self._mean, self._scatter / (count - 1), None)
        mean = kept.mean(axis=0)
        return GaussianStatistics(count, mean, None, kept - mean)


def gaussian_statistics(features: np.ndarray, part: int = 4096) -> GaussianStatistics:
    """Return the statistics of features [N, D], read `part` rows at a time.

    Raises:
        UserError: as `GaussianAccumulator`.
    """
    accumulator = GaussianAccumulator(features.shape[1])
    for start in range(0, len(features), part):
        accumulator.add(features[start : start + part])
    return accumulator.statistics()


def frechet_distance(a: GaussianStatistics, b: GaussianStatistics) -> float:
    """Return the squared Fréchet distance d² of two Gaussians of equal dimension, which is called "FID"."""
    shift = a.mean - b.mean
    distance = float(shift @ shift) + a.trace + b.trace - 2 * _trace_of_root(a, b)
    return max(distance, 0.0)  # rounding may take the distance of equal sets below


def _trace_of_root(a: GaussianStatistics, b: GaussianStatistics) -> float:
    """Return tr (Σ₁ Σ₂)^½."""
    if a.centred is not None and b.centred is not None:
        product = a.centred @ b.centred.T / np.sqrt((a.count - 1) * (b.count - 1))
        return float(np.linalg.svdvals(product).sum())
    if a.centred is None:
        a, b = b, a  # so that only `b` can be without its centred features
    assert b.covariance is not None
    if a.centred is not None:
        return _sum_of_roots(a.centred @ b.covariance @ a.centred.T / (a.count - 1))
    assert a.covariance is not None
    try:
        root = scipy.linalg.cholesky(a.covariance, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        values, vectors = scipy.linalg.eigh(a.covariance, check_finite=False)
        root = vectors * np.sqrt(values.clip(min=0))
        return _sum_of_roots(root.T @ b.covariance @ root)
    # Triangular products take half of the work.
    inner = dtrmm(1.0, root, b.covariance, side=1, lower=1)
    return _sum_of_roots(dtrmm(1.0, root, inner, trans_a=1, lower=1))


def _sum_of_roots(symmetric: np.ndarray) -> float:
    """Return the sum of the square roots of the eigenvalues; rounding makes those that are 0 slightly negative."""
    values = scipy.linalg.eigvalsh(symmetric, overwrite_a=True, check_finite=False)
    return float(np.sqrt(values.clip(min=0)).sum())
