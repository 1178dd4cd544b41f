import numpy as np
import torch

from train.images import from_bytes, save_png, sheet, to_bytes


def test_the_pixel_rule():
    values = torch.tensor([-1.0, -2.0, 0.0, 1.0, 2.0, float("nan"), 0.0039, -0.004])
    images = values.reshape(1, 1, 1, 8).repeat(1, 3, 1, 1)
    assert to_bytes(images)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255, 0, 128, 127]


def test_every_byte_survives_the_round_trip():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).repeat(1, 1, 1, 3)
    assert torch.equal(torch.from_numpy(to_bytes(from_bytes(levels))), levels)


def test_a_sheet_puts_rows_under_one_another(tmp_path):
    top, bottom = np.zeros((3, 4, 4, 3), np.uint8), np.full((3, 4, 4, 3), 200, np.uint8)
    picture = np.asarray(sheet([top, bottom], scale=2))
    assert picture.shape == (18, 24, 3)
    assert (picture[:8] == 0).all()
    assert (picture[8:10] == 255).all()
    assert (picture[10:] == 200).all()
    grouped = np.asarray(sheet([top, bottom], group=1))
    assert (grouped[4:12] == 255).all() and (grouped[12:] == 200).all()
    assert sheet([top, bottom], labels=["a", "b"]).height > 8
    long = np.asarray(sheet([np.zeros((2, 32, 32, 3), np.uint8)], labels=["a very long label", ""]))
    assert (long[:12, 32:] == 255).all()  # it does not run into the next column
    save_png(sheet([top]), tmp_path / "new" / "sheet.png")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["sheet.png"]
