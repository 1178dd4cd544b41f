import numpy as np
import pytest

from train import digits


def test_the_real_digits():
    images, labels = digits.real_digits()
    assert images.shape == (1797, 32, 32, 3)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert np.bincount(labels).min() > 170


def test_the_judge_is_good_on_digits_that_it_has_not_seen():
    assert digits.judge_accuracy() >= 0.98


def test_real_digits_have_diversity_one_and_are_recognised():
    images, labels = digits.real_digits()
    quality = digits.measure(images, labels)
    assert quality.recognised > 0.98
    assert quality.diversity == pytest.approx(1)
    assert quality.l1_to_teacher is None


@pytest.mark.parametrize("classes", [[2], [1, 5], list(range(10))])
def test_the_yardstick_is_the_real_digits_of_the_classes_asked_for(classes):
    images, labels = digits.real_digits()
    chosen = np.isin(labels, classes)
    assert digits.diversity(images[chosen], labels[chosen]) == 1


def test_a_collapsed_generator_is_recognised_but_not_diverse():
    images, labels = digits.real_digits()
    one_each = np.stack([images[labels == label][0] for label in range(10)])
    y = np.arange(200) % 10
    quality = digits.measure(one_each[y], y)
    assert quality.recognised == 1
    assert quality.diversity == 0


def test_wrong_labels_are_not_recognised():
    images, labels = digits.real_digits()
    assert digits.recognised(images, (labels + 1) % 10) < 0.05


def test_l1_is_in_the_units_of_the_images():
    black, y = np.zeros((4, 32, 32, 3), np.uint8), np.array([0, 0, 1, 1])
    white = np.full_like(black, 255)
    mixed = np.concatenate([black[:1], white[:1], black[:1], white[:1]])
    assert digits.measure(white, y, black).l1_to_teacher == 2
    assert digits.class_mean_distance(mixed, y) == pytest.approx(1)
