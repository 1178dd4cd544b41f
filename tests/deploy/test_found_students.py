"""A found student on its way to a phone: searched, quantized, exported, checked, timed, drawn in the report."""

import json

import pytest
import torch
from scripts import run_script
from stand_ins import replace, tiny_run

from deploy.floors import INT8_FLOOR
from train import run as float_training
from train.distributed import World


@pytest.mark.slow
def test_the_small_student_of_a_search_is_exported_and_passes_its_gate(tmp_path):
    pytest.importorskip("executorch", reason="needs the extra android")
    run = tmp_path / "digits"
    device = World(0, 1, torch.device("cpu"))
    float_training.train(replace(tiny_run(grids=1), generator__channels=8), run, device)
    short = ("--latents", 64, "--final-latents", 64, "--images", 64, "--finetune-images", 16)
    evolution = ("--evolution.population", 6, "--evolution.parents", 2, "--evolution.rounds", 1)
    run_script("compress/search.py", "--run", run, "--macs", "35%", "--device", "cpu", *short, *evolution)
    found = run / "search" / "35%"
    run_script("compress/qat.py", "--run", found, "--images", 64, "--calibration-batches", 3, "--device", "cpu")
    run_script("deploy/android/export.py", "--run", found, "--only", "xnnpack")
    entries = json.loads((found / "artifacts" / "manifest.json").read_text())["artifacts"]
    (int8,) = (entry for entry in entries if entry["precision"] == "int8")
    assert int8["parity"]["psnr"] is None or int8["parity"]["psnr"] >= INT8_FLOOR
    fast = ("--no-compiled", "--rounds", 2, "--iterations", 2, "--threads", 1)
    run_script("deploy/android/export.py", "--run", run, "--only", "student_xnnpack_fp32.pte")
    run_script("benchmarks/run_device.py", "--run", run, "--parts", "latency", *fast, "--teacher", "")
    points = json.loads((run / "benchmark" / "results.json").read_text())["notes"]["frontier"]["points"]
    assert {point["series"] for point in points} == {"found", "uniform slice", "all of the supernet"}
    assert all(point["ms"] > 0 for point in points)
    assert "Found students" in (run / "benchmark" / "report.html").read_text()
