from pathlib import Path

import numpy as np
import pytest
from quality_images import random_images

from benchmarks.quality.recognition import ImageNetClassifier
from train.errors import UserError
from train.reals import open_reals

SHARED = Path(__file__).parents[4] / "shared" / "data"
CLASSIFIER, LABELS = SHARED / "mobilenet_v2_1.0_224_quant.tflite", SHARED / "imagenet_labels_1001.txt"
PHOTOS = SHARED / "imagenet_sample_animals128.npz"
beside = pytest.mark.skipif(not CLASSIFIER.is_file(), reason="the shared classifier is not beside the repository")


def fixed_scores(background: int, scores: list[np.ndarray]) -> ImageNetClassifier:
    """A classifier whose scores are given, image by image."""
    classifier = object.__new__(ImageNetClassifier)
    classifier.name, classifier._background = "fixed", background
    remaining = iter(scores)
    classifier.scores = lambda image: next(remaining)
    return classifier


@pytest.mark.parametrize("background", [0, 1])
def test_agreement_counts_ranks(background):
    y = np.array([3, 3, 3, 3])
    rows = np.zeros((4, 1000 + background), np.uint8)
    for image, ahead in enumerate([0, 1, 4, 5]):  # classes with a higher score than the one asked for
        rows[image, 3 + background] = 100
        rows[image, 500 : 500 + ahead] = 200
    found = fixed_scores(background, list(rows)).agreement(random_images(0, 4), y)
    assert found == {"top1_fixed": 0.25, "top5_fixed": 0.75}


def test_a_class_behind_equal_scores_is_not_found():
    rows = np.zeros((2, 1000), np.uint8)
    rows[0, [3, 4]] = 255  # as likely as another one
    found = fixed_scores(0, list(rows)).agreement(random_images(0, 2), np.array([3, 3]))
    assert found == {"top1_fixed": 0.0, "top5_fixed": 0.5}


def test_among_the_classes_asked_for_others_do_not_count():
    rows = np.zeros((3, 1001), np.uint8)
    rows[:, 1 + 500] = 255  # a class that nobody asked for
    rows[[0, 1], [1 + 3, 1 + 4]] = 100
    rows[2, [1 + 3, 1 + 4]] = 100, 90
    found = fixed_scores(1, list(rows)).agreement(random_images(0, 3), np.array([3, 4, 4]))
    assert found == {"top1_fixed": 0.0, "top5_fixed": 1.0, "top1of2_fixed": pytest.approx(2 / 3)}


def test_classes_that_imagenet_has_not():
    with pytest.raises(UserError, match="class 1000 is no ImageNet class"):
        fixed_scores(1, []).agreement(random_images(0, 1), np.array([1000]))


def test_files_that_are_no_classifiers(tmp_path):
    with pytest.raises(UserError, match="no classifier at"):
        ImageNetClassifier(tmp_path / "absent.tflite")
    (tmp_path / "damaged.tflite").write_bytes(b"nothing")
    with pytest.raises(UserError, match="ai-edge-litert refuses") as caught:
        ImageNetClassifier(tmp_path / "damaged.tflite")
    assert "\n" not in str(caught.value)


def test_an_interpreter_that_is_not_installed(tmp_path, monkeypatch):
    (tmp_path / "a.tflite").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match=r"pip install --editable \S*\[benchmarks\]"):
        ImageNetClassifier(tmp_path / "a.tflite")


@beside
def test_the_classifier_sees_real_animals(tmp_path):
    reals = open_reals(str(PHOTOS), 128, range(398), 1000, tmp_path)
    some = slice(0, None, 8)  # of all 398: 78.6 % and 94.5 %
    classifier = ImageNetClassifier(CLASSIFIER, LABELS)
    found = classifier.agreement(reals.images[some], reals.labels[some])
    name = "mobilenet_v2_1_0_224_quant"
    assert list(found) == [f"top1_{name}", f"top5_{name}", f"top1of50_{name}"]
    assert found["top1_mobilenet_v2_1_0_224_quant"] >= 0.7 and found["top5_mobilenet_v2_1_0_224_quant"] >= 0.9
    shifted = classifier.agreement(reals.images[some], reals.labels[some] + 200)
    assert shifted["top5_mobilenet_v2_1_0_224_quant"] < 0.1


@beside
def test_labels_of_another_classifier(tmp_path):
    names = LABELS.read_text().splitlines()
    for lines, message in ((names[1:], "has 1000 lines, the first 'tench"), ([], "is empty")):
        (tmp_path / "labels.txt").write_text("\n".join(lines))
        with pytest.raises(UserError, match=message):
            ImageNetClassifier(CLASSIFIER, tmp_path / "labels.txt")
    with pytest.raises(UserError, match="cannot be read"):
        ImageNetClassifier(CLASSIFIER, tmp_path / "absent.txt")
