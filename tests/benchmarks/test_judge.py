"""Generators judged without a run folder or an export."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from quality_images import random_images
from stand_ins import save_random_student

from benchmarks import judge
from benchmarks.drawing import Drawer
from benchmarks.quality.evaluate import evaluate
from train import digits
from train.errors import UserError
from train.generator import GeneratorConfig
from train.noise import SAMPLERS, latents_in_turn

CLASSES = [2, 5]


@pytest.fixture
def student(tmp_path):
    save_random_student(
        tmp_path / "student.safetensors", GeneratorConfig(channels=2, image_size=32, num_classes=10)
    )
    return tmp_path / "student.safetensors"


def arguments(tmp_path, *models, **changes):
    flags = {
        "classes": "2,5",
        "num-classes": "10",
        "image-size": "32",
        "per-class": "12",
        "reference": "digits",
        "cache": str(tmp_path / "cache"),
        "out": str(tmp_path / "out" / "table.json"),
        "device": "cpu",
    }
    flags |= {name.replace("_", "-"): value for name, value in changes.items()}
    return ["--models", *models, *(part for name, value in flags.items() for part in (f"--{name}", value))]


def test_any_models_stand_in_one_table(tmp_path, student, capsys):
    drawn = random_images(0, 24, 32)
    np.save(tmp_path / "drawn.npy", drawn)
    models = (
        f"float={student}",
        "teacher=teacher:digits",
        "photos=reals:digits",
        f"theirs=images:{tmp_path}/drawn.npy",
    )
    judge.main(arguments(tmp_path, *models, nearest="digits", columns="frechet"))
    found = json.loads((tmp_path / "out" / "table.json").read_text())
    rows = {row["name"]: row for row in found["quality"]}
    assert list(rows) == ["float", "teacher", "photos", "theirs"]
    assert rows["photos"]["recognised"] > 0.9
    assert rows["teacher"]["recognised"] > 0.9 > rows["theirs"]["recognised"]
    distances = {name: row["frechet_lite0_to_photos_n24"] for name, row in rows.items()}
    assert max(distances["photos"], distances["teacher"]) < distances["theirs"]  # 24 tell those two not apart
    assert rows["photos"]["diversity_lite0"] == pytest.approx(1, abs=0.1)
    text = (tmp_path / "out" / "table.md").read_text()
    assert "Fréchet distance (lite0) to the photos" in text
    assert "FID" not in text.splitlines()[0]
    for picture in ("table_samples.png", "table_nearest.png", "table_worst.png"):
        assert (tmp_path / "out" / picture).is_file()
    judge.main(arguments(tmp_path, *models))
    assert json.loads((tmp_path / "out" / "table.json").read_text())["quality"] == found["quality"]


def test_two_models_of_one_name_are_refused(tmp_path, student):
    models = (f"a={student}", "photos=reals:digits", "a=teacher:digits")
    with pytest.raises(UserError, match="--models has two called 'a'; give each a name of its own"):
        judge.main(arguments(tmp_path, *models))


def test_damaged_photos_are_left_out_when_so_many_are_allowed(tmp_path):
    for label in "25":
        (tmp_path / "photos" / label).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "photos" / label / "a.png")
    (tmp_path / "photos" / "2" / "b.png").write_bytes(b"")
    config = judge.JudgeConfig(("a=b",), "2,5", tmp_path, num_classes=10, image_size=32, cache=tmp_path / "c")
    with pytest.raises(UserError, match=r"b\.png is not a readable image .* leave them out with --damaged 1"):
        judge._reals(str(tmp_path / "photos"), config, CLASSES)
    allowed = dataclasses.replace(config, damaged=1)
    assert judge._reals(str(tmp_path / "photos"), allowed, CLASSES).labels.tolist() == CLASSES


def test_photos_come_in_turn_each_once(tmp_path):
    config = judge.JudgeConfig(("a=b",), "2,5", tmp_path, num_classes=10, image_size=32, cache=tmp_path)
    reals = judge._reals("digits", config, CLASSES)
    drawn = judge._photos_in_turn(reals, np.array([2, 5, 2, 5]))
    images, labels = digits.real_digits()
    assert (drawn[::2] == images[labels == 2][:2]).all()
    assert (drawn[1::2] == images[labels == 5][:2]).all()


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("student", {}, "--models 'student' is not NAME=WHAT"),
        ("a=nowhere.safetensors", {}, "no file at nowhere.safetensors"),
        (
            "photos=reals:digits",
            {"per_class": "1000"},
            r"has \d+ photos of class 2, 1000 are judged; pass --per-class",
        ),
        ("a=images:{}/short.npy", {}, r"a has uint8 images \[23, 32, 32, 3\], not uint8 \[24, 32, 32, 3\]"),
        ("a=images:{}/broken.npy", {}, r"broken.npy is not a readable .npy file"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(tmp_path, model, changes, message):
    np.save(tmp_path / "short.npy", random_images(0, 23, 32))
    (tmp_path / "broken.npy").write_bytes(b"no")
    with pytest.raises(UserError, match=message) as error:
        judge.main(arguments(tmp_path, model.format(tmp_path), **changes))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_latents_follow_the_law_of_the_models(tmp_path, monkeypatch):
    """A student of uniform latents is not drawn from normal ones; the table says what it was drawn from."""
    path, seen = tmp_path / "uniform.safetensors", []
    config = GeneratorConfig(channels=2, image_size=32, num_classes=10)
    save_random_student(path, config, sampler=SAMPLERS["uniform"])
    monkeypatch.setattr(
        judge,
        "evaluate",
        lambda images, asked, *args, **kw: (seen.append(asked), evaluate(images, asked, *args, **kw))[1],
    )
    images = Drawer.images
    monkeypatch.setattr(Drawer, "images", lambda self, z, y, cache: (seen.append(z), images(self, z, y, cache))[1])
    judge.main(arguments(tmp_path, f"float={path}"))
    z, asked = seen
    expected, _ = latents_in_turn(CLASSES, judge.JUDGED_SEED, 24, 128, 0.5, sampler=SAMPLERS["uniform"])
    assert (z == expected).all()
    assert asked.latents == "uniform, splitmix64-uniform-v1, consecutive seeds"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sampler": SAMPLERS["uniform"]},
            "float draws from the law truncated-normal, other from uniform; judge them in",
        ),
        ({"sampler": "given"}, "other learned from given latents, and no sampler draws such ones"),
        ({"z_dim": 12}, "other has latents of 12 numbers, not 128; pass --z-dim 12"),
    ],
)
def test_models_of_other_latents_are_refused_in_one_line(tmp_path, student, changes, message):
    config = GeneratorConfig(channels=2, image_size=32, num_classes=10, z_dim=changes.pop("z_dim", 128))
    save_random_student(tmp_path / "other.safetensors", config, **changes)
    with pytest.raises(UserError, match=message) as error:
        judge.main(arguments(tmp_path, f"float={student}", f"other={tmp_path}/other.safetensors"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
