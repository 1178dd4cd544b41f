import dataclasses

import numpy as np
import pytest
import torch
from quality_images import random_images

from benchmarks.quality.features import open_features
from benchmarks.quality.reference import FeatureStore, images_hash
from train.errors import UserError
from train.reals import RealImages, of_classes, open_reals

CPU = torch.device("cpu")


@pytest.fixture
def network(pooled_file):
    """A network that counts the images it has seen."""
    opened = open_features(pooled_file, CPU)
    seen = []

    def forward(images):
        seen.append(len(images))
        return opened.forward(images)

    return dataclasses.replace(opened, forward=forward), seen


@pytest.mark.parametrize("count", [20, 60])  # with and without a covariance: 48 dimensions
def test_features_are_computed_once(tmp_path, network, count):
    images, (opened, seen) = random_images(0, count), network
    first = FeatureStore(tmp_path, 16).measure(opened, images, "reals")
    again = FeatureStore(tmp_path, 7).measure(opened, images, "reals")
    assert sum(seen) == count
    np.testing.assert_array_equal(first.features, again.features)
    np.testing.assert_array_equal(first.statistics.mean, again.statistics.mean)
    kind = "centred" if count < 48 else "covariance"
    np.testing.assert_array_equal(getattr(first.statistics, kind), getattr(again.statistics, kind))


def test_probabilities_are_kept_too(tmp_path, network):
    opened = network[0]
    with_classes = dataclasses.replace(
        opened, forward=lambda x: (opened.forward(x)[0], torch.full((len(x), 2), 0.5))
    )
    for _ in range(2):
        found = FeatureStore(tmp_path, 16).measure(with_classes, random_images(0, 5), "reals")
        np.testing.assert_array_equal(found.probabilities, np.full((5, 2), 0.5, np.float32))


def test_other_inputs_are_computed_anew(tmp_path, network):
    opened, seen = network
    store, images = FeatureStore(tmp_path, 16), random_images(0, 4)
    store.measure(opened, images, "reals")
    changed = images.copy()
    changed[0, 0, 0, 0] ^= 1
    for other_network, other_images in (
        (opened, changed),
        (dataclasses.replace(opened, sha256="0" * 64), images),
        (dataclasses.replace(opened, name="clean"), images),
    ):
        seen.clear()
        store.measure(other_network, other_images, "reals")
        assert sum(seen) == 4
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("damage", [lambda b: b[:-5], lambda b: b[:-5] + b"\x00\x01\x02\x03\x04", lambda b: b"x"])
def test_a_damaged_file_is_made_again_and_said_so(tmp_path, network, capsys, damage):
    images, (opened, seen) = random_images(0, 20), network
    first = FeatureStore(tmp_path, 16).measure(opened, images, "reals")
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    store = FeatureStore(tmp_path, 16)
    again = store.measure(opened, images, "reals")
    np.testing.assert_array_equal(first.features, again.features)
    assert sum(seen) == 40
    assert len(store.notes) == 1 and "features of reals are computed again" in store.notes[0]
    assert store.notes[0] in capsys.readouterr().out
    seen.clear()
    FeatureStore(tmp_path, 16).measure(opened, images, "reals")
    assert not seen


def test_the_hash_is_of_content_and_shape(tmp_path):
    images = random_images(0, 300, size=8)
    np.save(tmp_path / "images.npy", images)
    assert images_hash(np.load(tmp_path / "images.npy", mmap_mode="r")) == images_hash(images)
    assert images_hash(images.reshape(150, 16, 8, 3)) != images_hash(images)


def test_the_embedded_digits(tmp_path):
    reals = open_reals("digits", 32, [3, 5], 10, tmp_path)
    assert set(reals.labels.tolist()) == {3, 5} and reals.images.shape[1:] == (32, 32, 3)
    assert len(open_reals("digits", 32, range(10), 10, tmp_path).labels) == 1797
    with pytest.raises(UserError, match="the model has 64 px and 1000"):
        open_reals("digits", 64, [3], 1000, tmp_path)


def test_an_absent_folder(tmp_path):
    with pytest.raises(UserError, match="no real images at"):
        open_reals(str(tmp_path / "absent"), 32, [0], 10, tmp_path)


def test_classes_without_real_images():
    reals = RealImages(random_images(0, 4), np.array([0, 0, 2, 2]), "reals")
    assert of_classes(reals, [0, 2]) is reals
    assert of_classes(reals, [2]).labels.tolist() == [2, 2]
    with pytest.raises(UserError, match="has no images of 1 of the 2 classes asked for, the first is 1"):
        of_classes(reals, [0, 1])
