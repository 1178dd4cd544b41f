"""Export and time int8 programs of many widths here: `python benchmarks/time_widths.py --run runs/digits`.

The table that it writes is what `compress/search.py --ms` and `--bytes` fit costs to. The programs stay beside
it, to be timed on a phone: put its times in place of "ms" and its name in place of "machine".
"""

import dataclasses
from pathlib import Path

import numpy as np

from benchmarks.latency import statistics
from benchmarks.width_programs import int8_programs, time_programs
from compress.program_costs import LEAST_ROWS, TABLE_FILE, ProgramTable, fit, machine_name
from compress.width_space import WidthSpace
from train.cli import parse, run_script
from train.errors import UserError, at_least, check_ranges
from train.files import check_writable
from train.generator import GeneratorConfig
from train.snapshot import STUDENT_FILE, load_snapshot

PROTOCOL = (
    "int8 XNNPACK programs of random weights, one image on one thread, called from Python; {rounds} rounds over "
    "all programs in changing order, each {warmup} untimed and {iterations} timed runs; ms: the median"
)


@dataclasses.dataclass(frozen=True)
class TimeConfig:
    """Whose widths, how many programs, and how they are timed."""

    run: Path = Path("runs/digits")
    """Run folder of the full student."""
    out: Path | None = None
    """The table; by default <run>/search/programs.json. The programs go into a folder beside it."""
    programs: int = 30
    """How many; the narrowest and the full student among them, the others drawn. Each takes
    half a minute to export."""
    seed: int = 0
    """Of the widths."""
    rounds: int = 12
    """Visits to each program, in turns."""
    warmup: int = 2
    """Untimed runs at each visit."""
    iterations: int = 10
    """Timed runs at each visit."""

    def __post_init__(self) -> None:
        if self.programs < LEAST_ROWS:
            raise UserError(f"--programs {self.programs} are too few to fit costs to; give {LEAST_ROWS} or more")
        check_ranges(self, at_least(1, "rounds", "iterations") | at_least(0, "seed", "warmup"))


def main(arguments: list[str]) -> None:
    """Export what is missing, time everything, write the table, say how well costs can be fitted to it."""
    config = parse(TimeConfig, arguments, __doc__ or "")
    _, info = load_snapshot(config.run / STUDENT_FILE)
    path = config.out or config.run / "search" / TABLE_FILE
    check_writable(path.parent, "--out")
    table = measure(info.generator, config, path.with_suffix(""))
    table.write(path)
    for kind in ("ms", "bytes"):
        print(fit(table, kind).describe())
    print(f"table: {path}; programs: {path.with_suffix('')}")


def measure(full: GeneratorConfig, config: TimeConfig, folder: Path) -> ProgramTable:
    """Return the table of a student's programs, which are kept in `folder`."""
    space = WidthSpace(full)
    random = np.random.Generator(np.random.Philox(key=config.seed))
    genes = [space.smallest, space.largest, *(space.draw(random) for _ in range(config.programs - 2))]
    files = int8_programs([space.student(each) for each in genes], folder)
    samples = time_programs(
        {str(k): file for k, file in enumerate(files)},
        full,
        rounds=config.rounds,
        warmup=config.warmup,
        iterations=config.iterations,
    )
    rows = tuple(
        dataclasses.asdict(space.widths(each))
        | {"ms": statistics(samples[str(k)])["p50"], "bytes": file.stat().st_size, "file": file.name}
        for k, (each, file) in enumerate(zip(genes, files, strict=True))
    )
    protocol = PROTOCOL.format(rounds=config.rounds, warmup=config.warmup, iterations=config.iterations)
    return ProgramTable(full.record(), machine_name(), protocol, rows)


if __name__ == "__main__":
    run_script(main)
