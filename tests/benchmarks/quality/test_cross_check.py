import numpy as np
import pytest
import torch
from quality_images import random_images

from benchmarks.quality.cross_check import clean_fid_distance, open_clean_fid
from benchmarks.quality.features import extract, open_inception
from train.frechet import frechet_distance, gaussian_statistics

CPU = torch.device("cpu")


@pytest.mark.parametrize("mode", ["legacy_tensorflow", "clean"])
def test_clean_fids_own_features_are_ours(inception_file, mode):
    images = random_images(0, 4)
    ours = extract(open_inception(inception_file, mode, CPU), images, 2, "test")
    theirs = extract(open_clean_fid(inception_file, mode, CPU), images, 3, "test")
    np.testing.assert_allclose(theirs.features, ours.features, atol=1e-5)
    assert ours.features.std() > 0.01


def test_clean_fids_distance_is_ours():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(80, 16)), random.normal(0.2, 1.3, (90, 16))
    ours = frechet_distance(gaussian_statistics(x), gaussian_statistics(y))
    assert clean_fid_distance(x, y) == pytest.approx(ours, rel=1e-6)
