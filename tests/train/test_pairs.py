import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from train.distributed import World, distributed_world
from train.errors import UserError
from train.images import to_bytes
from train.noise import SAMPLER, truncated_normal
from train.pairs import PairDataset, collect_pairs

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)
CLASSES = [2, 5, 7, 11, 12]
PER_CLASS = 9
SEED = 3
SHARD_SIZE = 13  # 45 pairs: 13, 13, 13 and 6


class TinyTeacher(nn.Module):
    """A few fixed weights; `fails_at` raises in that call, `pause` slows every call down."""

    def __init__(self, fails_at: int = 0, pause: float = 0.0) -> None:
        super().__init__()
        self.name = "tiny"
        self.fingerprint = "f" * 64
        self.image_size = 6
        self.z_dim = 4
        self.num_classes = 20
        self.truncation = 0.5
        self.parameters, self.sampler, self.names, self.teacher_classes = None, SAMPLER, [], []
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(4, 3 * 36, generator=generator))
        self.calls = 0
        self.fails_at = fails_at
        self.pause = pause

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        self.calls += 1
        time.sleep(self.pause)
        if self.calls == self.fails_at:
            raise ConnectionError("the plug was pulled")
        return torch.tanh(z @ self.weight + y[:, None] / 10).view(-1, 3, 6, 6)


def collect(folder, teacher=None, world=ALONE, **changes):
    settings = {
        "classes": CLASSES, "per_class": PER_CLASS, "seed": SEED, "batch_size": 4, "shard_size": SHARD_SIZE,
    }  # fmt: skip
    collect_pairs(teacher or TinyTeacher(), folder, world=world, **settings | changes)


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The files of an uninterrupted collection by one process."""
    folder = tmp_path_factory.mktemp("reference")
    collect(folder)
    return contents(folder)


@pytest.fixture
def folder(tmp_path, reference):
    """A complete collection to spoil."""
    for name, data in reference.items():
        (tmp_path / "pairs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pairs" / name).write_bytes(data)
    return tmp_path / "pairs"


def test_every_class_has_exactly_its_pairs_and_every_shard_a_balanced_mix(folder):
    labels = [np.load(folder / f"shard-{number:05d}" / "y.npy") for number in range(4)]
    assert [len(part) for part in labels] == [13, 13, 13, 6]
    for part in labels:
        counts = [np.count_nonzero(part == label) for label in CLASSES]
        assert max(counts) - min(counts) <= 1
    values, counts = np.unique(np.concatenate(labels), return_counts=True)
    assert values.tolist() == CLASSES
    assert counts.tolist() == [PER_CLASS] * len(CLASSES)


def test_latents_follow_the_seeds_and_images_the_teacher(folder):
    z, y, images = PairDataset(folder).gather(np.arange(45))
    seeds = np.array([SEED * 2**32 + i for i in range(45)], dtype=np.uint64)
    expected = truncated_normal(seeds, 4, 0.5)
    np.testing.assert_array_equal(z.numpy(), expected)
    with torch.no_grad():
        np.testing.assert_allclose(images.int(), to_bytes(TinyTeacher()(z, y)).astype(int), atol=1)
    assert (z.dtype, y.dtype, images.dtype) == (torch.float32, torch.int64, torch.uint8)
    assert y[:6].tolist() == [*CLASSES, CLASSES[0]]


def test_index_describes_the_collection(folder):
    index = json.loads((folder / "index.json").read_text())
    shards = index.pop("shards")
    assert index == {
        "format": "tinygan-edge-pairs-1", "teacher": "tiny", "fingerprint": "f" * 64, "truncation": 0.5,
        "sampler": SAMPLER, "image_size": 6, "z_dim": 4, "num_classes": 20, "classes": CLASSES,
        "per_class": PER_CLASS, "seed": SEED, "shard_size": SHARD_SIZE,
    }  # fmt: skip
    assert [(shard["folder"], shard["count"]) for shard in shards] == [
        ("shard-00000", 13), ("shard-00001", 13), ("shard-00002", 13), ("shard-00003", 6),
    ]  # fmt: skip
    arrays = [np.load(folder / "shard-00003" / f"{name}.npy") for name in ("images", "z", "y")]
    assert shards[3]["sha256"] == hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    assert sorted(path.name for path in folder.iterdir()) == ["index.json", *(s["folder"] for s in shards)]


@pytest.mark.parametrize("in_memory_bytes", [0, 10**9], ids=["mapped", "in memory"])
def test_gather_returns_the_rows_in_the_order_asked_for(folder, monkeypatch, in_memory_bytes):
    monkeypatch.setattr("train.pairs.IN_MEMORY_BYTES", in_memory_bytes)
    data = PairDataset(folder)
    whole = [
        np.concatenate([np.load(folder / f"shard-{number:05d}" / f"{name}.npy") for number in range(4)])
        for name in ("z", "y", "images")
    ]
    for indices in (np.array([44, 0, 13, 12, 0, 39]), np.arange(45)[::-1], np.array([], dtype=np.int64)):
        for got, stored in zip(data.gather(indices), whole, strict=True):
            np.testing.assert_array_equal(got.numpy(), stored[indices])
    assert len(data) == 45
    assert (data.image_size, data.z_dim, data.num_classes, data.classes) == (6, 4, 20, CLASSES)
    assert (data.truncation, data.teacher) == (0.5, "tiny")
    for outside in ([45], [-1]):
        with pytest.raises(IndexError, match=re.escape(f"{outside[0]}")):
            data.gather(np.array(outside))


def test_a_finished_folder_says_so_and_makes_nothing(folder, reference, capsys):
    teacher = TinyTeacher()
    collect(folder, teacher)
    assert teacher.calls == 0
    assert "is complete: 45 pairs of 5 classes" in capsys.readouterr().out
    assert contents(folder) == reference


def test_resumed_after_a_failure_with_leftovers_gives_the_same_bytes(tmp_path, reference, capsys):
    folder = tmp_path / "pairs"
    with pytest.raises(ConnectionError):
        collect(folder, TinyTeacher(fails_at=6), command="python train/collect.py --out pairs")
    assert sorted(path.name for path in folder.iterdir()) == ["plan.json", "shard-00000"]
    with pytest.raises(UserError, match=r"1 of 4 shards; .* with: python train/collect.py --out pairs$"):
        PairDataset(folder)
    (folder / ".shard-00001.tmp").mkdir()
    (folder / ".shard-00001.tmp" / "images.npy").write_bytes(b"half")
    (folder / ".index.json.tmp").write_text("{")
    shutil.copytree(folder / "shard-00000", folder / "shard-00002")
    (folder / "shard-00002" / "y.npy").unlink()
    teacher = TinyTeacher()
    collect(folder, teacher)
    assert contents(folder) == reference
    assert teacher.calls == 4 + 4 + 2
    assert "has 1 of 4 shards; collecting the rest" in capsys.readouterr().out


def test_killed_just_before_the_index_is_written(folder, reference):
    index = json.loads((folder / "index.json").read_text())
    del index["shards"]
    (folder / "plan.json").write_text(json.dumps({**index, "command": ""}))
    (folder / "index.json").unlink()
    with pytest.raises(UserError, match="4 of 4 shards; collect the rest with: collect_pairs"):
        PairDataset(folder)
    collect(folder)
    assert contents(folder) == reference


def test_a_deleted_shard_is_made_again(folder, reference):
    shutil.rmtree(folder / "shard-00002")
    with pytest.raises(
        UserError, match="shard-00002 is missing or incomplete; delete that shard's folder and run"
    ):
        PairDataset(folder)
    collect(folder)
    assert contents(folder) == reference


def test_sigkill_loses_only_the_shard_in_progress(tmp_path, reference):
    folder = tmp_path / "pairs"
    process = start_worker("slow_worker", folder)
    deadline = time.monotonic() + 60
    while not (folder / "shard-00001").is_dir() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = [path.name for path in folder.glob("shard-*")]
    assert process.returncode == -signal.SIGKILL
    assert 2 <= len(done) < 4
    collect(folder)
    assert contents(folder) == reference


@dataclass(frozen=True)
class ThreadWorld(World):
    """One of several threads that play processes."""

    meeting: threading.Barrier

    def barrier(self) -> None:
        self.meeting.wait(timeout=30)


def test_two_worlds_give_the_bytes_of_one(tmp_path, reference):
    meeting = threading.Barrier(2)
    teachers = [TinyTeacher(), TinyTeacher()]
    threads = [
        threading.Thread(target=collect, args=(tmp_path, teacher, ThreadWorld(rank, 2, CPU, meeting)))
        for rank, teacher in enumerate(teachers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents(tmp_path) == reference
    assert [teacher.calls for teacher in teachers] == [8, 6]


def test_two_gloo_processes_give_the_bytes_of_one(tmp_path, reference):
    folder = tmp_path / "pairs"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = [
        start_worker(
            "gloo_worker", folder, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2",
            MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        )
        for rank in range(2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert contents(folder) == reference
    assert sum("is complete" in output for output in outputs) == 1


def test_a_flipped_byte_fails_the_checksum(folder, monkeypatch):
    path = folder / "shard-00001" / "images.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    message = "shard-00001 does not match its checksum; delete that shard's folder and run collect again"
    with pytest.raises(UserError, match=message):
        PairDataset(folder)
    monkeypatch.setattr("train.pairs.IN_MEMORY_BYTES", 0)
    large = PairDataset(folder)  # too large to be verified unasked
    with pytest.raises(UserError, match=message):
        large.verify()
    with pytest.raises(UserError, match=message):
        PairDataset(folder, verify=True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "shard-00000 is missing or incomplete"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: path.write_bytes(b"no array"), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes() + b"!"), r"has \d+ bytes, not \d+"),
        (lambda path: np.save(path, np.load(path).astype(np.float64)), "holds float64"),
        (lambda path: np.save(path, np.load(path)[:-1]), r"holds (uint8|float32|int64) \[12"),
    ],
)
@pytest.mark.parametrize("name", ["images", "z", "y"])
def test_damaged_arrays(folder, name, spoil, message):
    spoil(folder / "shard-00000" / f"{name}.npy")
    with pytest.raises(UserError, match=f"{message}.*delete that shard's folder"):
        PairDataset(folder)


def test_an_array_in_fortran_order(folder):
    path = folder / "shard-00000" / "images.npy"
    np.save(path, np.asfortranarray(np.load(path)))
    with pytest.raises(UserError, match=r"images.npy is no array in C order; delete that shard's folder"):
        PairDataset(folder)


def change(**changes):
    def spoil(path):
        index = json.loads(path.read_text())
        path.write_text(json.dumps({**index, **changes}))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text("{"), "index.json is damaged"),
        (lambda path: path.write_text("[]"), "no JSON object"),
        (change(format="other-2"), "format 'other-2', not 'tinygan-edge-pairs-1'"),
        (change(per_class="9"), r"damaged \(per_class\)"),
        (change(shard_size=0), r"damaged \(shard_size\)"),
        (change(surprise=1), r"damaged \(surprise\)"),
        (change(per_class=10), "does not list its shards"),
        (change(shards=None), "does not list its shards"),
        (change(shards=[{"folder": "shard-00000"}]), "does not list its shards"),
    ],
)
def test_damaged_index(folder, spoil, message):
    spoil(folder / "index.json")
    with pytest.raises(UserError, match=message):
        PairDataset(folder)


def test_opening_what_is_no_collection(tmp_path):
    with pytest.raises(UserError, match=r"no pairs in .*with: python \S*train/collect.py --teacher digits --out"):
        PairDataset(tmp_path / "nothing")


def test_other_settings_in_the_same_folder(folder, reference):
    with pytest.raises(UserError, match="with per_class 9, seed 3, and this call asks for per_class 8, seed 4;"):
        collect(folder, per_class=8, seed=4)
    with pytest.raises(UserError, match=r"classes \[2, 5, 7, 11, 12\], .* classes \[0, 1, … 19: 20 classes\]"):
        collect(folder, classes=range(20))
    other = TinyTeacher()
    other.fingerprint = "e" * 64
    other.truncation = 1.0
    with pytest.raises(UserError, match=r"with fingerprint ffffffffffff…, truncation 0.5, and"):
        collect(folder, other)
    assert contents(folder) == reference


def test_other_settings_in_an_unfinished_folder(tmp_path):
    with pytest.raises(ConnectionError):
        collect(tmp_path, TinyTeacher(fails_at=1))
    before = contents(tmp_path)
    with pytest.raises(UserError, match="with shard_size 13, and this call asks for shard_size 20"):
        collect(tmp_path, shard_size=20)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"per_class": 0}, "--per-class 0 is too small"),
        ({"batch_size": 0}, "--batch-size 0 is too small"),
        ({"shard_size": -1}, "--shard-size -1 is too small"),
        ({"seed": -1}, "--seed -1 is out of range"),
        ({"seed": 2**32}, "--seed 4294967296 is out of range; give 0 to 4294967295"),
        ({"classes": []}, "no classes to collect"),
        ({"classes": [3, 20]}, "tiny has no class 20; give 0 to 19"),
        ({"classes": [-1]}, "tiny has no class -1"),
        ({"classes": [3, 4, 3]}, "class 3 is listed twice"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        collect(tmp_path / "pairs", **changes)
    assert not (tmp_path / "pairs").exists()


@pytest.mark.parametrize("truncation", [0.0, 1.5, float("nan")])
def test_bad_truncation(tmp_path, truncation):
    teacher = TinyTeacher()
    teacher.truncation = truncation
    with pytest.raises(UserError, match=f"truncation {truncation} is out of range"):
        collect(tmp_path / "pairs", teacher)


def test_a_folder_with_something_else_in_it(tmp_path):
    for name in (".DS_Store", "desktop.ini", "thesis.tex"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"holds other files \(thesis.tex\), not pairs"):
        collect(tmp_path)
    with pytest.raises(UserError, match=r"thesis.tex is a file; give a folder"):
        collect(tmp_path / "thesis.tex")


def test_too_little_disk_space(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(4e9, 1e9, 3e9))
    with pytest.raises(UserError, match=r"need 6.600 GB and .* has 3.000 GB free; free some, lower --per-class"):
        collect(tmp_path / "pairs", per_class=10**7, shard_size=10**6)
    assert not (tmp_path / "pairs").exists()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(4, 3, 5, 5), r"images of shape \[4, 3, 5, 5\], not \[4, 3, 6, 6\]"),
        (torch.full((4, 3, 6, 6), float("nan")), "NaN or infinity"),
    ],
)
def test_bad_teachers(tmp_path, images, message):
    teacher = TinyTeacher()
    teacher.forward = lambda z, y: images
    with pytest.raises(UserError, match=message):
        collect(tmp_path, teacher)


def start_worker(function, folder, **environment):
    """Run a function of this file, on `folder`, in a process of its own."""
    code = f"import runpy; runpy.run_path({__file__!r})[{function!r}]({str(folder)!r})"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def slow_worker(folder):
    collect(Path(folder), TinyTeacher(pause=0.1))


def gloo_worker(folder):
    with distributed_world("cpu") as world:
        collect(Path(folder), world=world)


def test_some_classes_of_a_collection_are_a_collection(folder):
    whole = PairDataset(folder)
    some = PairDataset(folder, held_out=100, classes=[12, 5])
    assert (some.classes, len(some), some.held_out.tolist()) == ([5, 12], 18, [])
    z, y, images = some.gather(np.arange(18))
    own = np.isin(whole.gather(np.arange(45))[1].numpy(), [5, 12])
    for part, all_of_it in zip((z, y, images), whole.gather(np.arange(45)), strict=True):
        assert torch.equal(part, all_of_it[own])
    assert y.tolist() == [5, 12] * 9
    assert some.first_of(12, 2) == [1, 3]
    with pytest.raises(IndexError, match=r"not all in 0…17"):
        some.gather(np.array([18]))


def test_a_tenth_of_the_chosen_classes_is_held_out(tmp_path):
    collect(tmp_path / "pairs", per_class=20)
    some = PairDataset(tmp_path / "pairs", held_out=100, classes=[2, 7])
    assert (len(some), some.held_out.tolist()) == (36, [36, 37, 38, 39])
    assert some.gather(some.held_out)[1].tolist() == [2, 7, 2, 7]


def test_classes_that_a_collection_lacks_are_named(folder):
    with pytest.raises(UserError, match=r"has pairs of 5 classes, and none of class 3, 4; leave it out, or"):
        PairDataset(folder, classes=[2, 3, 4])
