"""What is scored, and the picture of it."""

import contextlib
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_phone import write_artifacts
from PIL import Image
from stand_ins import save_random_student

from benchmarks import scoring
from benchmarks.costs import measure_costs
from benchmarks.host import find_candidates
from benchmarks.judged import choose_judged
from benchmarks.model import Model, open_model
from benchmarks.results import Results, read_results
from benchmarks.scoring import find_drawers, measure_quality
from benchmarks.settings import BenchmarkConfig
from compress.config import INT8_STUDENTS
from train.errors import UserError
from train.files import file_hash
from train.generator import GeneratorConfig

PHONE_ONLY = ("*.mlpackage", "*vulkan*")
"""Files that nothing on this machine runs."""


@pytest.fixture
def folder(tmp_path) -> Path:
    """Artifacts of a float and an int8 student, both in the run; the int8 one is a file with no student in it."""
    artifacts = write_artifacts(tmp_path / "run")
    students = {
        "float": tmp_path / "run" / "student.safetensors",
        "int8": tmp_path / "run" / INT8_STUDENTS["int8"],
    }
    config = GeneratorConfig("dw", channels=2, image_size=32, num_classes=3, z_dim=4, class_embedding_dim=4)
    save_random_student(students["float"], config)
    students["int8"].parent.mkdir(parents=True)
    students["int8"].write_bytes(b"exported")
    manifest = json.loads((artifacts / "manifest.json").read_text())
    manifest["model"]["sha256"] = {name: file_hash(path) for name, path in students.items()}
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    return artifacts


@pytest.fixture
def config(folder, tmp_path) -> BenchmarkConfig:
    return BenchmarkConfig(run=folder.parent, out=tmp_path / "out", teacher="", reference="", images=3)


def opened(folder: Path) -> Model:
    return open_model(folder.parent, folder, PHONE_ONLY)


def drawers_of(model: Model, config: BenchmarkConfig):
    return find_drawers(model, choose_judged(model, config), config)


def test_the_students_that_were_exported_are_scored(folder, config):
    drawers, notes = drawers_of(opened(folder), config)
    assert [drawer.name for drawer in drawers] == ["float", "int8"]
    assert not [note for note in notes if "was not scored:" in note]


def test_students_trained_anew_since_the_export_are_left_out(folder, config):
    run = folder.parent
    save_random_student(
        run / "student.safetensors", GeneratorConfig("dw", 2, 32, 3, z_dim=4, class_embedding_dim=6)
    )
    (run / INT8_STUDENTS["int8"]).write_bytes(b"trained again")
    model = opened(folder)
    drawers, notes = drawers_of(model, config)
    assert drawers == []
    for name, file in {"float": "student.safetensors", **{k: str(v) for k, v in INT8_STUDENTS.items()}}.items():
        said = f"the {name} student was not scored: {run / file} is not the {name} student that was exported"
        assert any(note.startswith(said) for note in notes) == (name != "int4")
    _, notes = find_candidates(model, config)
    assert any("the float student in torch was not timed: " in note and "export again" in note for note in notes)


def test_a_student_that_nothing_was_exported_from_is_scored(folder, config):
    """compress/qat.py ran after the export, or with --bits."""
    path = folder.parent / INT8_STUDENTS["int4"]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"made later")
    assert [drawer.name for drawer in drawers_of(opened(folder), config)[0]] == ["float", "int8", "int4"]


def test_nothing_that_draws_is_said_in_a_line(folder, config):
    shutil.rmtree(folder.parent / "qat")
    (folder.parent / "student.safetensors").write_bytes(b"another")
    model = opened(folder)
    failures = measure_quality(model, config, Results(config.folder / "results.json", model.description))
    assert len(failures) == 1 and "quality was not measured, nothing here can draw: " in failures[0]


def test_photos_that_the_run_left_out_are_left_out_here(folder, config):
    photos = folder.parent / "photos"
    for label in range(3):
        (photos / f"class {label}").mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(photos / f"class {label}" / "a.png")
    (photos / "class 0" / "b.png").write_bytes(b"")
    config = dataclasses.replace(config, reference=None)
    for damaged, message in ((0, "leave them out with --damaged 1"), (1, "")):
        settings = {"data": {"teacher": "", "reals": str(photos), "class_embedding": "", "damaged": damaged}}
        (folder.parent / "config.json").write_text(json.dumps({"settings": settings}))
        with pytest.raises(UserError, match=message) if message else contextlib.nullcontext():
            found = scoring.open_reference(opened(folder), config)
    assert len(found.labels) == 3


def costs(folder: Path, config: BenchmarkConfig) -> tuple[dict[str, int], list[str]]:
    """Return the bytes of activations by the keys of the rows on students, and what was left out."""
    model = opened(folder)
    measure_costs(model, config, Results(config.folder / "results.json", model.description))
    results = read_results(config.folder / "results.json")
    rows = {row["key"]: row["peak_activation_bytes"] for row in results["cost"] if "/" not in row["key"]}
    return rows, results["notes"]["cost"]["left_out"]


def test_costs_of_an_int8_student_need_one(folder, config):
    rows, left_out = costs(folder, config)
    assert rows.keys() == {"student", "deploy", "int8"} and left_out == []
    assert rows["int8"] * 4 == rows["deploy"]
    shutil.rmtree(folder.parent / "qat")
    assert "int8" in costs(folder, config)[0]  # that of the manifest
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["model"]["sha256"]["int8"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert costs(folder, config)[0].keys() == {"student", "deploy"}


def test_costs_of_another_student_are_left_out(folder, config):
    (folder.parent / "student.safetensors").write_bytes(b"another")
    rows, left_out = costs(folder, config)
    assert rows == {}
    assert left_out[0].startswith("the float student was not counted: ") and "export again" in left_out[0]


@pytest.mark.parametrize("images", [40, 13, 5])
def test_the_picture_has_each_class_under_its_heading(tmp_path, monkeypatch, folder, images):
    """Twelve classes; the value of every pixel is the class."""
    model = opened(folder)
    described = model.manifest["model"] | {"classes": {str(index): f"c{index}" for index in range(0, 24, 2)}}
    model = dataclasses.replace(model, manifest=model.manifest | {"model": described})
    headings = []
    sheet = scoring.sheet

    def kept(rows, labels, **options):
        headings.extend(labels)
        return sheet(rows, labels, **options)

    monkeypatch.setattr(scoring, "sheet", kept)
    y = np.array(sorted(model.classes))[np.arange(images) % 12]
    drawn = np.broadcast_to(y.astype(np.uint8)[:, None, None, None], (images, 64, 64, 3))
    scoring._draw_picture(model, {"teacher": drawn, "float": drawn, "a_int8": drawn}, y, tmp_path / "a.png")
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    columns = min(10, images)
    assert headings == [f"c{index}" for index in range(0, 2 * columns, 2)]
    assert picture.shape[1] == columns * 64
    for column in range(columns):
        values = set(np.unique(picture[12:, column * 64 : (column + 1) * 64])) - {255}  # white between the groups
        assert values == {2 * column}
    assert (picture.shape[0] - 12) // 64 == 3 * {40: 3, 13: 1, 5: 1}[images]
