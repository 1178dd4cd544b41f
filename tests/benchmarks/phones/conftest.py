import os
from pathlib import Path

import pytest
from fake_phone import FakeAdb, output, write_artifacts

from benchmarks.model import Model, open_model
from benchmarks.results import Results


@pytest.fixture
def adb(tmp_path, monkeypatch) -> FakeAdb:
    """A Pixel that is ready, with the app not installed; no program runs on it yet."""
    fake = FakeAdb(tmp_path / "fake")
    monkeypatch.setenv("PATH", str(fake.folder), prepend=os.pathsep)
    fake.answer("devices", output("devices_one"))
    fake.answer("get-state", "device\n")
    fake.answer("'shell getprop'", output("getprop"))
    fake.answer("cpuinfo_max_freq", output("cores"))
    fake.answer("'dumpsys battery'", output("battery"))
    fake.answer("'dumpsys thermalservice'", output("thermal"))
    fake.answer("'shell pm path'", code=1)
    fake.answer("'shell mkdir'")
    fake.answer("'shell chmod'")
    return fake


@pytest.fixture
def no_adb(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@pytest.fixture
def artifacts(tmp_path) -> Path:
    return write_artifacts(tmp_path / "run")


@pytest.fixture
def model(artifacts) -> Model:
    return open_model(artifacts.parent, artifacts)


@pytest.fixture
def results(tmp_path, model) -> Results:
    return Results(tmp_path / "out" / "results.json", model.description)
