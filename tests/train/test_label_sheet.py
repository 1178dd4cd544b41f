import numpy as np
from PIL import Image

from train.classes import class_names
from train.label_sheet import write_label_sheet
from train.reals import RealImages


def plain_reals(count, num_classes, side):
    """Images whose level is 10 times their class."""
    labels = np.arange(count) % num_classes
    return RealImages(
        np.full((count, side, side, 3), 10, np.uint8) * labels[:, None, None, None].astype(np.uint8),
        labels,
        "test",
    )


def test_label_sheet(tmp_path):
    write_label_sheet(plain_reals(20, 5, 32), class_names(10), tmp_path / "new" / "sheet.png", per_class=3)
    sheet = np.asarray(Image.open(tmp_path / "new" / "sheet.png").convert("L")).astype(int)
    assert sheet.shape[0] == 5 * (64 + 4)
    left = sheet.shape[1] - 3 * 64
    for row in range(5):
        top = row * 68
        assert (sheet[top : top + 64, left:] == 10 * row).all()
        text = sheet[top : top + 64, :left]
        assert text.min() < 100
        assert (text[:, :4] == 255).all()  # not cut
        assert (text[:2] == 255).all()
        assert (text[-2:] == 255).all()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["sheet.png"]


def test_label_sheet_says_what_it_leaves_out(tmp_path):
    write_label_sheet(plain_reals(25, 25, 64), class_names(1000), tmp_path / "sheet.png", max_classes=5)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("L")).astype(int)
    assert sheet.shape[0] == 5 * 68 + 24  # one more line: 5 of 25 classes
    assert [sheet[row * 68, -1] for row in range(5)] == [0, 50, 100, 150, 200]  # evenly spread
    assert sheet[5 * 68 :].min() < 100
