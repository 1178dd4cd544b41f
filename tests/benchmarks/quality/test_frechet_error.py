import numpy as np
import pytest
from quality_images import features

from benchmarks.quality.frechet_error import SPLITS, frechet_error
from train.errors import UserError
from train.frechet import frechet_distance, gaussian_statistics


def of(x: np.ndarray, y: np.ndarray) -> float:
    return frechet_distance(gaussian_statistics(x), gaussian_statistics(y))


def test_a_quarter_of_the_images_gives_the_same_within_its_stated_error():
    x, y = features(1, 4000, 12), features(3, 4000, 12)
    truth = of(features(1, 100_000, 12), features(3, 100_000, 12))
    for count in (1000, 4000):
        distance = of(x[:count], y[:count])
        error = frechet_error(distance, x[:count], y[:count], paired=False)
        assert error.split_size == count // SPLITS
        assert 0 < error.excess < 0.2 * distance
        assert abs(distance - error.excess - truth) < 3 * error.standard_error
        assert 0 < error.standard_error < 0.5 * truth


def test_pairs_stay_together_in_the_splits():
    x = features(1, 200, 12)
    near = x + features(2, 200, 12) / 100
    apart, together = (frechet_error(of(x, near), x, near, paired=paired) for paired in (False, True))
    assert abs(together.excess) < 0.01 * apart.excess
    assert together.standard_error < 0.1 * apart.standard_error


def test_an_error_needs_two_images_a_split():
    with pytest.raises(UserError, match="needs 10 images of each set, there are 40 and 9; draw more"):
        frechet_error(1.0, features(1, 40, 3), features(2, 9, 3), paired=False)
