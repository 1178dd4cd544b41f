"""Speed and size of the paper's students at 128 px with 398 classes, of random weights.

    python benchmarks/paper_size.py

It makes students and a BigGAN-deep-128 of random weights, quantizes and exports the students, times all of them
and writes one table; what is done already is not done again. Take --again for new times on another day.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.operators import PROFILE_FILE, by_kind
from benchmarks.recipe import Command, Stage, run_stages
from benchmarks.results import RESULTS_FILE, read_results
from benchmarks.tables import Table, tables
from benchmarks.width_programs import random_student
from compress.config import INT8_STUDENTS
from compress.deploy_form import deploy_form, one_hot
from compress.elastic import calibrate
from compress.fake_quant import QuantGenerator
from compress.int8_file import save_int8
from compress.quant_config import QuantConfig
from train.biggan import WEIGHTS_FILE, store_random_biggan_deep_128
from train.cli import parse, run_script
from train.files import write_json, write_text
from train.generator import GeneratorConfig
from train.noise import latents_in_turn
from train.snapshot import STUDENT_FILE, SnapshotInfo, save_snapshot

CLASSES = 398
STUDENTS = {
    "dw-32": GeneratorConfig("dw", 32, 128, CLASSES),
    "std-32": GeneratorConfig("std", 32, 128, CLASSES),
    "std-16": GeneratorConfig("std", 16, 128, CLASSES),
}
ABOUT = (
    "Random weights, for speed and size only: what such a student draws is noise. TinyGAN's three students at "
    f"128 px with {CLASSES} classes."
)
_CLASS = "0"
_AUTHORS_ORDER = "fp32, authors' order"


@dataclasses.dataclass(frozen=True)
class _Shown:
    """A row of the first table: what it is called, and the row of costs that it is of."""

    title: str
    cost: str


_IN_SHORT = {
    "teacher, torch eager": _Shown("BigGAN-deep-128, torch", "teacher"),
    "teacher_fp32.tflite": _Shown("BigGAN-deep-128, fp32, .tflite", "teacher"),
    "authors_xnnpack_fp32.pte": _Shown("{}, fp32, .pte, authors' order", "student"),
    "student_xnnpack_fp32.pte": _Shown("{}, fp32, .pte", "deploy"),
    "student_fp32.tflite": _Shown("{}, fp32, .tflite", "deploy"),
    "student_xnnpack_int8.pte": _Shown("{}, int8, .pte", "int8"),
    "student_int8.tflite": _Shown("{}, int8, .tflite", "int8"),
}
_TRUNCATION = 0.5


@dataclasses.dataclass(frozen=True)
class PaperSizeConfig:
    """Where it goes."""

    folder: Path = Path("runs/paper-size")
    """The runs lie there, and the teacher."""
    out: Path = Path("benchmarks/results_paper_size.json")
    """All results; a page is written beside it."""
    rounds: int = 20
    """Visits to each candidate; on a busy machine take more."""
    threads: tuple[int, ...] = (1, 2)
    """Thread counts."""
    again: bool = False
    """Time again what has been timed."""


def main(arguments: list[str]) -> None:
    """Make, export, measure, and write the table."""
    config = parse(PaperSizeConfig, arguments, __doc__ or "")
    teacher = config.folder / "biggan-deep-128"
    if not (teacher / WEIGHTS_FILE).is_file():
        store_random_biggan_deep_128(teacher)
    for name, architecture in STUDENTS.items():
        make_student(config.folder / name, architecture)
    run_stages([stage for name in STUDENTS for stage in _stages(config, name, teacher)])
    found = {name: _found(config.folder / name) for name in STUDENTS}
    write_json(config.out, {"about": ABOUT, "command": "python benchmarks/paper_size.py", "students": found})
    write_text(config.out.with_suffix(".md"), page(found))
    print(f"table: {config.out.with_suffix('.md')}")


@torch.no_grad()
def make_student(run: Path, config: GeneratorConfig) -> None:
    """Write a student of random weights and its int8 form, if they are not there.

    Its norms' statistics are measured and its gains differ from class to class, so that no range collapses.
    """
    int8 = run / INT8_STUDENTS["int8"]
    if (run / STUDENT_FILE).is_file() and int8.is_file():
        return
    student = random_student(config)
    classes = {index: f"class {index}" for index in range(config.num_classes)}
    z, y = map(torch.from_numpy, latents_in_turn(sorted(classes), 0, 16, config.z_dim, _TRUNCATION))
    calibrate(student, [(z, y)])
    info = SnapshotInfo(config, classes, _TRUNCATION, "random weights")
    save_snapshot(run / STUDENT_FILE, student, info)
    quantized = QuantGenerator(deploy_form(student), QuantConfig(range_method="minmax"))
    quantized.calibrate([(z, one_hot(y, config.num_classes))])
    save_int8(int8, quantized, info)


def _stages(config: PaperSizeConfig, name: str, teacher: Path) -> list[Stage]:
    run = config.folder / name
    of_class = run / "artifacts" / f"class-{_CLASS}"
    export: Command = ("deploy/android/export.py", "--run", str(run), "--precision", "fp32", "int8")
    measure: Command = (
        *("benchmarks/run_device.py", "--run", str(run), "--parts", "cost", "latency", "--no-compiled"),
        *("--rounds", str(config.rounds), "--threads", *map(str, config.threads)),
        *("--teacher", str(teacher) if name == next(iter(STUDENTS)) else ""),
        *("--again",) * config.again,
    )
    one_class = ("--artifacts", str(of_class), "--out", str(_folder_of_class(run)))
    profile: Command = ("benchmarks/run_device.py", "--run", str(run), "--profile")
    return [
        Stage(f"{name}: export", (export,), 100),
        Stage(f"{name}: export one class", ((*export, "--class", _CLASS),), 90),
        Stage(f"{name}: measure", (measure,), 300),
        Stage(f"{name}: measure one class", ((*measure, *one_class),), 60),
        Stage(f"{name}: time operations", (profile,), 40),
    ]


def _folder_of_class(run: Path) -> Path:
    return run / "benchmark" / f"class-{_CLASS}"


def _found(run: Path) -> dict[str, Any]:
    folder = run / "benchmark"
    return {
        "all classes": read_results(folder / RESULTS_FILE),
        "one class": read_results(_folder_of_class(run) / RESULTS_FILE),
        "operations": json.loads((folder / PROFILE_FILE).read_text(encoding="utf-8")),
    }


def page(students: dict[str, dict[str, Any]]) -> str:
    """Return everything as a page of tables: the most asked for first, other networks and notes once."""
    lines = [ABOUT + "\n", f"## In short\n\n{in_short(students).markdown()}"]
    said: set[str] = set()
    first = next(iter(students))
    for name, found in students.items():
        for form in ("all classes", "one class"):
            lines.append(f"## {name}, {form}\n")
            is_first = (name, form) == (first, "all classes")
            for table in tables(found[form] if is_first else _without_others(found[form])):
                notes = [note for note in table.notes if note not in said]
                said.update(notes)
                lines.append(f"### {table.title}\n\n{dataclasses.replace(table, notes=notes).markdown()}")
        for file, profile in found["operations"]["artifacts"].items():
            lines.append(f"### Operations of {name}'s {file}, medians of {profile['runs']} runs, one thread\n")
            lines.append(by_kind(profile["median_ms"]).markdown())
    return "\n".join(lines)


def in_short(students: dict[str, dict[str, Any]]) -> Table:
    """Return size and time of the teacher and of every student, by file."""
    threads = sorted({row["threads"] for found in students.values() for row in found["all classes"]["latency"]})
    cells = []
    for name, found in students.items():
        results = found["all classes"]
        costs = {row["key"]: row for row in results["cost"]}
        times = {(row["name"], row["threads"]): row for row in results["latency"]}
        for model, shown in _IN_SHORT.items():
            if (model, threads[0]) not in times:
                continue
            rows = [times[model, count] for count in threads]
            cost = costs[shown.cost]
            ratio = rows[0]["ratios"][_AUTHORS_ORDER]["median"]
            cells.append(
                [
                    shown.title.format(name),
                    f"{cost['multiply_accumulates'] / 1e6:,.0f}",
                    _megabytes(costs, model, cost),
                    *(f"{row['latency_ms']['p50']:.1f}" for row in rows),
                    f"{ratio:.2f}",
                ]
            )
    counts = [f"ms, {count} thread{'s' * (count > 1)}" for count in threads]
    headers = ["", "MACs, M", "MB", *counts, "of the student in the authors' order, 1 thread"]
    return Table("In short", headers, cells, ["Medians; the last column: of the ratios within a round."])


def _megabytes(costs: dict[str, dict[str, Any]], model: str, cost: dict[str, Any]) -> str:
    file = costs.get(f"artifact/{model}")
    return f"{(file['bytes'] if file else 4 * cost['parameters']) / 1e6:.2f}"


def _without_others(results: dict[str, Any]) -> dict[str, Any]:
    """Return results without the cost of networks that are not the student."""
    own = [row for row in results["cost"] if not row["key"].startswith(("counted/", "published/", "teacher"))]
    return results | {"cost": own}


if __name__ == "__main__":
    run_script(main)
