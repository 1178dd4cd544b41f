"""The feature network of FID-768 on photos that lie beside some checkouts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from quality_images import random_images

from benchmarks.quality.evaluate import Asked, QualitySettings, evaluate
from benchmarks.quality.features import extract, open_features
from train.frechet import frechet_distance, gaussian_statistics
from train.reals import open_reals

SHARED = Path(__file__).parents[4] / "shared" / "data"
NETWORK, CHECK = SHARED / "inception_2015_12_05_768.pt", SHARED / "inception_768_check.npz"
PACK = SHARED / "test_animals64_8x16.npz"
CLASSES = [1, 107, 145, 207, 281, 291, 323, 387]

pytestmark = pytest.mark.skipif(
    not NETWORK.is_file() or not PACK.is_file(), reason="the shared feature network is not beside the repository"
)


def test_fid_768_of_few_photos():
    """Every image costs a third of a second here; the whole pack has a slow test."""
    network = open_features(NETWORK, torch.device("cpu"))
    assert network.key("fid", 128) == "fid768_inception_2015_12_05_n128" and network.title("FID") == "FID-768"
    with np.load(CHECK) as check:
        images, expected = check["images"].transpose(0, 2, 3, 1), check["features"]
    found = extract(network, images, 8, "check").features
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    noise = extract(network, random_images(0, 2, size=64), 8, "noise").features
    even, odd, other = (gaussian_statistics(part) for part in (found[::2], found[1::2], noise))
    assert frechet_distance(even, even) < 1e-6 < frechet_distance(even, odd) < frechet_distance(even, other)


@pytest.mark.slow
def test_fid_768_of_the_pack_real_against_real(tmp_path):
    reals = open_reals(str(PACK), 64, CLASSES, 1000, tmp_path)
    blurred = reals.images[:, ::4, ::4].repeat(4, axis=1).repeat(4, axis=2)
    found = evaluate(
        {"teacher": np.asarray(reals.images), "blurred": blurred},
        Asked(reals.labels, 1.0, None, "photos"),
        QualitySettings(features=NETWORK, cache=tmp_path),
        reals=reals,
    )
    floor = found.floor["fid768_inception_2015_12_05_n64_real_to_real"]
    assert 0.9 < floor < 1.1  # 1.008 when this was written
    key = "fid768_inception_2015_12_05_n128"
    assert found.rows["teacher"][key] < 1e-6 and found.rows["blurred"][key] > 2 * floor
    assert abs(found.floor["kid768_inception_2015_12_05_n64_real_to_real"]) < 1e-3
    intra = "intra_fid768_inception_2015_12_05_n16"
    assert found.rows["blurred"][intra] > found.rows["blurred"][key]
