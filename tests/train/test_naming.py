import io

import numpy as np
import pytest
from PIL import Image

from train import pack
from train.classes import class_names
from train.errors import UserError
from train.naming import named, numbered, read_lines
from train.photo_sets import classes_in, naming_of
from train.reals import open_reals

SHADES = {"zebra": 40, "ant hill": 120, "Bee": 200}


def jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 40), (shade,) * 3).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def photos(tmp_path):
    for name, shade in SHADES.items():
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for k in range(3):
            (folder / f"{k}.jpg").write_bytes(jpeg(shade + k))
    return tmp_path / "photos"


def test_any_names_count_in_the_order_of_imagenets_loader(photos):
    naming = naming_of(photos, numbered(3))
    assert naming.names == ("Bee", "ant hill", "zebra")  # Python's order of strings, as torchvision's
    assert classes_in(photos, naming) == [0, 1, 2]


@pytest.mark.parametrize("packed", [False, True])
def test_photos_go_to_the_class_of_their_name(photos, tmp_path, packed):
    source = photos
    if packed:
        source = tmp_path / "photos.npz"
        pack.main([str(photos), str(source)])
    naming = named(["Zebra", "bee", "ant_hill"])
    reals = open_reals(str(source), 32, [0, 1, 2], 3, tmp_path / "cache", naming=naming)
    means = {label: reals.images[reals.labels == label].mean() for label in (0, 1, 2)}
    assert means == pytest.approx({0: 41, 1: 201, 2: 121}, abs=1.5)
    assert naming_of(source, numbered(3)).names == ("Bee", "ant hill", "zebra")


@pytest.mark.parametrize("folder", ["Caf\u00e9 noir", "Cafe\u0301 noir", "CAF\u00c9_NOIR ", " caf\u00e9  noir"])
def test_a_folders_name_is_found_however_it_is_spelled(folder):
    assert named(["bee", "Caf\u00e9 noir"]).find(folder) == named(["bee", "Cafe\u0301 noir"]).find(folder) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_text_about_classes_is_read_as_editors_write_it(tmp_path, encoding):
    (tmp_path / "names.txt").write_bytes("Käfer\r\nbee\r\n".encode(encoding))
    assert read_lines(tmp_path / "names.txt", "names") == ["Käfer", "bee"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_text_in_another_encoding_is_one_line(tmp_path, encoding):
    (tmp_path / "names.txt").write_bytes("Käfer\n".encode(encoding))
    with pytest.raises(UserError, match=r"the names .*names\.txt cannot be read .*; save it as UTF-8"):
        read_lines(tmp_path / "names.txt", "names")


def test_another_number_of_folders_than_classes_is_refused(photos):
    with pytest.raises(UserError, match=r"--generator\.num-classes 3"):
        naming_of(photos, numbered(5))


def test_a_folder_of_no_class_is_named(photos, tmp_path):
    with pytest.raises(
        UserError, match=r"'zebra' is no class \(did you mean zebras\?\); they are zebras, bee, ant"
    ):
        open_reals(str(photos), 32, [0], 3, tmp_path, naming=named(["zebras", "bee", "ant hill"]))


def test_some_of_imagenets_classes_keep_its_ids_and_numbers():
    names = class_names(1000)
    naming = named([names[207], names[1]], [207, 1])
    found = [naming.find(name) for name in ("n02099601", "goldfish", "207", "n01484850", "3")]
    assert found == [0, 1, 0, None, None]
    assert [naming.of_number(number) for number in (207, 1, 0)] == [0, 1, None]
    with pytest.raises(UserError, match="is no class"):
        naming.find("my dog")


def test_names_tell_classes_apart():
    with pytest.raises(UserError, match="two classes are called 'Ant' and 'ant'"):
        named(["Ant", "ant"])
    with pytest.raises(UserError, match="empty name"):
        named(["ant", " "])


def test_damaged_photos_and_too_few_of_them(photos, tmp_path, capsys):
    (photos / "Bee" / "broken.jpg").write_bytes(b"none")
    with pytest.raises(UserError, match=r"not readable: .*broken.jpg; .*--damaged 1"):
        pack.main([str(photos), str(tmp_path / "p.npz")])
    pack.main([str(photos), str(tmp_path / "p.npz"), "--damaged", "1"])
    assert "9 photos of 3 classes" in capsys.readouterr().out
    with np.load(tmp_path / "p.npz") as stored:
        assert stored["label"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert stored["names"].tolist() == ["Bee", "ant hill", "zebra"]
    (photos / "Bee" / "broken.jpg").unlink()
    with pytest.raises(UserError, match=r"fewer than 4, of Bee \(3\), ant hill \(3\)"):
        pack.main([str(photos), str(tmp_path / "p.npz"), "--fewest", "4"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["none", "p.npz"], "no folder none"), ([".", "p.zip"], "must end in .npz")],
)
def test_bad_arguments(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        pack.main(arguments)
    with pytest.raises(UserError, match="has no class folders"):
        pack.main([".", "p.npz"])
