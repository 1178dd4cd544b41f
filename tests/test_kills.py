"""Twenty kills at random moments of every command that works for long: equal bits in the end, nothing lost.

The processes are forked from one that has imported everything, so that a kill hits the work and not the imports.
"""

import multiprocessing
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from scripts import run_main
from stand_ins import save_random_student

from benchmarks.results import read_results
from train.commands import process_environment
from train.files import file_hash
from train.generator import GeneratorConfig

pytestmark = pytest.mark.slow
KILLS = 20
SCRIPTS = ["train.main", "train.collect", "compress.qat", "deploy.android.export", "benchmarks.run_device"]
# What those import when they need it.
LIBRARIES = ["executorch.exir", "executorch.backends.xnnpack.partition.xnnpack_partitioner", "matplotlib.figure"]
FORKING = multiprocessing.get_context("forkserver")
LOG = Path("log")  # beside what a test writes
FORKING.set_forkserver_preload([*SCRIPTS, *LIBRARIES])


@pytest.fixture(autouse=True)
def _one_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "LOG", tmp_path / "log")
    for name, value in process_environment(OMP_NUM_THREADS="1").items():
        monkeypatch.setenv(name, value)
    process = FORKING.Process(target=time.sleep, args=(0,))  # which waits for the imports
    process.start()
    process.join()


def start(*words: object) -> multiprocessing.process.BaseProcess:
    script, *arguments = map(str, words)
    process = FORKING.Process(target=run_main, args=(script, arguments, str(LOG)))
    process.start()
    return process


def finish(*words: object) -> float:
    """Run a command to its end; return its seconds."""
    began = time.monotonic()
    process = start(*words)
    process.join()
    assert process.exitcode == 0, LOG.read_text(errors="replace")[-2000:]
    return time.monotonic() - began


def kill_at_random(seconds: float, seed: int, *words: object) -> int:
    """Start a command and kill it, `KILLS` times, at moments spread over its length; return how many hit."""
    reached = 0
    moments = random.Random(seed)
    for _ in range(KILLS):
        process = start(*words)
        process.join(moments.uniform(0, 1) * seconds)
        process.kill()
        process.join()
        reached += process.exitcode == -signal.SIGKILL
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


@pytest.fixture
def student(tmp_path):
    """A run folder whose export takes as little as one can."""
    config = GeneratorConfig(channels=2, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=4)
    save_random_student(tmp_path / "x" / "student.safetensors", config)
    return tmp_path / "x"


ONLY = ("--only", "student_xnnpack_fp32.pte")


def test_export(tmp_path, student):
    words = ("deploy/android/export.py", "--run", student, *ONLY, "--out")
    seconds = finish(*words, tmp_path / "whole")
    assert kill_at_random(seconds, 3, *words, tmp_path / "killed")
    finish(*words, tmp_path / "killed")
    assert hashes(tmp_path / "whole", "*.pte", "golden*") == hashes(tmp_path / "killed", "*.pte", "golden*")
    check_no_leftovers(tmp_path / "killed")


def test_benchmark(tmp_path, student):
    # Beside the form of one class nothing else is timed.
    finish("deploy/android/export.py", "--run", student, *ONLY, "--class", "2", "--out", tmp_path / "a")
    flags = ("--threads", "1", "--rounds", "2", "--iterations", "2", "--no-compiled", "--images", "100")
    parts = ("--parts", "cost", "latency")
    words = ("benchmarks/run_device.py", "--run", student, "--artifacts", tmp_path / "a", *flags, *parts, "--out")
    seconds = finish(*words, tmp_path / "whole")
    assert kill_at_random(seconds, 4, *words, tmp_path / "killed")
    finish(*words, tmp_path / "killed")
    whole, killed = (read_results(tmp_path / name / "results.json") for name in ("whole", "killed"))
    for section in ("cost", "latency"):
        assert [row["key"] for row in whole[section]] == [row["key"] for row in killed[section]]
    assert whole["cost"] == killed["cost"]
    check_no_leftovers(tmp_path / "killed")
