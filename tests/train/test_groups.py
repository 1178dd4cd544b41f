"""Groups of like classes: of the embedded teacher, and of stored pairs, down to the command that trains."""

import json
import shlex

import numpy as np
import pytest
import torch

from train import groups
from train.cli import parse_preset
from train.distributed import World
from train.errors import UserError
from train.pairs import collect_pairs
from train.presets import DEFAULT_PRESET, PRESETS
from train.sources import open_sources
from train.teacher import open_teacher

CPU = World(0, 1, torch.device("cpu"))
SMALL = ("--preset", "digits", "--images", "3", "--feature-size", "32", "--device", "cpu")


def run(out, *flags):
    groups.main([*SMALL, "--out", str(out), *flags])
    return json.loads((out / "groups.json").read_text())


def config_of(command: str):
    program, script, *arguments = shlex.split(command)
    assert (program, script.endswith("train/main.py")) == ("python", True)
    return parse_preset(PRESETS, DEFAULT_PRESET, arguments)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("collected") / "my pairs"
    collect_pairs(open_teacher("digits", 0.5), folder, [7, 1, 4, 9, 0], per_class=8, seed=0, world=CPU)
    return folder


def test_every_class_is_in_one_group_and_the_commands_train_them(tmp_path, capsys):
    record = run(tmp_path / "groups", "--groups", "3")
    found = record["groups"]
    assert sorted(label for group in found for label in group["classes"]) == list(range(10))
    assert all(2 <= len(group["classes"]) <= 5 for group in found)
    said = capsys.readouterr().out
    for number, group in enumerate(found):
        assert group["names"] == [str(label) for label in group["classes"]]
        assert group["name"] == f"{number}-{group['like']}" and group["like"] in group["names"]
        assert group["similarity"] > group["similarity_to_the_next"]
        assert f"\n{group['command']}\n" in said and group["name"] in said
        preset, config = config_of(group["command"])
        assert (preset, config.run) == ("digits", tmp_path / "groups" / group["name"])
        assert (config.data.teacher, config.data.classes) == ("digits", group["data_classes"])


def test_the_same_seed_gives_the_same_file(tmp_path):
    first = run(tmp_path / "groups")
    assert run(tmp_path / "groups") == first
    assert first["seed"] == 0 and "3 images" in first["features"]


def test_stored_pairs_are_grouped_and_a_student_learns_from_its_own(pairs, tmp_path):
    found = run(tmp_path / "groups", "--groups", "2", "--teacher", f"pairs:{pairs}")["groups"]
    assert sorted(label for group in found for label in group["classes"]) == [0, 1, 4, 7, 9]
    for group in found:
        _, config = config_of(group["command"])
        sources = open_sources(config, tmp_path / "run", CPU)
        assert sources.classes == group["classes"]
        _, y, images = sources.pairs.gather(np.arange(len(sources.pairs)))
        assert sorted(y.tolist()) == sorted(group["classes"] * 8)
        whole = groups.PairDataset(pairs)
        _, all_y, all_images = whole.gather(np.arange(40))
        own = np.isin(all_y.numpy(), group["classes"])
        assert torch.equal(images, all_images[own]) and torch.equal(y, all_y[own])


@pytest.mark.parametrize("preset", ["animals64", "photos"])
def test_a_teacher_of_another_size_is_named_with_what_the_preset_lacks(tmp_path, preset):
    flags = ("--preset", preset, "--teacher", "digits", "--groups", "2")
    command = run(tmp_path / "groups", *flags)["groups"][0]["command"]
    _, config = config_of(command)
    assert not config.sizes_from_data
    assert (config.data.teacher, config.generator.image_size, config.generator.num_classes) == ("digits", 32, 10)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--groups", "1"], r"--groups 1 cannot be made of 10 classes; give 2 to 10"),
        (["--groups", "4", "--classes", "0-2"], r"--groups 4 cannot be made of 3 classes; give 2 to 3"),
        (["--balance", "0.5"], r"--balance 0\.5 is below 1"),
        (["--balance", "nan"], r"--balance nan is below 1"),
        (["--images", "0"], r"--images must be at least 1, not 0"),
        (["--seed", "-1"], r"--seed must be in \[0, 4294967295\], not -1"),
        (["--preset", "digit"], r"--preset 'digit' is unknown \(did you mean digits\?\)"),
        (["--preset", "scratch-digits"], r"scratch-digits has no teacher; give one with --teacher"),
        (["--classes", "7-11"], r"11 is too large; 10 classes have indices 0-9"),
        (["--teacher", "mine.py:draw"], r"store the images of mine\.py:draw first: .* pass --teacher pairs:"),
        (["--teacher", "pairs:nothing"], r"nothing"),
        (["--feature-size", "33"], r"feature size 33 is no positive multiple of 32"),
    ],
)
def test_bad_input_is_said_in_one_line_and_leaves_nothing(tmp_path, flags, message):
    with pytest.raises(UserError, match=message) as refused:
        run(tmp_path / "groups", *flags)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "groups").exists()


def test_a_class_that_the_pairs_lack_is_named(pairs, tmp_path):
    with pytest.raises(UserError, match=r"no images of class 2; leave it out with --classes"):
        run(tmp_path / "groups", "--teacher", f"pairs:{pairs}", "--classes", "0-4", "--groups", "2")
