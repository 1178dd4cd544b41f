"""Golden latents and images."""

import numpy as np
import pytest
import torch

from deploy.golden import COUNT, load_golden, make_golden
from deploy.source import open_source
from train.errors import UserError
from train.noise import truncated_normal


def test_they_come_back_as_they_were_stored(export_run, tmp_path):
    golden = make_golden(open_source(export_run))
    golden.save(tmp_path / "golden.npz")
    loaded = load_golden(tmp_path / "golden.npz")
    for name in ("seeds", "z", "y"):
        assert np.array_equal(getattr(loaded, name), getattr(golden, name))
    assert loaded.images.keys() == {"float", "int8"}
    assert all(np.array_equal(loaded.images[name], golden.images[name]) for name in golden.images)
    assert all(np.array_equal(a, b) for a, b in zip(loaded.inputs(3), golden.inputs(3), strict=True))


def test_each_image_is_the_students_of_its_seed_and_class(export_run):
    source = open_source(export_run)
    golden = make_golden(source)
    assert len(golden.z) == COUNT >= 32
    assert set(golden.y) == {0, 1, 2}
    assert np.array_equal(golden.z, truncated_normal(golden.seeds, 8, source.info.truncation))
    weights = torch.eye(3)[golden.y[5]][None]
    with torch.no_grad():
        image = source.quantized["int8"](torch.from_numpy(golden.z[5:6]), weights)
    assert torch.equal(image[0], torch.from_numpy(golden.images["int8"][5]))


def test_the_first_images_are_plain_bytes_for_apps(export_run, tmp_path):
    golden = make_golden(open_source(export_run))
    files = golden.save_first_images(tmp_path)
    assert files == {"float": "golden_float.rgb", "int8": "golden_int8.rgb"}
    for name, file in files.items():
        picture = np.frombuffer((tmp_path / file).read_bytes(), np.uint8).reshape(32, 32, 3)
        levels = np.clip(golden.images[name][0].transpose(1, 2, 0) * np.float32(127.5) + 128, 0, 255)
        assert np.array_equal(picture, levels.astype(np.uint8))


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "golden.npz"
    with pytest.raises(UserError, match="no golden images"):
        load_golden(path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(UserError, match="is damaged"):
        load_golden(path)
