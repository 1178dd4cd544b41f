"""Ranges that are chosen by what the image shows."""

import pytest
import torch

from compress import fake_quant
from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantGenerator
from compress.importance import weigh
from compress.quant_config import QuantConfig
from compress.ranges import RangeObserver


@pytest.fixture(scope="module")
def deploy(trained_like):
    return deploy_form(trained_like())


@pytest.fixture(scope="module")
def students(deploy, batches):
    def student(method):
        student = QuantGenerator(deploy, QuantConfig(range_method=method))
        student.calibrate(batches(8))
        return student

    return {method: student(method) for method in ("mse", "image")}


def test_weights_are_squared_gradients_of_the_image(deploy, batches):
    (seen,) = weigh(deploy, deploy.config, {"out": deploy.to_rgb.output}, batches(1), title="")
    ((values, weights),) = seen["out"]
    # Before tanh a value moves one pixel only.
    assert torch.allclose(weights, (1 - values.tanh().square()).square(), atol=1e-6)


def test_products_that_relu_drops_weigh_nothing_and_are_as_high_as_may_be(deploy, batches):
    block = deploy.blocks[1]
    kept = []
    hook = block.modulation1.register_forward_pre_hook(lambda m, inputs: kept.append(inputs))
    points = {"product": block.modulation1.product}
    (seen,) = weigh(deploy, deploy.config, points, batches(1), title="")
    hook.remove()
    ((x, gain, bias),) = kept
    ((values, weights),) = seen["product"]
    x, gain, bias = (tensor.flatten(2) for tensor in (x, gain, bias))
    dropped = x * gain + bias < 0
    assert 0.1 < dropped.float().mean() < 0.9
    assert (weights[dropped] == 0).all()
    assert torch.allclose(values[dropped], (-bias).expand_as(x)[dropped])
    assert torch.equal(values[~dropped], (x * gain)[~dropped])


def test_a_weight_decides_what_is_clipped():
    values = torch.cat([torch.linspace(0, 1, 1000), torch.full((10,), 8.0)])
    highs = []
    for outlier_weight in (0.0, 1.0):
        observer = RangeObserver()
        weights = torch.ones_like(values)
        weights[1000:] = outlier_weight
        observer.see_ends(values)
        observer.see_values(values, weights)
        highs.append(observer.choose("image", 8, 99.99, None)[1])
    assert highs[0] < 2
    assert highs[1] > 7


def test_what_relu_drops_is_clipped_and_the_image_gains(deploy, students, latents):
    z, y = latents(256, seed=9)
    weights = one_hot(y, 5)
    with torch.no_grad():
        images = deploy(z, weights)
        errors = {name: float((s(z, weights) - images).square().mean()) for name, s in students.items()}
    assert errors["image"] < errors["mse"], errors
    low, high = students["image"].points()["blocks.1.modulation1.product"].range.tolist()
    low_before, high_before = students["mse"].points()["blocks.1.modulation1.product"].range.tolist()
    assert -low / high < -low_before / high_before


def test_positions_of_large_images_are_thinned_alike_in_values_and_weights(deploy, batches, monkeypatch):
    points = {"out": deploy.to_rgb.output}
    (whole,) = weigh(deploy, deploy.config, points, batches(1), title="")
    monkeypatch.setattr("compress.importance._VALUES", 300)
    (some,) = weigh(deploy, deploy.config, points, batches(1), title="")
    for few, all_of_them in zip(some["out"][0], whole["out"][0], strict=True):
        assert few.shape[2] < 120
        assert torch.equal(few, all_of_them[:, :, ::11])


@pytest.mark.parametrize("method", ["image", "mse", "percentile", "minmax"])
def test_calibration_in_parts_is_calibration_at_once(method, deploy, batches, monkeypatch):
    students = []
    for images, given in ((3, batches(3)), (1000, [tuple(map(torch.cat, zip(*batches(3), strict=True)))])):
        monkeypatch.setattr("compress.importance._PIXELS_AT_ONCE", 32 * 32 * images)
        students.append(QuantGenerator(deploy, QuantConfig(range_method=method)))
        students[-1].calibrate(given)
    parts, whole = (student.points() for student in students)
    for name, point in whole.items():
        assert torch.allclose(parts[name].range, point.range, rtol=1e-3, atol=1e-5), name


def test_what_was_observed_serves_other_bits(deploy, batches, monkeypatch):
    observed = {}
    QuantGenerator(deploy, QuantConfig(exceptions=(("features", None),))).calibrate(batches(2), observed)
    assert "features" not in observed
    afresh, later = (QuantGenerator(deploy, QuantConfig(4, 6)) for _ in range(2))
    afresh.calibrate(batches(2))
    asked = []
    monkeypatch.setattr(fake_quant, "weigh", lambda *a, **k: (asked.extend(a[2]), weigh(*a, **k))[1])
    later.calibrate(batches(2), observed)
    assert asked == ["features"]
    for name, point in afresh.points().items():
        assert torch.equal(later.points()[name].range, point.range), name
    later.calibrate(batches(2), observed)
    assert asked == ["features"]


def test_large_batches_are_cut_to_a_number_of_pixels(deploy, batches, latents, monkeypatch):
    monkeypatch.setattr("compress.importance._PIXELS_AT_ONCE", 32 * 32 * 5)
    seen = list(weigh(deploy, deploy.config, {"features": deploy.features}, batches(1), title=""))
    assert [len(part["features"][0][0]) for part in seen] == [5, 5, 5, 1]
