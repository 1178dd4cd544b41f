"""Twenty kills that hit, at random moments, every command that works for long: equal bits, nothing lost.

The processes are forked from one that has imported everything, so that a kill hits the work and not the imports.
"""

import multiprocessing
import random
import signal
import sys
import time
from collections.abc import Callable
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


def kill_at_random(seconds: float, seed: int, command: Callable[[Path], tuple], folder: Path) -> list[Path]:
    """Kill a command until `KILLS` kills have hit it, at moments spread over its length.

    Args:
        seconds: that the command takes.
        seed: of the moments.
        command: the words that do the work in a folder.
        folder: gets a folder for the work, and another one whenever the work is done before all kills are.

    Returns:
        Those folders; the work in each is done.
    """
    moments, done, hits = random.Random(seed), [], 0
    while hits < KILLS:
        done.append(folder / f"killed-{len(done)}")
        words = command(done[-1])
        while hits < KILLS and hit_by_kill(moments.uniform(0, 1) * seconds, *words):
            hits += 1
        finish(*words)
    print(f"{hits} kills of {words[0]}, {seconds:.1f} s long, which came to its end {len(done)} times")
    return done


def hit_by_kill(seconds: float, *words: object) -> bool:
    """Start a command and kill it after so long; return False if it had ended well before."""
    process = start(*words)
    process.join(seconds)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), LOG.read_text(errors="replace")[-2000:]
    return process.exitcode != 0


def hashes(folder: Path, *patterns: str) -> dict[str, str]:
    files = sorted(file for pattern in patterns for file in folder.glob(pattern) if file.is_file())
    assert files
    return {str(file.relative_to(folder)): file_hash(file) for file in files}


def check_no_leftovers(folder: Path) -> None:
    assert not list(folder.rglob(".*.tmp*"))


TRAINING = ("--data.per-class", "20", "--optimizer.images", "1600", "--runtime.checkpoint-minutes", "0")


def test_training(tmp_path):
    def command(folder: Path) -> tuple:
        return "train/main.py", "digits", "--run", folder / "x", *TRAINING

    seconds = finish(*command(tmp_path / "whole"))
    kept = ("x/student.safetensors", "x/discriminator.safetensors", "pairs/*/shard-*/*")
    for killed in kill_at_random(seconds, 0, command, tmp_path):
        assert hashes(tmp_path / "whole", *kept) == hashes(killed, *kept)
        check_no_leftovers(killed)


def test_collection(tmp_path):
    def command(folder: Path) -> tuple:
        sizes = ("--per-class", "300", "--shard-size", "150")
        return "train/collect.py", "--teacher", "digits", *sizes, "--out", folder

    seconds = finish(*command(tmp_path / "whole"))
    for killed in kill_at_random(seconds, 1, command, tmp_path):
        finish(*command(killed), "--verify")
        assert hashes(tmp_path / "whole", "shard-*/*") == hashes(killed, "shard-*/*")
        check_no_leftovers(killed)


def test_quantization_aware_training(tmp_path):
    finish("train/main.py", "digits", "--run", tmp_path / "x", *TRAINING)

    def command(folder: Path) -> tuple:
        flags = ("--images", "320", "--calibration-batches", "1", "--checkpoint-minutes", "0")
        return "compress/qat.py", "--run", tmp_path / "x", *flags, "--out", folder

    seconds = finish(*command(tmp_path / "whole"))
    for killed in kill_at_random(seconds, 2, command, tmp_path):
        assert hashes(tmp_path / "whole", "*.safetensors") == hashes(killed, "*.safetensors")
        check_no_leftovers(killed)


@pytest.fixture
def student(tmp_path):
    """A run folder whose export takes as little as one can."""
    config = GeneratorConfig(channels=2, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=4)
    save_random_student(tmp_path / "x" / "student.safetensors", config)
    return tmp_path / "x"


ONLY = ("--only", "student_xnnpack_fp32.pte")


def test_export(tmp_path, student):
    def command(folder: Path) -> tuple:
        return "deploy/android/export.py", "--run", student, *ONLY, "--out", folder

    seconds = finish(*command(tmp_path / "whole"))
    for killed in kill_at_random(seconds, 3, command, tmp_path):
        assert hashes(tmp_path / "whole", "*.pte", "golden*") == hashes(killed, "*.pte", "golden*")
        check_no_leftovers(killed)


def test_benchmark(tmp_path, student):
    # Beside the form of one class nothing else is timed.
    finish("deploy/android/export.py", "--run", student, *ONLY, "--class", "2", "--out", tmp_path / "a")

    def command(folder: Path) -> tuple:
        flags = ("--threads", "1", "--rounds", "2", "--iterations", "2", "--no-compiled", "--images", "100")
        words = ("--run", student, "--artifacts", tmp_path / "a", *flags, "--parts", "cost", "latency")
        return "benchmarks/run_device.py", *words, "--out", folder

    seconds = finish(*command(tmp_path / "whole"))
    whole = read_results(tmp_path / "whole" / "results.json")
    for killed in kill_at_random(seconds, 4, command, tmp_path):
        results = read_results(killed / "results.json")
        for section in ("cost", "latency"):
            assert [row["key"] for row in whole[section]] == [row["key"] for row in results[section]]
        assert whole["cost"] == results["cost"]
        check_no_leftovers(killed)
