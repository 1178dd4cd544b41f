"""A run folder with a float and an int8 student of random weights, and artifacts that need no phone library."""

import dataclasses
from pathlib import Path

import pytest
import torch
from stand_ins import save_student, trained_like_student

from compress.config import INT8_STUDENTS
from compress.deploy_form import deploy_form, one_hot
from compress.fake_quant import QuantGenerator
from compress.int8_file import save_int8
from deploy import golden, pipeline, verify
from deploy.manifest import TensorSpec
from deploy.pipeline import Artifact, Built
from deploy.source import open_source
from train.checkpoint import load_snapshot
from train.generator import GeneratorConfig

CONFIG = GeneratorConfig("dw", channels=4, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=6)


def make_run(folder: Path) -> Path:
    generator = trained_like_student(CONFIG)
    save_student(folder / "student.safetensors", generator)
    _, info = load_snapshot(folder / "student.safetensors")
    student = QuantGenerator(deploy_form(generator))
    random = torch.Generator().manual_seed(2)
    batches = [
        (torch.randn(16, CONFIG.z_dim, generator=random), one_hot(torch.arange(16) % 3, 3)) for _ in range(2)
    ]
    student.calibrate(batches)
    student.freeze_ranges()
    save_int8(folder / INT8_STUDENTS["int8"], student, info)
    return folder


@pytest.fixture(scope="session")
def export_run(tmp_path_factory) -> Path:
    """A run folder, to be read only."""
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def few_golden_images(monkeypatch):
    monkeypatch.setattr(golden, "COUNT", 6)


@pytest.fixture
def plain_artifact(export_run, monkeypatch, few_golden_images):
    """(file, factor, …) → an artifact: a text file with a factor, whose images are the int8 student's times it."""
    source = open_source(export_run)

    def load(path: Path):
        factor = float(path.read_text())

        def run(*inputs):
            with torch.no_grad():
                return factor * source.quantized["int8"](*map(torch.from_numpy, inputs)).numpy()

        return run

    for module in (pipeline, verify):
        monkeypatch.setattr(module, "runner_of", lambda runtime, backend: ("a test", load))

    def make(file="a.txt", factor=1.0, **changes):
        def build(path: Path) -> Built:
            path.write_text(str(factor))
            return Built()

        output = TensorSpec("image", (1, 3, 32, 32), "float32", (-1.0, 1.0))
        artifact = Artifact(file, ("test",), "text", "none", "int8", "int8", 40.0, output, build, ("numpy",))
        return dataclasses.replace(artifact, **changes)

    return make
