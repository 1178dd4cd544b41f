"""Groups of like vectors of about equal size: k-means on directions, with bounds on how many a group has."""

import dataclasses
import math

import numpy as np
from scipy.optimize import linear_sum_assignment

_RESTARTS = 10
_ROUNDS = 100
_NOTHING = 1e-9
_MUST = 1e6  # cost that no sum of similarities comes to


@dataclasses.dataclass(frozen=True)
class Clustering:
    """Groups, in the order of their first members."""

    members: list[list[int]]
    """Positions of the vectors of each group, rising."""
    middles: list[int]
    """The position of the vector nearest to each group's centre."""
    similarity: list[float]
    """Mean cosine of each group's vectors to its centre, the mean of all vectors being the origin."""
    next_similarity: list[float]
    """The same to the next group's centre: for each vector the nearest one that is not its own."""


def cluster(vectors: np.ndarray, count: int, balance: float, seed: int) -> Clustering:
    """Divide vectors into groups of like ones.

    Spherical k-means, begun several times by k-means++; each round is the best assignment that keeps the bounds
    (Bradley, Bennett and Demiriz, "Constrained k-means clustering", 2000), found as a linear assignment to places.

    Args:
        vectors: [N, D].
        count: of groups, 2 to N.
        balance: a group has at most `balance` times the average number of vectors and at least the average divided
            by it, rounded so that it can be kept.
        seed: of the beginnings.
    """
    centred = vectors - vectors.mean(axis=0)
    # A vector that is the mean has no direction; it stays at the origin, as far from one centre as from another.
    units = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    least = max(1, math.floor(len(units) / count / balance))
    most = math.ceil(len(units) / count * balance)
    random = np.random.default_rng(seed)
    runs = [_k_means(units, _begin(units, count, random), least, most) for _ in range(_RESTARTS)]
    groups, centres = max(runs, key=lambda run: float((units * run[1][run[0]]).sum()))
    order = sorted(range(count), key=lambda group: int(np.flatnonzero(groups == group)[0]))
    return _described(units, groups, centres, order)


def _begin(units: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Return centres by k-means++, float64 [count, D]: each new one is a vector, likelier the farther it is."""
    chosen = [int(random.integers(len(units)))]
    while len(chosen) < count:
        distance = np.clip(1 - units @ units[chosen].T, 0, None).min(axis=1)
        distance[chosen] = 0
        total = distance.sum()
        if total < _NOTHING:  # all that are left equal one that is chosen
            distance = np.ones(len(units))
            distance[chosen] = 0
            total = distance.sum()
        chosen.append(int(random.choice(len(units), p=distance / total)))
    return units[chosen]


def _k_means(units: np.ndarray, centres: np.ndarray, least: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the group of each vector, int64 [N], and the centres, float64 [count, D]."""
    groups = _assign(units @ centres.T, least, most)
    for _ in range(_ROUNDS):
        sums = np.stack([units[groups == group].sum(axis=0) for group in range(len(centres))])
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        previous, groups = groups, _assign(units @ centres.T, least, most)
        if np.array_equal(previous, groups):
            break
    return groups, centres


def _assign(similarity: np.ndarray, least: int, most: int) -> np.ndarray:
    """Return the group of each vector of the greatest sum of similarities, `least` to `most` vectors in each."""
    free = similarity.argmax(axis=1)
    counts = np.bincount(free, minlength=similarity.shape[1])
    if least <= counts.min() and counts.max() <= most:
        return free
    # Every group has `most` places, and the first `least` of them have to be taken.
    places = np.repeat(similarity, most, axis=1)
    places[:, np.arange(places.shape[1]) % most < least] += _MUST
    _, taken = linear_sum_assignment(places, maximize=True)
    return taken // most


def _described(units: np.ndarray, groups: np.ndarray, centres: np.ndarray, order: list[int]) -> Clustering:
    similarity = units @ centres.T
    members = [np.flatnonzero(groups == group) for group in order]
    others = similarity.copy()
    others[np.arange(len(units)), groups] = -np.inf
    return Clustering(
        [positions.tolist() for positions in members],
        [int(positions[similarity[positions, g].argmax()]) for g, positions in zip(order, members, strict=True)],
        [float(similarity[positions, group].mean()) for group, positions in zip(order, members, strict=True)],
        [float(others[positions].max(axis=1).mean()) for positions in members],
    )
