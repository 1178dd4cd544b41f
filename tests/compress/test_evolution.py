"""The choices, budgets, and a search with a planted optimum; no networks."""

import numpy as np
import pytest

from compress.evolution import EvolutionConfig, evolve
from compress.width_space import WidthSpace, parse_count
from train.errors import UserError
from train.generator import GeneratorConfig, Widths

SPACE = WidthSpace(GeneratorConfig("dw", 16, 32, 10))
BUDGET = 2_000_000


def test_choices_are_multiples_of_eight_and_the_full_width():
    assert SPACE.choices[0] == (32, 48, 64, 80, 96, 112, 128)
    assert SPACE.choices[3] == (8, 16)
    assert WidthSpace(GeneratorConfig(channels=3, image_size=32)).choices[3] == (3,)
    assert SPACE.widths(SPACE.largest) == Widths((128, 64, 32, 16), (64, 32, 16))
    fewest, most = SPACE.reach
    assert fewest < BUDGET < most == SPACE.cost(SPACE.largest)


def test_anything_can_be_brought_within_a_budget():
    random = np.random.default_rng(0)
    for budget in (SPACE.reach[0], BUDGET):
        fitted = [SPACE.fitted(SPACE.draw(random), budget, random) for _ in range(20)]
        assert all(SPACE.cost(genes) <= budget for genes in fitted)
    assert SPACE.fitted(SPACE.largest, SPACE.reach[0], random) == SPACE.smallest
    assert SPACE.cost(SPACE.uniform(BUDGET)) <= BUDGET
    assert SPACE.uniform(SPACE.reach[1]) == SPACE.largest


@pytest.mark.parametrize("budget", [SPACE.reach[0] - 1, SPACE.reach[1]])
def test_a_budget_outside_the_reach_is_refused_with_it(budget):
    with pytest.raises(UserError, match=r"--macs 7M cannot.*reach from \d\.\d+M to 4\.\d+M"):
        SPACE.check(budget, "7M")


def test_budgets_are_read():
    assert [parse_count(text) for text in ("160M", "0.16G", "1.5k", "12")] == [160_000_000, 160_000_000, 1500, 12]
    for text in ("", "160 M", "-3M", "50%", "1e6"):
        with pytest.raises(UserError, match="is not written like 160M"):
            parse_count(text)


def planted(genes):
    """Smallest at widths that just fit: the last layers full, the first ones narrow."""
    wanted = (48, 32, 32, 16, 40, 32, 16)
    return float(sum(abs(a - b) / b for a, b in zip(genes, wanted, strict=True)))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_optimum_is_found(seed):
    wanted = (48, 32, 32, 16, 40, 32, 16)
    budget = SPACE.cost(wanted)
    best = evolve(SPACE, budget, planted, EvolutionConfig(), seed=seed)
    assert planted(best[0]) == 0
    assert all(SPACE.cost(genes) <= budget for genes in best)


def test_the_seed_decides_and_nobody_is_asked_twice():
    config = EvolutionConfig(population=12, parents=4, rounds=3)
    asked: list[tuple[int, ...]] = []

    def distance(genes):
        asked.append(genes)
        return planted(genes)

    start = [SPACE.uniform(BUDGET)]
    first = evolve(SPACE, BUDGET, distance, config, seed=0, start=start)
    assert start[0] in asked and len(set(asked)) == len(asked) <= 12 + 3 * 8
    assert evolve(SPACE, BUDGET, planted, config, seed=0, start=start) == first
    assert evolve(SPACE, BUDGET, planted, config, seed=1, start=start) != first
