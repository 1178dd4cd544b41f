"""Twenty kills at random moments of every command that works for long: equal bits in the end, nothing lost."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.results import read_results
from train.commands import ROOT, process_environment, script_process
from train.files import file_hash

pytestmark = pytest.mark.slow
KILLS = 20
STUDENT = ROOT / "train" / "assets" / "digits_student"


def start(*words: object) -> subprocess.Popen:
    command = script_process(*words)
    return subprocess.Popen(
        command, env=process_environment(OMP_NUM_THREADS="1"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(*words: object) -> float:
    """Run a command to its end; return its seconds."""
    began = time.monotonic()
    process = start(*words)
    said, _ = process.communicate()
    assert process.returncode == 0, said.decode()[-2000:]
    return time.monotonic() - began


def kill_at_random(seconds: float, seed: int, *words: object) -> int:
    """Start a command and kill it, `KILLS` times, at moments spread over its length; return how many hit."""
    reached = 0
    moments = random.Random(seed)
    for _ in range(KILLS):
        process = start(*words)
        time.sleep(moments.uniform(0.1, 1.0) * seconds)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            reached += 1
        process.communicate()
    return reached


def hashes(folder: Path, *patterns: str) -> dict[str, str]:
    files = sorted(file for pattern in patterns for file in folder.glob(pattern) if file.is_file())
    assert files
    return {str(file.relative_to(folder)): file_hash(file) for file in files}


def check_no_leftovers(folder: Path) -> None:
    assert not list(folder.rglob(".*.tmp*"))


TRAINING = ("--data.per-class", "20", "--optimizer.images", "1600", "--runtime.checkpoint-minutes", "0")


def test_training(tmp_path):
    for name in ("whole", "killed"):
        words = ("train/main.py", "digits", "--run", tmp_path / name / "x", *TRAINING)
        if name == "whole":
            seconds = finish(*words)
        else:
            assert kill_at_random(seconds, 0, *words)
            finish(*words)
    kept = ("x/student.safetensors", "x/discriminator.safetensors", "pairs/*/shard-*/*")
    assert hashes(tmp_path / "whole", *kept) == hashes(tmp_path / "killed", *kept)
    check_no_leftovers(tmp_path / "killed")


def test_collection(tmp_path):
    words = ("train/collect.py", "--teacher", "digits", "--per-class", "300", "--shard-size", "150", "--out")
    seconds = finish(*words, tmp_path / "whole")
    assert kill_at_random(seconds, 1, *words, tmp_path / "killed")
    finish(*words, tmp_path / "killed", "--verify")
    assert hashes(tmp_path / "whole", "shard-*/*") == hashes(tmp_path / "killed", "shard-*/*")
    check_no_leftovers(tmp_path / "killed")


def test_quantization_aware_training(tmp_path):
    words = ("train/main.py", "digits", "--run", tmp_path / "x", *TRAINING)
    finish(*words)
    flags = ("--images", "320", "--calibration-batches", "1", "--checkpoint-minutes", "0", "--run", tmp_path / "x")
    seconds = finish("compress/qat.py", *flags, "--out", tmp_path / "whole")
    assert kill_at_random(seconds, 2, "compress/qat.py", *flags, "--out", tmp_path / "killed")
    finish("compress/qat.py", *flags, "--out", tmp_path / "killed")
    name = "student_int8.safetensors"
    assert file_hash(tmp_path / "whole" / name) == file_hash(tmp_path / "killed" / name)
    check_no_leftovers(tmp_path / "killed")


def test_export(tmp_path):
    only = ("--only", "student_xnnpack_int8.pte", "student_xnnpack_fp32.pte")
    words = ("deploy/android/export.py", "--run", STUDENT, *only, "--out")
    seconds = finish(*words, tmp_path / "whole")
    assert kill_at_random(seconds, 3, *words, tmp_path / "killed")
    finish(*words, tmp_path / "killed")
    assert hashes(tmp_path / "whole", "*.pte", "golden*") == hashes(tmp_path / "killed", "*.pte", "golden*")
    check_no_leftovers(tmp_path / "killed")


def test_benchmark(tmp_path):
    only = ("--only", "student_xnnpack_int8.pte")
    finish("deploy/android/export.py", "--run", STUDENT, *only, "--out", tmp_path / "a")
    flags = ("--threads", "1", "--rounds", "2", "--iterations", "2", "--no-compiled", "--images", "100")
    parts = ("--parts", "cost", "latency")
    words = ("benchmarks/run_device.py", "--run", STUDENT, "--artifacts", tmp_path / "a", *flags, *parts, "--out")
    seconds = finish(*words, tmp_path / "whole")
    assert kill_at_random(seconds, 4, *words, tmp_path / "killed")
    finish(*words, tmp_path / "killed")
    whole, killed = (read_results(tmp_path / name / "results.json") for name in ("whole", "killed"))
    for section in ("cost", "latency"):
        assert [row["key"] for row in whole[section]] == [row["key"] for row in killed[section]]
    assert whole["cost"] == killed["cost"]
    check_no_leftovers(tmp_path / "killed")
