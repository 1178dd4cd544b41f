"""What is judged where nothing was exported, and on which latents."""

import json

import numpy as np
import pytest
import torch
from stand_ins import save_random_student

from benchmarks import run_device
from benchmarks.drawing import Given
from benchmarks.judged import choose_judged
from benchmarks.model import open_unexported
from benchmarks.results import read_results
from benchmarks.settings import BenchmarkConfig
from train.distributed import World
from train.errors import UserError
from train.generator import GeneratorConfig
from train.pairs import PairDataset, collect_pairs
from train.teacher import open_teacher


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs") / "p"
    world = World(0, 1, torch.device("cpu"))
    collect_pairs(open_teacher("digits", 0.5), folder, list(range(10)), per_class=40, seed=0, world=world)
    return folder


@pytest.fixture
def run(tmp_path, pairs):
    """A run folder that nothing was exported from, taught by stored pairs."""
    folder = tmp_path / "run"
    folder.mkdir()
    save_random_student(folder / "student.safetensors", GeneratorConfig("dw", 2, 32, 10))
    data = {"teacher": f"pairs:{pairs}", "reals": "", "class_embedding": "", "held_out": 5000}
    (folder / "config.json").write_text(json.dumps({"settings": {"data": data, "discriminator": {}}}))
    return folder


def quality(run, *flags) -> dict:
    run_device.main(["--run", str(run), "--parts", "quality", "--device", "cpu", *flags])
    config = BenchmarkConfig(run=run)
    return read_results(config.folder / "results.json")


def test_a_run_taught_by_stored_pairs_is_judged_on_those_held_out(run, pairs, capsys):
    results = quality(run)
    rows = {row["name"]: row for row in results["quality"]}
    assert set(rows) == {"teacher", "float"}
    # The very images of the teacher, of pairs that training does not see.
    judged = choose_judged(open_unexported(run), BenchmarkConfig(run=run))
    dataset = PairDataset(pairs, held_out=5000)
    z, y, images = dataset.gather(np.arange(360, 400))
    assert (judged.z == z.numpy()).all() and (judged.y == y.numpy()).all()
    assert (judged.teacher.images(judged.z, judged.y, run) == images.numpy()).all()
    assert rows["float"]["frechet_lite0_to_teacher_n40"] > 0
    assert rows["float"]["frechet_lite0_to_teacher_n40_standard_error"] > 0
    assert not [key for key in rows["teacher"] if key.startswith("frechet")]
    note = results["notes"]["quality"]
    assert note["protocol"]["latents"] == "pairs 360 to 399 of those stored, which were held out of training"
    assert "(pairs 360 to 399 of those" in (run / "benchmark" / "report.md").read_text()
    assert f"nothing was exported of {run}" in capsys.readouterr().out


def test_a_run_that_has_trained_on_all_pairs_says_so(run):
    config = json.loads((run / "config.json").read_text())
    del config["settings"]["data"]["held_out"]  # of an older version
    (run / "config.json").write_text(json.dumps(config))
    model = open_unexported(run)
    judged = choose_judged(model, BenchmarkConfig(run=run, images=20))
    assert judged.teacher is None and len(judged.y) == 20
    assert "trained on all of its stored pairs" in judged.left_out[0] and "--teacher" in judged.left_out[0]
    fresh = choose_judged(model, BenchmarkConfig(run=run, images=20, teacher="digits"))
    assert not isinstance(fresh.teacher, Given) and fresh.asked.first_seed == 2**63 and not fresh.left_out


def test_by_default_there_are_fifty_images_of_each_class(tmp_path):
    for classes, expected in ((10, 2000), (60, 3000)):
        path = tmp_path / f"{classes}.safetensors"
        save_random_student(path, GeneratorConfig("dw", 2, 32, classes, z_dim=4))
        judged = choose_judged(open_unexported(path), BenchmarkConfig(run=path))
        assert np.bincount(judged.y).tolist() == [expected // classes] * classes


def test_a_single_snapshot_is_scored(run, capsys):
    path = run / "student.safetensors"
    results = quality(path, "--teacher", "digits", "--reference", "digits", "--images", "20", "--no-lite0")
    assert {row["name"] for row in results["quality"]} == {"teacher", "float"}
    assert results["notes"]["quality"]["columns"].keys() >= {"recognised", "diversity", "l1_to_teacher"}
    assert (run / "student-benchmark" / "report.html").is_file()
    assert "measured already" not in capsys.readouterr().out
    quality(path, "--teacher", "digits", "--reference", "digits", "--images", "20", "--no-lite0")
    assert "quality: measured already" in capsys.readouterr().out


def test_speed_needs_an_export(run):
    with pytest.raises(UserError, match=r"no manifest\.json in .*; export with"):
        run_device.main(["--run", str(run), "--parts", "latency"])
    with pytest.raises(UserError, match="--only chooses among artifacts"):
        run_device.main(["--run", str(run), "--parts", "quality", "--only", "*.pte"])
    with pytest.raises(UserError, match="nowhere"):
        run_device.main(["--run", "nowhere", "--parts", "quality"])
