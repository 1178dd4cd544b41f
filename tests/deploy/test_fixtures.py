"""The fixtures that the apps' tests read."""

import json

import numpy as np
import pytest

from deploy.manifest import read_manifest
from tests.fixtures import __main__ as fixtures
from train.commands import ROOT
from train.errors import UserError
from train.noise import truncated_normal


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return fixtures.fixtures()


@pytest.mark.parametrize("folder", fixtures.FOLDERS, ids=lambda folder: folder.relative_to(ROOT).parts[1])
def test_the_stored_ones_are_current(folder, texts):
    stored = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    assert stored.keys() >= texts.keys()
    outdated = [name for name, text in texts.items() if stored[name] != text.encode()]
    assert outdated == [], "write them anew with: python -m tests.fixtures"


def test_writing_fills_every_folder_alike(texts, tmp_path, monkeypatch):
    monkeypatch.setattr(fixtures, "fixtures", lambda: texts)
    fixtures.write_fixtures([tmp_path / "a", tmp_path / "b"])
    for name, text in texts.items():
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() == text.encode()


def test_the_bits_are_those_of_the_sampler(texts):
    for vector in json.loads(texts["noise.json"])["vectors"]:
        z = np.array([int(word, 16) for word in vector["bits"]], np.uint32).view(np.float32)
        seeds = np.array([int(vector["seed"])], np.uint64)
        assert np.array_equal(z, truncated_normal(seeds, vector["z_dim"], vector["truncation"])[0])
        assert np.abs(z).max() <= 2 * vector["truncation"]


def test_both_layouts_of_the_image_have_the_same_bytes(texts):
    first, second = json.loads(texts["pixels.json"])["images"]
    assert first["rgb"] == second["rgb"]
    assert first["bits"] != second["bits"]
    assert sorted(first["bits"]) == sorted(second["bits"])
    assert len(set(first["rgb"])) > 20


def test_the_golden_floor_has_cases_on_either_side(texts):
    cases = json.loads(texts["psnr.json"])["cases"]
    verdicts = {round(case["psnr"]): case["accepted"] for case in cases if case["psnr"] is not None}
    assert verdicts[30] is True
    assert verdicts[29] is False


def test_the_good_manifests_are_good(texts, tmp_path):
    for name in ("manifest_good.json", "manifest_one_class.json"):
        (tmp_path / "manifest.json").write_text(texts[name])
        manifest = read_manifest(tmp_path)
        wanted = 1 if manifest["model"]["class"] is not None else 2
        assert {len(artifact["inputs"]) for artifact in manifest["artifacts"]} == {wanted}
    good = json.loads(texts["manifest_good.json"])
    assert {a["runtime"] for a in good["artifacts"]} == {"executorch", "tflite", "coreml"}
    assert {a["student"] for a in good["artifacts"]} == {"float", "int8", "int4"}
    assert {len(a["outputs"][0]["shape"]) for a in good["artifacts"]} == {3, 4}


OF_THE_APPS = (
    "a hash ",
    "a student ",
    "inputs ",
    "an input ",
    "one class, ",
    "outputs ",
    "an output ",
    "no artifacts left",
)
"""What Python leaves to the apps: it looks at the files themselves, and a manifest begins without artifacts."""


def test_python_refuses_broken_manifests_too(texts, tmp_path):
    for case in json.loads(texts["manifest_errors.json"]):
        if case["name"].startswith(OF_THE_APPS):
            continue
        (tmp_path / "manifest.json").write_text(case["text"])
        with pytest.raises(UserError, match=r"export again$") as refused:
            read_manifest(tmp_path)
        assert case["field"] in str(refused.value), case["name"]


def test_each_broken_manifest_is_broken_in_its_own_way(texts):
    broken = json.loads(texts["manifest_errors.json"])
    assert len({case["name"] for case in broken}) == len({case["text"] for case in broken}) == len(broken) > 50
    good = json.loads(texts["manifest_good.json"])
    good["artifacts"] = [a for a in good["artifacts"] if a["file"] == "student_fp32.tflite"]
    assert json.dumps(good, ensure_ascii=False) not in {case["text"] for case in broken}
