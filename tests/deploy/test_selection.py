"""The flags of the export scripts."""

import shutil

import pytest

from deploy.android.artifacts import STUDENTS as ANDROID_STUDENTS
from deploy.selection import ExportConfig, choose, run_export
from deploy.source import open_source
from train.errors import UserError

ALL = ("float", "int8", "int4")


@pytest.fixture
def artifacts(plain_artifact):
    return [
        plain_artifact("student_fp32.pte", runtime="executorch", backend="xnnpack", precision="fp32"),
        plain_artifact("student_int8.pte", runtime="executorch", backend="xnnpack"),
        plain_artifact("student_int8.tflite", runtime="tflite", backend="litert"),
    ]


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ({}, ["student_fp32.pte", "student_int8.pte", "student_int8.tflite"]),
        ({"only": ("tflite",)}, ["student_int8.tflite"]),
        ({"only": ("*.pte",), "precision": ("int8",)}, ["student_int8.pte"]),
        ({"precision": ("fp32",)}, ["student_fp32.pte"]),
    ],
)
def test_choice(artifacts, export_run, flags, chosen):
    source = open_source(export_run)
    assert [a.file for a in choose(artifacts, ExportConfig(export_run, **flags), source, ALL)] == chosen


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"precision": ("int9",)}, r"--precision int9 is unknown \(did you mean int8\?\); there are fp32, int8"),
        ({"precision": ("int4",)}, r"no .*W4A8.*; make it with: python compress/qat\.py --run .* --bits W4A8"),
        ({"only": ("tflight",)}, r"--only tflight matches nothing \(did you mean tflite\?\)"),
        ({"only": ("tflite",), "precision": ("fp32",)}, "leave nothing to export"),
    ],
)
def test_choices_that_cannot_be_met(artifacts, export_run, flags, message):
    with pytest.raises(UserError, match=message):
        choose(artifacts, ExportConfig(export_run, **flags), open_source(export_run), ALL)


def test_a_missing_int8_student_is_said_aloud(artifacts, export_run, tmp_path, capsys):
    run = shutil.copytree(export_run, tmp_path / "run")
    shutil.rmtree(run / "qat")
    choose(artifacts, ExportConfig(run), open_source(run), ALL)
    out = capsys.readouterr().out
    assert "without int8 artifacts: no " in out and "without int4 artifacts: no " in out


def test_a_student_that_nothing_would_be_made_of_is_not_asked_for(artifacts, export_run, capsys):
    """The Android files are of the float and the int8 student."""
    source = open_source(export_run)
    assert "int4" not in source.quantized
    choose(artifacts, ExportConfig(export_run), source, ANDROID_STUDENTS)
    assert capsys.readouterr().out == ""
    said = r"^--precision int4: this export has no int4 files; there are fp32, int8$"
    with pytest.raises(UserError, match=said):
        choose(artifacts, ExportConfig(export_run, precision=("int4",)), source, ANDROID_STUDENTS)


def test_the_script_writes_the_artifacts_and_a_failure_is_status_1(export_run, plain_artifact, tmp_path, capsys):
    flags = ["--run", str(export_run), "--out", str(tmp_path / "out")]
    run_export(flags, "a test", lambda source, config: [plain_artifact()], ALL)
    assert (tmp_path / "out" / "a.txt").is_file()
    with pytest.raises(SystemExit) as stop:
        run_export(
            flags, "a test", lambda source, config: [plain_artifact(factor=0.5, options={"changed": "yes"})], ALL
        )
    assert stop.value.code == 1
    assert "error: a.txt: its golden images" in capsys.readouterr().err
    assert not (tmp_path / "out" / "a.txt").exists()


def test_one_class_has_a_folder_of_its_own(export_run):
    assert ExportConfig(export_run, class_index=2).folder == export_run / "artifacts" / "class-2"
