import re

import numpy as np
import pytest
from PIL import Image

from train import collect
from train.errors import UserError
from train.given_pairs import check_law
from train.noise import SAMPLERS, consecutive_seeds, draw_latents
from train.pairs import PairDataset

COUNT = 9
LABELS = np.array([0, 2, 2, 0, 2, 2, 2, 0, 2])  # three and six; nothing of class 1


@pytest.fixture
def files(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (COUNT, 48, 48, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "z.npy", draw_latents(SAMPLERS["normal"], consecutive_seeds(0, COUNT), 200, 1.0))
    np.save(tmp_path / "y.npy", LABELS)
    return tmp_path


def store(files, *flags, images="images.npy"):
    given = ["--from", str(files / images), "--latents", str(files / "z.npy"), "--labels", str(files / "y.npy")]
    collect.main([*given, "--out", str(files / "pairs"), *flags])


@pytest.mark.parametrize("form", ["images.npy", "images.npz", "floats.npz", "folder"])
def test_pairs_of_any_form_and_count_become_a_collection(files, form, capsys):
    images = np.load(files / "images.npy")
    np.savez(files / "images.npz", images=images)
    np.savez(files / "floats.npz", images=images.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)
    (files / "folder").mkdir()
    for k, image in enumerate(images):
        Image.fromarray(image).save(files / "folder" / f"{k:03d}.png")
    store(files, "--names", "ant,bee,cat", "--law", "normal", "--shard-size", "4", images=form)
    pairs = PairDataset(files / "pairs")
    z, y, stored = pairs.gather(np.arange(COUNT))
    assert np.array_equal(z, np.load(files / "z.npy")) and y.tolist() == LABELS.tolist()
    assert stored.shape == (COUNT, 32, 32, 3)
    # 48 px → 32 px: the mean of an image stays
    assert np.allclose(stored.float().mean((1, 2, 3)), images.mean((1, 2, 3)), atol=0.6)
    settings = pairs.settings
    assert (settings.sampler, settings.truncation) == (SAMPLERS["normal"], 1.0)
    assert (pairs.classes, settings.names, pairs.num_classes) == ([0, 2], ["ant", "bee", "cat"], 3)
    assert [pairs.first_of(0, 4), pairs.first_of(2, 4)] == [[0, 3, 7], [1, 2, 4, 5]]
    some = PairDataset(files / "pairs", classes=[0])
    assert (len(some), some.first_of(0, 2), some.gather(np.arange(3))[1].tolist()) == (3, [0, 1], [0, 0, 0])
    some = PairDataset(files / "pairs", classes=[0])
    assert (len(some), some.first_of(0, 2), some.gather(np.arange(3))[1].tolist()) == (3, [0, 1], [0, 0, 0])
    said = capsys.readouterr().out
    assert "48 px are brought to 32 px" in said and "has no image of 1 of the 3 classes: 1" in said
    store(files, "--names", "ant,bee,cat", "--law", "normal", "--shard-size", "4", images=form)


# How the first image may lie in a folder → what is written there; the second one is 10.png.
AS_THEY_ARE = {
    "plain": lambda image: image,
    "16 bits": lambda image: Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) << 8),
    "palette": lambda image: image.quantize(4),
    "transparent": lambda image: image.convert("RGBA"),
}


@pytest.mark.parametrize("kind", AS_THEY_ARE)
def test_images_count_by_the_numbers_in_their_names(files, kind):
    folder = files / "folder"
    folder.mkdir()
    levels = (200, 40)
    for level, name in zip(levels, ("2.png", "10.png"), strict=True):
        AS_THEY_ARE[kind](Image.new("RGB", (32, 32), (level,) * 3)).save(folder / name)
    (folder / "._2.png").write_bytes(b"what a desktop leaves")
    for name in ("z.npy", "y.npy"):
        np.save(files / name, np.load(files / name)[: len(levels)])
    store(files, images="folder")
    assert tuple(PairDataset(files / "pairs").gather(np.arange(2))[2][:, 0, 0, 0].tolist()) == levels


def test_a_damaged_image_is_named(files):
    (files / "folder").mkdir()
    for name in ("0.png", "1.png"):
        (files / "folder" / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"0\.png is no readable image"):
        store(files, images="folder")


def test_without_a_law_they_are_given(files):
    store(files)
    assert PairDataset(files / "pairs").settings.sampler == "given"


def test_a_float_image_is_stored_by_the_rule_of_all_images(files):
    values = np.array([-1, -0.5, 0, 0.25, 1], np.float32)
    np.save(files / "images.npy", np.broadcast_to(values[:, None, None, None], (5, 3, 32, 32)))
    np.save(files / "z.npy", np.load(files / "z.npy")[:5])
    np.save(files / "y.npy", LABELS[:5])
    store(files)
    assert PairDataset(files / "pairs").gather(np.arange(5))[2][:, 0, 0, 0].tolist() == [0, 64, 128, 159, 255]


@pytest.mark.parametrize(
    ("change", "flags", "message"),
    [
        ({"y.npy": LABELS[:5]}, [], "not whole numbers [9], one for each latent"),
        ({"y.npy": LABELS - 1}, [], "has a class -1"),
        ({"y.npy": LABELS * 1.0}, [], "holds float64"),
        ({}, ["--names", "ant,bee"], "has a class 2, and there are 2 classes"),
        ({"z.npy": np.zeros((4, 3), np.float32), "y.npy": LABELS[:4]}, [], "has 9 images, and"),
        ({"z.npy": np.full((9, 3), np.nan, np.float32)}, [], "NaN"),
        ({"z.npy": np.zeros(9, np.float32)}, [], "not float32 [N, z_dim]"),
        ({"images.npy": np.zeros((9, 48, 40, 3), np.uint8)}, [], "no squares"),
        ({"images.npy": np.zeros((9, 48, 48, 3), np.float32)}, [], "not uint8 [N, H, W, 3] or float [N, 3, H, W]"),
        ({"images.npy": np.full((9, 3, 48, 48), 3.0)}, [], "outside [-1, 1]"),
        ({"images.npy": np.zeros((9, 16, 16, 3), np.uint8)}, [], "has images of 16 px"),
        ({}, ["--law", "uniform"], "beyond 1"),
        ({}, ["--law", "sphere"], "do not follow the law sphere"),
        ({}, ["--law", "normal", "--truncation", "0.5"], "a deviation of"),
        ({}, ["--classes", "1"], "are for a teacher"),
        ({}, ["--teacher", "digits"], "give either --teacher, or --from"),
    ],
)
def test_what_does_not_match_is_refused_and_nothing_is_written(files, change, flags, message):
    for name, array in change.items():
        np.save(files / name, array)
    with pytest.raises(UserError, match=re.escape(message)):
        store(files, *flags)
    assert not list((files / "pairs").glob("shard-*/*"))


@pytest.mark.parametrize("law", SAMPLERS)
def test_latents_of_each_law_pass_for_it_and_for_no_other(law):
    z = draw_latents(SAMPLERS[law], consecutive_seeds(0, 300), 64, 0.5)
    check_law(z, SAMPLERS[law], 0.5, "latents")
    for other in SAMPLERS.keys() - {law}:
        with pytest.raises(UserError, match="do not follow"):
            check_law(z, SAMPLERS[other], 0.5, "latents")


def test_flags_that_belong_together(tmp_path):
    for flags, message in (
        (["--out", "p"], "give either"),
        (["--teacher", "digits"], "--out"),
        (["--teacher", "digits", "--out", "p", "--latents", "z.npy"], "belongs to --from"),
        (["--from", "i.npy", "--latents", "z.npy", "--out", "p"], "--labels belongs to --from"),
        (["--teacher", "digits", "--out", "p", "--law", "normal"], "a teacher says both itself"),
    ):
        with pytest.raises(UserError, match=message):
            collect.main(flags)
