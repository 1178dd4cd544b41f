import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch

from train import collect
from train.cli import run_script
from train.errors import UserError
from train.noise import SAMPLER
from train.pairs import PairDataset


class GreyTeacher:
    """Each class is one shade of grey."""

    def __init__(self, truncation=None, pause=0.0):
        self.name = "grey"
        self.fingerprint = "0" * 64
        self.image_size = 32
        self.z_dim = 2
        self.num_classes = 10
        self.truncation = 0.7 if truncation is None else truncation
        self.parameters, self.sampler, self.names, self.teacher_classes = None, SAMPLER, [], []
        self.pause = pause

    def __call__(self, z, y):
        time.sleep(self.pause)
        return (y / 10)[:, None, None, None].expand(-1, 3, 32, 32)

    def to(self, device):
        assert device == torch.device("cpu")
        return self


@pytest.fixture(autouse=True)
def _grey_teacher(monkeypatch):
    def open_teacher(spec, truncation=None):
        assert spec == "grey"
        return GreyTeacher(truncation)

    monkeypatch.setattr(collect, "open_teacher", open_teacher)


def run(out, *flags):
    collect.main(["--teacher", "grey", "--out", str(out), "--device", "cpu", *flags])


def test_all_classes_of_the_teacher_by_default(tmp_path, capsys):
    run(tmp_path / "pairs", "--per-class", "3", "--shard-size", "7")
    data = PairDataset(tmp_path / "pairs")
    assert len(data) == 30
    assert data.classes == list(range(10))
    assert data.truncation == 0.7
    assert "is complete: 30 pairs of 10 classes" in capsys.readouterr().out


def test_flags_reach_the_collection(tmp_path):
    run(
        tmp_path,
        "--per-class",
        "2",
        "--classes",
        "1,4-5",
        "--truncation",
        "0.5",
        "--seed",
        "8",
        "--batch-size",
        "1",
    )
    settings = PairDataset(tmp_path).settings
    assert (settings.classes, settings.per_class, settings.truncation, settings.seed) == ([1, 4, 5], 2, 0.5, 8)
    assert settings.shard_size == 5000


def test_the_defaults_are_those_of_the_paper():
    assert collect.CollectOptions("grey", out=None).per_class == 3000  # pyright: ignore[reportArgumentType]


def test_an_interrupted_folder_names_the_command_and_the_command_resumes_it(tmp_path, monkeypatch):
    folder = tmp_path / "my pairs"
    flags = ["--per-class", "4", "--classes", "0-2", "--shard-size", "5", "--batch-size", "2"]

    def interrupt(teacher, z, y):
        if y.tolist() == [0, 1]:  # the third shard begins there only if two are done
            os.kill(os.getpid(), signal.SIGINT)
        return torch.zeros(len(y), 3, 32, 32)

    monkeypatch.setattr(GreyTeacher, "__call__", interrupt)
    with pytest.raises(SystemExit) as stopped:
        run(folder, *flags)
    assert stopped.value.code == 130
    monkeypatch.undo()
    monkeypatch.setattr(collect, "open_teacher", lambda spec, truncation: GreyTeacher(truncation))
    with pytest.raises(UserError, match=r"of 3 shards; collect the rest with: python train/collect.py") as error:
        PairDataset(folder)
    command = shlex.split(str(error.value).split("with: ")[1])
    collect.main(command[2:])
    assert len(PairDataset(folder)) == 12


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_stop_is_one_line_and_the_usual_status(tmp_path, monkeypatch, capsys, number, status):
    handlers = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
    monkeypatch.setattr(GreyTeacher, "__call__", lambda self, z, y: os.kill(os.getpid(), number))
    monkeypatch.setattr(
        sys, "argv", ["collect.py", "--teacher", "grey", "--out", str(tmp_path), "--device", "cpu"]
    )
    with pytest.raises(SystemExit) as stopped:
        run_script(collect.main)
    assert stopped.value.code == status
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(
        "stopped; finished shards are kept, go on with the same command: python train/collect.py"
    )
    assert last.endswith(f"--out {tmp_path} --device cpu")
    assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)] == handlers


def test_sigterm_ends_a_real_process(tmp_path):
    code = (
        "import runpy, train.collect as collect; from train.cli import run_script; "
        f"teacher = runpy.run_path({__file__!r})['GreyTeacher']; "
        "collect.open_teacher = lambda spec, truncation: teacher(truncation, pause=0.1); run_script(collect.main)"
    )
    flags = [
        "--teacher",
        "grey",
        "--out",
        str(tmp_path),
        "--device",
        "cpu",
        "--batch-size",
        "1",
        "--shard-size",
        "5",
    ]
    process = subprocess.Popen([sys.executable, "-c", code, *flags], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "shard-00000").is_dir() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 143
    assert message.splitlines()[-1].startswith("stopped; finished shards are kept")
    assert "Traceback" not in message
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--classes", "0-10"], "10"),
        (["--classes", "nine"], "nine"),
        (["--per-class", "0"], "--per-class 0 is too small"),
        (["--device", "gpu"], "unknown device 'gpu'"),
        (["--per-klass", "3"], "per-class"),
        (["--seed", "x"], "seed"),
    ],
)
def test_bad_flags_write_nothing(tmp_path, flags, message):
    with pytest.raises(UserError, match=message):
        run(tmp_path / "pairs", *flags)
    assert not (tmp_path / "pairs").exists()


def test_help_says_what_the_default_classes_are(capsys):
    with pytest.raises(SystemExit) as stopped:
        collect.main(["--help"])
    assert stopped.value.code == 0
    assert "all classes that the teacher has" in " ".join(capsys.readouterr().out.replace("│", " ").split())
