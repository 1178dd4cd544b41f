import numpy as np
import pytest

from benchmarks.quality.inception_score import inception_score
from train.errors import UserError


def test_certain_and_varied_images_score_the_number_of_classes():
    # The logarithm of probabilities of 0 does not matter.
    assert inception_score(np.tile(np.eye(4), (10, 1))) == pytest.approx((4, 0))


def test_equal_images_score_one():
    assert inception_score(np.tile([0.7, 0.2, 0.1], (20, 1))) == pytest.approx((1, 0))


def test_a_hand_worked_case():
    probabilities = np.array([[0.75, 0.25], [0.25, 0.75]], np.float32)
    divergence = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)  # from the marginal, ½ and ½
    assert inception_score(probabilities, splits=1) == pytest.approx((np.exp(divergence), 0))


def test_mean_and_deviation_are_those_of_consecutive_splits():
    certain, equal = np.eye(2), np.full((2, 2), 0.5)
    mean, deviation = inception_score(np.concatenate([certain, equal]), splits=2)
    assert (mean, deviation) == pytest.approx((1.5, 0.5))


def test_too_few_images():
    with pytest.raises(UserError, match="in 10 splits needs 20 images, there are 19"):
        inception_score(np.ones((19, 3)) / 3)
