"""Which widths of the paper's student are three times as fast in int8 as the authors' graph in fp32, here.

    python benchmarks/widths_paper.py

TinyGAN-dw with 32 channels at 128 px and 398 classes, of random weights: this is about time alone. Costs are
fitted to exported programs, and what they name is exported and timed beside the authors' graph. Running it again
goes on with the programs that are there.
"""

import dataclasses
from pathlib import Path
from typing import Any

from benchmarks.latency import Samples, ratio, statistics
from benchmarks.tables import Table, spread
from benchmarks.time_widths import TimeConfig, measure
from benchmarks.torch_forms import AuthorsOrder
from benchmarks.width_programs import example_inputs, int8_programs, random_student, time_programs
from compress.budget import in_millions
from compress.evolution import EvolutionConfig, evolve
from compress.macs import multiply_accumulates
from compress.program_costs import FittedCost, fit, machine_name
from compress.width_space import Genes, WidthSpace
from deploy.xnnpack import lower_xnnpack
from train.cli import parse, run_script
from train.errors import UserError
from train.files import write_atomically, write_json, write_text
from train.generator import GeneratorConfig

PAPER = GeneratorConfig(num_classes=398)
AUTHORS, FULL = "authors' graph, fp32", "full student, int8"
_ATTEMPTS, _STRICTER = 6, 0.96


@dataclasses.dataclass(frozen=True)
class PaperConfig:
    """How many programs are measured, how often, and where the result goes."""

    folder: Path = Path("runs/widths-paper")
    """Programs are kept there."""
    programs: int = 14
    """That costs are fitted to; each takes half a minute or more to export."""
    share: float = 1 / 3
    """Of the authors' time."""
    rounds: int = 20
    """Visits to each program, in turns."""
    out: Path = Path("benchmarks/widths_paper.json")
    """The result; a .md file is written beside it."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise UserError(f"--share must be in (0, 1), not {self.share}")


def main(arguments: list[str]) -> None:
    """Measure, fit, name the widths, measure those, write."""
    config = parse(PaperConfig, arguments, __doc__ or "")
    space, folder = WidthSpace(PAPER), config.folder / "programs"
    table = measure(PAPER, TimeConfig(programs=config.programs, rounds=config.rounds), folder)
    table.write(config.folder / "programs.json")
    fitted = fit(table, "ms")
    print(fitted.describe(), flush=True)
    authors = _authors_program(config.folder / "authors_fp32.pte")
    share = config.share
    for _ in range(_ATTEMPTS):
        chosen = _chosen(space, fitted, share * _authors_time(table.rows, authors, folder, space, config))
        files = int8_programs([space.student(genes) for genes in chosen.values()], folder)
        programs = {AUTHORS: authors} | dict(zip(chosen, files, strict=True))
        samples = time_programs(programs, PAPER, rounds=config.rounds, warmup=2, iterations=5)
        if all(_share(samples, name) <= config.share for name in chosen if name != FULL):
            break
        share *= _STRICTER  # the fit was too kind
    else:
        raise UserError(f"no widths reach {config.share:.2f} of the authors' time here; give a larger --share")
    rows = [_row(name, samples, space, chosen.get(name), fitted) for name in programs]
    _write(config, rows, fitted)


def _authors_program(path: Path) -> Path:
    if not path.is_file():
        lowered = lower_xnnpack(AuthorsOrder(random_student(PAPER)), example_inputs(PAPER))
        write_atomically(path, lambda temporary: temporary.write_bytes(lowered.buffer))
    return path


def _authors_time(rows: Any, authors: Path, folder: Path, space: WidthSpace, config: PaperConfig) -> float:
    """Return the authors' time at the speed of the table: by the ratio to the full program, in turns."""
    full = {"authors": authors, "full": int8_programs([space.student(space.largest)], folder)[0]}
    samples = time_programs(full, PAPER, rounds=config.rounds, warmup=2, iterations=5)
    of_full = next(row["ms"] for row in rows if (*row["stages"], *row["mids"]) == space.largest)
    return ratio(samples["authors"], samples["full"])["median"] * of_full


def _chosen(space: WidthSpace, fitted: FittedCost, limit: float) -> dict[str, Genes]:
    """Return the full widths, the widest uniform ones within the limit, and those with the most work within it."""

    def fits(genes: Genes) -> bool:
        return fitted(space.student(genes)) <= limit

    if not fits(space.smallest):
        raise UserError(f"even the narrowest student takes more than {limit:.2f} ms here; give a larger --share")
    uniform = space.uniform(fits)
    most = evolve(space, fits, lambda genes: -space.macs(genes), EvolutionConfig(), seed=0, start=[uniform])[0]
    return {FULL: space.largest, "uniform, int8": uniform, "most multiply-accumulates, int8": most}


def _share(samples: dict[str, Samples], name: str) -> float:
    return ratio(samples[name], samples[AUTHORS])["median"]


def _row(
    name: str, samples: dict[str, Samples], space: WidthSpace, genes: Genes | None, fitted: FittedCost
) -> dict[str, Any]:
    share = ratio(samples[name], samples[AUTHORS])
    row: dict[str, Any] = {"name": name, "latency_ms": statistics(samples[name]), "of_authors": share}
    if genes is None:
        return row
    student = space.student(genes)
    widths = dataclasses.asdict(student.resolved_widths)
    return row | widths | {"multiply_accumulates": multiply_accumulates(student), "fitted_ms": fitted(student)}


def _write(config: PaperConfig, rows: list[dict[str, Any]], fitted: FittedCost) -> None:
    cells = [
        [
            row["name"],
            " ".join(map(str, row["stages"])) if "stages" in row else "the paper's",
            " ".join(map(str, row["mids"])) if "mids" in row else "the paper's",
            in_millions(row["multiply_accumulates"]) if "multiply_accumulates" in row else "–",
            f"{row['latency_ms']['p50']:.2f}",
            spread(row["of_authors"], 3),
        ]
        for row in rows
    ]
    first = (
        "Random weights: this is about time, and says nothing of images. TinyGAN-dw, 32 channels, 128 px, "
        f"{PAPER.num_classes} classes; XNNPACK, one image on one thread of {machine_name()}, {config.rounds} "
        "rounds in turns; ratios of medians within a round: median, lowest and highest."
    )
    headers = ["", "stages", "mids", "MACs", "ms", "of the authors' graph"]
    table = Table("Widths at the paper's size", headers, cells, [f"{fitted.describe()}."], left=3)
    record = {"about": first, "rows": rows, "fit": dataclasses.asdict(fitted), "machine": machine_name()}
    write_json(config.out, record)
    write_text(config.out.with_suffix(".md"), f"{first}\n\n{table.markdown()}")
    print(table.markdown())


if __name__ == "__main__":
    run_script(main)
