import json
import shutil
from pathlib import Path

import pytest

from train.places import beside, read_settings, record_places

KINDS = {"reals": "photos", "teacher": "pairs:my pairs", "class_embedding": "table.npy"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that was trained in `tmp_path`/work with relative paths."""
    work = tmp_path / "work"
    (work / "runs" / "x").mkdir(parents=True)
    monkeypatch.chdir(work)
    for name in ("photos", "my pairs", "table.npy"):
        Path(name).mkdir()
    data = {"teacher": "", "reals": "", "class_embedding": "", **KINDS}
    places = record_places(data | {"shared": "shared"}, Path("runs/x"))
    Path("shared").mkdir()
    (work / "runs/x/config.json").write_text(json.dumps({"settings": {"data": data}, "places": places}))
    monkeypatch.chdir(tmp_path)
    return work / "runs" / "x"


def paths(run):
    settings = read_settings(run)
    found = {name: settings["data"][name] for name in KINDS} | {"shared": settings["shared"]}
    assert found["teacher"].startswith("pairs:/")
    return {name: Path(value.removeprefix("pairs:")) for name, value in found.items()}


def test_data_is_found_from_another_folder(run):
    assert set(paths(run).values()) == {run.parents[1] / n for n in ("photos", "my pairs", "table.npy", "shared")}


def test_data_that_moved_together_with_the_run_is_found(run, tmp_path):
    shutil.move(run.parents[1], tmp_path / "moved")
    assert all(path.is_dir() and "moved" in path.parts for path in paths(tmp_path / "moved/runs/x").values())


def test_a_run_that_moved_alone_finds_its_data_where_it_was(run, tmp_path):
    shutil.move(run, tmp_path / "alone")
    assert all(path.is_dir() for path in paths(tmp_path / "alone").values())


def test_data_that_is_gone_is_named_by_where_it_was(run):
    shutil.rmtree(run.parents[1] / "photos")
    assert paths(run)["reals"] == run.parents[1] / "photos"


def test_a_run_of_an_older_version_is_searched_around(run):
    content = json.loads((run / "config.json").read_text())
    del content["places"]
    (run / "config.json").write_text(json.dumps(content))
    assert read_settings(run)["data"]["reals"] == str(run.parents[1] / "photos")


@pytest.mark.parametrize("name", ["", "digits", "biggan-deep-128"])
def test_names_are_no_paths(tmp_path, name):
    assert record_places({"teacher": name, "reals": "", "class_embedding": "", "shared": ""}, tmp_path) == {}


def test_what_lies_beside_a_run_lies_beside_it_from_inside_too(run, monkeypatch):
    monkeypatch.chdir(run)
    assert beside(Path("."), "pairs") == beside(run, "pairs") == run.parent / "pairs"
