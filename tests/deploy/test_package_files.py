import json

import pytest

from deploy.package_files import content_hash, file_size, hidden_files, tidy_package, unlisted_files
from train.errors import UserError


@pytest.fixture
def package(tmp_path):
    """A Core ML package as the converter leaves it, with one file too many and random identifiers."""
    return make(tmp_path / "a.mlpackage", "1F", "2E")


def make(folder, model, weights):
    data = folder / "Data" / "com.apple.CoreML"
    (data / "weights").mkdir(parents=True)
    (data / "model.mlmodel").write_bytes(b"model")
    (data / "weights" / "weight.bin").write_bytes(b"weights")
    (data / "handles.json").write_text("{}")
    items = {
        model: {"name": "model.mlmodel", "path": "com.apple.CoreML/model.mlmodel"},
        weights: {"name": "weights", "path": "com.apple.CoreML/weights"},
    }
    content = {"itemInfoEntries": items, "rootModelIdentifier": model, "fileFormatVersion": "1.0.0"}
    (folder / "Manifest.json").write_text(json.dumps(content))
    return folder


def test_a_package_holds_what_its_manifest_lists_and_nothing_else(package):
    assert [file.name for file in unlisted_files(package)] == ["handles.json"]
    tidy_package(package)
    assert unlisted_files(package) == []
    assert sorted(f.name for f in package.rglob("*") if f.is_file()) == [
        "Manifest.json",
        "model.mlmodel",
        "weight.bin",
    ]


def test_equal_packages_are_equal_in_their_bytes(package, tmp_path):
    other = make(tmp_path / "b.mlpackage", "9A", "0B")
    assert content_hash(package) != content_hash(other)
    for folder in (package, other):
        tidy_package(folder)
    assert content_hash(package) == content_hash(other)
    stored = json.loads((package / "Manifest.json").read_text())
    assert stored["itemInfoEntries"][stored["rootModelIdentifier"]]["name"] == "model.mlmodel"


@pytest.mark.parametrize("name", [".DS_Store", "Data/.DS_Store", ".git/config", "Data/._model.mlmodel"])
def test_what_a_desktop_leaves_does_not_count_and_is_named(package, name):
    before = content_hash(package), file_size(package)
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_bytes(b"x")
    assert (content_hash(package), file_size(package)) == before
    assert hidden_files(package) == [name] and name not in map(str, unlisted_files(package))


def test_a_damaged_manifest_is_one_line(package):
    (package / "Manifest.json").write_text("{")
    with pytest.raises(UserError, match=r"Manifest\.json is damaged"):
        unlisted_files(package)


def test_a_plain_file_is_its_own_content(tmp_path):
    (tmp_path / "a.pte").write_bytes(b"program")
    assert file_size(tmp_path / "a.pte") == 7 and hidden_files(tmp_path / "a.pte") == []
