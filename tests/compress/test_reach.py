import torch

from compress.reach import _Histogram, _reach


def seen_in(parts: int) -> tuple[_Histogram, torch.Tensor]:
    values = torch.randn(3, 8000, generator=torch.Generator().manual_seed(0))
    values[1] = 5 * values[1] + 20
    values[2, 4000] = 40.0  # one value far out
    pieces = values.chunk(parts, dim=1)
    histogram = _Histogram(pieces[0])
    for piece in pieces:
        histogram.add(piece, torch.ones_like(piece))
    return histogram, values


def test_a_histogram_of_parts_is_that_of_all_values():
    (parts, values), (whole, _) = seen_in(16), seen_in(1)
    assert torch.equal(parts.low, whole.low)
    assert torch.equal(parts.high, whole.high)
    assert torch.equal(whole.low.float(), values.amin(dim=1))
    assert torch.equal(parts.counts.sum(dim=1), torch.full((3,), 8000.0, dtype=torch.float64))
    # A value that was counted before the ends grew may be half a bin off each time.
    cumulated = [histogram.counts.cumsum(dim=1) / 8000 for histogram in (parts, whole)]
    assert (cumulated[0] - cumulated[1]).abs().max() < 0.02


def test_a_channels_reach_cuts_off_what_is_rare_and_far():
    reach = _reach(seen_in(16)[0])
    assert 3 < reach.high[0] < 5
    assert 35 < reach.high[1] < 45
    assert 3 < reach.high[2] < 41
    assert -5 < reach.low[2] < -3
    assert torch.equal(reach.weight, torch.full((3,), 8000.0, dtype=torch.float64))


def test_a_value_that_the_image_does_not_feel_is_cut_off():
    values, weights = torch.rand(1, 5000, generator=torch.Generator().manual_seed(0)), torch.ones(1, 5000)
    values[0, 0], weights[0, 0] = 100.0, 0.0
    histogram = _Histogram(values)
    histogram.add(values, weights)
    assert _reach(histogram).high < 2
