"""The command line, as a user sees it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import train
from train.cli import parse_preset
from train.config import TrainConfig
from train.errors import UserError, did_you_mean
from train.generator import Widths
from train.main import main
from train.presets import DEFAULT_PRESET, PRESETS

SCRIPT = Path(train.__file__).parent / "main.py"


def parse(*arguments: str) -> tuple[str, TrainConfig]:
    return parse_preset(PRESETS, DEFAULT_PRESET, arguments)


def test_a_bare_command_is_the_digits_run():
    name, config = parse()
    assert name == "digits"
    assert config.data.teacher == "digits"


def test_flags_override_the_preset():
    name, config = parse("paper-dw32", "--loss.pixel", "0.5", "--data.classes", "0-9", "--seed", "7")
    assert name == "paper-dw32"
    assert (config.loss.pixel, config.data.classes, config.seed) == (0.5, "0-9", 7)
    assert config.generator == PRESETS["paper-dw32"][1].generator
    assert parse("--seed", "2")[1].seed == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digit"], r"unknown preset 'digit' \(did you mean digits\?\)"),
        (["--loss.pixle", "3"], r"Unrecognized options: --loss.pixle; did you mean --loss.pixel\?"),
        (["digits", "--loss.pixel", "x"], "Error parsing --loss.pixel.*'x'"),
        (["digits", "--generator.architecture", "big"], "invalid choice: 'big'"),
        (["digits", "--generator.image-size", "48"], "48 is not one of 32, 64, 128"),
        (["digits", "--data.truncation", "2"], "truncation must be in"),
        (["digits", "--data.truncation", "0"], "truncation must be in"),
        (["digits", "--optimizer.generator-lr", "-1"], "generator-lr must be at least 0, not -1"),
        (["digits", "--loss.pixel", "-1"], "loss.pixel must be at least 0"),
        (["digits", "--optimizer.batch-size", "0"], "batch-size must be at least 1, not 0"),
        (["digits", "--optimizer.images", "5"], "less than one batch"),
    ],
)
def test_bad_arguments_are_one_line(arguments, message):
    with pytest.raises(UserError, match=message) as error:
        parse(*arguments)
    assert "\n" not in str(error.value)


def test_widths_are_flags():
    _, config = parse(
        "digits", "--generator.widths.stages", "64", "32", "16", "8", "--generator.widths.mids", "8", "8", "8"
    )
    assert config.generator.widths == Widths((64, 32, 16, 8), (8, 8, 8))
    assert config.learned()["generator"]["widths"]["mids"] == (8, 8, 8)


def test_dry_run_prints_the_paper_run(capsys):
    main(["paper-dw32", "--dry-run"])
    resolved = json.loads(capsys.readouterr().out)
    assert resolved["generator"] == {
        "architecture": "dw",
        "channels": 32,
        "image_size": 128,
        "num_classes": 1000,
        "z_dim": 128,
        "class_embedding_dim": 128,
    }
    assert resolved["optimizer"]["batch_size"] == 32
    assert (resolved["optimizer"]["beta1"], resolved["optimizer"]["beta2"]) == (0.0, 0.9)
    assert resolved["optimizer"]["generator_lr"] == resolved["optimizer"]["discriminator_lr"] == 2e-4
    assert resolved["steps"] == 1_119_360  # 30 epochs of 1.194 M pairs
    assert resolved["data"]["classes"] == "0-397"
    assert resolved["run"] == "runs/paper-dw32"


def test_all_classes_at_once_are_the_papers_run_in_epochs(capsys):
    main(["paper-dw32-1000", "--dry-run"])
    resolved = json.loads(capsys.readouterr().out)
    assert (resolved["data"]["classes"], resolved["generator"]["num_classes"]) == ("0-999", 1000)
    assert resolved["steps"] == 30 * 1000 * resolved["data"]["per_class"] // 32
    assert resolved["optimizer"]["decay_start"] == PRESETS["paper-dw32"][1].optimizer.decay_start
    assert resolved["data"]["teacher"] != PRESETS["paper-dw32"][1].data.teacher


def test_every_preset_family_is_there():
    for base in ("digits", "animals64", "paper-dw32", "paper-std32", "paper-std16"):
        for row in ("no-feature", "no-real", "no-adversarial", "pixel-only"):
            assert f"{base}-{row}" in PRESETS
    assert {
        "scratch-digits",
        "scratch-animals64",
        "scratch-paper-dw32",
        "scratch-digits-student",
    } <= PRESETS.keys()


def test_a_script_ends_with_one_line_and_a_status(tmp_path):
    """In a real process: nothing but the line, nothing written."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "paper-dw32"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(
        "error: no teacher's images at data/biggan-deep-128-pairs; make them with: python"
    )
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_photos_that_are_not_there_are_asked_for_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no real images at data/tiny_imagenet_animals64_train\.npz; pass --data"):
        main(["animals64", "--runtime.device", "cpu"])
    assert not list(tmp_path.iterdir())


def test_did_you_mean():
    assert did_you_mean("digts", ["digits", "paper"]) == " (did you mean digits?)"
    assert did_you_mean("zzz", ["digits"]) == ""
