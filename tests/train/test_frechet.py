import time

import numpy as np
import pytest
import scipy.linalg
from quality_images import features

from train.errors import UserError
from train.frechet import GaussianAccumulator, GaussianStatistics, frechet_distance, gaussian_statistics


def gaussian(mean, covariance) -> GaussianStatistics:
    return GaussianStatistics(1000, np.array(mean, float), np.array(covariance, float), None)


def by_scipy(x: np.ndarray, y: np.ndarray) -> float:
    shift, a, b = x.mean(0) - y.mean(0), np.cov(x.T), np.cov(y.T)
    return float(shift @ shift + np.trace(a + b) - 2 * np.trace(scipy.linalg.sqrtm(a @ b)).real)


def test_equal_covariances_leave_the_distance_of_the_means():
    covariance = [[2.0, 0.5], [0.5, 1.0]]
    assert frechet_distance(gaussian([0, 0], covariance), gaussian([3, 4], covariance)) == pytest.approx(25)


def test_diagonal_covariances():
    # Σ (σ₁ − σ₂)² of the standard deviations.
    a, b = gaussian([1, 0, 0], np.diag([1.0, 4, 9])), gaussian([0, 0, 0], np.diag([4.0, 4, 1]))
    assert frechet_distance(a, b) == pytest.approx(1 + 1 + 0 + 4)


def test_covariances_that_do_not_commute():
    first, second = np.array([[2.0, 0.9], [0.9, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    # (√λ₁ + √λ₂)² = λ₁ + λ₂ + 2 √(λ₁ λ₂) of the two eigenvalues of Σ₁ Σ₂.
    product = first @ second
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(first) + np.trace(second) - 2 * root
    assert frechet_distance(gaussian([0, 0], first), gaussian([0, 0], second)) == pytest.approx(
        expected, rel=1e-12
    )


def test_a_singular_covariance():
    # √Σ₁ is known: the first has no deviation along the third axis.
    first, second = np.diag([4.0, 1, 0]), np.array([[2.0, 0, 0], [0, 3, 1], [0, 1, 1]])
    expected = 5 + 6 - 2 * (np.sqrt(8) + np.sqrt(3))
    for a, b in ((first, second), (second, first)):
        assert frechet_distance(gaussian([0, 0, 0], a), gaussian([0, 0, 0], b)) == pytest.approx(
            expected, rel=1e-7
        )


@pytest.mark.parametrize(("n", "m"), [(20, 30), (20, 90), (90, 20), (90, 120)])
def test_agrees_with_scipy_on_either_side_of_the_number_of_dimensions(n, m):
    x, y = features(0, n, 40), features(1, m, 40)
    a, b = gaussian_statistics(x), gaussian_statistics(y)
    assert (a.centred is not None, b.centred is not None) == (n < 40, m < 40)
    assert frechet_distance(a, b) == pytest.approx(by_scipy(x, y), rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_equal_sets_are_at_no_distance():
    for count in (20, 200):
        a = gaussian_statistics(features(0, count, 30))
        assert 0 <= frechet_distance(a, a) < 1e-9


@pytest.mark.parametrize(
    ("n", "dimensions", "times"),
    [
        pytest.param(64, 448, 10, id="fewer samples than dimensions"),
        pytest.param(1000, 448, 3, id="more samples than dimensions"),
    ],
)
def test_agrees_with_scipy_and_is_faster(n, dimensions, times):
    # Far apart, because a square root of a singular product is only good to half of the digits.
    x, y = features(0, n, dimensions), features(20, n, dimensions)
    a, b = gaussian_statistics(x), gaussian_statistics(y)
    frechet_distance(a, b)  # the libraries start their threads
    own = []
    for _ in range(3):
        start = time.process_time()
        value = frechet_distance(a, b)
        own.append(time.process_time() - start)
    covariances = np.cov(x.T), np.cov(y.T)
    start = time.process_time()
    scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    theirs = time.process_time() - start
    assert theirs >= times * min(own), f"{min(own):.4f} s, scipy {theirs:.4f} s"
    assert value == pytest.approx(by_scipy(x, y), rel=1e-6)


@pytest.mark.parametrize("parts", [(100,), (1, 98, 1), (3, 50, 47), (30, 30, 40)])
def test_parts_of_any_size_give_the_same_statistics(parts):
    rows = features(1, 100, 20) + 1000  # far from 0, where sums of squares lose their digits
    accumulator, start = GaussianAccumulator(20), 0
    for size in parts:
        accumulator.add(rows[start : start + size])
        start += size
    found = accumulator.statistics()
    assert found.count == 100 and found.centred is None
    np.testing.assert_allclose(found.mean, rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(rows.T), rtol=1e-7, atol=1e-12)
    assert found.trace == pytest.approx(np.trace(np.cov(rows.T)))


def test_too_few_samples_and_damaged_ones():
    with pytest.raises(UserError, match="needs 2 images or more, there are 1"):
        gaussian_statistics(np.zeros((1, 4)))
    with pytest.raises(UserError, match="NaN or infinity"):
        gaussian_statistics(np.full((3, 4), np.nan, np.float32))
