"""The whole page train/YOUR_OWN_GENERATOR.md: from an empty folder to int8 files with names and law."""

import json

import pytest
from own_generator import commands, make_folder, run
from toy_generator import CLASSES
from toy_onnx import write_onnx

from deploy.source import open_source
from train.errors import UserError
from train.generator import Generator, GeneratorConfig
from train.noise import SAMPLERS
from train.snapshot import SnapshotInfo, save_snapshot


@pytest.mark.slow
@pytest.mark.parametrize("teacher", ["my_generator.py:draw", "onnx:net.onnx?latents=normal&y=label&names="])
def test_five_commands_end_in_files_with_names_and_law(tmp_path, monkeypatch, teacher):
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path)
    write_onnx(tmp_path / "net.onnx")
    spec = teacher + ",".join(CLASSES) if teacher.endswith("=") else teacher
    first, *rest = commands()
    run(first.replace("my_generator.py:draw", f"'{spec}'"))
    for command in rest:
        run(command)
    manifest = json.loads((tmp_path / "runs" / "mine" / "artifacts" / "manifest.json").read_text())
    assert manifest["model"]["classes"] == {str(index): name for index, name in enumerate(CLASSES)}
    assert manifest["sampler"] == {"name": SAMPLERS["normal"], "truncation": 1.0}
    assert {a["file"] for a in manifest["artifacts"]} == {"student_int8.tflite", "student_xnnpack_int8.pte"}
    assert manifest["artifacts"][0]["inputs"][1]["shape"] == [1, 5]


def test_a_student_of_given_latents_is_not_exported(tmp_path):
    config = GeneratorConfig(channels=2, image_size=32, num_classes=2, z_dim=4)
    info = SnapshotInfo(config, {0: "ant", 1: "bee"}, 1.0, "a test", sampler="given")
    save_snapshot(tmp_path / "student.safetensors", Generator(config), info)
    with pytest.raises(UserError, match=r"learned from given latents.* with --law"):
        open_source(tmp_path)
