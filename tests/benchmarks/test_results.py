"""results.json: what is kept, what is measured again, what changed."""

import json
import shutil

import pytest

from benchmarks.changes import print_changes
from benchmarks.results import Results, read_results
from train.errors import UserError
from train.machine import this_machine

MODEL = {"architecture": "dw", "sha256": {"float": "a"}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "benchmark" / "results.json"


def test_a_stopped_benchmark_goes_on(path):
    results = Results(path, MODEL)
    results.put("latency", "host/a/threads-1", {"sha256": "1", "sizes": (1, 2)}, {"p50": 3.0})
    again = Results(path, MODEL)
    assert again.kept("latency", "host/a/threads-1", {"sha256": "1", "sizes": (1, 2)})
    assert not again.kept("latency", "host/a/threads-1", {"sha256": "2", "sizes": (1, 2)})
    assert not again.kept("quality", "host/a/threads-1", {"sha256": "1", "sizes": (1, 2)})


def test_a_failure_is_written_down_until_it_succeeds(path):
    results = Results(path, MODEL)
    results.put("latency", "host/a", {"sha256": "0"}, {})
    results.put_failure("latency", "host/a", {"sha256": "1", "sizes": (1, 2)}, "it is broken")
    assert read_results(path)["latency"] == []
    assert read_results(path)["failures"]["latency/host/a"]["why"] == "it is broken"
    Results(path, MODEL).put("latency", "host/a", {"sha256": "1", "sizes": (1, 2)}, {})
    assert read_results(path)["failures"] == {}


def test_two_commands_lose_no_row_of_each_other(path):
    first, second = Results(path, MODEL), Results(path, MODEL)
    first.put("cost", "a", {}, {})
    second.put("latency", "b", {}, {})
    first.say("cost", protocol="counted")
    first.put("latency", "another number of threads", {}, {})
    first.put_failure("latency", "a failure", {}, "why")
    second.put("latency", "old", {}, {})
    second.keep_only("latency", "", ["b"])
    content = read_results(path)
    assert [row["key"] for row in content["cost"]] == ["a"]
    assert [row["key"] for row in content["latency"]] == ["another number of threads", "b"]
    assert list(content["failures"]) == ["latency/a failure"]
    assert content["notes"]["cost"] == {"protocol": "counted"}


def test_another_model_does_not_take_the_file_from_a_command_at_work(path):
    first = Results(path, MODEL)
    first.put("cost", "a", {}, {})
    Results(path, {**MODEL, "sha256": {"float": "b"}}).put("cost", "c", {}, {})
    with pytest.raises(UserError, match="about another model now; measure into another folder with --out"):
        first.put("cost", "d", {}, {})


def test_rows_of_another_student_are_dropped(path):
    Results(path, MODEL).put("cost", "student", {}, {"parameters": 1})
    assert Results(path, {**MODEL, "sha256": {"float": "b"}}).content["cost"] == []
    assert len(Results(path, MODEL).content["cost"]) == 1


def test_a_row_takes_the_place_of_its_predecessor(path):
    results = Results(path, MODEL)
    for value in (1, 2):
        results.put("cost", "student", {}, {"parameters": value})
    results.put("cost", "other", {}, {"parameters": 3})
    assert [(row["key"], row["parameters"]) for row in read_results(path)["cost"]] == [
        ("student", 2),
        ("other", 3),
    ]


def test_what_is_no_longer_there_is_dropped_and_others_stay(path):
    results = Results(path, MODEL)
    for key in ("host/old", "host/b", "host/a", "android/x"):
        results.put("latency", key, {}, {})
    results.keep_only("latency", "host/", ["host/a", "host/b"])
    assert [row["key"] for row in read_results(path)["latency"]] == ["android/x", "host/a", "host/b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ('{"format": "tinygan-edge-results-1"}', "is damaged"),
        (json.dumps({"format": "9", "model": {}, "notes": {}, "cost": [], "latency": [], "quality": []}), "'9'"),
    ],
)
def test_bad_files_are_refused(path, text, message):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_results(path)
    with pytest.raises(UserError, match=message):
        Results(path, MODEL)


def test_a_missing_file_says_how_to_measure(path):
    with pytest.raises(UserError, match=r"no results at .*run_device\.py"):
        read_results(path)


def test_the_machine_has_a_name():
    machine = this_machine()
    assert machine["cpu"] and machine["cores"] >= 1


def test_changes_say_what_is_better_and_what_worse(path, tmp_path, capsys):
    def write(file, p50, recognised, extra):
        results = Results(file, MODEL)
        results.say("quality", columns={"recognised": {"better": "higher"}, "odd": {"better": None}})
        results.put("latency", "host/a", {}, {"latency_ms": {"p50": p50, "p90": 9.0}})
        results.put("quality", "quality/a", {}, {"recognised": recognised, "odd": p50})
        results.put("cost", extra, {}, {"parameters": 1})

    other = tmp_path / "other.json"
    write(other, 10.0, 0.99, "gone")
    write(path, 5.0, 0.90, "new")
    print_changes(path, other)
    lines = capsys.readouterr().out.splitlines()
    assert "host/a: p50 ms 10 → 5 (-50.0%), better" in lines
    assert "quality/a: recognised 0.99 → 0.9 (-9.1%), worse" in lines
    assert "quality/a: odd 10 → 5 (-50.0%)" in lines
    assert "gone: only in the other file" in lines and "new: only in this file" in lines
    assert len(lines) == 5
    print_changes(path, path)
    assert "nothing has changed" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["run/benchmark", "run"])
def test_results_are_found_in_a_folder_of_them_and_in_a_runs(path, tmp_path, capsys, folder):
    Results(path, MODEL).put("cost", "same", {}, {"parameters": 1})
    (tmp_path / "run" / "benchmark").mkdir(parents=True)
    shutil.copy(path, tmp_path / "run" / "benchmark" / "results.json")
    print_changes(path, tmp_path / folder)
    assert "nothing has changed" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"no results at .*elsewhere"):
        print_changes(path, tmp_path / "elsewhere")
