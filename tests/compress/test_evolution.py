"""The choices, budgets, and a search with a planted optimum; no networks."""

import numpy as np
import pytest

from compress.budget import Cost
from compress.evolution import EvolutionConfig, evolve
from compress.width_space import WidthSpace
from train.errors import UserError
from train.generator import GeneratorConfig, Widths

SPACE = WidthSpace(GeneratorConfig("dw", 16, 32, 10))
MACS = Cost("macs", SPACE.macs)
BUDGET = MACS.budget("2M", SPACE)


def test_choices_are_multiples_of_eight_or_four_and_the_full_width():
    assert SPACE.choices[0] == (32, 48, 64, 80, 96, 112, 128)
    assert SPACE.choices[3] == (4, 8, 12, 16)  # steps of eight would leave two
    assert WidthSpace(GeneratorConfig(channels=3, image_size=32)).choices[3] == (3,)
    assert SPACE.widths(SPACE.largest) == Widths((128, 64, 32, 16), (64, 32, 16))
    fewest, most = MACS.reach(SPACE)
    assert fewest < BUDGET.limit == 2_000_000 < most == SPACE.macs(SPACE.largest)


def test_anything_can_be_brought_within_a_budget():
    random = np.random.default_rng(0)
    least = SPACE.macs(SPACE.smallest)
    fitted = [SPACE.fitted(SPACE.draw(random), BUDGET.fits, random) for _ in range(20)]
    assert all(SPACE.macs(genes) <= BUDGET.limit for genes in fitted)
    assert SPACE.fitted(SPACE.largest, lambda genes: SPACE.macs(genes) <= least, random) == SPACE.smallest


@pytest.mark.parametrize("share", [75, 50, 35, 25])
def test_a_uniform_student_comes_near_the_budget(share):
    budget = MACS.budget(f"{share}%", SPACE)
    genes = SPACE.uniform(budget.fits)
    assert 0.8 * budget.limit < SPACE.macs(genes) <= budget.limit
    shares = [width / full for width, full in zip(genes, SPACE.largest, strict=True)]
    assert max(shares) - min(shares) < 0.15


def test_the_ends_are_uniform_too():
    assert SPACE.uniform(lambda _genes: True) == SPACE.largest
    assert SPACE.uniform(lambda genes: genes == SPACE.smallest) == SPACE.smallest


@pytest.mark.parametrize("text", ["1k", "7M", "100%", "1%"])
def test_a_budget_outside_the_reach_is_refused_with_it(text):
    with pytest.raises(UserError, match=rf"--macs {text} cannot.*reach from 0?\.?\d\S*M to 4\.\d+M"):
        MACS.budget(text, SPACE)


def test_budgets_are_read():
    big = Cost("macs", lambda genes: 10**6 * sum(genes))
    texts = ("160M", "0.16G", "160000k", "160000000", "50%")
    limits = [big.budget(text, SPACE).limit for text in texts]
    assert limits[:4] == [160_000_000] * 4 and limits[4] == sum(SPACE.largest) * 10**6 / 2
    assert [big.budget(text, SPACE).folder for text in texts] == list(texts)
    assert Cost("bytes", lambda genes: 1000 * sum(genes)).budget("160k", SPACE).folder == "160kB"
    for text in ("", "160 M", "-3M", "1e6"):
        with pytest.raises(UserError, match="is not written like 160M"):
            big.budget(text, SPACE)


def planted(genes):
    """Smallest at widths that just fit: the last layers full, the first ones narrow."""
    wanted = (48, 32, 32, 16, 40, 32, 16)
    return float(sum(abs(a - b) / b for a, b in zip(genes, wanted, strict=True)))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_optimum_is_found(seed):
    wanted = (48, 32, 32, 16, 40, 32, 16)
    most = SPACE.macs(wanted)
    best = evolve(SPACE, lambda genes: SPACE.macs(genes) <= most, planted, EvolutionConfig(), seed=seed)
    assert planted(best[0]) == 0
    assert all(SPACE.macs(genes) <= most for genes in best)


def test_the_seed_decides_and_nobody_is_asked_twice():
    config = EvolutionConfig(population=12, parents=4, rounds=3)
    asked: list[tuple[int, ...]] = []

    def distance(genes):
        asked.append(genes)
        return planted(genes)

    start = [SPACE.uniform(BUDGET.fits)]
    first = evolve(SPACE, BUDGET.fits, distance, config, seed=0, start=start)
    assert start[0] in asked and len(set(asked)) == len(asked) <= 12 + 3 * 8
    assert evolve(SPACE, BUDGET.fits, planted, config, seed=0, start=start) == first
    assert evolve(SPACE, BUDGET.fits, planted, config, seed=1, start=start) != first
