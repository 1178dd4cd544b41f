import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from help_texts import SOURCES
from safetensors import safe_open
from stand_ins import save_random_student

from train.commands import ROOT
from train.errors import UserError
from train.files import (
    load_torch_file,
    save_arrays,
    save_tensors,
    save_torch,
    write_atomically,
    write_folder_atomically,
)
from train.generator import GeneratorConfig
from train.pair_format import write_shard

CONFIG = GeneratorConfig(channels=2, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=4)


def test_states_hold_tensors_and_plain_values_only(tmp_path):
    path = tmp_path / "state.pt"
    save_torch(path, {"step": 3, "weights": {"a": torch.ones(2)}})
    assert load_torch_file(path, "training state")["step"] == 3

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"step": Evil()}, path)
    with pytest.raises(UserError, match="not a readable training state"):
        load_torch_file(path, "training state")
    assert not (tmp_path / "executed").exists()


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, lambda temporary: temporary.write_text("old"))

    def half(temporary):
        temporary.write_text("ha")
        raise OSError(28, "No space left on device", str(temporary))

    with pytest.raises(UserError, match=r"file cannot be written \(No space left on device\); free disk space"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_files_are_readable_by_others(tmp_path):
    path = tmp_path / "student.safetensors"
    save_random_student(path, CONFIG)
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("kind", ["state", "snapshot", "arrays", "shard"])
def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path, kind):
    """A limit on the size of files is what a full disk looks like to both libraries."""
    path = tmp_path / "file"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    save = {
        "state": lambda: save_torch(path, {"weights": torch.zeros(10_000)}),
        "snapshot": lambda: save_random_student(path, CONFIG),
        "arrays": lambda: save_arrays(path, {"a": np.zeros(10_000)}),
        "shard": lambda: write_shard(path, dict.fromkeys(("images", "z", "y"), np.zeros(10_000))),
    }
    try:
        with pytest.raises(UserError, match=r"file cannot be written .*; free disk space") as error:
            save[kind]()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(error.value)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# How each kind of file is written → a program that writes it to its argument.
WRITERS = {
    "tensors": "save_tensors(path, {'a': torch.ones(3), 'b': torch.zeros(2)}, {k: k for k in 'qwertyuiop'})",
    "state": "save_torch(path, {'a': torch.ones(3), 'step': 3})",
    "arrays": "save_arrays(path, {'a': np.ones(3), 'b': np.int64(2)})",
}


def test_equal_content_gives_equal_bytes_in_every_process_and_place(tmp_path):
    names = ("one", "another name")
    for name in names:
        lines = [f"path = Path({str(tmp_path / name / kind / name)!r}); {WRITERS[kind]}" for kind in WRITERS]
        lines[:0] = [
            "from pathlib import Path; import numpy as np, torch",
            "from train.files import save_arrays, save_tensors, save_torch",
        ]
        subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
    for kind in WRITERS:
        one, other = (tmp_path / name / kind / name for name in names)
        assert one.read_bytes() == other.read_bytes(), kind


def test_sorted_metadata_reads_back(tmp_path):
    metadata = {"z": 'quotes " and \\ and \n', "ä": "Käfer 鳥 \x01\x7f", "b": json.dumps({"x": [1, 2]})}
    save_tensors(tmp_path / "file", {"w": torch.arange(6.0).reshape(2, 3)}, metadata)
    with safe_open(tmp_path / "file", "pt") as file:
        assert file.metadata() == metadata
        assert torch.equal(file.get_tensor("w"), torch.arange(6.0).reshape(2, 3))


def test_arrays_read_back(tmp_path):
    save_arrays(tmp_path / "file.npz", {"a": np.arange(5), "b": np.bool_(True)})
    with np.load(tmp_path / "file.npz", allow_pickle=False) as stored:
        assert stored["a"].tolist() == [0, 1, 2, 3, 4] and bool(stored["b"])


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "file"

    def write_twice(temporary):
        temporary.write_text("outer")
        write_atomically(path, lambda other: other.write_text("inner"))
        assert temporary.read_text() == "outer"

    write_atomically(path, write_twice)
    assert path.read_text() == "outer"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


KILLED = {
    "file": "f.write_atomically(Path('x'), lambda t: (t.write_text('half'), os._exit(9)))",
    "folder": "f.write_folder_atomically(Path('x'), lambda t: (t.mkdir(), (t / 'a').touch(), os._exit(9)))",
}


def test_what_a_killed_writer_leaves_goes_with_the_next_write(tmp_path):
    program = ["import os; from pathlib import Path; import train.files as f"]
    for kind, writes in KILLED.items():
        (tmp_path / kind).mkdir()
        program += [f"os.chdir({str(tmp_path / kind)!r})", f"if not os.fork(): {writes}"]
        program += ["assert os.waitstatus_to_exitcode(os.wait()[1]) == 9"]
    subprocess.run([sys.executable, "-c", "\n".join(program)], check=True)
    for kind in KILLED:
        folder = tmp_path / kind
        assert len(list(folder.iterdir())) == 1
        write_atomically(folder / "x", lambda temporary: temporary.write_text("whole"))
        assert [p.name for p in folder.iterdir()] == ["x"]


def test_a_folder_is_whole_or_not_there(tmp_path):
    path = tmp_path / "folder.kind"

    def half(temporary):
        temporary.mkdir()
        (temporary / "a").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"folder.kind cannot be written \(No space left on device\); free"):
        write_folder_atomically(path, half)
    assert list(tmp_path.iterdir()) == []
    for content in ("old", "new"):

        def write(temporary, content=content):
            assert temporary.suffix == ".kind"
            temporary.mkdir()
            (temporary / content).write_text(content)

        write_folder_atomically(path, write)
        assert [p.name for p in path.iterdir()] == [content]
    assert [p.name for p in tmp_path.iterdir()] == ["folder.kind"]


def test_a_folder_that_appears_meanwhile_gives_way(tmp_path, monkeypatch):
    path, replace, appeared = tmp_path / "folder", os.replace, []

    def later(source, target):
        if target == path and not appeared:
            appeared.append(path)
            path.mkdir()
            (path / "theirs").touch()
        replace(source, target)

    def write(temporary):
        temporary.mkdir()
        (temporary / "ours").touch()

    monkeypatch.setattr(os, "replace", later)
    write_folder_atomically(path, write)
    assert appeared and [p.name for p in path.iterdir()] == ["ours"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


# What writes files whose bytes depend on more than their content, or that a neighbour can meet half-written.
ELSEWHERE = ("save_file(", "np.savez", "torch.save(", "TemporaryDirectory(dir=", "open_memmap(")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_one_module_writes_for_all(path):
    text = path.read_text(encoding="utf-8")
    # LiteRT.js is fetched into a cache, where the first folder to come stays.
    mine = {"files.py": set(ELSEWHERE), "litert_js.py": {"TemporaryDirectory(dir="}}.get(path.name, set())
    assert not [call for call in ELSEWHERE if call in text and call not in mine]


def test_a_long_name_is_written(tmp_path):
    path = tmp_path / ("ä" * 127)
    write_atomically(path, lambda temporary: temporary.write_text("x"))
    assert path.read_text() == "x"
