"""Counting values whose ends are not known: in parts as at once."""

import pytest
import torch

from compress.histogram import Histogram

CPU = torch.device("cpu")


def _values():
    values = torch.randn(3, 8000, generator=torch.Generator().manual_seed(0))
    values[1] = 5 * values[1] + 20
    values[2, 4000] = 400.0  # one value far out: bins that were there already have to become wider
    return values


def _seen_in(parts, order=1):
    histogram = Histogram(3, 1024, CPU)
    for piece in _values().chunk(parts, dim=1)[::order]:
        histogram.add(piece, piece.abs().round())
    return histogram


@pytest.mark.parametrize(("parts", "order"), [(16, 1), (16, -1), (8000, 1)])
def test_parts_in_any_order_give_what_all_values_give_at_once(parts, order):
    some, whole = _seen_in(parts, order), _seen_in(1)
    for name in ("low", "high", "width", "counts"):
        assert torch.equal(getattr(some, name), getattr(whole, name)), name


def test_a_value_is_counted_in_the_bin_that_holds_it():
    values = torch.tensor([[-0.75, -0.5, 0.0, 0.3, 0.999]])
    histogram = Histogram(1, 8, CPU)
    histogram.add(values)
    assert float(histogram.width) == 0.25
    assert histogram.counts.tolist() == [[0, 1, 1, 0, 1, 1, 0, 1]]
    assert histogram.edges.tolist() == [[-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1]]
    histogram.add(torch.tensor([[-1.5]]), torch.tensor([[3.0]]))
    assert histogram.counts.tolist() == [[0, 3, 1, 1, 2, 1, 0, 0]]
    assert (float(histogram.low), float(histogram.high)) == (-1.5, torch.tensor(0.999).item())


def test_zeros_and_values_that_are_not_finite_are_no_trouble():
    histogram = Histogram(2, 8, CPU)
    histogram.add(torch.zeros(2, 3))
    histogram.add(torch.tensor([[1.0], [0.0]]))
    assert histogram.counts.sum() == 8
    assert histogram.counts[0, 4] == 3
    histogram.add(torch.tensor([[torch.nan], [torch.inf]]))
    assert histogram.low[0].isnan() and histogram.high[1].isinf() and histogram.counts.sum() == 8
