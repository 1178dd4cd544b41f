"""The table of `benchmarks/widths.py`, from judged images and from int8 programs that are timed in turns."""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency import statistics as timing_statistics
from benchmarks.plots import line_plot
from benchmarks.tables import Table, with_spread
from benchmarks.width_programs import int8_programs, time_programs
from compress.macs import multiply_accumulates
from compress.program_costs import machine_name
from compress.quality_table import QAT_ROW, REPORT_FILE
from train.files import write_json, write_text
from train.generator import GeneratorConfig
from train.snapshot import load_student

Key = tuple[str, int, int]
"""Row, budget in per cent, seed."""

ROWS = {
    "full": "full student, as the search begins with it",
    "alone": "uniform, trained alone",
    "slice": "uniform slice of the supernet",
    "random": "random search",
    "found": "found",
    "tuned": "found, fine-tuned",
    "int8": "found, the better of both, int8",
    "intermediate": "found, intermediate distillation",
    "intermediate, tuned": "the same, fine-tuned",
}
_DISTANCE = "frechet_lite0_to_photos_n"  # and how many images it is of
_COLUMNS = {  # title → figure and how it is written
    "MACs, M": ("macs", "{:.2f}"),
    "L1 to the teacher": ("l1_to_teacher", "{:.4f}"),
    "recognised": ("recognised", "{:.1%}"),
    "diversity": ("diversity", "{:.3f}"),
    "Fréchet distance (lite0) to photos": (_DISTANCE, "{:.2f}"),
    "int8, dB to its float": ("psnr_int8", "{:.1f}"),
    "ms": ("ms", "{:.4f}"),
    "kB": ("kilobytes", "{:.0f}"),
}
_ROUNDS, _WARMUP, _ITERATIONS = 20, 2, 10
PROGRAM = "student_xnnpack_int8.pte"
_TIMED = ("full", "alone", "slice", "found", "tuned", "int8")
_PLOTTED = ("alone", "slice", "random", "found", "tuned")


def write_table(
    out: Path,
    models: Mapping[Key, Path],
    *,
    judged: Path,
    names: Mapping[Key, str],
    programs: Path,
    remarks: Sequence[str],
) -> None:
    """Write the table as JSON and Markdown, and two plots of the frontier, and print it.

    Args:
        out: the JSON file.
        models: student of each row, budget and seed.
        judged: what `benchmarks/judge.py` wrote of them.
        names: what they are called there.
        programs: folder that the timed programs are kept in.
        remarks: on how the students were trained.
    """
    content = json.loads(judged.read_text(encoding="utf-8"))
    quality = {row["name"]: row for row in content["quality"]}
    rows = []
    for key, path in models.items():
        _, info = load_student(path)
        # Equal widths are to be told by equal records, stated or by the rule.
        generator = dataclasses.replace(info.generator, widths=info.generator.resolved_widths)
        row = {"row": key[0], "budget": key[1], "seed": key[2], "generator": generator.record()}
        row |= {"macs": multiply_accumulates(generator) / 1e6} | _quality(quality[names[key]])
        rows.append(row | (_of_int8(path) if key[0] == "int8" else {}))
    _add_times(rows, models, programs)
    protocol = (
        "ms and kB: of the int8 XNNPACK program of these widths, exported from the found students and of random "
        f"weights for the uniform ones, one image on one thread of {machine_name()}, called from Python; median "
        f"of {_ROUNDS} rounds in turns, {_ITERATIONS} runs each."
    )
    table = _table(rows, [*remarks, protocol, *_verdicts(rows)])
    write_json(out, {"rows": rows, "machine": machine_name(), "notes": table.notes, "columns": _how(content)})
    write_text(out.with_suffix(".md"), table.markdown())
    for axis, title in (("macs", "MACs of one image, M"), ("ms", "ms of one image, int8, one thread")):
        path = out.with_name(f"{out.stem}_{axis}.png")
        line_plot(_curves(rows, axis), path, x=title, y="L1 to the teacher (better below)")
    print(table.markdown())
    print(f"table: {out}, {out.with_suffix('.md')}; plots beside it")


def _quality(row: dict[str, Any]) -> dict[str, float]:
    wanted = ("l1_to_teacher", "recognised", "diversity")
    figures = {name: row[name] for name in wanted if name in row}
    distance = [key for key in row if key.startswith(_DISTANCE) and key.removeprefix(_DISTANCE).isalnum()]
    return figures | {key: row[key] for key in distance[:1]}


def _how(judged: dict[str, Any]) -> dict[str, Any]:
    return judged["notes"]["quality"]["columns"]


def _of_int8(path: Path) -> dict[str, float]:
    """Return dB to the own float form, and what the export says of the file that it has checked."""
    report = json.loads((path.parent / REPORT_FILE).read_text(encoding="utf-8"))["rows"]
    manifest = path.parents[1] / "artifacts" / "manifest.json"
    files = json.loads(manifest.read_text(encoding="utf-8"))["artifacts"]
    (program,) = (file for file in files if file["backend"] == "xnnpack" and file["precision"] == "int8")
    figures = {"psnr_int8": report[QAT_ROW.format(bits="W8A8")]["psnr_to_own_float"]}
    return figures | {"exported_bytes": program["bytes"], "exported_parity_psnr": program["parity"]["psnr"]}


def _add_times(rows: list[dict[str, Any]], models: Mapping[Key, Path], folder: Path) -> None:
    """Give the rows that are `_TIMED` milliseconds and bytes: of the exported program of their widths.

    Where nothing of these widths was exported, of one of random weights, which costs what a trained one does.
    """
    keys = [json.dumps(row["generator"]) for row in rows]
    timed = {key for key, row in zip(keys, rows, strict=True) if row["row"] in _TIMED}
    files = {
        key: path.parents[1] / "artifacts" / PROGRAM
        for key, (name, path) in zip(keys, models.items(), strict=True)
        if name[0] == "int8"
    }
    missing = sorted(timed - files.keys())
    configs = {key: GeneratorConfig.from_record(json.loads(key)) for key in (*missing, *files)}
    files |= dict(zip(missing, int8_programs([configs[key] for key in missing], folder), strict=True))
    samples = time_programs(
        files, next(iter(configs.values())), rounds=_ROUNDS, warmup=_WARMUP, iterations=_ITERATIONS
    )
    for key, row in zip(keys, rows, strict=True):
        if key in timed:
            row |= {"ms": timing_statistics(samples[key])["p50"], "kilobytes": files[key].stat().st_size / 1e3}


def _table(rows: Sequence[dict[str, Any]], notes: Sequence[str]) -> Table:
    cells = []
    for budget in sorted({row["budget"] for row in rows}, reverse=True):
        for name, title in ROWS.items():
            group = [row for row in rows if (row["row"], row["budget"]) == (name, budget)]
            if group:
                figures = (with_spread(_values(group, key), form) for key, form in _COLUMNS.values())
                cells.append([f"{budget} %", title, *figures])
    seeds = len({row["seed"] for row in rows})
    spread = f"Mean of {seeds} seeds, lowest and highest in brackets." if seeds > 1 else "One seed: no spread."
    headers = ["MACs", "student", *_COLUMNS]
    return Table("Widths", headers, cells, [spread, *notes], left=2)


def _values(group: Sequence[dict[str, Any]], key: str) -> list[float]:
    wanted = key if key != _DISTANCE else next((name for name in group[0] if name.startswith(_DISTANCE)), key)
    return [row[wanted] for row in group if wanted in row]


def _verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return whether the fine-tuned found students beat the uniform ones by more than the spread."""

    def losses(row: str, budget: int) -> list[float]:
        return [r["l1_to_teacher"] for r in rows if (r["row"], r["budget"]) == (row, budget)]

    sentences = []
    several = len({row["seed"] for row in rows}) > 1
    for budget in sorted({row["budget"] for row in rows if row["row"] == "tuned"}, reverse=True):
        found, alone, full = losses("tuned", budget), losses("alone", budget), losses("full", 100)
        gain = statistics.fmean(alone) - statistics.fmean(found)
        spread = max(max(values) - min(values) for values in (found, alone))
        side = "below" if gain > 0 else "above"
        words = "more than" if abs(gain) > spread else "no more than"
        beside = f"{statistics.fmean(found) / statistics.fmean(full) - 1:+.1%} of the full student's"
        beyond = f"{words} the spread of {spread:.4f}, " if several else ""
        sentences.append(
            f"{budget} %: L1 of the found, fine-tuned student is {abs(gain):.4f} {side} that of the uniform one "
            f"that was trained alone, {beyond}and {beside}."
        )
    return sentences


def _curves(rows: Sequence[dict[str, Any]], axis: str) -> dict[str, list[tuple[float, float]]]:
    curves = {}
    for name in _PLOTTED:
        points = []
        for budget in sorted({row["budget"] for row in rows if row["row"] == name}):
            group = [row for row in rows if (row["row"], row["budget"]) == (name, budget)]
            if all(axis in row for row in group):
                points.append(tuple(statistics.fmean(row[k] for row in group) for k in (axis, "l1_to_teacher")))
        if points:
            curves[ROWS[name]] = points
    return curves
