"""The report's first table: what compression cost and what it brought, a line for each form of the model."""

import dataclasses
import fnmatch
import math
from collections.abc import Sequence
from typing import Any

from benchmarks.compared_programs import TEACHER_PROGRAM, TEACHER_TFLITE
from benchmarks.tables import Table

# Label, row of the costs, patterns of files among the artifacts and the latencies, of which the first counts that
# is there (the fastest of the teacher's), and model of the quality, if that is not the file.
_FORMS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("teacher", "teacher", (TEACHER_PROGRAM, TEACHER_TFLITE, "teacher, torch eager"), "teacher"),
    ("student, float", "deploy", ("student*xnnpack*fp32.pte", "student*fp32.tflite", "torch eager"), "float"),
    ("student, int8, .pte", "int8", ("student*xnnpack*int8.pte",), ""),
    ("student, int8, .tflite", "int8", ("student*int8.tflite",), ""),
    ("student, int8, Core ML", "int8", ("student*int8.mlpackage", "student*coreml*int8.pte"), ""),
)
_DISTANCES = ("fid*_legacy_tensorflow", "fid*_clean", "fid*", "frechet_*_to_photos_n*", "frechet_*_to_teacher_n*")
_AGREEMENTS = ("recognised", "top1*")
_NONE = "not measured here"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A figure with its ratios."""

    value: str
    ratios: tuple[str, ...] = ()
    """"0.61 of the teacher" and "0.29 of float", those that there are."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """Headers, and a label with its cells for each line."""

    headers: list[str]
    lines: list[tuple[str, list[Cell]]]
    notes: list[str]

    def table(self) -> Table:
        """Return it as a table of texts."""
        cells = [
            [label, *(f"{cell.value} ({', '.join(cell.ratios)})" if cell.ratios else cell.value for cell in line)]
            for label, line in self.lines
        ]
        return Table("What compression cost, and what it brought", ["", *self.headers], cells, self.notes)


def summary(results: dict[str, Any]) -> Summary | None:
    """Return the table of the teacher, float and int8; None where there is neither a float nor an int8 student."""
    forms = [found for form in _FORMS if (found := _figures(results, *form))]
    if not any(label.startswith("student") for label, _ in forms):
        return None
    distance, agreement = distance_key(results), _metric(results, _AGREEMENTS)
    titles = results["notes"].get("quality", {}).get("columns", {})
    columns = {
        "MACs, M": ("macs", 2),
        "MB": ("megabytes", 2),
        "ms": ("milliseconds", 3),
        **({titles[distance]["title"]: ("distance", 2)} if distance else {}),
        **({titles[agreement]["title"]: ("agreement", 3)} if agreement else {}),
    }
    present = {
        header: column for header, column in columns.items() if any(column[0] in figures for _, figures in forms)
    }
    anchors = {label.rpartition(" ")[2]: figures for label, figures in forms[:2] if label in _ANCHORS}
    lines = [
        (label, [_cell(label, name, figures, anchors, digits) for name, digits in present.values()])
        for label, figures in forms
    ]
    return Summary(list(present), lines, _notes(results, distance, {name for name, _ in present.values()}, forms))


_ANCHORS = {"teacher", "student, float"}


def _figures(
    results: dict[str, Any], label: str, cost_key: str, patterns: Sequence[str], model: str
) -> tuple[str, dict[str, Any]] | None:
    """Return a form's figures; None where there is nothing of it."""
    costs = {row["key"]: row for row in results["cost"]}
    timed = {
        row["name"]: row
        for row in results["latency"]
        if row["key"].startswith("host/") and row.get("threads") == 1
    }
    judged = {row["name"]: row for row in results["quality"]}
    figures: dict[str, Any] = {}
    names = [*timed, *(row["name"] for key, row in costs.items() if key.startswith("artifact/"))]
    found = [name for pattern in patterns for name in names if fnmatch.fnmatchcase(name, pattern)]
    if model == "teacher":  # in its fastest form: a slower one would flatter the student
        found.sort(key=lambda name: timed[name]["latency_ms"]["p50"])
    file = next(iter(found), None)
    if file is not None:
        size = costs.get(f"artifact/{file}", {}).get("bytes", timed.get(file, {}).get("bytes"))
        figures |= {"file": file} | ({"megabytes": size / 1e6} if size else {})
        if file in timed:
            figures["milliseconds"] = timed[file]["latency_ms"]["p50"]
    if row := judged.get(model or file or ""):
        distance, agreement = distance_key(results), _metric(results, _AGREEMENTS)
        for name, key in (("distance", distance), ("agreement", agreement)):
            if key in row:
                figures[name] = row[key]
        if f"{distance}_standard_error" in row:
            figures["distance_error"] = row[f"{distance}_standard_error"]
    # An int8 form that there is no file of is no form.
    if cost_key in costs and (figures or model):
        figures["macs"] = costs[cost_key]["multiply_accumulates"] / 1e6
    return (label, figures) if figures else None


def distance_key(results: dict[str, Any]) -> str | None:
    """Return the metric that stands for quality: FID where there is one, else another Fréchet distance."""
    return _metric(results, _DISTANCES)


def _metric(results: dict[str, Any], patterns: Sequence[str]) -> str | None:
    """Return the first metric of these patterns that a student was measured by."""
    keys = results["notes"].get("quality", {}).get("columns", {})
    students = [row for row in results["quality"] if row["name"] != "teacher"]
    for pattern in patterns:
        for key in keys:
            aside = key.endswith(("_standard_error", "_excess", "_by_clean_fid", "_real_to_real"))
            if not aside and fnmatch.fnmatchcase(key, pattern) and any(key in row for row in students):
                return key
    return None


def _cell(label: str, name: str, figures: dict[str, Any], anchors: dict[str, dict[str, Any]], digits: int) -> Cell:
    value = figures.get(name)
    if value is None or not math.isfinite(value):
        return Cell("–" if label == "teacher" else _NONE)
    error = figures.get(f"{name}_error")
    text = f"{value:.1%}" if name == "agreement" else f"{value:,.{digits}f}"
    text += f" ± {error:.{digits}f}" if error is not None else ""
    ratios = [
        f"{value / anchor[name]:.2f} of {'the teacher' if whose == 'teacher' else 'float'}"
        for whose, anchor in anchors.items()
        if anchor.get(name) and not label.endswith(whose)
    ]
    return Cell(text, tuple(ratios))


def _notes(
    results: dict[str, Any], distance: str | None, shown: set[str], forms: Sequence[tuple[str, dict[str, Any]]]
) -> list[str]:
    notes = []
    if "milliseconds" in shown:
        device = results["notes"]["latency on this machine"]["device"]
        timed = [f"{label}: {figures['file']}" for label, figures in forms if "milliseconds" in figures]
        notes.append(
            f"ms: the median time of one image on one thread of {device['cpu']}, called from Python "
            f"({'; '.join(timed)})."
        )
    if distance:
        column = results["notes"]["quality"]["columns"][distance]
        excess = max(row.get(f"{distance}_excess", 0.0) for row in results["quality"])
        few = f" Up to {excess:.2f} of it, or more, is there because the images are few." if excess > 0 else ""
        notes.append(f"{column['title']}: {column['how']}; lower is better, ± its standard error.{few}")
    return notes
