"""Tables of a results file, for report.md, report.html and the pages alike."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Table:
    """Headers and cells as text; the first `left` columns are names, the others figures."""

    title: str
    headers: list[str]
    cells: list[list[str]]
    notes: list[str]
    left: int = 1

    def markdown(self) -> str:
        """Return the table and its notes."""
        rule = ["---"] * self.left + ["---:"] * (len(self.headers) - self.left)
        lines = [_line(self.headers), _line(rule), *map(_line, self.cells)]
        return "\n".join(lines) + "\n" + "".join(f"\n{note}\n" for note in self.notes)


def tables(results: dict[str, Any]) -> list[Table]:
    """Return the tables that there are rows for: cost, files, latency by device, quality; no note stands twice."""
    found = [cost_table(results), file_table(results), *latency_tables(results), quality_table(results)]
    said: set[str] = set()
    shown = []
    for table in found:
        if table is not None and table.cells:
            notes = [note for note in dict.fromkeys(table.notes) if note not in said]
            said.update(notes)
            shown.append(dataclasses.replace(table, notes=notes))
    return shown


def with_spread(values: Sequence[float | None], form: str) -> str:
    """Return the mean of what was measured and, where it is of several, the lowest and highest in brackets."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return "–"
    text = form.format(statistics.fmean(numbers))
    if len(numbers) > 1:
        text += f" ({form.format(min(numbers))}–{form.format(max(numbers))})"
    return text


def cost_table(results: dict[str, Any]) -> Table | None:
    """Return what every network costs, published rows marked."""
    columns: dict[str, Callable[[Row], str]] = {
        "model": lambda row: row["name"],
        "parameters, M": lambda row: number(row, "parameters", 1e-6, 2),
        "with its critic, M": lambda row: number(row, "parameters_with_discriminator", 1e-6, 2),
        "MACs, M": lambda row: number(row, "multiply_accumulates", 1e-6, 2),
        "FLOPs, M": lambda row: number(row, "flops", 1e-6, 2),
        "activations, MB": lambda row: number(row, "peak_activation_bytes", 1e-6, 2),
    }
    note = results["notes"].get("cost", {})
    published = sorted({row["published"] for row in results["cost"] if "published" in row})
    notes = [f"Counted: {note['protocol']}."] if "protocol" in note else []
    notes += [row["note"] for row in results["cost"] if "note" in row]
    notes += [*note.get("left_out", []), *(f"Published: {source}." for source in published)]
    return table_of_columns("Cost", columns, [row for row in results["cost"] if "parameters" in row], notes)


def file_table(results: dict[str, Any]) -> Table | None:
    """Return the size of every file, and its share of a float one's where there is one."""
    rows = [row for row in results["cost"] if "bytes" in row and "parameters" not in row]
    columns: dict[str, Callable[[Row], str]] = {
        "file": lambda row: row["name"],
        "MB": lambda row: number(row, "bytes", 1e-6, 2),
    }
    if whole := next((row for row in reversed(rows) if "fp32" in row["name"]), None):
        columns[f"of {whole['name']}"] = lambda row: f"{row['bytes'] / whole['bytes']:.2f}"
    return table_of_columns("Files", columns, rows, [])


def latency_tables(results: dict[str, Any]) -> list[Table]:
    """Return a table for each device."""
    found = []
    for subject, note in results["notes"].items():
        if "device" not in note:
            continue
        prefix = note.get("rows", f"{note['device']['target']}/")
        rows = [row for row in results["latency"] if row["key"].startswith(prefix)]
        device = ", ".join(str(value) for name, value in note["device"].items() if name != "target" and value)
        notes = [f"{note['protocol']}.", *note.get("left_out", [])]
        table = table_of_columns(
            f"{subject[0].upper()}{subject[1:]} ({device})", latency_columns(rows), rows, notes
        )
        if table is not None:
            found.append(table)
    return found


def latency_columns(rows: Sequence[Row]) -> dict[str, Callable[[Row], str]]:
    """Return the columns of a latency table; a ratio's spread is the lowest and highest of all rounds."""
    columns: dict[str, Callable[[Row], str]] = {
        "model": lambda row: row["name"],
        "tool": lambda row: row.get("tool", "–"),
        "threads": lambda row: str(row.get("threads", row.get("compute_units", ""))),
        "p50, ms": lambda row: number(row.get("latency_ms", {}), "p50", 1, 3),
        "p90, ms": lambda row: number(row.get("latency_ms", {}), "p90", 1, 3),
        "mean, ms": lambda row: number(row.get("latency_ms", {}), "mean", 1, 3),
        "n": lambda row: number(row.get("latency_ms", {}), "n", 1, 0),
    }
    for reference in dict.fromkeys(name for row in rows for name in row.get("ratios", {})):
        columns[f"of {reference}"] = lambda row, name=reference: spread(row.get("ratios", {}).get(name), 2)
    columns |= {
        "load, ms": lambda row: number(row, "load_ms", 1, 1),
        "first run, ms": lambda row: number(row, "first_run_ms", 1, 1),
        "memory, MB": lambda row: number(row, "peak_memory_bytes", 1e-6, 1),
        "load average": lambda row: number(row, "load_average", 1, 1),
    }
    return columns


def quality_table(results: dict[str, Any], wanted: Sequence[str] = ()) -> Table | None:
    """Return the figures of every model, in all columns with figures, or the wanted ones of them."""
    note = results["notes"].get("quality")
    if note is None:
        return None
    columns: dict[str, Callable[[Row], str]] = {"model": lambda row: row["name"]}
    present = [key for key in note["columns"] if any(key in row for row in results["quality"])]
    shown = [key for key in wanted if key in present] if wanted else present
    for key in shown:
        columns[note["columns"][key]["title"]] = _figures_of(key, results["quality"])
    record = note["protocol"]
    seed = record["first_seed"]
    which = record["latents"] if seed is None else f"seed {seed} and on"
    first = (
        f"{record['images']:,} images per model, all of the same latents ({which}), "
        f"truncation {record['truncation']}."
    )
    how = [f"{note['columns'][key]['title']}: {note['columns'][key]['how']}" for key in shown]
    floor = [
        f"Real images against real ones: {note['columns'][key]['title']} {value:.4g}."
        for key, value in note["real_to_real"].items()
        if key in note["columns"]
    ]
    return table_of_columns("Quality", columns, results["quality"], [first, *how, *floor, *note["left_out"]])


def _figures_of(key: str, rows: Sequence[Row]) -> Callable[[Row], str]:
    """Return what writes a metric: all with as many decimals as give the largest four significant digits."""
    largest = max(abs(row[key]) for row in rows if key in row)
    decimals = min(6, max(0, 3 - math.floor(math.log10(largest)))) if largest else 1
    return lambda row: quality_figure(row, key, decimals)


def quality_figure(row: Row, key: str, decimals: int) -> str:
    """Return a metric as text, shares in per cent."""
    value = row.get(key)
    if value is None:
        return "–"
    if key == "recognised" or key.startswith(("top1", "top5")):
        return f"{value:.1%}"
    return f"{value:.2f}" if key.startswith("psnr") else f"{value:,.{decimals}f}"


def number(row: Row, key: str, factor: float, digits: int) -> str:
    """Return a figure as text, a dash where it was not measured."""
    value = row.get(key)
    return "–" if value is None else f"{value * factor:,.{digits}f}"


def spread(values: dict[str, float] | None, digits: int) -> str:
    """Return a median as text, and in brackets the lowest and highest where they are known; a dash for None."""
    if values is None:
        return "–"
    ends = f" ({values['low']:,.{digits}f}–{values['high']:,.{digits}f})" if "low" in values else ""
    return f"{values['median']:,.{digits}f}{ends}"


def table_of_columns(
    title: str, columns: dict[str, Callable[[Row], str]], rows: Sequence[Row], notes: list[str]
) -> Table | None:
    """Return a table without the columns that no row has a figure for."""
    cells = [[cell(row) for cell in columns.values()] for row in rows]
    kept = [index for index in range(len(columns)) if index == 0 or any(line[index] != "–" for line in cells)]
    headers = [list(columns)[index] for index in kept]
    return Table(title, headers, [[line[index] for index in kept] for line in cells], notes) if rows else None


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
