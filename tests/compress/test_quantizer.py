"""The rounding of weights and what training feels of it."""

import torch
from torch import nn

from compress.points import Point
from compress.quantizer import QuantOperation, QuantPoint, round_weight


def test_a_weight_goes_to_the_nearest_level_of_its_channel():
    weight = torch.tensor([[0.1, -0.26, 0.9], [1.0, -2.0, 0.4]])
    rounded = round_weight(weight, torch.tensor([[0.25], [0.5]]), 3)
    assert rounded.tolist() == [[0.0, -0.25, 0.75], [1.0, -1.5, 0.5]]


def test_weights_inside_the_range_feel_the_gradient_and_those_outside_do_not():
    weight = torch.tensor([[0.1, -0.26, 0.9]], requires_grad=True)
    scale = torch.tensor([[0.25]], requires_grad=True)
    round_weight(weight, scale, 3).backward(torch.tensor([[1.0, 2.0, 4.0]]))
    assert weight.grad.tolist() == [[1.0, 2.0, 0.0]]
    # Inside: level - exact; outside: the outermost level (LSQ, Equation 3).
    expected = 1.0 * (0 - 0.4) + 2.0 * (-1 + 1.04) + 4.0 * 3
    assert torch.allclose(scale.grad, torch.tensor([[expected]]))


def test_the_scale_is_learned():
    """One outlier holds all other weights at two levels until training gives it up."""
    torch.manual_seed(0)
    linear = nn.Linear(64, 1, bias=False)
    with torch.no_grad():
        linear.weight.normal_(0, 0.1)
        linear.weight[0, 0] = 1.0
    operation = QuantOperation(linear, 4)
    operation.mode = "quantize"
    linear.weight.requires_grad_(False)
    optimizer = torch.optim.Adam([operation.clip], lr=0.02)
    x = torch.randn(256, 64)
    x[:, 0] = 0  # the outlier does not matter
    losses = []
    for _ in range(40):
        loss = (operation(x) - linear(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    assert float(operation.clip.detach()) < 0.7


def test_channels_of_zeros_stay_finite():
    linear = nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        linear.weight[0] = 0
    operation = QuantOperation(linear, 8)
    operation.mode = "quantize"
    operation(torch.randn(3, 4)).sum().backward()
    assert torch.isfinite(operation.clip.grad).all() and torch.isfinite(linear.weight.grad).all()
    assert (operation.levels()[0] == 0).all()


def test_the_ends_of_a_range_feel_what_they_cut_off_and_what_a_step_costs():
    point = QuantPoint(Point(), bits=4)
    point.set_range(-1.0, 2.0)  # a step of 0.2, so that levels lie at -1.0, -0.8, …, 2.0
    point.mode, point.learning = "quantize", True
    x = torch.tensor([-1.5, 0.26, 0.4, 3.0], requires_grad=True)
    rounded = point(x)
    assert torch.allclose(rounded, torch.tensor([-1.0, 0.2, 0.4, 2.0]))
    rounded.backward(torch.tensor([1.0, 2.0, 4.0, 8.0]))
    assert x.grad.tolist() == [0.0, 2.0, 4.0, 0.0]
    # The step is (high - low) / 15: an end moves it by 1/15, and 0.26 is rounded by -0.3 of a step.
    inside = 2.0 * -0.3 / 15
    to_low, to_high = 1.0 - inside, 8.0 + inside
    assert torch.allclose(point.stretch.grad, torch.tensor([-1.0 * to_low, 2.0 * to_high]), atol=1e-5)


def test_a_range_is_learned_where_a_batch_has_an_outlier():
    """Ranges that follow extremes would keep the outlier; with eight levels all other values suffer."""
    torch.manual_seed(0)
    x = torch.randn(4096) * 0.3
    x[0] = 8.0
    point = QuantPoint(Point(), bits=3)
    point.set_range(float(x.min()), float(x.max()))
    point.mode, point.learning = "quantize", True
    optimizer = torch.optim.Adam([point.stretch], lr=0.02)
    errors = []
    for _ in range(120):
        optimizer.zero_grad()
        point.follow()
        error = (point(x) - x).square().mean()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.5 * errors[0]
    assert point.range[1] < 4
