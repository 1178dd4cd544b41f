import json

import numpy as np
import pytest

from benchmarks.quality import intra_class
from train.errors import UserError
from train.frechet import frechet_distance, gaussian_statistics

Y = np.array([0, 1, 2] * 20 + [1] * 10)


def features(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(Y), 4)) * (1 + Y[:, None])


def test_every_class_is_compared_with_its_own_at_equal_numbers():
    reference = intra_class.class_statistics(features(0), Y, 20)
    assert [part.count for part in reference.values()] == [20, 20, 20]
    found = intra_class.class_distances(features(1), Y, 20, reference, "test")
    assert list(found) == [0, 1, 2]
    by_hand = frechet_distance(gaussian_statistics(features(1)[Y == 2]), gaussian_statistics(features(0)[Y == 2]))
    assert found[2] == pytest.approx(by_hand)
    assert found[2] > found[0]
    assert intra_class.class_counts(Y) == {0: 20, 1: 30, 2: 20}


def test_the_images_left_out_are_always_the_same():
    first, again = (intra_class.class_statistics(features(0), Y, 12) for _ in range(2))
    np.testing.assert_array_equal(first[1].mean, again[1].mean)


def test_correlation():
    a, b = {0: 1.0, 1: 2.0, 2: 4.0, 7: 9.0}, {0: 10.0, 1: 8.0, 2: 4.0, 8: 1.0}
    assert intra_class.correlation(a, b) == pytest.approx(-1)
    assert intra_class.correlation(a, {0: 1.0, 1: 2.0, 2: 1.0}) == pytest.approx(
        np.corrcoef([1, 2, 4], [1, 2, 1])[0, 1]
    )
    # Two classes always lie on a line.
    assert intra_class.correlation(a, {0: 1.0, 1: 2.0}) is None
    assert intra_class.correlation(a, dict.fromkeys(a, 3.0)) is None


def test_the_worst_come_first():
    assert intra_class.worst({0: 1.0, 3: 5.0, 1: 5.0, 2: 9.0}, 3) == [2, 1, 3]


def test_given_values(tmp_path):
    path = tmp_path / "values.json"
    path.write_text(json.dumps({"0": 75.9, "12": 3}))
    assert intra_class.read_class_values(path) == {0: 75.9, 12: 3.0}
    assert intra_class.read_class_values(None) == {}
    for text in ("[1, 2]", "{", '{"cat": 1}', '{"1": null}'):
        path.write_text(text)
        with pytest.raises(UserError, match="has no class values"):
            intra_class.read_class_values(path)
    with pytest.raises(UserError, match="has no class values"):
        intra_class.read_class_values(tmp_path / "absent.json")
