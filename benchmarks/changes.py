"""What got better or worse between two results files: `run_device.py --compare OTHER/results.json`."""

from pathlib import Path
from typing import Any, Literal

from benchmarks.results import RESULTS_FILE, read_results

Better = Literal["lower", "higher"] | None

# Section → figure, its title, which way is better, and the relative change below which it is the same.
_FIGURES: dict[str, list[tuple[tuple[str, ...], str, Better, float]]] = {
    "cost": [
        (("parameters",), "parameters", "lower", 0.0),
        (("multiply_accumulates",), "multiply-accumulates", "lower", 0.0),
        (("bytes",), "bytes", "lower", 0.001),
        (("peak_activation_bytes",), "bytes of activations", "lower", 0.0),
    ],
    "latency": [
        (("latency_ms", "p50"), "p50 ms", "lower", 0.05),
        (("latency_ms", "p90"), "p90 ms", "lower", 0.10),
        (("load_ms",), "load ms", "lower", 0.20),
        (("peak_memory_bytes",), "bytes of memory", "lower", 0.05),
    ],
}
_QUALITY_TOLERANCE = 0.002


def print_changes(ours: Path, theirs: Path) -> None:
    """Print a line for each figure that differs by more than its tolerance, and for rows that only one file has.

    Raises:
        UserError: a file is missing or damaged.
    """
    new, old = read_results(ours), read_results(_results_in(theirs))
    if new["model"]["sha256"] != old["model"]["sha256"]:
        print("the two files are about different students")
    lines = [line for section in ("cost", "latency", "quality") for line in changes(new, old, section)]
    print("\n".join(lines) if lines else "nothing has changed by more than its tolerance")


def _results_in(path: Path) -> Path:
    """Return the results file that is meant: the file, or that in a benchmark's or a run's folder."""
    if not path.is_dir():
        return path
    inside = [path / RESULTS_FILE, path / "benchmark" / RESULTS_FILE]
    return next((file for file in inside if file.is_file()), inside[0])


def changes(new: dict[str, Any], old: dict[str, Any], section: str) -> list[str]:
    """Return a line for each difference in a section, the relative change and whether it is better or worse."""
    before = {row["key"]: row for row in old[section]}
    after = {row["key"]: row for row in new[section]}
    lines = [f"{key}: only in the other file" for key in before if key not in after]
    figures = _FIGURES.get(section) or _quality_figures(new)
    for key, row in after.items():
        if key not in before:
            lines.append(f"{key}: only in this file")
            continue
        for path, title, better, tolerance in figures:
            was, now = _at(before[key], path), _at(row, path)
            if was is not None and now is not None and abs(now - was) > tolerance * abs(was):
                lines.append(f"{key}: {title} {was:.6g} → {now:.6g}{_verdict(was, now, better)}")
    return lines


def _quality_figures(new: dict[str, Any]) -> list[tuple[tuple[str, ...], str, Better, float]]:
    columns = new["notes"].get("quality", {}).get("columns", {})
    return [((key,), key, column["better"], _QUALITY_TOLERANCE) for key, column in columns.items()]


def _verdict(was: float, now: float, better: Better) -> str:
    share = f" ({(now - was) / abs(was):+.1%})" if was else ""
    if better is None:
        return share
    return f"{share}, {'better' if (now < was) == (better == 'lower') else 'worse'}"


def _at(row: dict[str, Any], path: tuple[str, ...]) -> float | None:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, int | float) else None
