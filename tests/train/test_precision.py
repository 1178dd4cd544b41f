"""Where convolutions must not be rounded to TF32, which GPUs do by default; the switches are there without one."""

import contextlib

import numpy as np
import pytest
import torch
from stand_ins import replace

from train import loop
from train.pairs import collect_pairs
from train.precision import training_precision, without_tf32
from train.run import train
from train.teacher import open_teacher


def tf32_is_allowed() -> tuple[bool, bool]:
    return bool(torch.backends.cuda.matmul.allow_tf32), torch.backends.cudnn.allow_tf32


def test_tf32_is_off_inside_and_as_before_after():
    before = tf32_is_allowed()
    assert before[1], "PyTorch's default has changed"
    with without_tf32():
        assert tf32_is_allowed() == (False, False)
    assert tf32_is_allowed() == before
    with contextlib.suppress(ArithmeticError), without_tf32():
        raise ArithmeticError
    assert tf32_is_allowed() == before


def test_beside_bfloat16_tf32_is_fine():
    with training_precision("bfloat16"):
        assert tf32_is_allowed()[1]


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_run_in_float32_computes_in_float32(tiny_config, world, tmp_path, monkeypatch, precision):
    seen, one_step = [], loop.one_step

    def watching(*args):
        seen.append(tf32_is_allowed()[1])
        return one_step(*args)

    monkeypatch.setattr(loop, "one_step", watching)
    train(replace(tiny_config, runtime__precision=precision, optimizer__images=16), tmp_path / "run", world)
    assert seen == [precision == "auto"] * 2


def test_the_teachers_images_are_float32s(world, tmp_path):
    teacher, seen = open_teacher("digits"), []

    class Watched:
        def __getattr__(self, name):
            return getattr(teacher, name)

        def __call__(self, z, y):
            seen.append(tf32_is_allowed())
            return teacher(z, y)

    collect_pairs(Watched(), tmp_path / "pairs", np.arange(10), per_class=1, seed=0, world=world)
    assert seen == [(False, False)]
