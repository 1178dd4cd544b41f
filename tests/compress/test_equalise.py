"""Factors and constants per channel, chosen by what rounding costs the image."""

import pytest
import torch

from compress.deploy_form import deploy_form, one_hot
from compress.equalise import Reach, equalise, factors
from compress.fake_quant import QuantGenerator


def test_factors_bring_every_channel_to_the_same_ends():
    reach = Reach(torch.tensor([-1.0, -2.0, -0.5]), torch.tensor([2.0, 4.0, 1.0]), torch.ones(3))
    found = factors([reach], 1.0)
    assert torch.allclose(found * reach.high, (found * reach.high)[0].expand(3), rtol=0.03)
    assert found.log().mean() == pytest.approx(0, abs=1e-5)
    assert torch.allclose(factors([reach], 0.5), found.sqrt(), rtol=1e-4)


def test_activations_that_share_factors_are_weighed():
    wide, narrow = torch.tensor([1.0, 4.0]), torch.tensor([4.0, 1.0])
    shares = []
    for weight in (0.01, 100.0):
        first = Reach(-wide, wide, torch.full((2,), weight))
        found = factors([first, Reach(-narrow, narrow, torch.ones(2))], 1.0)
        shares.append(float(found[0] / found[1]))
    assert shares[0] < 1 < shares[1]


def test_the_image_gains(trained_like, latents, batches):
    deploy = deploy_form(trained_like())
    z, y = latents(64, seed=9)
    inputs = (z, one_hot(y, 5))
    errors = []
    with torch.no_grad():
        images = deploy(*inputs)
        for strength in (None, 0.75):
            if strength is not None:
                equalise(deploy, batches(8), strength)
            student = QuantGenerator(deploy)
            student.calibrate(batches(8))
            errors.append(float((student(*inputs) - images).square().mean()))
    assert errors[1] < 0.9 * errors[0], errors
