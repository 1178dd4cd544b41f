"""Fréchet distance within each class (intra-FID, Miyato and Koyama 2018), at equal numbers of images only."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from train.errors import UserError
from train.frechet import GaussianStatistics, frechet_distance, gaussian_statistics

ClassValues = dict[int, float]
_SEED = 0  # of the images that are left out where a class has more than are compared


def class_counts(y: np.ndarray) -> dict[int, int]:
    """Return class index → number of images, of y [N]."""
    classes, counts = np.unique(y, return_counts=True)
    return dict(zip(classes.tolist(), counts.tolist(), strict=True))


def class_statistics(features: np.ndarray, y: np.ndarray, count: int) -> dict[int, GaussianStatistics]:
    """Return class → statistics of `count` of its images, features [N, D] and y [N]; drawn with a fixed seed.

    The distance is biased by the number of images, so every class and every model gets the same number.
    """
    random = np.random.default_rng(_SEED)
    statistics = {}
    for label in np.unique(y):
        positions = np.flatnonzero(y == label)
        chosen = np.sort(random.permutation(len(positions))[:count])
        statistics[int(label)] = gaussian_statistics(features[positions[chosen]])
    return statistics


def class_distances(
    features: np.ndarray, y: np.ndarray, count: int, reference: Mapping[int, GaussianStatistics], what: str
) -> ClassValues:
    """Return class → distance of `count` of its images to the reference's; `what` is the progress bar's text."""
    found = class_statistics(features, y, count)
    return {
        label: frechet_distance(own, reference[label])
        for label, own in tqdm(found.items(), desc=what, unit="class", leave=False)
    }


def correlation(a: Mapping[int, float], b: Mapping[int, float]) -> float | None:
    """Return Pearson's correlation over the classes that both have; None for fewer than three, or equal values."""
    shared = sorted(a.keys() & b.keys())
    x, y = (np.array([values[label] for label in shared], np.float64) for values in (a, b))
    if len(shared) < 3 or not x.std() or not y.std():
        return None
    return float(np.corrcoef(x, y)[0, 1])


def worst(values: Mapping[int, float], count: int = 10) -> list[int]:
    """Return the classes with the largest values, the worst one first."""
    return sorted(values, key=lambda label: (-values[label], label))[:count]


def read_class_values(path: Path | None) -> ClassValues:
    """Read class index → value from a JSON file; nothing where there is none.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    if path is None:
        return {}
    try:
        return {int(label): float(value) for label, value in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f'{path} has no class values ({error}); write JSON such as {{"0": 75.9, "1": 68.6}}'
        ) from None
