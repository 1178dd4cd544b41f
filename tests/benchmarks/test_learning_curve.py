import json
import shutil

import pytest
import torch
from feature_networks import Pooled, save_script
from stand_ins import replace, tiny_run

from benchmarks import learning_curve
from train.distributed import World
from train.errors import UserError
from train.generator import GeneratorConfig
from train.presets import PRESETS
from train.run import train
from train.teacher import open_teacher


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with snapshots, to be read only."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(replace(tiny_run(grids=0), runtime__snapshots=2), folder, World(0, 1, torch.device("cpu")))
    return folder


def arguments(tmp_path, *runs):
    network = save_script(Pooled(), tmp_path / "colours.pt")
    given = [
        "--features",
        str(network),
        "--reference",
        "digits",
        "--out",
        str(tmp_path / "curve.json"),
        "--cache",
        str(tmp_path / "cache"),
    ]
    given += ["--per-class", "4", "--device", "cpu"]
    return ["--runs", *map(str, runs), *given]


def test_every_snapshot_is_a_point(run, tmp_path):
    assert sorted(file.name for file in (run / "snapshots").iterdir()) == [
        "images-000000048.safetensors",
        "images-000000096.safetensors",
    ]
    learning_curve.main(arguments(tmp_path, run))
    found = json.loads((tmp_path / "curve.json").read_text())
    assert [point["images"] for point in found["curves"]["run"]] == [48, 96]
    assert all(point["distance"] > 0 for point in found["curves"]["run"])
    assert found["distance"] == "FID-48"
    assert (tmp_path / "curve.png").is_file()


def test_two_runs_of_one_name_are_two_curves(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other" / "run")
    learning_curve.main(arguments(tmp_path, run, other))
    assert list(json.loads((tmp_path / "curve.json").read_text())["curves"]) == [str(run), str(other)]


def test_the_last_snapshot_is_the_result(run):
    generator, info = learning_curve.load_generator(run / "snapshots" / "images-000000096.safetensors")
    last, _ = learning_curve.load_generator(run / "student.safetensors")
    assert info.images == 96
    assert all(
        (a == b).all() for a, b in zip(generator.state_dict().values(), last.state_dict().values(), strict=True)
    )


def test_the_best_snapshot_becomes_the_teacher(world, tmp_path):
    config = replace(
        PRESETS["scratch-digits"][1],
        generator=GeneratorConfig("biggan", 4, 32, 10),
        discriminator__channels=4,
        optimizer__images=32,
        optimizer__batch_size=16,
        runtime__snapshots=2,
        runtime__grids=0,
        runtime__device="cpu",
    )
    folder = tmp_path / "run"
    train(config, folder, world)
    before = open_teacher(str(folder / "teacher")).fingerprint
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "config.json").write_text((folder / "config.json").read_text())
    learning_curve._keep(folder / "snapshots" / "images-000000032.safetensors", tmp_path / "again")
    learning_curve.main([*arguments(tmp_path, folder), "--keep-best"])
    points = json.loads((tmp_path / "curve.json").read_text())["curves"]["run"]
    best = min(points, key=lambda point: point["distance"])["images"]
    for images, path in ((best, folder / "teacher"), (32, tmp_path / "again" / "teacher")):
        kept = open_teacher(str(path)).fingerprint
        assert (kept == before) == (images == 32)


def test_students_have_no_best_to_keep_and_runs_without_snapshots_no_curve(run, tmp_path):
    with pytest.raises(UserError, match="--keep-best is for teachers"):
        learning_curve.main([*arguments(tmp_path, run), "--keep-best"])
    with pytest.raises(UserError, match=r"has no snapshots; train it with --runtime\.snapshots 15"):
        learning_curve.main(arguments(tmp_path, tmp_path))
