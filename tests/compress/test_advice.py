"""What is said before and in the first steps of a fine-tuning of larger images."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from stand_ins import replace, tiny_run

from compress import advice, finetune, qat
from compress.config import QatConfig
from train.distributed import World

CPU = torch.device("cpu")


def run_of(size: int, images: int) -> Any:
    return SimpleNamespace(config=replace(tiny_run(1), generator__image_size=size, optimizer__images=images))


def test_small_images_need_no_advice():
    assert advice.advice(QatConfig(), run_of(32, 28_800)) == ""


@pytest.mark.parametrize("size", [64, 128])
def test_how_many_images_are_usual_is_said_at_64_and_128_px(size):
    line = advice.advice(QatConfig(images=12_800), run_of(size, 6_400_000))
    assert line == (
        f"{size} px: --images 12800 is 0.2% of the float run's 6,400,000; a rule of thumb is 10%, what is "
        "enough here was not measured (--images 640000); how long it takes is said after 25 steps"
    )
    assert "(--images" not in advice.advice(QatConfig(images=640_000), run_of(size, 6_400_000))


@pytest.mark.parametrize(("first", "rank", "lines"), [(0, 0, 1), (100, 0, 1), (0, 1, 0)])
def test_the_first_steps_say_once_how_long_the_rest_takes(monkeypatch, capsys, first, rank, lines):
    """0.5 s a step of 8 images, and ten times as much before it is warm."""
    clock = [0.0]
    monkeypatch.setattr(advice.time, "monotonic", lambda: clock[0])
    observer = advice.FirstSteps(World(rank, 2, CPU), steps=1_125, batch_size=8, usual=100_000)
    observer.start(first)
    for done in range(1, 60):
        clock[0] += 5.0 if done <= 5 else 0.5
        observer.after_step(first + done, {})
    said = capsys.readouterr().out.splitlines()
    assert len(said) == lines
    if lines:
        left = 8 * (1_125 - first - 25)
        assert said[0] == (
            f"16.0 images/s in 20 steps: the other {left:,} images take about {left / 16 / 60:.0f} min, and "
            "100,000 would take 1.7 h"
        )


@pytest.mark.parametrize(("seconds", "words"), [(3, "3 s"), (89, "89 s"), (600, "10 min"), (7_200, "2.0 h")])
def test_durations_are_said_in_the_unit_that_fits(seconds, words):
    assert advice.spoken(seconds) == words


def test_the_script_says_both(digits_run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(advice, "_SMALLEST_SIZE", 32)
    monkeypatch.setattr(advice, "_WARM", 1)
    monkeypatch.setattr(advice, "_TIMED", 2)
    monkeypatch.setattr(finetune, "reconstruct", lambda *_: None)
    flags = ("--images", "40", "--calibration-batches", "1", "--device", "cpu")
    qat.main(["--run", str(digits_run), "--out", str(tmp_path / "qat"), *flags])
    said = capsys.readouterr().out
    assert said.startswith("32 px: --images 40 is 41.7% of the float run's 96; a rule of thumb is 10%")
    assert "images/s in 2 steps: the other 16 images take about" in said
