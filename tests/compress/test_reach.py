import pytest
import torch

from compress import importance
from compress.deploy_form import deploy_form
from compress.histogram import Histogram
from compress.reach import _reach, measure_reaches


def _of(values, weights):
    histogram = Histogram(len(values), 1024, values.device)
    histogram.add(values, weights)
    return _reach(histogram)


def test_a_channels_reach_cuts_off_what_is_rare_and_far():
    values = torch.randn(3, 8000, generator=torch.Generator().manual_seed(0))
    values[1] = 5 * values[1] + 20
    values[2, 4000] = 40.0  # one value far out
    reach = _of(values, torch.ones_like(values))
    assert 3 < reach.high[0] < 5
    assert 35 < reach.high[1] < 45
    assert 3 < reach.high[2] < 41
    assert -5 < reach.low[2] < -3
    assert torch.equal(reach.weight, torch.full((3,), 8000.0, dtype=torch.float64))


def test_a_value_that_the_image_does_not_feel_is_cut_off():
    values, weights = torch.rand(1, 5000, generator=torch.Generator().manual_seed(0)), torch.ones(1, 5000)
    values[0, 0], weights[0, 0] = 100.0, 0.0
    assert _of(values, weights).high < 2


def test_a_channel_that_the_image_does_not_feel_reaches_no_farther_than_its_values():
    values = 20 + torch.rand(1, 5000, generator=torch.Generator().manual_seed(0))
    reach = _of(values, torch.zeros_like(values))
    assert 19.9 < reach.low < reach.high < 21.1


def test_reaches_measured_in_parts_are_those_measured_at_once(trained_like, batches, monkeypatch):
    deploy = deploy_form(trained_like())
    found = []
    for images, given in ((1, batches(2)), (1000, [tuple(map(torch.cat, zip(*batches(2), strict=True)))])):
        monkeypatch.setattr(importance, "_PIXELS_AT_ONCE", 32 * 32 * images)
        found.append(measure_reaches(deploy, given))
    parts, whole = found
    assert parts.keys() == whole.keys()
    for name, reach in whole.items():
        assert reach.weight.sum() == pytest.approx(float(parts[name].weight.sum()), rel=1e-4)
        # An end is that of a bin, and a value at a bin's edge may fall to either side.
        width = 2 * float(torch.maximum(reach.high, -reach.low).max()) / 512
        assert (parts[name].high - reach.high).abs().max() <= width, name
        assert (parts[name].low - reach.low).abs().max() <= width, name
