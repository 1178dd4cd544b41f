"""What a run folder gives to the exporters."""

import shutil

import pytest
import torch
from stand_ins import replace, save_random_student

from deploy.golden import make_golden
from deploy.source import open_source
from train.errors import UserError
from train.files import file_hash
from train.snapshot import load_snapshot


@pytest.fixture
def run_copy(export_run, tmp_path):
    return shutil.copytree(export_run, tmp_path / "run")


def test_the_forms_are_those_of_the_files(export_run):
    source = open_source(export_run)
    student, info = load_snapshot(export_run / "student.safetensors")
    assert source.info == info
    assert list(source.quantized) == ["int8"]
    assert source.inputs == {"z": 8, "class_weights": 3}
    assert source.files["float"] == file_hash(export_run / "student.safetensors")
    z, weights = source.example_inputs()
    with torch.no_grad():
        assert torch.allclose(source.form(z, weights), student(z, weights.argmax(1)), atol=1e-5)


def test_without_an_int8_student_the_float_one_is_there(run_copy):
    shutil.rmtree(run_copy / "qat")
    assert open_source(run_copy).quantized == {}


def test_one_class(export_run):
    source = open_source(export_run, 1)
    assert source.inputs == {"z": 8}
    everything, golden = open_source(export_run), make_golden(source)
    z = torch.from_numpy(golden.z)
    weights = torch.zeros(len(z), 3)
    weights[:, 1] = 1
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(golden.images["float"]), everything.form(z, weights), atol=1e-5)
    assert set(golden.y) == {1}


def test_a_class_that_is_not_there(export_run):
    with pytest.raises(UserError, match=r"--class 3 is not a class of this student; its classes lie in 0 to 2"):
        open_source(export_run, 3)


def test_no_run(tmp_path):
    with pytest.raises(UserError, match=r"no run folder at .*; train a student with: python train/main\.py"):
        open_source(tmp_path / "nothing")


def test_an_int8_student_of_another_architecture(run_copy):
    _, info = load_snapshot(run_copy / "student.safetensors")
    save_random_student(run_copy / "student.safetensors", replace(info.generator, channels=2))
    with pytest.raises(UserError, match="is of another architecture than"):
        open_source(run_copy)
