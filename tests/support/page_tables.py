"""The pages' tables, made from committed results: `make tables` writes them.

A table stands between `<!-- table NAME -->` and `<!-- end -->` in one of `PAGES`.
"""

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

from benchmarks.results import read_results
from benchmarks.summary import summary
from benchmarks.tables import Table, cost_table, file_table, latency_tables, quality_table
from train.commands import ROOT
from train.errors import UserError
from train.files import write_text

RESULTS = ROOT / "benchmarks" / "results_digits.json"
QUICKSTART = ROOT / "benchmarks" / "results_quickstart.json"
"""What `make quickstart` left, which the first page shows."""
INT8_ROWS = ROOT / "benchmarks" / "int8_digits.json"
PAGES = tuple(ROOT / name for name in ("README.md", "compress/README.md", "benchmarks/README.md"))
_BLOCK = re.compile(r"(<!-- table ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_QUALITY = (
    *("recognised", "diversity", "l1_to_teacher", "ssim_to_teacher", "psnr_to_float"),
    *("frechet_lite0_to_photos_n2000", "frechet_lite0_to_teacher_n2000"),
)
_LATENCY_HEADERS = 7  # model, threads, p50, p90, mean, n and the first ratio: what a page is wide enough for

Makers = dict[str, Callable[[], str]]
"""Each makes the table of a name, in Markdown."""


def committed_tables() -> Makers:
    """Return the makers of all tables of the pages, from the committed results."""
    results = read_results(RESULTS)
    return {
        "results": lambda: _quickstart(read_results(QUICKSTART)),
        "cost": lambda: _markdown(cost_table(results), "cost"),
        "files": lambda: _markdown(file_table(results), "files"),
        "latency": lambda: _narrow_latency(results),
        "quality": lambda: _markdown(quality_table(results, _QUALITY), "quality"),
        "int8": lambda: int8_table(json.loads(INT8_ROWS.read_text(encoding="utf-8"))),
    }


def fill(text: str, makers: Makers) -> str:
    """Return the text with every marked table made anew.

    Raises:
        UserError: a mark names a table that there is not, or the results have no rows for it.
    """

    def replace(match: re.Match[str]) -> str:
        name = match.group(2)
        if name not in makers:
            raise UserError(f"there is no table {name!r}; there are {', '.join(makers)}")
        return f"{match.group(1)}{makers[name]()}{match.group(3)}"

    return _BLOCK.sub(replace, text)


def int8_table(report: dict[str, Any]) -> str:
    """Return the rows of `compress/compare.py` that compress/README.md speaks about."""
    headers = [
        "",
        "recognised",
        "diversity",
        "L1 to the teacher",
        "dB to its own float",
        "dB to the control",
        "bytes",
    ]
    cells = []
    for name, row in report["rows"].items():
        if name.startswith(("W8A8", "W4A8", "float")):
            title = f"**{name}**" if name.endswith(" QAT") else name
            cells.append(
                [
                    title,
                    f"{row['recognised']:.1%}",
                    f"{row['diversity']:.3f}",
                    f"{row['l1_to_teacher']:.4f}",
                    *(
                        f"{row[key]:.1f}" if key in row else "–"
                        for key in ("psnr_to_own_float", "psnr_to_control")
                    ),
                    f"{row['bytes']:,}" if "bytes" in row else "–",
                ]
            )
    return Table("", headers, cells, []).markdown()


def _narrow_latency(results: dict[str, Any]) -> str:
    (table, *_) = latency_tables(results) or [None]
    if table is None:
        raise UserError("the results have no latency; measure it with run_device.py")
    cells = [line[:_LATENCY_HEADERS] for line in table.cells]
    return dataclasses.replace(table, headers=table.headers[:_LATENCY_HEADERS], cells=cells, notes=[]).markdown()


def _quickstart(results: dict[str, Any]) -> str:
    found = summary(results)
    if found is None:
        raise UserError("the results have no student; measure one with run_device.py")
    cells = [[label, *(cell.value for cell in line)] for label, line in found.lines]
    return Table("", ["", *found.headers], cells, []).markdown()


def _markdown(table: Table | None, name: str) -> str:
    if table is None:
        raise UserError(f"the results have no {name}; measure it with run_device.py")
    return dataclasses.replace(table, notes=[]).markdown()


def main() -> None:
    """Write the tables."""
    makers = committed_tables()
    for page in PAGES:
        write_text(page, fill(page.read_text(encoding="utf-8"), makers))


if __name__ == "__main__":
    main()
