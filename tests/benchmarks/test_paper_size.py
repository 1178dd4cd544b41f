"""Speed and size at the paper's size: commands of this project, students of random weights, one page."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import host, paper_size
from benchmarks.paper_size import STUDENTS, PaperSizeConfig, _stages, in_short, make_student, page
from compress.int8_file import load_int8
from train.cli import parse
from train.commands import ROOT
from train.generator import GeneratorConfig, build_generator
from train.snapshot import load_snapshot

CONFIG = PaperSizeConfig(Path("folder"), again=True)
PARSED = {"benchmarks/run_device.py": "BenchmarkConfig", "deploy/android/export.py": "ExportConfig"}
PLANNED = [stage for name in STUDENTS for stage in _stages(CONFIG, name, Path("teacher"))]


@pytest.mark.parametrize("command", [c for stage in PLANNED for c in stage.commands], ids=" ".join)
def test_every_command_is_understood_by_its_script(command):
    script, *arguments = command
    assert (Path(paper_size.__file__).parents[1] / script).is_file()
    modules = [script.removesuffix(".py").replace("/", "."), "deploy.selection"]
    owner = next(m for m in map(importlib.import_module, modules) if hasattr(m, PARSED[script]))
    parsed = parse(getattr(owner, PARSED[script]), arguments, "")
    assert parsed.run.parent == CONFIG.folder
    if script == "benchmarks/run_device.py" and not parsed.profile:
        assert parsed.parts == ("cost", "latency") and parsed.threads == (1, 2) and parsed.again
        assert parsed.teacher == ("teacher" if parsed.run.name == "dw-32" else "")


def test_students_are_the_papers():
    parameters = {}
    for name, config in STUDENTS.items():
        with torch.device("meta"):
            network = build_generator(config)
        parameters[name] = sum(parameter.numel() for parameter in network.parameters())
    assert parameters == {"dw-32": 2_993_603, "std-32": 9_252_227, "std-16": 2_775_363}


def test_a_random_student_is_made_once_with_its_int8_form(tmp_path):
    config = GeneratorConfig("dw", 2, 32, 10)
    make_student(tmp_path, config)
    student, info = load_snapshot(tmp_path / "student.safetensors")
    quantized, _ = load_int8(tmp_path / "qat" / "student_int8.safetensors")
    assert info.source == "random weights"
    z, y = torch.randn(4, config.z_dim, generator=torch.Generator().manual_seed(0)) * 0.3, torch.arange(4)
    with torch.no_grad():
        images = student(z, y)
        assert (quantized(z, paper_size.one_hot(y, 10)) - images).abs().mean() < 0.3 * images.abs().mean()
        assert (images[0] - student(z[:1], y[3:])[0]).abs().max() > 0.01  # its classes differ
    before = (tmp_path / "student.safetensors").stat().st_mtime_ns
    make_student(tmp_path, config)
    assert (tmp_path / "student.safetensors").stat().st_mtime_ns == before


def test_the_page_says_first_that_the_weights_are_random():
    row = {"key": "host/a/threads-1", "inputs": {}, "name": "a.pte", "threads": 1, "latency_ms": {"p50": 1.5}}
    row |= {"ratios": {"fp32": {"median": 0.59}}, "load_average": 7.25}
    note = {"device": {"target": "host", "cpu": "a processor"}, "protocol": "rounds"}
    results = {"cost": [], "latency": [row], "quality": [], "notes": {"latency on this machine": note}}
    profile = {"artifacts": {"a.pte": {"runs": 3, "median_ms": {"Add #1": 0.25, "Add #2": 0.75}}}}
    text = page({"dw-32": {"all classes": results, "one class": results, "operations": profile}})
    assert text.startswith("Random weights")
    assert "| a.pte |" in text and "0.59" in text and "7.2" in text and "| Add | 2 | 1,000.0 | 100.0% |" in text


def test_the_committed_page_is_that_of_the_committed_results():
    """Its first table has each student's int8 files beside the authors' order, which is 1, and the teacher."""
    out = PaperSizeConfig().out
    students = json.loads((ROOT / out).read_text(encoding="utf-8"))["students"]
    assert (ROOT / out).with_suffix(".md").read_text(encoding="utf-8") == page(students)
    rows = {line[0]: line[1:] for line in in_short(students).cells}
    for name in STUDENTS:
        assert rows[f"{name}, fp32, .pte, authors' order"][-1] == "1.00"
        assert float(rows[f"{name}, int8, .tflite"][-1]) < 0.7
    assert float(rows["BigGAN-deep-128, torch"][2]) > 100


def test_a_teacher_of_other_classes_is_given_its_own_number_of_them(monkeypatch):
    started = []
    monkeypatch.setattr(host, "Worker", lambda *arguments: started.append(arguments))

    class Student:
        def latents(self, seed, count):
            return np.zeros((count, 128), np.float32), np.array([3])

        def inputs(self, z, y):
            return z[None], np.eye(1, 398, y, dtype=np.float32)

    for num_classes in (None, 1000):
        candidate = host.Candidate("teacher.pte", "program", Path("teacher.pte"), {}, "", num_classes)
        host._worker(Student(), host.Group(1, {"key": candidate}, {}), "key", 0)
    shapes = [[x.shape for x in inputs] for *_, inputs in started]
    assert shapes == [[(1, 128), (1, 398)], [(1, 128), (1, 1000)]]
