"""The embedded student of animals, float and int8: it draws what its teacher draws, and goes into phones."""

import pytest
import torch

from deploy.android import export
from train.commands import ROOT
from train.losses import pixel_loss
from train.noise import latents_in_turn
from train.presets import TEN_ANIMALS
from train.sampling import generate
from train.snapshot import load_student
from train.teacher import open_teacher

SHIPPED = ROOT / "train" / "assets" / "animals_student"
FLOAT, INT8 = SHIPPED / "student.safetensors", SHIPPED / "qat" / "student_int8.safetensors"
CLASSES = [int(label) for label in TEN_ANIMALS.split(",")]


@pytest.fixture(scope="module")
def latents():
    z, y = latents_in_turn(CLASSES, 7, 40, 128, 0.5)
    return torch.from_numpy(z), torch.from_numpy(y)


@pytest.fixture(scope="module")
def drawn(latents):
    return {path: generate(load_student(path)[0], *latents) for path in (FLOAT, INT8)}


@pytest.mark.parametrize("path", [FLOAT, INT8], ids=["float", "int8"])
def test_it_knows_its_ten_classes(path):
    _, info = load_student(path)
    assert sorted(info.classes) == CLASSES
    assert info.truncation == 0.5


@pytest.mark.parametrize("path", [FLOAT, INT8], ids=["float", "int8"])
def test_it_draws_what_the_embedded_teacher_draws(path, latents, drawn):
    with torch.inference_mode():
        teacher = open_teacher("animals", 0.5)(*latents)
    own = pixel_loss(teacher, drawn[path])
    of_another_class = pixel_loss(teacher, drawn[path].roll(1, dims=0))
    assert own < 0.3 < of_another_class


def test_int8_is_near_float(drawn):
    assert pixel_loss(drawn[FLOAT], drawn[INT8]) < 0.15


@pytest.mark.slow
def test_its_int8_files_pass_their_gates(tmp_path):
    names = ("student_xnnpack_int8.pte", "student_int8.tflite")
    export.main(["--run", str(SHIPPED), "--out", str(tmp_path / "artifacts"), "--only", *names])
    assert all((tmp_path / "artifacts" / name).is_file() for name in names)
