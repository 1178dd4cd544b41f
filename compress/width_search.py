"""One search: a supernet, and the student that comes nearest to the teacher under each budget."""

import dataclasses
import functools
from typing import Any

from compress.budget import Budget, in_millions
from compress.candidates import Candidates
from compress.evolution import evolve
from compress.float_run import FloatRun
from compress.found_run import FoundStudent, read_found, write_run
from compress.search_config import SearchConfig
from compress.supernet import Supernet
from compress.tuning import fine_tune
from compress.width_space import Genes, WidthSpace
from train.generator import Generator
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

    def found(self, budget: Budget) -> dict[str, Any] | None:
        """Return what was found earlier for a budget; None if nothing was.

        Raises:
            UserError: its folder holds something else.
        """
        return read_found(self.settings.folder / budget.folder, self._key(budget))

    def find(self, budget: Budget) -> dict[str, Any]:
        """Search for a budget, fine-tune what is found, write its run folder and return what is said of it.

        Raises:
            UserError, Interrupted: as `train.loop.fit`.
        """
        uniform = self.space.uniform(budget.fits)
        genes = evolve(
            self.space,
            budget.fits,
            lambda genes: self.candidates.distance(genes).total,
            self.settings.evolution,
            seed=self.settings.seed,
            start=[uniform],
        )[0]
        found, slice_ = (self.candidates.student(each, self.settings.final_latents) for each in (genes, uniform))
        distance = self.candidates.measure(found)
        row = {
            "search": self._key(budget),
            "compared_on": self.candidates.described,
            "full_multiply_accumulates": self.space.macs(self.space.largest),
            "found": self._row(budget, genes) | {"distance_as_written": dataclasses.asdict(distance)},
            "uniform_slice": self._row(budget, uniform),
            "full": self._row(budget, self.space.largest),
        }
        images = self.settings.supernet_settings(self.run.config).optimizer.images
        kept = FoundStudent(found, self.supernet.critic, images)
        full = self.candidates.student(self.space.largest, self.settings.final_latents)
        students = {"found": found, "uniform_slice": slice_, "full": full}
        if (tuned := self._fine_tuned(budget, found)) is not None:
            after = self.candidates.measure(tuned.student)
            row["fine_tuned"] = {"distance": dataclasses.asdict(after), "kept": after.total < distance.total}
            students["fine_tuned"] = tuned.student
            kept = tuned if after.total < distance.total else kept
        folder = self.settings.folder / budget.folder
        write_run(folder, kept, row, students, run=self.run, sources=self.sources)
        return row

    def _fine_tuned(self, budget: Budget, student: Generator) -> FoundStudent | None:
        tuned = fine_tune(
            self.settings, budget.folder, student, run=self.run, supernet=self.supernet, sources=self.sources
        )
        if tuned is not None:
            self.candidates.calibrate(tuned.student, self.settings.final_latents)
        return tuned

    def _row(self, budget: Budget, genes: Genes) -> dict[str, Any]:
        cost, known = budget.cost, self.candidates.distance(genes)
        macs = {"multiply_accumulates": self.space.macs(genes)}
        fitted = {} if cost.flag == "macs" else {f"fitted_{cost.flag}": cost.of(genes)}
        return (
            dataclasses.asdict(self.space.widths(genes)) | macs | fitted | {"distance": dataclasses.asdict(known)}
        )

    def _key(self, budget: Budget) -> dict[str, Any]:
        limit = {"budget": budget.limit, "cost": budget.cost.flag}
        return {"supernet": self.supernet.fingerprint, **limit, **self.settings.searched()}


def describe(row: dict[str, Any]) -> str:
    """Return a line on what was found, beside the same share of all widths and the full widths of the supernet."""

    def distance(name: str) -> str:
        return "L1 {l1:.4f}, features {features:.4f}".format(**row[name]["distance"])

    cost, full = row["found"]["multiply_accumulates"], row["full_multiply_accumulates"]
    uniform = in_millions(row["uniform_slice"]["multiply_accumulates"])
    tuned = ""
    if "fine_tuned" in row:
        better = "nearer, and kept" if row["fine_tuned"]["kept"] else "not nearer, and not kept"
        tuned = f"; fine-tuned: {distance('fine_tuned')}, {better}"
    return (
        f"{in_millions(cost)} multiply-accumulates ({cost / full:.0%}); to the teacher {distance('found')}"
        f"{tuned}; uniform slice of the supernet, {uniform}: {distance('uniform_slice')}; all of it: "
        f"{distance('full')}"
    )
