"""The frontier of a run's found students: distance to the teacher against cost, beside full and uniform widths."""

import json
from pathlib import Path
from typing import Any

from benchmarks.latency import statistics
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from benchmarks.width_programs import int8_programs, time_programs
from compress.found_run import FOUND_FILE
from compress.width_space import WidthSpace
from train.errors import UserError
from train.files import file_hash
from train.machine import this_machine
from train.snapshot import STUDENT_FILE, load_snapshot

NOTE = "frontier"
_TITLES = {"full": "all of the supernet", "uniform_slice": "uniform slice", "found": "found"}


def measure_frontier(config: BenchmarkConfig, results: Results) -> None:
    """Time an int8 program of the widths of every found student and of what it was compared with; keep the points.

    Nothing is done for a run without found students.

    Raises:
        UserError: a found.json is damaged.
    """
    files = sorted((config.run / "search").glob(f"*/{FOUND_FILE}")) if config.run.is_dir() else []
    if not files:
        return
    inputs = {"found": file_hash(*files), "device": this_machine(), "rounds": config.rounds}
    if not config.again and results.content["notes"].get(NOTE, {}).get("inputs") == inputs:
        print("frontier of the found students: measured already", flush=True)
        return
    points = [point for file in files for point in _points(file)]
    _, info = load_snapshot(config.run / STUDENT_FILE)
    space = WidthSpace(info.generator)
    genes = list(dict.fromkeys(tuple(point["widths"]) for point in points))
    programs = int8_programs([space.student(each) for each in genes], config.folder / "cache" / "widths")
    samples = time_programs(
        {str(each): program for each, program in zip(genes, programs, strict=True)},
        info.generator,
        rounds=config.rounds,
        warmup=config.warmup,
        iterations=config.iterations,
    )
    for point in points:
        point["ms"] = statistics(samples[str(tuple(point["widths"]))])["p50"]
    # The full widths are in every file.
    unique = {(point["series"], point["label"], *point["widths"]): point for point in points}
    protocol = "int8 XNNPACK programs of these widths, of random weights, one image on one thread"
    results.say(NOTE, inputs=inputs, points=list(unique.values()), protocol=protocol)


def _points(file: Path) -> list[dict[str, Any]]:
    """Return the points of one budget: the found student as it was kept, and the others."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        points = []
        for name, title in _TITLES.items():
            row, distance = stored[name], stored[name]["distance"]
            label = file.parent.name if name == "found" else ""
            if name == "found" and stored.get("fine_tuned", {}).get("kept"):
                distance, label = stored["fine_tuned"]["distance"], f"{label}, fine-tuned"
            widths = [*row["stages"], *row["mids"]]
            cost = {"macs": row["multiply_accumulates"] / 1e6, "l1": distance["l1"]}
            points.append({"series": title, "label": label, "widths": widths} | cost)
        return points
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged ({error!r}); delete its folder and search again") from None
