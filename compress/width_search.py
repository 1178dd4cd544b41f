"""One search: a supernet, and the student that comes nearest to the teacher under each budget."""

import dataclasses
import functools
from typing import Any

from compress.candidates import Candidates
from compress.evolution import evolve
from compress.float_run import FloatRun
from compress.found_run import read_found, write_run
from compress.search_config import SearchConfig
from compress.supernet import Supernet
from compress.width_space import Genes, WidthSpace, in_millions
from train.sources import Sources


@dataclasses.dataclass(frozen=True)
class WidthSearch:
    """Searches a supernet."""

    settings: SearchConfig
    run: FloatRun
    sources: Sources
    supernet: Supernet

    @functools.cached_property
    def space(self) -> WidthSpace:
        """What may be chosen."""
        return WidthSpace(self.run.info.generator)

    @functools.cached_property
    def candidates(self) -> Candidates:
        """Students of all widths; the teacher draws once for all budgets."""
        return Candidates(self.settings, self.run, self.sources, self.supernet)

    def found(self, text: str, budget: int) -> dict[str, Any] | None:
        """Return what was found earlier for a budget, which was given as `text`; None if nothing was.

        Raises:
            UserError: its folder holds something else.
        """
        return read_found(self.settings.folder / text, self._key(budget))

    def find(self, text: str, budget: int) -> dict[str, Any]:
        """Search for a budget, write the run folder of the found student and return what is said of it."""
        genes = evolve(
            self.space,
            budget,
            lambda genes: self.candidates.distance(genes).total,
            self.settings.evolution,
            seed=self.settings.seed,
            start=[self.space.uniform(budget)],
        )[0]
        student = self.candidates.student(genes, self.settings.final_latents)
        row = {
            "search": self._key(budget),
            "compared_on": self.candidates.described,
            "full_multiply_accumulates": self.space.cost(self.space.largest),
            "found": self._row(genes)
            | {"distance_as_written": dataclasses.asdict(self.candidates.measure(student))},
            "uniform_slice": self._row(self.space.uniform(budget)),
            "full": self._row(self.space.largest),
        }
        write_run(
            self.settings.folder / text,
            student,
            self.supernet.critic,
            row,
            run=self.run,
            sources=self.sources,
            images=self.settings.supernet_settings(self.run.config).optimizer.images,
        )
        return row

    def _row(self, genes: Genes) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.space.widths(genes)),
            "multiply_accumulates": self.space.cost(genes),
            "distance": dataclasses.asdict(self.candidates.distance(genes)),
        }

    def _key(self, budget: int) -> dict[str, Any]:
        return {"supernet": self.supernet.fingerprint, "budget": budget, **self.settings.searched()}


def describe(row: dict[str, Any]) -> str:
    """Return a line on what was found, beside the same share of all widths and the full widths of the supernet."""

    def distance(name: str) -> str:
        return "L1 {l1:.4f}, features {features:.4f}".format(**row[name]["distance"])

    cost, full = row["found"]["multiply_accumulates"], row["full_multiply_accumulates"]
    uniform = in_millions(row["uniform_slice"]["multiply_accumulates"])
    return (
        f"{in_millions(cost)} multiply-accumulates ({cost / full:.0%}); to the teacher {distance('found')}; "
        f"uniform slice of the supernet, {uniform}: {distance('uniform_slice')}; all of it: {distance('full')}"
    )
