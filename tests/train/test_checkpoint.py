import json
import os
import resource

import pytest
import torch
from safetensors.torch import load_file, save_file
from stand_ins import save_random_student

from train.checkpoint import load_snapshot, load_state, save_state, write_atomically
from train.errors import UserError
from train.generator import GeneratorConfig

CONFIG = GeneratorConfig(channels=2, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=4)


def test_a_snapshot_loads_with_nothing_else(tmp_path):
    path = tmp_path / "student.safetensors"
    saved = save_random_student(path, CONFIG)
    loaded, info = load_snapshot(path)
    z, y = torch.randn(2, 8), torch.tensor([0, 2])
    assert torch.equal(loaded(z, y), saved(z, y))
    assert info.generator == CONFIG
    assert info.classes == {0: "class 0", 1: "class 1", 2: "class 2"}
    assert not loaded.training


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.unlink(), "no student snapshot"),
        (lambda p: p.write_bytes(p.read_bytes()[:500]), "not a readable safetensors file"),
        (lambda p: p.write_bytes(b"hello"), "not a readable safetensors file"),
        (lambda p: save_file({"a": torch.zeros(1)}, p), "its format is None"),
    ],
)
def test_damaged_and_foreign_snapshots(tmp_path, damage, message):
    path = tmp_path / "student.safetensors"
    save_random_student(path, CONFIG)
    damage(path)
    with pytest.raises(UserError, match=message):
        load_snapshot(path)


def test_a_snapshot_with_missing_or_reshaped_weights(tmp_path):
    path = tmp_path / "student.safetensors"
    save_random_student(path, CONFIG)
    info = json.dumps({"generator": vars(CONFIG), "classes": {}, "truncation": 0.5, "source": "", "images": 0})
    metadata = {"format": "tinygan-edge-student-1", "info": info}
    tensors = load_file(path)
    save_file({n: t for n, t in tensors.items() if n != "to_rgb.bias"}, path, metadata)
    with pytest.raises(UserError, match=r"misses to_rgb.bias and 0 more"):
        load_snapshot(path)
    save_file(tensors | {"to_rgb.bias": torch.zeros(4)}, path, metadata)
    with pytest.raises(UserError, match=r"to_rgb.bias is \[4\], not \[3\]"):
        load_snapshot(path)
    save_file(tensors, path, metadata | {"info": "{}"})
    with pytest.raises(UserError, match="damaged description"):
        load_snapshot(path)


def test_states_hold_tensors_and_plain_values_only(tmp_path):
    path = tmp_path / "state.pt"
    save_state(path, {"step": 3, "weights": {"a": torch.ones(2)}})
    assert load_state(path)["step"] == 3

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"step": Evil()}, path)
    with pytest.raises(UserError, match="not a readable training state"):
        load_state(path)
    assert not (tmp_path / "executed").exists()


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, lambda temporary: temporary.write_text("old"))

    def half(temporary):
        temporary.write_text("ha")
        raise OSError(28, "No space left on device", str(temporary))

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_files_are_readable_by_others(tmp_path):
    path = tmp_path / "student.safetensors"
    save_random_student(path, CONFIG)
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("kind", ["state", "snapshot"])
def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path, kind):
    """A limit on the size of files is what a full disk looks like to both libraries."""
    path = tmp_path / "file"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    save = {
        "state": lambda: save_state(path, {"weights": torch.zeros(10_000)}),
        "snapshot": lambda: save_random_student(path, CONFIG),
    }
    try:
        with pytest.raises((UserError, OSError)) as error:
            save[kind]()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(error.value)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
