"""The quantized student of one class."""

import pytest
import torch

from compress.deploy_form import deploy_form, one_hot
from compress.evaluate import psnr
from compress.fake_quant import QuantGenerator
from compress.one_class_student import specialise_quantized
from compress.quant_config import QuantConfig
from compress.reconstruct import reconstruct
from train.errors import UserError

CLASSES = 5


@pytest.fixture(scope="module")
def student(trained_like, batches):
    form = deploy_form(trained_like())
    student = QuantGenerator(form, QuantConfig(exceptions=(("class_embedding.*", None),)))
    student.calibrate(batches())
    reconstruct(student, form, batches())  # leaves channels whose largest level is not the highest
    student.freeze_ranges()
    return student


@pytest.fixture(scope="module")
def of_class_two(student, batches):
    return specialise_quantized(student, 2, [(z,) for z, _ in batches()])


def test_it_draws_the_class(student, of_class_two, latents):
    z, _ = latents(8, seed=5)
    with torch.no_grad():
        images = of_class_two(z)
        form = student.dequantized_form()
        right, wrong = (form(z, one_hot(torch.full((8,), y), CLASSES)) for y in (2, 3))
    to_right, to_wrong = psnr(images, right), psnr(images, wrong)
    assert to_right is not None and to_right > 36
    assert to_wrong is not None and to_wrong < 30


def test_weights_keep_their_levels_but_for_the_sign(student, of_class_two):
    levels = {name: operation.levels() for name, operation in student.operations().items()}
    for name, operation in of_class_two.operations().items():
        if name in levels:
            assert torch.equal(operation.levels().abs(), levels[name].abs()), name


def test_the_dequantized_form_is_the_rounded_weights_without_rounding(student, latents):
    form = student.dequantized_form()
    z, y = latents(4)
    inputs = (z, one_hot(y, CLASSES))
    with torch.no_grad(), student.only(student.operations()):
        assert float((student(*inputs) - form(*inputs)).abs().max()) <= 1e-6


def test_an_unknown_class_is_refused(student, batches):
    with pytest.raises(UserError, match="class 7 is not one of the student's 5"):
        specialise_quantized(student, 7, [(z,) for z, _ in batches()])
