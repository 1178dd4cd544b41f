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
ANIMALS, ANIMALS_COST = (ROOT / "benchmarks" / f"{name}.json" for name in ("animals64", "results_animals64"))
"""What benchmarks/animals.py has judged, and what run_device.py says of the shipped student's cost."""
PAGES = tuple(
    ROOT / name
    for name in (
        "README.md",
        "compress/README.md",
        "benchmarks/README.md",
        "train/assets/animals_student/README.md",
    )
)
_BLOCK = re.compile(r"(<!-- table ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_QUALITY = (
    *("recognised", "diversity", "l1_to_teacher", "ssim_to_teacher", "psnr_to_float"),
    *("frechet_lite0_to_photos_n2000", "frechet_lite0_to_teacher_n2000"),
)
# Row of the judged table → label, and line of the costs.
_ANIMALS = {
    "photos": ("photographs of the validation set", ""),
    "training-photos": ("photographs of the training set", ""),
    "teacher": ("teacher", "teacher"),
    "float": ("student, float", "student, float"),
    "control": ("student, trained on in float", ""),
    "int8": ("student, int8", "student, int8, .pte"),
    "int4": ("student, four-bit weights", ""),
}
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
        "animals": lambda: animals_table(
            json.loads(ANIMALS.read_text(encoding="utf-8")), read_results(ANIMALS_COST)
        ),
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


def animals_table(judged: dict[str, Any], measured: dict[str, Any]) -> str:
    """Return the rows of the shipped models, with their costs, that their card shows."""
    rows = {row["name"]: row for row in judged["quality"]}
    columns = {
        "recognised among the ten": ("top1of", "", ".1%"),
        "first of 1,000": ("top1_", "", ".1%"),
        "among five": ("top5_", "", ".1%"),
        "FID-768 to photographs": ("fid768", "", ".3f"),
        "to the teacher": ("fid768", "_to_teacher", ".3f"),
        "diversity": ("diversity_inception", "", ".2f"),
        "dB to the control": ("psnr_to_control", "", ".1f"),
    }
    found = summary(measured)
    assert found is not None
    costs = {label: [cell.value for cell in line] for label, line in found.lines}
    cells = []
    for name, (label, form) in _ANIMALS.items():
        row = {key: value for key, value in rows[name].items() if not _says_nothing(name, key)}
        figures = [_figure(row, *column) for column in columns.values()]
        cells.append([label, *figures, *costs.get(form, ["–"] * len(found.headers))])
    return Table("", ["", *columns, *found.headers], cells, []).markdown()


def _says_nothing(name: str, key: str) -> bool:
    """Return whether a figure is a distance to oneself, or to the control of what it is no control of."""
    to_itself = key.startswith("fid") and not key.endswith("_to_teacher")
    return (name == "photos" and to_itself) or ("int" not in name and key.endswith("_to_control"))


def _figure(row: dict[str, Any], beginning: str, end: str, form: str) -> str:
    keys = [key for key in row if key.startswith(beginning) and key.endswith("_to_teacher") == bool(end)]
    return format(row[keys[0]], form) if keys else "–"


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
