"""Evolution under a budget, as in GAN Compression (Li et al., CVPR 2020): seeded, and the same when done again.

It asks for the distance of every candidate once; who answers from a file resumes a search by doing it again.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from tqdm import tqdm

from compress.width_space import Fits, Genes, WidthSpace

Distance = Callable[[Genes], float]
"""What is to be small."""


@dataclasses.dataclass(frozen=True)
class EvolutionConfig:
    """How long and how wildly to search."""

    population: int = 64
    """Candidates per round."""
    parents: int = 16
    """The best of a round, which go on into the next one and have the others as children."""
    rounds: int = 25
    """After the first."""
    mutation: float = 0.3
    """Probability that a layer of a mutated child gets a new width; the other half of the children are crossed."""


def evolve(
    space: WidthSpace,
    fits: Fits,
    distance: Distance,
    config: EvolutionConfig,
    *,
    seed: int,
    start: Sequence[Genes] = (),
) -> list[Genes]:
    """Return the candidates of the last round, the best first.

    Args:
        space: what may be chosen.
        fits: whether genes are within the budget; the smallest of the space are.
        distance: of genes; the same for the same ones.
        config: see there.
        seed: with the arguments it decides the result.
        start: genes within the budget that the first round has to beat.
    """
    random = np.random.Generator(np.random.Philox(key=seed))
    known: dict[Genes, float] = {}
    with tqdm(
        total=config.population + config.rounds * (config.population - config.parents), unit=" students"
    ) as bar:

        def ask(candidates: Sequence[Genes]) -> None:
            for genes in candidates:
                if genes not in known:
                    known[genes] = distance(genes)
                    bar.set_postfix(best=f"{min(known.values()):.4f}", refresh=False)
                bar.update()

        def ranked(candidates: Sequence[Genes]) -> list[Genes]:
            return sorted(dict.fromkeys(candidates), key=lambda genes: (known[genes], genes))

        first = [*start, *(_first(space, k, random) for k in range(config.population - len(start)))]
        population = [space.fitted(genes, fits, random) for genes in first]
        ask(population)
        for _ in range(config.rounds):
            parents = ranked(population)[: config.parents]
            children = [
                space.fitted(_child(space, parents, k, config.mutation, random), fits, random)
                for k in range(config.population - config.parents)
            ]
            ask(children)
            population = [*parents, *children]
        return ranked(population)


def _first(space: WidthSpace, k: int, random: np.random.Generator) -> Genes:
    """Return the full student, from which lowering comes near the budget, and any in turn."""
    return space.largest if k % 2 else space.draw(random)


def _child(
    space: WidthSpace, parents: Sequence[Genes], k: int, mutation: float, random: np.random.Generator
) -> Genes:
    """Return a mutated parent and a cross of two in turn, not yet within the budget."""
    first, second = (parents[int(random.integers(len(parents)))] for _ in range(2))
    if k % 2:
        return tuple(a if random.random() < 0.5 else b for a, b in zip(first, second, strict=True))
    drawn = space.draw(random)
    return tuple(new if random.random() < mutation else old for old, new in zip(first, drawn, strict=True))
