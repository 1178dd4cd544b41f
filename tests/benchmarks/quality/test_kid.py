import numpy as np
import pytest

from benchmarks.quality.kid import kernel_distance, squared_mmd
from train.errors import UserError


def test_a_hand_worked_case():
    # k(0, 1) = 1 and k(1, 2) = 27 within; between them 1, 1, 8 and 27.
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    assert squared_mmd(x, y) == pytest.approx(1 + 27 - 2 * 37 / 4)


def test_the_kernel_is_scaled_by_the_dimensions():
    # k = (2 · 0.5 / 2 + 1)³ and so on: half of every product.
    x, y = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 2.0], [2.0, 0.0]])
    between = (2.0**3 + 2.0**3 + 1.0**3 + 2.0**3) / 4
    assert squared_mmd(x, y) == pytest.approx(1.5**3 + 1.0**3 - 2 * between)


def test_agrees_with_clean_fid():
    from cleanfid.fid import kernel_distance as theirs

    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 8)), random.normal(0.3, 1.2, (60, 8))
    assert squared_mmd(x, y) == pytest.approx(theirs(x, y, num_subsets=1), rel=1e-9)


def test_the_mean_over_disjoint_subsets_and_its_error():
    random = np.random.default_rng(1)
    x, y = random.normal(size=(100, 4)).astype(np.float32), random.normal(0.5, 1, (130, 4)).astype(np.float32)
    found = kernel_distance(x, y, seed=5)
    assert (found.subset_size, found.subsets, found.seed) == (10, 10, 5)
    assert found == kernel_distance(x, y, seed=5) != kernel_distance(x, y, seed=6)
    whole = squared_mmd(x.astype(float), y.astype(float))
    assert abs(found.value - whole) < 4 * found.standard_error


def test_the_error_is_that_of_the_mean():
    random = np.random.default_rng(2)
    draws = [kernel_distance(random.normal(size=(200, 3)), random.normal(size=(200, 3)), 20) for _ in range(60)]
    values = np.array([draw.value for draw in draws])
    # One distribution: unbiased, so 0 on average; the stated errors are as large as the values scatter.
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))
    stated = np.sqrt(np.mean([draw.standard_error**2 for draw in draws]))
    assert values.std() == pytest.approx(stated, rel=0.3)


def test_large_sets_have_subsets_of_a_thousand():
    rows = np.random.default_rng(3).normal(size=(11_000, 2))
    found = kernel_distance(rows, rows + 0.1)
    assert (found.subset_size, found.subsets) == (1000, 11)


@pytest.mark.parametrize(("count", "size", "needed"), [(19, None, 20), (30, 16, 32), (30, 1, 4)])
def test_too_few_images(count, size, needed):
    rows = np.zeros((count, 2))
    with pytest.raises(UserError, match=f"needs {needed} images of each set, there are {count} and {count}"):
        kernel_distance(rows, rows, size)
