"""The planned artifacts, made by the pipeline and run by their real runtimes, and what does not pass its gates."""

import copy
import dataclasses
import shutil

import numpy as np
import pytest
import torch
from stand_ins import save_student, trained_like_student

from compress.config import INT8_STUDENTS
from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantGenerator
from compress.int8_file import save_int8
from deploy import pipeline, xnnpack_artifacts
from deploy.android import export as script
from deploy.android import tflite
from deploy.android.artifacts import android_artifacts
from deploy.executorch_program import Lowered
from deploy.golden import make_golden
from deploy.manifest import read_manifest
from deploy.pipeline import export
from deploy.selection import ExportConfig
from deploy.source import open_source
from deploy.verify import verify
from train.generator import GeneratorConfig
from train.snapshot import load_snapshot

pytest.importorskip("executorch", reason="needs the extra android")
pytest.importorskip("litert_torch", reason="needs the extra android")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the libraries that litert-torch imports
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.usefixtures("few_golden_images"),
]

FILES = (
    "student_xnnpack_fp32.pte",
    "student_xnnpack_int8.pte",
    "student_vulkan_fp16.pte",
    "student_fp32.tflite",
    "student_fp16.tflite",
    "student_int8.tflite",
)
# The other forms differ in what they cost, not in what they show.
OF_ALL_CLASSES = {"student_xnnpack_int8.pte", "student_fp32.tflite", "student_fp16.tflite", "student_int8.tflite"}
OF_ONE_CLASS = {"student_xnnpack_fp32.pte", "student_vulkan_fp16.pte"}
INT8_FILES = ("student_xnnpack_int8.pte", "student_int8.tflite")


def fast(names):
    return [pytest.param(f, marks=() if f in names else pytest.mark.slow) for f in FILES]


def check_entry(exports, file):
    path = exports(file)
    entry = next(e for e in read_manifest(exports.folder)["artifacts"] if e["file"] == file)
    assert entry["bytes"] == path.stat().st_size and entry["outside_delegate"] == {}
    assert entry["student"] == entry["precision"] == "int8" or entry["student"] == "float"
    assert entry["student_sha256"] == exports.source.files[entry["student"]]
    if entry["backend"] == "vulkan":
        assert set(entry["parity"]) == {"not_run"}
    else:
        floor = {"fp32": 100.0, "fp16": 55.0, "int8": 33.0}[entry["precision"]]
        assert entry["parity"]["floor"] == floor <= entry["parity"]["psnr"]
        assert entry["parity"]["images"] == 6
    if entry["runtime"] == "executorch":
        assert len(entry["checks"]["delegates"]) == 1
    assert exports.changed() == []
    return entry


@pytest.mark.parametrize("file", fast(OF_ALL_CLASSES))
def test_every_artifact_passes_its_gates(android_exports, file):
    entry = check_entry(android_exports, file)
    assert [spec["shape"] for spec in entry["inputs"]] == [[1, 8], [1, 3]]


@pytest.mark.parametrize("file", fast(OF_ONE_CLASS))
def test_every_artifact_of_one_class_passes_its_gates(one_class_exports, file):
    entry = check_entry(one_class_exports, file)
    assert [spec["shape"] for spec in entry["inputs"]] == [[1, 8]]


def test_these_are_all_that_is_planned(android_exports, export_run):
    assert tuple(android_exports.planned) == FILES
    without = dataclasses.replace(android_exports.source, quantized={})
    planned = android_artifacts(without, ExportConfig(export_run))
    assert {artifact.file for artifact in planned} == set(FILES) - set(INT8_FILES)


@pytest.mark.parametrize("file", INT8_FILES)
def test_a_weight_one_level_off_is_refused(android_exports, file, tmp_path, monkeypatch):
    """The student changes by less than its images show; the file, converted before, is found not to be its own."""
    data = android_exports(file).read_bytes()
    monkeypatch.setattr(xnnpack_artifacts, "lower_xnnpack", lambda *_: Lowered(data, ("XnnpackBackend",)))
    monkeypatch.setattr(tflite, "_convert", lambda *_, **__: data)
    monkeypatch.setattr(tflite, "with_float_interface", lambda data: data)
    source = with_int8(android_exports.source, off_by_one_level)
    planned = {a.file: a for a in android_artifacts(source, ExportConfig(source.run))}
    (failure,) = export([planned[file]], source, tmp_path)
    assert failure.startswith(f"{file}: ") and "blocks.1.conv1.pointwise.weight" in failure
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("file", ["student_fp32.tflite", *INT8_FILES])
def test_swapped_colours_are_refused(android_exports, file, tmp_path):
    data = android_exports(file).read_bytes()
    source = with_int8(android_exports.source, swap_colours)
    source = dataclasses.replace(source, form=copy.deepcopy(source.form))
    rgb = source.form.to_rgb.operation
    with torch.no_grad():
        rgb.weight.copy_(rgb.weight.flip(0))
        rgb.bias.copy_(rgb.bias.flip(0))

    def build(path):
        path.write_bytes(data)
        return {}

    artifact = dataclasses.replace(android_exports.planned[file], build=build)
    (failure,) = export([artifact], source, tmp_path)
    assert "below the floor" in failure
    assert_nothing_is_left(tmp_path)


@pytest.mark.slow
def test_a_student_that_changes_during_the_export_is_refused(export_run, tmp_path, monkeypatch):
    source = open_source(export_run, 1)

    def golden_before(source):
        golden = make_golden(source)
        operation = source.quantized["int8"].operations()["to_rgb.weight"]
        levels = operation.levels()
        levels[0] //= 2
        operation.load_levels(levels, operation.scale())
        return golden

    monkeypatch.setattr(pipeline, "make_golden", golden_before)
    planned = {a.file: a for a in android_artifacts(source, ExportConfig(export_run))}
    (failure,) = export([planned["student_int8.tflite"]], source, tmp_path)
    assert "below the floor of 33 dB" in failure
    assert_nothing_is_left(tmp_path)


def test_verify_runs_the_real_files_and_finds_one_flipped_byte(android_exports, tmp_path, capsys):
    for file in OF_ALL_CLASSES:
        android_exports(file)
    folder = shutil.copytree(android_exports.folder, tmp_path / "copy")
    assert verify(folder) == []
    said = capsys.readouterr().out
    assert said.count("(ai-edge-litert)") == 3 and said.count("(the ExecuTorch runtime)") >= 1
    path = folder / "student_int8.tflite"
    data = bytearray(path.read_bytes())
    levels = android_exports.source.quantized["int8"].operations()["blocks.2.shortcut.weight"].levels()
    data[data.index(levels.numpy().tobytes()) + 3] ^= 0x40
    path.write_bytes(data)
    (problem,) = verify(folder)
    assert problem.startswith("student_int8.tflite: the content has the SHA-256 ")


def test_the_script_goes_on_with_what_is_there(one_class_exports, export_run, tmp_path, capsys):
    one_class_exports("student_xnnpack_fp32.pte")
    folder = shutil.copytree(one_class_exports.folder, tmp_path / "copy")
    arguments = ["--run", str(export_run), "--out", str(folder), "--class", "1"]
    script.main([*arguments, "--only", "student_xnnpack_fp32.pte"])
    assert "student_xnnpack_fp32.pte             is there" in capsys.readouterr().out
    assert read_manifest(folder) == read_manifest(one_class_exports.folder)


@pytest.mark.slow
def test_one_class_by_the_script(export_run, tmp_path):
    arguments = ["--run", str(export_run), "--out", str(tmp_path), "--class", "2", "--only", "student_int8.tflite"]
    script.main(arguments)
    manifest = read_manifest(tmp_path)
    assert manifest["model"]["class"] == 2
    (entry,) = manifest["artifacts"]
    assert [spec["name"] for spec in entry["inputs"]] == ["z"] and entry["parity"]["psnr"] >= 33
    assert verify(tmp_path) == []


@pytest.mark.slow
def test_a_student_of_the_papers_size(tmp_path, capsys):
    """Sizes are what the phone app ships, MB = 10^6 bytes."""
    config = GeneratorConfig("dw", 32, 128, num_classes=398, z_dim=128, class_embedding_dim=128)
    generator = trained_like_student(config)
    save_student(tmp_path / "student.safetensors", generator)
    student = QuantGenerator(deploy_form(generator))
    random = torch.Generator().manual_seed(2)
    z = torch.randn(16, config.z_dim, generator=random).clamp(-2, 2) / 2
    student.calibrate([(z, one_hot(torch.arange(16) * 24, config.num_classes))])
    student.freeze_ranges()
    save_int8(tmp_path / INT8_STUDENTS["int8"], student, load_snapshot(tmp_path / "student.safetensors")[1])
    source = open_source(tmp_path)
    failures = export(android_artifacts(source, ExportConfig(tmp_path)), source, tmp_path / "artifacts")
    with capsys.disabled():
        print("\n" + capsys.readouterr().out)
    assert failures == []
    sizes = {entry["file"]: entry["bytes"] / 1e6 for entry in read_manifest(tmp_path / "artifacts")["artifacts"]}
    largest = {"fp32": 12.4, "fp16": 6.3, "int8": 3.7}
    assert set(sizes) == set(FILES)
    assert {file: size for file, size in sizes.items() if size > largest[file.split("_")[-1].split(".")[0]]} == {}


def with_int8(source, change):
    """Return a source with a changed int8 student."""
    student = copy.deepcopy(source.quantized["int8"])
    change(student)
    return dataclasses.replace(source, quantized={"int8": student})


def off_by_one_level(student):
    operation = student.operations()["blocks.1.conv1.pointwise.weight"]
    levels = operation.levels()
    levels.view(-1)[5] += 1 if levels.view(-1)[5] < 127 else -1
    operation.load_levels(levels, operation.scale())


def swap_colours(student):
    operation = student.operations()["to_rgb.weight"]
    levels, scale = operation.levels(), operation.scale()
    operation.load_levels(levels.flip(0), scale.flip(0))
    with torch.no_grad():
        operation.operation.bias.copy_(operation.operation.bias.flip(0))


def assert_nothing_is_left(folder):
    kept = {"golden.npz", "golden_float.rgb", "golden_int8.rgb", "manifest.json"}
    assert {path.name for path in folder.iterdir()} == kept
    assert read_manifest(folder)["artifacts"] == []
    assert np.load(folder / "golden.npz")["image_int8"].shape == (6, 3, 32, 32)
