import numpy as np
from PIL import Image
from quality_images import random_images

from benchmarks.quality.worst_classes import write_worst_classes
from train.reals import RealImages


def test_the_reference_lies_above_the_model_class_by_class(tmp_path):
    y = np.arange(30) % 3
    own = RealImages(random_images(0, 30), y, "int8")
    above = RealImages(random_images(1, 30), y, "teacher")
    write_worst_classes(
        tmp_path / "worst.png", {2: 31.4, 0: 2.0}, own, above, names={2: "crane, bird"}, words=("teacher", "int8")
    )
    with Image.open(tmp_path / "worst.png") as image:
        picture = np.asarray(image)
    assert picture.shape[0] == 4 * 64 + 3 * 2  # two classes, two rows, 32 px doubled
    expected = [above.images[2], own.images[2], above.images[0], own.images[0]]
    for row, image in enumerate(expected):
        doubled = image.repeat(2, axis=0).repeat(2, axis=1)
        line = picture[row * 66 : row * 66 + 64]
        starts = [x for x in range(line.shape[1] - 63) if np.array_equal(line[:, x : x + 64], doubled)]
        assert len(starts) == 1


def test_classes_with_few_images_make_narrow_rows(tmp_path):
    wide = RealImages(random_images(0, 20), np.arange(20) % 2, "a")
    few = RealImages(random_images(1, 4), np.arange(4) % 2, "b")
    for name, other in (("wide.png", wide), ("narrow.png", few)):
        write_worst_classes(tmp_path / name, {0: 1.0, 1: 0.5}, wide, other, names={}, words=("a", "b"))
    with Image.open(tmp_path / "wide.png") as whole, Image.open(tmp_path / "narrow.png") as part:
        assert whole.width - part.width == (8 - 2) * 64
