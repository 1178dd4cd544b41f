"""The latency harness, on a clock that the tests turn."""

import numpy as np
import pytest

from benchmarks.latency import interleave, monotonic_milliseconds, ratio, statistics
from train.errors import UserError


class Clocked:
    """A candidate whose runs take what `cost` says at the time."""

    def __init__(self, name, cost, diary):
        self.name, self.cost, self.diary = name, cost, diary

    def time(self, warmup, iterations):
        self.diary.append((self.name, warmup, iterations))
        return [self.cost(len(self.diary))] * iterations


def test_every_round_visits_everybody_in_another_order():
    diary = []
    candidates = {name: Clocked(name, lambda turn: 1.0, diary) for name in "abc"}
    ticks = []
    samples = interleave(candidates, rounds=4, warmup=2, iterations=5, tick=lambda: ticks.append(1))
    orders = ["".join(name for name, *_ in diary[3 * turn : 3 * turn + 3]) for turn in range(4)]
    assert orders == ["abc", "bca", "cab", "cba"]
    assert {entry[1:] for entry in diary} == {(2, 5)} and len(ticks) == 12
    assert all(len(rounds) == 4 and all(len(part) == 5 for part in rounds) for rounds in samples.values())


def test_a_machine_that_slows_down_does_not_move_the_ratio():
    diary = []
    slowing = {
        "fast": Clocked("fast", lambda turn: 1.0 * turn, diary),
        "slow": Clocked("slow", lambda turn: 3.0 * turn, diary),
    }
    samples = interleave(slowing, rounds=40, warmup=0, iterations=1)
    found = ratio(samples["slow"], samples["fast"])
    assert found["median"] == pytest.approx(3, rel=0.1)
    assert found["low"] < 3 < found["high"]
    assert ratio(samples["slow"], samples["slow"]) == {"median": 1, "low": 1, "high": 1}


def test_who_dies_is_told_of_and_the_others_go_on():
    def cost(turn):
        if turn > 3:
            raise UserError("killed")
        return 1.0

    diary, told = [], []
    candidates = {"well": Clocked("well", lambda turn: 1.0, diary), "ill": Clocked("ill", cost, diary)}
    settings = {"rounds": 4, "warmup": 0, "iterations": 1}
    samples = interleave(candidates, **settings, failed=lambda name, error: told.append((name, str(error))))
    assert told == [("ill", "killed")] and list(samples) == ["well"] and len(samples["well"]) == 4
    with pytest.raises(UserError, match="killed"):
        interleave(candidates, **settings)


def test_statistics_are_those_of_all_rounds():
    values = [[1.0, 2.0, 3.0], [4.0, 5.0, 100.0]]
    found = statistics(values)
    assert found == {
        "p50": 3.5,
        "p90": np.percentile([1, 2, 3, 4, 5, 100], 90),
        "mean": round(115 / 6, 4),
        "min": 1,
        "max": 100,
        "n": 6,
    }


def test_every_run_is_timed_by_itself():
    ticks = iter([0, 2_000_000, 10_000_000, 13_500_000])
    runs = []
    assert monotonic_milliseconds(lambda: next(ticks), lambda: runs.append(1), 2) == [2.0, 3.5]
    assert len(runs) == 2
