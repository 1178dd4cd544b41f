import numpy as np
import pytest

from train.clusters import cluster


def around(directions: np.ndarray, counts: list[int]) -> tuple[np.ndarray, list[int]]:
    """Vectors close to some directions, shuffled, and the direction of each."""
    random = np.random.default_rng(5)
    owners = np.repeat(np.arange(len(counts)), counts)
    random.shuffle(owners)
    return 3 + directions[owners] + 0.1 * random.normal(size=(len(owners), directions.shape[1])), owners.tolist()


def test_planted_groups_are_found():
    vectors, owners = around(4 * np.eye(6)[:4], [6, 5, 7, 6])
    found = cluster(vectors, 4, 1.5, seed=0)
    assert [sorted({owners[i] for i in members}) for members in found.members] == [
        [owner] for owner in dict.fromkeys(owners)
    ]
    assert sorted(i for members in found.members for i in members) == list(range(24))
    assert min(found.similarity) > 0.9 and max(found.next_similarity) < 0
    assert all(middle in members for middle, members in zip(found.middles, found.members, strict=True))


@pytest.mark.parametrize(("balance", "sizes"), [(1.0, [6, 7, 7]), (1.3, [5, 6, 9]), (100.0, [2, 2, 16])])
def test_groups_are_as_balanced_as_asked(balance, sizes):
    vectors, _ = around(4 * np.eye(5)[:3], [16, 2, 2])
    found = cluster(vectors, 3, balance, seed=0)
    assert sorted(map(len, found.members)) == sizes


def test_a_seed_fixes_the_groups():
    vectors = np.random.default_rng(0).normal(size=(30, 8))
    assert cluster(vectors, 5, 1.5, seed=1) == cluster(vectors, 5, 1.5, seed=1)


def test_equal_vectors_and_as_many_groups_as_vectors_are_no_trouble():
    found = cluster(np.ones((6, 3)), 3, 1.0, seed=0)
    assert sorted(map(len, found.members)) == [2, 2, 2]
    assert cluster(np.eye(4), 4, 1.5, seed=0).members == [[0], [1], [2], [3]]
