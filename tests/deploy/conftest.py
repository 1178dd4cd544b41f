"""A run folder with a float and an int8 student of random weights, and artifacts that need no phone library."""

import contextlib
import copy
import dataclasses
import fcntl
import logging
import os
from collections.abc import Iterator
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
from deploy.pipeline import Artifact
from deploy.selection import ExportConfig
from deploy.source import open_source
from train.generator import GeneratorConfig
from train.snapshot import load_snapshot

CONFIG = GeneratorConfig("dw", channels=4, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=6)


def make_run(folder: Path) -> Path:
    generator = trained_like_student(CONFIG)
    with torch.no_grad():
        # As a student has it that was trained for a short time only: the gains' biases start at 1.
        generator.blocks[0].norm1.gain_bias.bias[: generator.blocks[0].norm1.norm.num_features] = 1.0
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


def _shared_folder(tmp_path_factory, name: str) -> Path:
    """Return a folder of this test run that its worker processes have in common."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep the other worker processes out of what the context does in a shared folder."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        yield


@pytest.fixture(scope="session")
def export_run(tmp_path_factory) -> Path:
    """A run folder, to be read only."""
    folder = _shared_folder(tmp_path_factory, "run")
    with _alone(folder):
        return folder if (folder / INT8_STUDENTS["int8"]).is_file() else make_run(folder)


class AndroidExports:
    """The Android artifacts of a run, each made by the pipeline when a test first asks for it: they take half a
    minute of a busy core, and all test modules and worker processes share them.
    """

    def __init__(self, run: Path, folder: Path, class_index: int | None = None) -> None:
        from deploy.android.artifacts import android_artifacts

        self.source, self.folder = open_source(run, class_index), folder
        self.planned = {a.file: a for a in android_artifacts(self.source, ExportConfig(run))}
        self._before = {name: copy.deepcopy(student.state_dict()) for name, student in self._students().items()}

    def __call__(self, file: str) -> Path:
        with _alone(self.folder):
            if not (self.folder / file).exists():
                root = logging.getLogger()
                logger = root.level, list(root.handlers)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(golden, "COUNT", 6)
                    assert pipeline.export([self.planned[file]], self.source, self.folder) == []
                assert (root.level, root.handlers) == logger  # which some imports change
        return self.folder / file

    def changed(self) -> list[str]:
        """Return what the exports did to the live students."""
        return [
            f"{name}.{key}"
            for name, student in self._students().items()
            for key, tensor in student.state_dict().items()
            if not torch.equal(tensor, self._before[name][key])
        ]

    def _students(self):
        return {"float": self.source.form, **self.source.quantized}


@pytest.fixture(scope="session")
def android_exports(export_run, tmp_path_factory) -> AndroidExports:
    """(file name) → the file; to be read only."""
    return AndroidExports(export_run, _shared_folder(tmp_path_factory, "android"))


@pytest.fixture(scope="session")
def one_class_exports(export_run, tmp_path_factory) -> AndroidExports:
    """The same of the student that draws class 1 only."""
    return AndroidExports(export_run, _shared_folder(tmp_path_factory, "android-class"), class_index=1)


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
        def build(path: Path) -> dict:
            path.write_text(str(factor))
            return {}

        output = TensorSpec("image", (1, 3, 32, 32), "float32", (-1.0, 1.0))
        artifact = Artifact(file, ("test",), "text", "none", "int8", "int8", 40.0, output, build, ("numpy",))
        return dataclasses.replace(artifact, **changes)

    return make
