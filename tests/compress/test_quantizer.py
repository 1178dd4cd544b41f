"""The rounding of weights and what training feels of it."""

import torch
from torch import nn

from compress.quantizer import QuantOperation, round_weight


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
