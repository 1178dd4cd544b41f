"""The gate, and what is left of artifacts on both sides of it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from deploy.golden import make_golden
from deploy.manifest import read_manifest
from deploy.parity import ParityError, measure
from deploy.pipeline import export
from deploy.source import open_source
from deploy.verify import main as verify_main
from deploy.verify import verify
from train.errors import UserError


@pytest.fixture
def source(export_run, few_golden_images):
    return open_source(export_run)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "artifacts"


def left(folder: Path) -> set[str]:
    names = {path.name for path in folder.iterdir() if not path.name.startswith("golden")}
    return names - {"manifest.json"}


def test_a_right_artifact_is_kept_with_everything_that_is_known(source, folder, plain_artifact, capsys):
    assert export([plain_artifact()], source, folder) == []
    assert left(folder) == {"a.txt"}
    manifest = read_manifest(folder)
    (entry,) = manifest["artifacts"]
    assert entry["bytes"] == (folder / "a.txt").stat().st_size
    assert entry["inputs"][0] == {"name": "z", "shape": [1, 8], "dtype": "float32", "range": [-1.0, 1.0]}
    assert entry["inputs"][1]["name"] == "class_weights"
    assert entry["parity"] == {
        "reference": "int8",
        "runner": "a test",
        "images": 6,
        "psnr": None,
        "max_difference": 0.0,
        "floor": 40.0,
    }
    assert set(entry["tools"]) == {"torch", "numpy"}
    assert manifest["model"]["classes"] == {"0": "class 0", "1": "class 1", "2": "class 2"}
    assert manifest["model"]["parameters"] > 1000 and manifest["model"]["multiply_accumulates"] > 10_000
    assert manifest["golden"]["first"]["class"] == 0
    assert set(manifest["golden"]["first"]["files"]) == {"float", "int8"}
    assert manifest["sampler"] == {"name": "splitmix64-truncnorm-v1", "truncation": 0.5}
    assert "identical to the int8 student" in capsys.readouterr().out


def test_a_wrong_artifact_is_not_left_behind(source, folder, plain_artifact, capsys):
    export([plain_artifact("a.txt"), plain_artifact("b.txt")], source, folder)
    failures = export([plain_artifact("a.txt", factor=0.9), plain_artifact("b.txt")], source, folder, again=True)
    assert len(failures) == 1 and "a.txt" in failures[0] and "below the floor of 40 dB" in failures[0]
    assert left(folder) == {"b.txt"}
    assert [entry["file"] for entry in read_manifest(folder)["artifacts"]] == ["b.txt"]
    assert "a.txt" in capsys.readouterr().out


def test_a_build_that_fails_leaves_nothing(source, folder, plain_artifact):
    def half(path: Path):
        path.write_text("half")
        raise UserError("3 operations are left outside the delegate")

    failures = export([plain_artifact(build=half)], source, folder)
    assert failures == ["a.txt: 3 operations are left outside the delegate"]
    assert left(folder) == set()


def test_what_is_there_is_kept_until_something_changes(source, folder, plain_artifact, capsys):
    export([plain_artifact()], source, folder)
    capsys.readouterr()
    export([plain_artifact(factor=0.5)], source, folder)  # would fail
    assert "a.txt" in (out := capsys.readouterr().out) and "is there; --again makes it anew" in out
    export([plain_artifact(options={"author": "me"})], source, folder)
    assert "identical" in capsys.readouterr().out
    (folder / "a.txt").write_text("1.00")
    export([plain_artifact(options={"author": "me"})], source, folder)
    assert "identical" in capsys.readouterr().out
    assert (folder / "a.txt").read_text() == "1.0"


def test_two_exports_can_share_a_folder(source, folder, plain_artifact):
    """The first one is in the middle of its artifact when the second one comes and goes."""

    def build(path: Path) -> dict:
        path.write_text("1.0")
        assert export([plain_artifact("b.txt")], source, folder) == []
        return {}

    assert export([plain_artifact("a.txt", build=build)], source, folder) == []
    assert [entry["file"] for entry in read_manifest(folder)["artifacts"]] == ["a.txt", "b.txt"]
    assert verify(folder) == []


def test_artifacts_of_other_weights_are_deleted_aloud(source, folder, plain_artifact, capsys):
    export([plain_artifact("old.txt"), plain_artifact("a.txt")], source, folder)
    export([plain_artifact("a.txt")], source, folder)
    assert left(folder) == {"old.txt", "a.txt"}
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["artifacts"]:
        entry["student_sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "removed" not in capsys.readouterr().out
    export([plain_artifact("a.txt")], source, folder)
    assert left(folder) == {"a.txt"}
    said = f"removed from {folder}, made of other weights than {source.run} has: a.txt, old.txt"
    assert said in capsys.readouterr().out.splitlines()


def test_the_measure_is_that_of_the_images(source):
    golden = make_golden(source)
    images = iter(golden.images["float"])

    def shifted(*inputs):
        return next(images)[None] + np.float32(0.01)

    parity = measure(shifted, golden, "float", "a test", 40)
    assert parity.psnr == pytest.approx(20 * math.log10(2 / 0.01), abs=0.01)
    assert parity.max_difference == pytest.approx(0.01, rel=1e-3)


def test_an_artifact_that_the_apps_would_refuse_is_refused(source):
    """They look at the first image alone, which a mean over all of them hides."""
    golden = make_golden(source)
    images = golden.images["float"].copy()
    images[0] *= 0.5
    difference = float(((images[0] - golden.images["float"][0]) ** 2).mean())
    images[0] = golden.images["float"][0] + (images[0] - golden.images["float"][0]) * (0.1 / difference**0.5)
    drawn = iter(images)
    with pytest.raises(ParityError, match=r"its first golden image is 2[5-7]\.\d dB .* below 30 dB"):
        measure(lambda *inputs: next(drawn)[None], golden, "float", "a test", 30)
    drawn = iter(images)
    parity = measure(lambda *inputs: next(drawn)[None], golden, "float", "a test", 0)
    assert parity.psnr is not None and parity.psnr > 30


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda image: image[:, ::-1], "below the floor"),
        (lambda image: image.transpose(0, 2, 3, 1), r"images of shape \[6, 32, 32, 3\], not \[6, 3, 32, 32\]"),
        (lambda image: image * np.nan, "are not finite"),
    ],
)
def test_spoilt_images_do_not_pass(source, spoil, message):
    golden = make_golden(source)
    images = iter(golden.images["float"])
    with pytest.raises(ParityError, match=message):
        measure(lambda *inputs: spoil(next(images)[None]), golden, "float", "a test", 40)


def test_verify_passes_what_was_exported(source, folder, plain_artifact):
    export([plain_artifact()], source, folder)
    assert verify(folder) == []


def test_verify_catches_every_change(source, folder, plain_artifact):
    export([plain_artifact("a.txt"), plain_artifact("b.txt")], source, folder)
    (folder / "a.txt").write_text("1.1")
    (problem,) = verify(folder)
    assert problem.startswith("a.txt: the content has the SHA-256 ") and "of the manifest" in problem
    (folder / "a.txt").write_text("1.0000")
    assert "it has 6 bytes, not 3" in verify(folder)[0]
    (folder / "a.txt").unlink()
    assert "the file is missing" in verify(folder)[0]
    export([plain_artifact("a.txt")], source, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["golden"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert verify(folder)[0].startswith("golden.npz has the SHA-256 ")
    (folder / "golden_int8.rgb").write_bytes(bytes(32 * 32 * 3))
    assert "golden_int8.rgb is not the first image of the int8 student; export it again" in verify(folder)


def test_verify_runs_the_artifacts(source, folder, plain_artifact, monkeypatch, capsys):
    export([plain_artifact()], source, folder)
    monkeypatch.setattr(
        "deploy.verify.runner_of", lambda *names: ("a test", lambda path: lambda *x: np.zeros((1, 3, 32, 32)))
    )
    assert "below the floor" in verify(folder)[0]
    assert verify(folder, run=False) == []
    with pytest.raises(SystemExit) as stop:
        verify_main([str(folder)])
    assert stop.value.code == 1
    assert "error: a.txt:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="older"), "is of format 'older'"),
        (lambda m: m.pop("sampler"), "there is no sampler"),
        (lambda m: m.update(golden={}), "file of golden is missing"),
        (lambda m: m.update(model={}), "architecture of the model is missing"),
        (lambda m: m["model"].pop("class"), "class of the model is missing"),
        (lambda m: m["model"]["sha256"].pop("float"), "float of the model's sha256 is missing"),
        (lambda m: m.update(artifacts=["a.txt"]), r"artifacts has 'a\.txt', no object"),
        (
            lambda m: m["golden"].update(file="../golden.npz"),
            r"files of golden has '\.\./golden\.npz', no name of",
        ),
        (lambda m: m["artifacts"][0].pop("sha256"), r"sha256 of a\.txt is missing"),
        (lambda m: m["artifacts"][0].update(bytes="many"), r"bytes of a\.txt is missing or no int"),
    ],
)
def test_manifests_that_do_not_fit_are_refused(source, folder, plain_artifact, change, message):
    export([plain_artifact()], source, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=message):
        verify(folder)


def test_a_damaged_manifest_is_begun_anew(source, folder, plain_artifact, capsys):
    export([plain_artifact()], source, folder)
    (folder / "manifest.json").write_text("{")
    assert export([plain_artifact()], source, folder) == []
    assert "a new manifest is begun: " in capsys.readouterr().out
    assert verify(folder) == []


def test_no_manifest(tmp_path):
    with pytest.raises(UserError, match=r"no manifest\.json in"):
        verify(tmp_path)
