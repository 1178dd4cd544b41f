"""What draws, part by part and as bytes."""

import resource

import numpy as np
import pytest
import torch
from stand_ins import save_random_student

from benchmarks.drawing import BATCH, Drawer, Given, student_drawer, teacher_drawer
from train.errors import UserError
from train.generator import GeneratorConfig
from train.images import to_bytes
from train.noise import latents_in_turn
from train.snapshot import load_snapshot
from train.teacher import open_teacher


def test_images_are_drawn_in_parts_once_and_kept_as_bytes(tmp_path):
    parts = []

    def draw(z, y):
        parts.append(len(z))
        return np.broadcast_to(y.astype(np.uint8)[:, None, None, None], (len(y), 4, 4, 3))

    drawer = Drawer("steps", "0", lambda: draw)
    y = np.arange(2 * BATCH + 30)
    images = drawer.images(np.zeros((len(y), 3), np.float32), y, tmp_path)
    assert parts == [BATCH, BATCH, 30]
    assert isinstance(images, np.memmap) and images.dtype == np.uint8
    assert (images[:, 0, 0, 0] == y).all()
    again = drawer.images(np.zeros((len(y), 3), np.float32), y, tmp_path)
    assert len(parts) == 3 and (again == images).all()
    drawer.images(np.ones((len(y), 3), np.float32), y, tmp_path)
    assert len(parts) == 6  # other latents


def test_a_full_disk_is_one_line_and_no_crash(tmp_path):
    """A limit on the size of files is what a full disk looks like; a memory map would end the process."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    drawer = Drawer("full", "0", lambda: lambda z, y: np.zeros((len(y), 32, 32, 3), np.uint8))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot be written .*; free disk space"):
            drawer.images(np.zeros((BATCH, 3)), np.arange(BATCH), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "a/b", "long " * 100, "Käfer: 1"])
def test_any_name_is_a_file_in_the_cache(tmp_path, name):
    drawer = Drawer(name, "0", lambda: lambda z, y: np.zeros((len(y), 4, 4, 3), np.uint8))
    drawer.images(np.zeros((2, 3)), np.arange(2), tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1


def test_a_failure_leaves_no_file(tmp_path):
    def draw(z, y):
        if z[0]:
            raise OSError("unplugged")
        return np.zeros((len(y), 4, 4, 3), np.uint8)

    z = np.arange(2 * BATCH, dtype=np.float32)
    with pytest.raises(OSError, match="unplugged"):
        Drawer("half", "0", lambda: draw).images(z, z.astype(np.int64), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_students_and_teachers_draw_what_they_are(tmp_path):
    config = GeneratorConfig(channels=2, image_size=32, num_classes=10)
    save_random_student(tmp_path / "student.safetensors", config)
    z, y = latents_in_turn(range(10), 5, 20, 128, 0.5)
    student = load_snapshot(tmp_path / "student.safetensors")[0]
    latents = torch.from_numpy(z), torch.from_numpy(y)
    with torch.no_grad():
        expected = {"student": to_bytes(student(*latents)), "digits": to_bytes(open_teacher("digits")(*latents))}
    drawn = {
        "student": student_drawer("student", tmp_path / "student.safetensors").images(z, y, tmp_path),
        "digits": teacher_drawer("digits", open_teacher("digits")).images(z, y, tmp_path),
    }
    for name, images in drawn.items():
        assert np.abs(images.astype(int) - expected[name]).max() <= 1  # parts round in another order


def test_given_images_are_those_that_are_given(tmp_path):
    given = Given("theirs", "0", lambda y: np.full((len(y), 4, 4, 3), 7, np.uint8))
    assert given.images(np.zeros((5, 2)), np.arange(5), tmp_path).shape == (5, 4, 4, 3)
    assert list(tmp_path.iterdir()) == []
