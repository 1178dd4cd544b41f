import numpy as np
import pytest
from quality_images import random_images

from benchmarks.quality.diversity import within_class_distance
from benchmarks.quality.nearest import nearest, nearest_sheet


def test_it_is_the_mean_distance_of_two_images_of_a_class():
    random = np.random.default_rng(0)
    features, y = random.normal(size=(7, 5)).astype(np.float32), np.array([3, 3, 3, 8, 8, 8, 8])
    means = []
    for label in (3, 8):
        own = features[y == label]
        pairs = [np.linalg.norm(a - b) for i, a in enumerate(own) for b in own[i + 1 :]]
        means.append(np.mean(pairs))
    assert within_class_distance(features, y) == pytest.approx(np.mean(means), rel=1e-6)


def test_a_collapsed_class_counts_and_a_single_image_does_not():
    features = np.array([[0.0, 0], [2, 0], [5, 5], [5, 5], [9, 9]], np.float32)
    assert within_class_distance(features, np.array([0, 0, 1, 1, 2])) == pytest.approx(1.0)
    assert within_class_distance(features, np.arange(5)) is None


def test_the_nearest_photo_is_found_and_shown_below():
    photos = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    assert nearest(photos[[7, 3, 49]] + 0.01, photos).tolist() == [7, 3, 49]
    images = random_images(0, 4, 32)
    sheet = np.asarray(nearest_sheet(images, images[::-1], columns=2))
    assert sheet.shape == (4 * 64 + 2 * 2 + 8, 2 * 64, 3)
    assert (sheet[:64:2, :64:2] == images[0]).all()
    assert (sheet[66:130:2, :64:2] == images[3]).all()
