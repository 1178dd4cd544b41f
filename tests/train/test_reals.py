import io
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path
from struct import pack
from zlib import compress, crc32

import numpy as np
import pytest
from PIL import Image

from train.errors import UserError
from train.naming import numbered
from train.photo_sets import classes_in
from train.reals import RealImages, open_reals

SHARED_PACK = Path(__file__).parents[3] / "shared" / "data" / "test_animals64_8x16.npz"
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def save(path, colour=RED, size=(8, 8), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path, **options)


def folder_of_two(tmp_path):
    save(tmp_path / "reals" / "1" / "a.png", GREEN)
    save(tmp_path / "reals" / "0" / "b.png", BLUE)
    save(tmp_path / "reals" / "0" / "a.png", RED)
    return tmp_path / "reals"


def jpeg_bytes(colour, size=(8, 8)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, format="JPEG", quality=95)
    return np.frombuffer(file.getvalue(), np.uint8)


def write_pack(path, files, labels, **changes):
    fields = {
        "jpeg": np.concatenate(files),
        "offsets": np.cumsum([0, *map(len, files)], dtype=np.int64),
        "label": np.array(labels, dtype=np.int16),
    }
    fields = {name: value for name, value in (fields | changes).items() if value is not None}
    np.savez(path, **fields)
    return path


def load_one(path, tmp_path, size=8):
    """Load the folder's only image: uint8 [size, size, 3]."""
    reals = open_reals(str(path), size, [0], 10, tmp_path / "cache")
    assert reals.images.shape == (1, size, size, 3)
    return reals.images[0]


def assert_refuses(complaint, path, tmp_path, classes=(0, 1), num_classes=10):
    cache = tmp_path / "cache"
    with pytest.raises(UserError) as caught:
        open_reals(str(path), 8, classes, num_classes, cache)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not cache.exists() or not list(cache.iterdir())


def test_folder(tmp_path):
    reals = open_reals(str(folder_of_two(tmp_path)), 8, [1, 0, 1], 10, tmp_path / "cache")
    assert reals.images.dtype == np.uint8
    assert reals.images.shape == (3, 8, 8, 3)
    assert reals.images[:, 4, 4].tolist() == [list(RED), list(BLUE), list(GREEN)]
    assert reals.labels.dtype == np.int64
    assert reals.labels.tolist() == [0, 0, 1]
    assert reals.source == str(tmp_path / "reals")
    assert not reals.images.flags.writeable
    assert {index: positions.tolist() for index, positions in reals.by_class.items()} == {0: [0, 1], 1: [2]}
    assert reals.by_class is reals.by_class


def test_by_class_of_mixed_labels():
    reals = RealImages(np.zeros((5, 2, 2, 3), np.uint8), np.array([7, 2, 7, 2, 2]), "test")
    assert {index: positions.tolist() for index, positions in reals.by_class.items()} == {
        2: [1, 3, 4],
        7: [0, 2],
    }


def test_order_does_not_follow_the_file_system(tmp_path, monkeypatch):
    path = folder_of_two(tmp_path)
    forward = open_reals(str(path), 8, [0, 1], 10, tmp_path / "forward")
    list_folder = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(sorted(list_folder(folder), reverse=True)))
    backward = open_reals(str(path), 8, [0, 1], 10, tmp_path / "backward")
    assert (forward.images == backward.images).all()
    assert (forward.labels == backward.labels).all()
    assert [p.name for p in (tmp_path / "forward").iterdir()] == [
        p.name for p in (tmp_path / "backward").iterdir()
    ]


def test_folders_named_by_wnid_name_and_index(tmp_path):
    for name in ("n01440764", "golden_retriever", "3"):
        save(tmp_path / "reals" / name / "a.png")
    reals = open_reals(str(tmp_path / "reals"), 8, [0, 3, 207], 1000, tmp_path / "cache")
    assert reals.labels.tolist() == [0, 3, 207]


def test_other_classes_are_not_read(tmp_path):
    path = folder_of_two(tmp_path)
    (path / "1" / "broken.png").write_bytes(b"x")
    assert open_reals(str(path), 8, [0], 10, tmp_path / "cache").labels.tolist() == [0, 0]


def test_second_call_does_not_decode(tmp_path, monkeypatch):
    path = folder_of_two(tmp_path)
    first = open_reals(str(path), 8, [0, 1], 10, tmp_path / "cache")
    files = sorted((tmp_path / "cache").glob("*/*"))
    assert [file.name for file in files] == ["images.npy", "labels.npy"]
    before = [file.stat().st_mtime_ns for file in files]
    monkeypatch.setattr("train.real_cache.decode_photo", lambda *_: pytest.fail("decoded again"))
    monkeypatch.chdir(tmp_path)
    for same_path in (path, Path("reals")):
        again = open_reals(str(same_path), 8, [1, 0], 10, tmp_path / "cache")
        assert isinstance(again.images, np.memmap)
        assert (again.images == first.images).all()
        assert (again.labels == first.labels).all()
    assert [file.stat().st_mtime_ns for file in files] == before


def test_a_change_makes_another_cache(tmp_path):
    path, cache = folder_of_two(tmp_path), tmp_path / "cache"
    open_reals(str(path), 8, [0, 1], 10, cache)
    open_reals(str(path), 4, [0, 1], 10, cache)
    open_reals(str(path), 8, [0], 10, cache)
    assert len(list(cache.iterdir())) == 3
    save(path / "0" / "a.png", GREEN)
    os.utime(path / "0" / "a.png", ns=(1, 1))
    changed = open_reals(str(path), 8, [0, 1], 10, cache)
    assert changed.images[0, 0, 0].tolist() == list(GREEN)
    save(path / "0" / "c.png", RED)
    assert len(open_reals(str(path), 8, [0, 1], 10, cache).labels) == 4
    assert len(list(cache.iterdir())) == 5


def test_shorter_side_is_scaled_and_the_centre_cropped(tmp_path):
    photo = Image.new("RGB", (64, 32), RED)
    photo.paste(GREEN, (16, 0, 48, 32))
    (tmp_path / "reals" / "0").mkdir(parents=True)
    photo.save(tmp_path / "reals" / "0" / "a.png")
    image = load_one(tmp_path / "reals", tmp_path)
    assert (image[:, 1:7] == GREEN).all()
    photo.rotate(90, expand=True).save(tmp_path / "reals" / "0" / "a.png")
    assert (load_one(tmp_path / "reals", tmp_path)[1:7] == GREEN).all()


def test_scaling_down_averages(tmp_path):
    checkers = ((np.indices((64, 64)).sum(axis=0) % 2) * 255).astype(np.uint8)
    (tmp_path / "reals" / "0").mkdir(parents=True)
    Image.fromarray(checkers).save(tmp_path / "reals" / "0" / "a.png")
    assert np.abs(load_one(tmp_path / "reals", tmp_path).astype(int) - 128).max() <= 4


def test_same_size_is_exact_and_smaller_is_enlarged(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 11, 3), dtype=np.uint8)
    (tmp_path / "reals" / "0").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "reals" / "0" / "a.png")
    assert (load_one(tmp_path / "reals", tmp_path) == pixels[:, 1:9]).all()
    save(tmp_path / "reals" / "0" / "a.png", BLUE, (3, 4))
    assert (load_one(tmp_path / "reals", tmp_path) == BLUE).all()


@pytest.mark.parametrize(
    ("name", "mode", "options", "expected"),
    [
        ("a.png", "L", {}, (76, 76, 76)),
        ("a.gif", "P", {}, RED),
        ("a.jpg", "CMYK", {"quality": 100}, RED),
        ("a.bmp", "RGB", {}, RED),
        ("a.JPEG", "RGB", {"format": "PNG"}, RED),
        ("no_extension", "RGB", {"format": "WEBP", "lossless": True}, RED),
    ],
)
def test_modes_and_formats(tmp_path, name, mode, options, expected):
    save(tmp_path / "reals" / "0" / name, mode=mode, **options)
    assert np.abs(load_one(tmp_path / "reals", tmp_path).astype(int) - expected).max() <= 2


def test_sixteen_bits_keep_their_upper_eight(tmp_path):
    (tmp_path / "reals" / "0").mkdir(parents=True)
    Image.fromarray(np.full((8, 8), 200 * 256 + 255, np.uint16)).save(tmp_path / "reals" / "0" / "a.png")
    assert (load_one(tmp_path / "reals", tmp_path) == 200).all()


def test_transparency_is_laid_onto_white(tmp_path):
    path = tmp_path / "reals" / "0" / "a.png"
    path.parent.mkdir(parents=True)
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(path)
    assert (load_one(tmp_path / "reals", tmp_path) == 255).all()
    Image.new("RGBA", (8, 8), (0, 0, 0, 128)).save(path)
    assert (load_one(tmp_path / "reals", tmp_path) == 127).all()
    Image.new("LA", (8, 8), (0, 0)).save(path)
    assert (load_one(tmp_path / "reals", tmp_path) == 255).all()
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.paste(1, (4, 0, 8, 8))
    palette.save(path, transparency=bytes([0, 255]))
    image = load_one(tmp_path / "reals", tmp_path)
    assert image[0, 0].tolist() == [255, 255, 255]
    assert image[0, 7].tolist() == list(GREEN)


def test_exif_orientation_is_respected(tmp_path):
    photo = Image.new("RGB", (8, 8), RED)
    photo.paste(BLUE, (0, 0, 8, 4))  # blue above; orientation 6 says: turn clockwise, so blue at the right
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "reals" / "0").mkdir(parents=True)
    photo.save(tmp_path / "reals" / "0" / "a.png", exif=exif)
    image = load_one(tmp_path / "reals", tmp_path)
    assert (image[:, :4] == RED).all()
    assert (image[:, 4:] == BLUE).all()


def test_system_files_are_ignored(tmp_path):
    path = folder_of_two(tmp_path)
    for name in (".DS_Store", "0/.DS_Store", "0/Thumbs.db", "1/desktop.ini"):
        (path / name).write_bytes(b"x")
    (path / ".git").mkdir()
    assert len(open_reals(str(path), 8, [0, 1], 10, tmp_path / "cache").labels) == 3


# An EXIF tag that breaks its own format, in front of a good orientation.
BAD_TAGS = {
    "long as text": pack("<HHI4s", 0x0100, 2, 4, b"abc\0"),
    "short as text": pack("<HHI4s", 0x0103, 2, 4, b"abc\0"),
    "rational as bytes": pack("<HHI4s", 0x011A, 1, 4, b"abcd"),
    "unknown type": pack("<HHI4s", 0x9999, 99, 1, b"abcd"),
    "beyond the end": pack("<HHII", 0x010F, 2, 99999, 99999),
}


@pytest.mark.parametrize("tag", BAD_TAGS)
def test_a_bad_exif_tag_costs_no_photo(tmp_path, tag):
    head = b"Exif\0\0II*\0" + pack("<IH", 8, 2) + BAD_TAGS[tag]
    exif = head + pack("<HHIHH", 0x0112, 3, 1, 6, 0) + pack("<I", 0)
    photo = Image.new("RGB", (16, 16), RED)
    photo.paste(BLUE, (0, 0, 16, 8))
    (tmp_path / "reals" / "0").mkdir(parents=True)
    photo.save(tmp_path / "reals" / "0" / "a.jpg", exif=exif, quality=95)
    image = load_one(tmp_path / "reals", tmp_path, 16)
    assert abs(image[8, 2].astype(int) - image[8, 13]).max() > 200, "not turned"


def png_chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data) if checksum is None else checksum)


LARGE = compress(bytes(2_000_000))
# What stands in a PNG beside the picture, and breaks its format or Pillow's limits.
BAD_CHUNKS = {
    "large profile": png_chunk(b"iCCP", b"name\0\0" + LARGE),
    "profile in an unknown way": png_chunk(b"iCCP", b"name\0\7" + LARGE),
    "large text": png_chunk(b"zTXt", b"name\0\0" + LARGE),
    "large XMP": png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "text with a wrong checksum": png_chunk(b"tEXt", b"name\0text", 1),
    "short size of pixels": png_chunk(b"pHYs", b"ab"),
}


@pytest.mark.parametrize("chunk", BAD_CHUNKS)
def test_what_is_wrong_beside_the_pixels_costs_no_photo(tmp_path, chunk):
    photo = Image.new("RGBA", (16, 16), RED)
    photo.paste((0, 0, 0, 0), (0, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    photo.save(file, "PNG", exif=exif)
    head, rest = file.getvalue()[:33], file.getvalue()[33:]
    path = tmp_path / "reals" / "0" / "a.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(head + BAD_CHUNKS[chunk] + rest)
    image = load_one(tmp_path / "reals", tmp_path, 16)
    assert image[8, 2].tolist() == list(RED) and image[8, 13].tolist() == [255, 255, 255]
    damaged = rest.index(b"IDAT") + 8
    path.write_bytes(head + BAD_CHUNKS[chunk] + rest[:damaged] + b"xxxx" + rest[damaged + 4 :])
    assert_refuses("a.png is not a readable image (", tmp_path / "reals", tmp_path / "again", [0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_come_upright(tmp_path, orientation):
    upright = Image.new("RGB", (8, 8), RED)
    upright.paste(BLUE, (0, 0, 8, 4))
    upright.paste(GREEN, (0, 0, 4, 4))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "reals" / "0").mkdir(parents=True)
    stored.save(tmp_path / "reals" / "0" / "a.png", exif=exif)
    assert (load_one(tmp_path / "reals", tmp_path) == np.asarray(upright)).all()


@pytest.mark.parametrize("mode", ["CMYK", "P", "L", "LA", "1", "YCbCr", "I;16"])
def test_modes_of_pixels(tmp_path, mode):
    image = Image.new("I;16", (8, 8), 65535) if mode == "I;16" else Image.new("RGB", (8, 8), "white").convert(mode)
    (tmp_path / "reals" / "0").mkdir(parents=True)
    image.save(tmp_path / "reals" / "0" / "a.tiff")
    assert (load_one(tmp_path / "reals", tmp_path) >= 254).all()


def damaged_folder(tmp_path, count=3):
    path = folder_of_two(tmp_path)
    for index in range(count):
        (path / "0" / f"broken-{index}.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return path


def test_all_damaged_photos_are_named_at_once(tmp_path):
    path = damaged_folder(tmp_path)
    with pytest.raises(
        UserError, match=r"^3 of 6 photos are damaged: .*broken-0.*broken-1.*broken-2.* or leave out 3$"
    ):
        open_reals(str(path), 8, [0, 1], 10, tmp_path / "cache", remedy=" or leave out {count}")
    with pytest.raises(UserError, match=r"30 of 33 photos .* and 10 more; replace"):
        open_reals(str(damaged_folder(tmp_path, 30)), 8, [0, 1], 10, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_so_many_damaged_photos_may_be_left_out(tmp_path, capsys):
    path = damaged_folder(tmp_path)
    for _ in ("decoded", "from the cache"):
        reals = open_reals(str(path), 8, [0, 1], 10, tmp_path / "cache", damaged=3)
        assert reals.labels.tolist() == [0, 0, 1]
        assert reals.images[:, 4, 4].tolist() == [list(RED), list(BLUE), list(GREEN)]
        assert "3 damaged photos are left out: " in capsys.readouterr().out
    with pytest.raises(UserError, match="3 of 6 photos are damaged"):
        open_reals(str(path), 8, [0, 1], 10, tmp_path / "cache", damaged=2)


def test_a_class_is_not_left_out_with_its_photos(tmp_path):
    path = damaged_folder(tmp_path, 0)
    (path / "1" / "a.png").write_bytes(b"x")
    with pytest.raises(UserError, match="all photos of class 1 are damaged"):
        open_reals(str(path), 8, [0, 1], 10, tmp_path / "cache", damaged=1)


def tiny_imagenet(root):
    for wnid in ("n01443537", "n01629819"):
        save(root / "train" / wnid / "images" / f"{wnid}_0.JPEG", RED)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("")
    (root / "wnids.txt").write_text("")
    save(root / "val" / "images" / "val_0.JPEG", BLUE)
    save(root / "val" / "images" / "val_1.JPEG", BLUE)
    (root / "val" / "val_annotations.txt").write_text(
        "val_0.JPEG\tn01443537\t0\t0\t1\t1\nval_1.JPEG\tn01629819\t0\n"
    )


@pytest.mark.parametrize("place", ["", "train", "val"])
def test_tiny_imagenets_layout(tmp_path, place):
    tiny_imagenet(tmp_path / "tiny")
    path = tmp_path / "tiny" / place
    assert classes_in(path, numbered(1000)) == [1, 25]
    assert open_reals(str(path), 8, [1, 25], 1000, tmp_path / "cache").labels.tolist() == [1, 25]


@pytest.mark.parametrize("inner", ["train", "Data/CLS-LOC/train", "ILSVRC/Data/CLS-LOC/train"])
def test_imagenets_layout(tmp_path, inner):
    save(tmp_path / "imagenet" / inner / "n01440764" / "n01440764_1.JPEG")
    (tmp_path / "imagenet" / "LOC_synset_mapping.txt").write_text("")
    for path in (tmp_path / "imagenet", tmp_path / "imagenet" / inner):
        assert open_reals(str(path), 8, [0], 1000, tmp_path / "cache").labels.tolist() == [0]


@pytest.mark.parametrize(
    ("names", "classes"), [(("3", "03"), 10), (("Goldfish", "goldfish"), 1000), (("n01440764", "0"), 1000)]
)
def test_two_folders_of_one_class_are_named(tmp_path, names, classes):
    for name in names:
        save(tmp_path / "reals" / name / "a.png")
    with pytest.raises(UserError, match=r"two folders of class \d+, .*; merge them") as error:
        classes_in(tmp_path / "reals", numbered(classes))
    assert all(repr(name) in str(error.value) for name in names)


def test_refuses_files_that_are_no_images(tmp_path):
    path = folder_of_two(tmp_path)
    (path / "0" / "notes.txt").write_text("hello")
    assert_refuses("notes.txt is not a readable image (unknown format)", path, tmp_path)
    (path / "0" / "notes.txt").unlink()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    noise.save(path / "0" / "cut.jpg")
    (path / "0" / "cut.jpg").write_bytes((path / "0" / "cut.jpg").read_bytes()[:1500])
    assert_refuses("cut.jpg is not a readable image (", path, tmp_path)
    (path / "0" / "cut.jpg").unlink()
    Image.new("F", (8, 8)).save(path / "0" / "float.tiff")
    assert_refuses("float.tiff is not a readable image (F pixels have no fixed range", path, tmp_path)


def test_refuses_what_is_out_of_place(tmp_path):
    assert_refuses("no real images at", tmp_path / "absent", tmp_path)
    path = folder_of_two(tmp_path)
    assert_refuses("no real images at", path / "0" / "a.png", tmp_path)
    (path / "cats").mkdir()
    assert_refuses("reals has a folder that fits no class: 'cats' is no class", path, tmp_path)
    (path / "cats").rmdir()
    (path / "0" / "more").mkdir()
    assert_refuses("more is no file; class folders hold images only", path, tmp_path)
    (path / "0" / "more").rmdir()
    save(path / "loose.png")
    assert_refuses("loose.png lies outside the class folders", path, tmp_path)


def test_refuses_classes_without_images(tmp_path):
    path = folder_of_two(tmp_path)
    (path / "2").mkdir()
    assert_refuses("no images of 1 of the 3 classes (2); add some or choose", path, tmp_path, [0, 1, 2])
    assert_refuses("no images of 7 of the 8 classes (2, 3, 4, 5, …)", path, tmp_path, range(1, 9))
    assert_refuses("no images of 1 of the 2 classes (207 golden retriever)", path, tmp_path, [0, 207], 1000)
    assert_refuses("no images of 0 of the 0 classes", path, tmp_path, [])


def test_refuses_a_full_disk(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))
    path = folder_of_two(tmp_path)
    with pytest.raises(UserError, match=r"need 0\.009 GB at .*cache, where 0\.001 GB are free; make room"):
        open_reals(str(path), 1000, [0, 1], 10, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_refuses_a_damaged_cache(tmp_path):
    path = folder_of_two(tmp_path)
    open_reals(str(path), 8, [0, 1], 10, tmp_path / "cache")
    [images] = (tmp_path / "cache").glob("*/images.npy")
    images.write_bytes(images.read_bytes()[:200])
    with pytest.raises(UserError, match=r"is damaged .*; delete that folder"):
        open_reals(str(path), 8, [0, 1], 10, tmp_path / "cache")
    images.unlink()
    with pytest.raises(UserError, match=r"is damaged .*; delete that folder"):
        open_reals(str(path), 8, [0, 1], 10, tmp_path / "cache")


def test_a_killed_run_leaves_nothing_that_a_later_one_trusts(tmp_path):
    path, cache = folder_of_two(tmp_path), tmp_path / "cache"
    program = (
        "import os, sys; from pathlib import Path\n"
        "import train.real_cache as cache; from train.reals import open_reals\n"
        "cache.decode_photo = lambda *_: os._exit(9)\n"
        "open_reals(sys.argv[1], 8, [0, 1], 10, Path(sys.argv[2]))"
    )
    died = subprocess.run([sys.executable, "-c", program, path, cache], capture_output=True, check=False)
    assert died.returncode == 9
    [abandoned] = [entry for entry in cache.iterdir() if entry.is_dir()]
    assert {file.name for file in abandoned.rglob("*.npy")} == {"images.npy"}
    assert len(open_reals(str(path), 8, [0, 1], 10, cache).labels) == 3
    assert not abandoned.exists()


def test_another_run_may_finish_first(tmp_path, monkeypatch):
    path, cache = folder_of_two(tmp_path), tmp_path / "cache"
    first = open_reals(str(path), 8, [0, 1], 10, tmp_path / "elsewhere")

    @contextmanager
    def locked_late(folder, *_, **__):
        shutil.copytree(tmp_path / "elsewhere" / name, cache / name)
        yield

    [name] = [entry.name for entry in (tmp_path / "elsewhere").iterdir()]
    monkeypatch.setattr("train.real_cache.locked", locked_late)
    monkeypatch.setattr("train.real_cache.decode_photo", lambda *_: pytest.fail("decoded again"))
    assert (open_reals(str(path), 8, [0, 1], 10, cache).images == first.images).all()
    assert len(list(cache.iterdir())) == 1


def test_pack(tmp_path, monkeypatch):
    files = [jpeg_bytes(GREEN), jpeg_bytes(RED, (20, 16)), jpeg_bytes(BLUE), jpeg_bytes(RED)]
    path = write_pack(tmp_path / "pack.npz", files, [5, 0, 9, 5])
    reals = open_reals(str(path), 8, [0, 5], 10, tmp_path / "cache")
    assert reals.labels.tolist() == [5, 0, 5]
    expected = np.array([GREEN, RED, RED])[:, None, None]
    assert np.abs(reals.images.astype(int) - expected).max() <= 3
    monkeypatch.setattr("train.reals.read_pack", lambda *_: pytest.fail("read again"))
    assert (open_reals(str(path), 8, [0, 5], 10, tmp_path / "cache").images == reals.images).all()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"label": None}, "label is not a file in the archive"),
        ({"label": np.array([0, 1, 2])}, "do not cut jpeg into 3 files"),
        ({"label": np.array([0.0, 1.0])}, "damaged image pack"),
        ({"label": np.array([0, 10])}, "class 10 is outside 0-9"),
        ({"label": np.array([-1, 0])}, "class -1 is outside 0-9"),
        ({"offsets": np.array([0, 10, 20])}, "do not cut jpeg"),
        ({"offsets": np.array(0)}, "do not cut jpeg"),
        ({"jpeg": np.zeros(4, np.float32)}, "damaged image pack"),
        ({"jpeg": np.array([b"x"], dtype=object)}, "Object arrays cannot be loaded"),
    ],
)
def test_refuses_damaged_packs(tmp_path, changes, complaint):
    files = [jpeg_bytes(RED), jpeg_bytes(GREEN)]
    assert_refuses(complaint, write_pack(tmp_path / "pack.npz", files, [0, 1], **changes), tmp_path)


def test_refuses_unreadable_packs(tmp_path):
    path = write_pack(tmp_path / "pack.npz", [jpeg_bytes(RED), np.frombuffer(b"no jpeg", np.uint8)], [0, 1])
    assert_refuses(f"image 1 of {path} is not a readable image (unknown format)", path, tmp_path)
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(content)
    assert_refuses("needs readable arrays jpeg, offsets and label (Bad CRC-32", path, tmp_path)
    path.write_bytes(content[:300])
    assert_refuses("needs readable arrays jpeg, offsets and label (File is not a zip file)", path, tmp_path)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    assert_refuses("File is not a zip file", path, tmp_path)


@pytest.mark.skipif(not SHARED_PACK.is_file(), reason="the shared image packs are not beside the repository")
def test_shared_pack(tmp_path):
    classes = [1, 107, 145, 207, 281, 291, 323, 387]
    reals = open_reals(str(SHARED_PACK), 64, classes, 1000, tmp_path)
    assert reals.images.shape == (128, 64, 64, 3)
    assert {index: len(positions) for index, positions in reals.by_class.items()} == dict.fromkeys(classes, 16)
