"""The teacher for phones' runtimes: the same images, in operations that the runtimes have."""

import pytest
import torch
from stand_ins import save_random_student

from benchmarks import compared_programs
from benchmarks.compared_programs import TEACHER_PROGRAM, TEACHER_TFLITE, teacher_programs
from benchmarks.model import open_unexported
from benchmarks.teacher_forms import FoldedTeacher
from benchmarks.torch_forms import load_teacher
from train.errors import UserError
from train.generator import GeneratorConfig
from train.teacher import SnapshotTeacher, open_teacher

Y = torch.tensor([0, 3, 9])
WEIGHTS = torch.eye(10)[Y]


@pytest.mark.parametrize("truncation", [0.5, 1.0])
def test_folded_norms_draw_the_teachers_images(truncation):
    teacher = open_teacher("digits", truncation)
    z = torch.randn(3, 128, generator=torch.Generator().manual_seed(0)) * truncation
    expected = teacher(z, Y)
    assert (FoldedTeacher(teacher)(z, WEIGHTS) - expected).abs().max() < 1e-4
    assert (FoldedTeacher(teacher, nhwc=True)(z, WEIGHTS).permute(0, 3, 1, 2) - expected).abs().max() < 1e-4
    assert (teacher(z, Y) == expected).all()  # it is as it was
    timed = load_teacher("digits", 1)(z[:1].numpy(), WEIGHTS[:1].numpy())
    if truncation == 0.5:
        assert abs(timed - expected[:1].numpy()).max() < 1e-4


def test_another_teacher_is_refused(tmp_path):
    save_random_student(tmp_path / "s.safetensors", GeneratorConfig("dw", 2, 32, 10))
    with pytest.raises(UserError, match="the teacher s is no BigGAN"):
        FoldedTeacher(SnapshotTeacher(tmp_path / "s.safetensors"))


def test_programs_are_made_once_and_one_that_fails_is_named(tmp_path, monkeypatch, capsys):
    save_random_student(tmp_path / "s.safetensors", GeneratorConfig("dw", 2, 32, 10))
    model, teacher, made = open_unexported(tmp_path / "s.safetensors"), open_teacher("digits"), []

    def convert(module, inputs):
        made.append(list(inputs))
        return b"converted"

    def lower(module, inputs):
        raise RuntimeError("no kernel for this\nand a long trace")

    monkeypatch.setattr(compared_programs, "convert_module", convert)
    monkeypatch.setattr(compared_programs, "lower_xnnpack", lower)
    for _ in range(2):
        paths, notes = teacher_programs(model, teacher, tmp_path / "cache")
        assert [path.name for path in paths] == [TEACHER_TFLITE] and paths[0].read_bytes() == b"converted"
        assert notes == [f"{TEACHER_PROGRAM} was not made, the teacher does not lower: no kernel for this"]
    assert made == [["z", "class_weights"]]
    assert f"making {TEACHER_TFLITE}" in capsys.readouterr().out


def test_a_missing_package_is_not_called_a_teacher_that_does_not_lower(tmp_path, monkeypatch):
    save_random_student(tmp_path / "s.safetensors", GeneratorConfig("dw", 2, 32, 10))

    def no_package(*arguments):
        raise UserError("no litert_torch, which makes TFLite files; install it with: pip install -e '.[android]'")

    def half_a_package(*arguments):
        raise ModuleNotFoundError("No module named 'torchao'")

    monkeypatch.setattr(compared_programs, "convert_module", no_package)
    monkeypatch.setattr(compared_programs, "lower_xnnpack", half_a_package)
    _, notes = teacher_programs(open_unexported(tmp_path / "s.safetensors"), open_teacher("digits"), tmp_path)
    assert notes == [
        f"{TEACHER_PROGRAM} was not made: No module named 'torchao'",
        f"{TEACHER_TFLITE} was not made: no litert_torch, which makes TFLite files; install it with: "
        "pip install -e '.[android]'",
    ]


@pytest.mark.slow
def test_the_digits_teacher_lowers_to_both(tmp_path):
    pytest.importorskip("executorch", reason="needs the extra android")
    from deploy.android.tflite_file import load_tflite
    from deploy.executorch_program import load_program, read_contents

    save_random_student(tmp_path / "s.safetensors", GeneratorConfig("dw", 2, 32, 10))
    teacher = open_teacher("digits")
    paths, notes = teacher_programs(open_unexported(tmp_path / "s.safetensors"), teacher, tmp_path)
    assert notes == []
    assert read_contents(paths[0]).delegates == ("XnnpackBackend",) and not read_contents(paths[0]).kernels
    z = torch.randn(1, 128, generator=torch.Generator().manual_seed(0)) * 0.5
    for load, path in zip((load_program, load_tflite), paths, strict=True):
        image = load(path)(z.numpy(), WEIGHTS[1:2].numpy())
        assert abs(image - teacher(z, Y[1:2]).numpy()).max() < 1e-4
