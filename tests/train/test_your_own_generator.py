"""The page train/YOUR_OWN_GENERATOR.md, up to the student; tests/deploy has the rest."""

import numpy as np
import pytest
import torch
from own_generator import blocks, commands, make_folder, run
from toy_generator import CLASSES

from train import collect
from train.adapted_teacher import ResizedTeacher
from train.images import to_bytes
from train.noise import SAMPLERS, consecutive_seeds, draw_latents
from train.pairs import PairDataset
from train.snapshot import load_snapshot
from train.teacher import open_teacher


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's folder after the first three commands."""
    folder = tmp_path_factory.mktemp("mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_folder(folder)
        for command in commands()[:3]:
            run(command)
    return folder


def test_the_pairs_have_the_law_the_names_and_a_students_size(folder):
    pairs = PairDataset(folder / "data" / "pairs")
    assert (pairs.settings.sampler, pairs.truncation) == (SAMPLERS["normal"], 1.0)
    assert (pairs.settings.names, pairs.image_size, pairs.z_dim, len(pairs)) == (CLASSES, 32, 12, 40)
    z, y, _ = pairs.gather(np.arange(6))
    assert np.array_equal(z, draw_latents(SAMPLERS["normal"], consecutive_seeds(0, 6), 12, 1.0))
    assert y.tolist() == [0, 1, 2, 3, 4, 0]


def test_the_student_has_five_named_classes(folder):
    generator, info = load_snapshot(folder / "runs" / "mine" / "student.safetensors")
    assert info.classes == dict(enumerate(CLASSES))
    assert (info.sampler, info.truncation, info.teacher_classes) == (SAMPLERS["normal"], 1.0, {})
    assert (generator.config.num_classes, generator.config.image_size, generator.config.z_dim) == (5, 32, 12)
    assert (folder / "runs" / "mine" / "samples" / "real-labels.png").is_file()


def test_some_classes_are_counted_anew(folder, monkeypatch):
    monkeypatch.chdir(folder)
    ask = ["--teacher", "my_generator.py:draw", "--classes", "1,4", "--renumber", "--per-class", "2"]
    collect.main([*ask, "--out", "data/two", "--device", "cpu"])
    two, five = PairDataset(folder / "data" / "two"), PairDataset(folder / "data" / "pairs")
    assert (two.settings.names, two.settings.teacher_classes, two.num_classes) == (["bee", "eel"], [1, 4], 2)
    z, y, images = two.gather(np.arange(2))
    assert y.tolist() == [0, 1]
    expected = five.gather(np.arange(2))
    assert torch.equal(z, expected[0])  # a latent depends on the seed and its place alone
    assert not torch.equal(images[0], expected[2][0])
    teacher = ResizedTeacher(open_teacher("my_generator.py:draw"), 32)
    assert np.array_equal(images, to_bytes(teacher(z, torch.tensor([1, 4]))))


def test_images_made_elsewhere_are_stored_as_the_page_says(folder, monkeypatch):
    monkeypatch.chdir(folder)
    z, y, images = PairDataset(folder / "data" / "pairs").gather(np.arange(40))
    np.save("z.npy", z.numpy())
    np.save("y.npy", y.numpy())
    np.savez("images.npz", images=images.numpy())
    command = blocks()[1].strip()
    assert command.startswith("python train/collect.py --from images --latents z.npy --labels y.npy")
    words = command.replace("--from images", "--from images.npz").replace("data/pairs", "data/stored").split()[2:]
    collect.main(words)
    stored = PairDataset(folder / "data" / "stored")
    assert torch.equal(stored.gather(np.arange(40))[2], images)
    assert stored.settings.sampler == SAMPLERS["normal"]
