"""The embedded data set, scikit-learn's handwritten digits, and a judge of generated ones."""

import dataclasses
import functools

import numpy as np
from PIL import Image

from train.images import within_class_deviation

SIZE, CLASSES = 32, 10
_SOURCE_SIZE, _SOURCE_LEVELS = 8, 16  # the data set's own pixels and grey levels
_FIT_SEED = 0  # which half of the real digits the judge is fitted on


@functools.cache
def real_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the 1,797 digits as RGB: images uint8 [N, 32, 32, 3], white on black, and labels int64 [N]."""
    from sklearn.datasets import load_digits

    flat, labels = load_digits(return_X_y=True)
    images = np.empty((len(labels), SIZE, SIZE, 3), dtype=np.uint8)
    for index, image in enumerate(flat.reshape(-1, _SOURCE_SIZE, _SOURCE_SIZE)):
        small = Image.fromarray(np.round(image * (255 / _SOURCE_LEVELS)).astype(np.uint8))
        images[index] = np.asarray(small.resize((SIZE, SIZE), Image.Resampling.BICUBIC))[:, :, None]
    return images, np.asarray(labels, np.int64)


def _judge_input(images: np.ndarray) -> np.ndarray:
    """Bring uint8 [N, 32, 32, 3] back to the data set's 8×8 pixels and 16 levels: float [N, 64]."""
    step = SIZE // _SOURCE_SIZE
    grey = images.mean(axis=3).reshape(-1, _SOURCE_SIZE, step, _SOURCE_SIZE, step).mean(axis=(2, 4))
    return grey.reshape(len(images), -1) * (_SOURCE_LEVELS / 255)


@functools.cache
def _judge():
    """Fit a support-vector classifier on half of the real digits; return it with its accuracy on the rest."""
    from sklearn.svm import SVC

    images, labels = real_digits()
    order = np.random.default_rng(_FIT_SEED).permutation(len(labels))
    fit, rest = order[: len(order) // 2], order[len(order) // 2 :]
    classifier = SVC(kernel="rbf", gamma=0.001, C=10)  # pyright: ignore[reportArgumentType]
    classifier.fit(_judge_input(images[fit]), labels[fit])
    return classifier, float(classifier.score(_judge_input(images[rest]), labels[rest]))


def judge_accuracy() -> float:
    """Return the judge's accuracy on the half of the real digits that it was not fitted on."""
    return _judge()[1]


def recognised(images: np.ndarray, y: np.ndarray) -> float:
    """Return the share of images, uint8 [N, 32, 32, 3], that the judge takes for the class asked for, y [N]."""
    return float(_judge()[0].score(_judge_input(images), y))


def diversity(images: np.ndarray, y: np.ndarray) -> float:
    """Return the within-class deviation of `images` over the real digits' of the classes in y; 1 is as varied."""
    reals, labels = real_digits()
    asked = np.isin(labels, y)
    return within_class_deviation(images, y) / within_class_deviation(reals[asked], labels[asked])


def class_mean_distance(images: np.ndarray, y: np.ndarray) -> float:
    """Return the L1 in [0, 2] of `images` to the mean image of their class: what ignoring z costs."""
    pixels = images.astype(np.float64) / 127.5
    distances = [
        np.abs(pixels[y == label] - pixels[y == label].mean(axis=0)).mean(axis=(1, 2, 3)) for label in np.unique(y)
    ]
    return float(np.concatenate(distances).mean())


@dataclasses.dataclass(frozen=True)
class DigitQuality:
    """Three figures that only mean something together: a collapsed model passes the first."""

    recognised: float
    """Share recognised as the class asked for."""
    diversity: float
    """Within-class deviation over that of the real digits of the same classes."""
    l1_to_teacher: float | None
    """Mean absolute difference to the teacher's image of the same z and y, in [0, 2]."""
    l1_of_class_mean: float | None
    """The same for the teacher's mean image of each class: the yardstick of `l1_to_teacher`."""


def measure(images: np.ndarray, y: np.ndarray, teacher: np.ndarray | None = None) -> DigitQuality:
    """Judge generated digits, uint8 [N, 32, 32, 3], asked for as y [N]; `teacher`: its images, likewise."""
    l1 = class_mean = None
    if teacher is not None:
        l1 = float(np.abs(images.astype(np.float64) - teacher).mean() / 127.5)
        class_mean = class_mean_distance(teacher, y)
    return DigitQuality(recognised(images, y), diversity(images, y), l1, class_mean)
