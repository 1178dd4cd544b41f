"""The stages of make quickstart."""

import re
import time
from pathlib import Path

import pytest

from benchmarks import quickstart, recipe
from train.errors import UserError

ROOT = Path(quickstart.__file__).parent.parent


def test_stages_are_scripts_of_this_project(tmp_path):
    for stage in quickstart.stages(tmp_path, tmp_path / "animals"):
        for script, *flags in (*stage.commands, *stage.then):
            assert (ROOT / script).is_file()
            of_animals = any("animals" in flag for flag in flags)
            assert of_animals == (flags[flags.index("--run") + 1] != str(tmp_path))
            assert of_animals or "--out" not in flags  # what is shipped stays as it is


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_shipped_animals_are_found_from_anywhere(tmp_path, monkeypatch, elsewhere):
    monkeypatch.chdir(tmp_path if elsewhere else ROOT)
    *_, last = quickstart.stages(tmp_path, tmp_path)
    command = last.commands[0]
    assert Path(command[command.index("--run") + 1], "student.safetensors").is_file()


def test_what_is_left_follows_the_speed_of_this_machine(tmp_path, monkeypatch, capsys):
    commands = [("first",), ("second",)]
    stages = [recipe.Stage(name, (command,), 100.0) for name, command in zip("ab", commands, strict=True)]
    clock = iter([0.0, 0.0, 200.0, 200.0, 300.0, 300.0])
    ran = []
    monkeypatch.setattr(quickstart, "stages", lambda run, animals: stages)
    monkeypatch.setattr(recipe, "run_side_by_side", lambda commands, then: ran.append(commands))
    monkeypatch.setattr(recipe.time, "monotonic", lambda: next(clock))
    quickstart.main(["--run", str(tmp_path)])
    out = capsys.readouterr().out
    assert "[1/2] a; about 3 min left" in out
    assert "[2/2] b; about 3 min left" in out  # 100 s, at half the speed
    assert "done in 5 min" in out and f"reports: {tmp_path}/benchmark/report.html" in out
    assert ran == [(("first",),), (("second",),)]


def test_commands_of_a_stage_run_at_the_same_time(tmp_path):
    script = tmp_path / "wait.py"
    # Each waits for the other's file: one after the other they would never end.
    script.write_text(
        "import sys, time, pathlib\n"
        "mine, other = map(pathlib.Path, sys.argv[1:])\n"
        "mine.touch()\n"
        "while not other.exists(): time.sleep(0.01)\n"
    )
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    recipe.run_side_by_side([(str(script), a, b), (str(script), b, a)])


def test_what_follows_the_last_command_runs_in_order_beside_the_first(tmp_path, capfd):
    waits, says = tmp_path / "waits.py", tmp_path / "says.py"
    waits.write_text(
        f"import time, pathlib\nwhile not pathlib.Path({str(tmp_path / 'c')!r}).exists(): time.sleep(0.01)"
    )
    says.write_text(
        "import sys, pathlib\nprint('ran', pathlib.Path(sys.argv[1]).name)\npathlib.Path(sys.argv[1]).touch()"
    )
    a, b, c = ((str(says), str(tmp_path / name)) for name in "abc")
    recipe.run_side_by_side([(str(waits),), a], [b, c])  # the first ends when the last has run
    assert re.findall(r"^ran (\w)", capfd.readouterr().out, re.M) == ["a", "b", "c"]


def test_commands_of_a_stage_share_the_cores_unless_told_otherwise(tmp_path, monkeypatch, capfd):
    script = tmp_path / "threads.py"
    script.write_text("import os; print('threads', os.environ.get('OMP_NUM_THREADS'))")
    monkeypatch.setattr(recipe, "usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    recipe.run_side_by_side([(str(script),)])
    recipe.run_side_by_side([(str(script), "a"), (str(script), "b")])
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    recipe.run_side_by_side([(str(script), "a"), (str(script), "b")])
    said = re.findall(r"threads (\w+)", capfd.readouterr().out)
    assert said == ["None", "4", "4", "3", "3"]


def test_a_failure_ends_the_others(tmp_path):
    fails, waits = tmp_path / "fails.py", tmp_path / "waits.py"
    fails.write_text("import sys; sys.exit(3)")
    waits.write_text("import time; time.sleep(60)")
    started = time.monotonic()
    with pytest.raises(UserError, match=r"fails\.py has failed \(exit status 3\)"):
        recipe.run_side_by_side([(str(waits),), (str(fails),)])
    assert time.monotonic() - started < 30
