import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from stand_ins import save_random_student

from train.errors import UserError
from train.generator import GeneratorConfig
from train.snapshot import load_snapshot, load_student

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


def test_a_form_that_nothing_installed_reads_is_said_with_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "student_int8.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"format": "tinygan-edge-int8-student-1"})
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [])  # no package metadata
    with pytest.raises(UserError, match=r"which nothing that is installed reads; pip install .*\[compress\]"):
        load_student(path)


def test_a_snapshot_with_missing_or_reshaped_weights(tmp_path):
    path = tmp_path / "student.safetensors"
    save_random_student(path, CONFIG)
    info = json.dumps({"generator": CONFIG.record(), "classes": {}, "truncation": 0.5, "source": "", "images": 0})
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
