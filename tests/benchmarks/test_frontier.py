"""The points of found students: which distances they have, what is timed, and when nothing is done again."""

import json

import pytest
from stand_ins import save_random_student

from benchmarks import frontier
from benchmarks.frontier import NOTE, measure_frontier
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from train.errors import UserError
from train.generator import GeneratorConfig

CONFIG = GeneratorConfig(channels=4, image_size=32, num_classes=10)


def found(l1, tuned=None):
    def row(stages, l1):
        distance = {"l1": l1, "features": 0.1}
        return {"stages": stages, "mids": stages[1:], "multiply_accumulates": sum(stages), "distance": distance}

    stored = {"found": row([16, 8, 8, 4], l1), "uniform_slice": row([16, 8, 4, 4], 0.2)}
    stored |= {"full": row([32, 16, 8, 4], 0.05)}
    return stored if tuned is None else stored | {"fine_tuned": {"distance": {"l1": tuned}, "kept": tuned < l1}}


@pytest.fixture
def timed(monkeypatch) -> list[list[str]]:
    """What is timed, without programs: a millisecond for each channel of the first layer."""
    asked: list[list[str]] = []

    def time_programs(programs, config, **settings):
        asked.append(list(programs))
        return {name: [[float(json.loads(name.replace("(", "[").replace(")", "]"))[0])]] for name in programs}

    monkeypatch.setattr(frontier, "int8_programs", lambda configs, folder: [folder] * len(configs))
    monkeypatch.setattr(frontier, "time_programs", time_programs)
    return asked


def run_with(tmp_path, **students):
    save_random_student(tmp_path / "run" / "student.safetensors", CONFIG)
    for name, stored in students.items():
        folder = tmp_path / "run" / "search" / name
        folder.mkdir(parents=True)
        (folder / "found.json").write_text(json.dumps(stored))
    return BenchmarkConfig(run=tmp_path / "run"), Results(tmp_path / "results.json", {"sha256": "a"})


def test_the_kept_students_stand_beside_uniform_and_full_ones(tmp_path, timed):
    config, results = run_with(tmp_path, a=found(0.1), b=found(0.1, tuned=0.08), c=found(0.1, tuned=0.12))
    measure_frontier(config, results)
    points = results.content["notes"][NOTE]["points"]
    assert len(timed[0]) == 3 and "(16, 8, 8, 4, 8, 8, 4)" in timed[0]  # equal widths are timed once
    by_label = {point["label"]: point["l1"] for point in points if point["series"] == "found"}
    assert by_label == {"a": 0.1, "b, fine-tuned": 0.08, "c": 0.1}
    full = [point for point in points if point["series"] == "all of the supernet"]
    assert len(full) == 1 and full[0]["ms"] == 32 and full[0]["l1"] == 0.05


def test_what_is_there_is_not_measured_again(tmp_path, timed, capsys):
    config, results = run_with(tmp_path, a=found(0.1))
    measure_frontier(config, results)
    measure_frontier(config, results)
    assert len(timed) == 1 and "measured already" in capsys.readouterr().out


def test_a_run_without_a_search_has_none_and_a_damaged_one_says_so(tmp_path, timed):
    config, results = run_with(tmp_path)
    measure_frontier(config, results)
    assert not timed and NOTE not in results.content["notes"]
    (tmp_path / "run" / "search" / "a").mkdir(parents=True)
    (tmp_path / "run" / "search" / "a" / "found.json").write_text("{}")
    with pytest.raises(UserError, match=r"found\.json is damaged"):
        measure_frontier(config, results)
