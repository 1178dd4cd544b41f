"""The build phase that copies the model into the app."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy import bundle, manifest
from tests.fixtures import __main__ as fixtures
from train.files import file_hash, write_json

SCRIPT = Path(manifest.__file__).parent / "ios" / "App" / "copy_model.sh"


@pytest.fixture(scope="session", autouse=True)
def _little_to_collect():
    """Nothing here converts, so nothing need wait for coremltools."""


@pytest.fixture
def artifacts(tmp_path) -> Path:
    """A folder as the exporters write it, with a space in its name."""
    folder = tmp_path / "my artifacts"
    folder.mkdir()
    content = json.loads((fixtures.FOLDERS[1] / "manifest_good.json").read_text("utf-8"))
    for artifact in content["artifacts"]:
        path = folder / artifact["file"]
        if path.suffix == ".mlpackage":
            (path / "Data").mkdir(parents=True)
            (path / "Data" / "weight.bin").write_text(artifact["file"])
        else:
            path.write_text("x")
    for file in content["golden"]["first"]["files"].values():
        (folder / file).write_bytes(b"rgb")
    (folder / "golden.npz").write_bytes(b"arrays")
    # As train.checkpoint.write_json writes it.
    (folder / "manifest.json").write_text(json.dumps(content, indent=2) + "\n")
    return folder


@pytest.fixture
def copy(tmp_path):
    """(artifacts) → what the script did; `copied` is where the model goes."""

    def run(folder: Path | None, **changes: str):
        environment = {"PATH": os.environ["PATH"], "TARGET_BUILD_DIR": str(tmp_path / "build dir")}
        environment["UNLOCALIZED_RESOURCES_FOLDER_PATH"] = "TinyGAN.app"
        if folder is not None:
            environment["TINYGAN_ARTIFACTS"] = str(folder)
        return subprocess.run(
            [str(SCRIPT)], env=environment | changes, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def copied(tmp_path) -> Path:
    return tmp_path / "build dir" / "TinyGAN.app" / "Model"


def test_the_app_gets_what_it_needs_and_no_more(artifacts, copy, copied):
    for _ in range(2):
        (copied / "stale.mlpackage").mkdir(parents=True)
        assert copy(artifacts).returncode == 0
        assert sorted(path.name for path in copied.iterdir()) == [
            "golden_float.rgb",
            "golden_int4.rgb",
            "golden_int8.rgb",
            "manifest.json",
            "student_fp16.mlpackage",
            "student_int4.mlpackage",
            "student_int8.mlpackage",
            "student_palette6.mlpackage",
        ]
    assert (copied / "student_int8.mlpackage" / "Data" / "weight.bin").read_text() == "student_int8.mlpackage"
    assert (copied / "manifest.json").read_bytes() == (artifacts / "manifest.json").read_bytes()
    assert [path.name for path in copied.parent.iterdir()] == ["Model"]


def test_hidden_files_stay_behind(artifacts, copy, copied):
    package = artifacts / "student_int8.mlpackage"
    for hidden in (package / ".DS_Store", package / "Data" / "._weight.bin"):
        hidden.write_text("x")
    assert copy(artifacts).returncode == 0
    files = [path.name for path in (copied / package.name).rglob("*") if path.is_file()]
    assert files == ["weight.bin"]


@pytest.mark.parametrize("missing", ["manifest.json", "student_int8.mlpackage", "golden_int8.rgb"])
def test_a_missing_file_ends_the_build_with_one_sentence(missing, artifacts, copy, copied):
    path = artifacts / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = copy(artifacts)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert missing in done.stderr
    assert "deploy/ios/export.py" in done.stderr
    assert not copied.exists()
    assert not list(copied.parent.parent.glob("**/*.new"))


def test_a_failure_leaves_the_model_that_was_there(artifacts, copy, copied):
    assert copy(artifacts).returncode == 0
    shutil.rmtree(artifacts / "student_int8.mlpackage")
    assert copy(artifacts).returncode == 1
    assert (copied / "student_int8.mlpackage").is_dir()


@pytest.mark.parametrize("broken", ["manifest.json", "student_fp16.mlpackage", "golden_int8.rgb"])
def test_a_copy_that_fails_ends_the_build_and_leaves_the_model_that_was_there(
    broken, artifacts, copy, copied, tmp_path
):
    assert copy(artifacts).returncode == 0
    before = sorted(path.relative_to(copied) for path in copied.rglob("*"))
    programs = tmp_path / "programs"
    programs.mkdir()
    # As on a full disk.
    (programs / "cp").write_text(
        f'#!/bin/sh\ncase "$*" in *{broken}*) echo "cp: No space left" >&2; exit 1;; esac\n'
        f'exec {shutil.which("cp")} "$@"\n'
    )
    (programs / "cp").chmod(0o755)
    done = copy(artifacts, PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    assert done.returncode == 1
    assert f"{broken} cannot be copied into the app" in done.stderr
    assert "copied the model" not in done.stdout
    assert sorted(path.relative_to(copied) for path in copied.rglob("*")) == before
    assert [path.name for path in copied.parent.iterdir()] == ["Model"]


def test_a_manifest_without_packages_is_refused(artifacts, copy):
    (artifacts / "manifest.json").write_text('{"artifacts": []}\n')
    assert "has no Core ML package" in copy(artifacts).stderr


@pytest.fixture
def bundled(artifacts, tmp_path) -> Path:
    """A bundle of two models, as deploy.bundle writes it."""
    folder = tmp_path / "my bundle"
    for name in ("L", "S"):
        shutil.copytree(artifacts, folder / name)
    models = [{"folder": name, "sha256": file_hash(folder / name / "manifest.json")} for name in ("L", "S")]
    write_json(folder / "models.json", {"format": bundle.FORMAT, "models": models})
    return folder


def test_of_a_bundle_the_app_gets_every_model(bundled, artifacts, copy, copied):
    assert copy(artifacts).returncode == 0
    assert copy(bundled).returncode == 0
    assert sorted(path.name for path in copied.iterdir()) == ["L", "S", "models.json"]
    for name in ("L", "S"):
        assert (copied / name / "student_int8.mlpackage/Data/weight.bin").is_file()
        assert len(list((copied / name).iterdir())) == 8
    assert (copied / "models.json").read_bytes() == (bundled / "models.json").read_bytes()


def test_a_bundle_that_lacks_something_leaves_the_model_that_was_there(bundled, artifacts, copy, copied):
    assert copy(artifacts).returncode == 0
    (bundled / "S" / "golden_int8.rgb").unlink()
    done = copy(bundled)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1) and "golden_int8.rgb" in done.stderr
    shutil.rmtree(bundled / "S")
    done = copy(bundled)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1) and "deploy/bundle.py" in done.stderr
    assert (copied / "student_int8.mlpackage").is_dir() and not (copied / "L").exists()


def test_outside_xcode_it_says_so(artifacts, copy):
    assert "let Xcode run this script" in copy(artifacts, TARGET_BUILD_DIR="").stderr


def test_by_default_it_copies_what_quickstart_left_animals_first(artifacts, copied, tmp_path):
    script = tmp_path / "deploy" / "ios" / "App" / SCRIPT.name
    script.parent.mkdir(parents=True)
    shutil.copy(SCRIPT, script)
    for name in ("digits", "animals64"):
        folder = tmp_path / "runs" / name / "artifacts"
        shutil.copytree(artifacts, folder)
        (folder / "golden_float.rgb").write_text(name)
        environment = {"PATH": os.environ["PATH"], "TARGET_BUILD_DIR": str(copied.parents[1])}
        environment["UNLOCALIZED_RESOURCES_FOLDER_PATH"] = "TinyGAN.app"
        subprocess.run([str(script)], env=environment, check=True, capture_output=True)
        assert (copied / "golden_float.rgb").read_text() == name
