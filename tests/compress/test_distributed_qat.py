"""Two gloo processes fine-tune one student."""

import json
from pathlib import Path

import pytest
import torch
from scripts import run_script

from compress.evaluate import psnr
from compress.int8_file import load_int8_by_class


def fine_tuned(run: Path, out: Path, processes: int):
    arguments = ("--run", run, "--out", out, "--images", 64, "--device", "cpu")
    run_script("compress/qat.py", *arguments, processes=processes)
    return load_int8_by_class(out / "student_int8.safetensors")[0]


@pytest.mark.slow
def test_two_processes_make_the_student_of_one(digits_run, tmp_path, latents):
    one = fine_tuned(digits_run, tmp_path / "one", 1)
    two = fine_tuned(digits_run, tmp_path / "two", 2)
    z, y = latents(16, num_classes=10, z_dim=128)
    with torch.no_grad():
        # Each process calibrates with its own share of the batches, so the ranges are not quite the same.
        distance = psnr(two(z, y), one(z, y))
    assert distance is None or distance > 30
    rows = json.loads((tmp_path / "two" / "report.json").read_text())["rows"]
    assert rows["W8A8 QAT"]["psnr_to_own_float"] > 30
