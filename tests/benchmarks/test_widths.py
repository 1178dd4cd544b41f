"""The recipe's commands are understood by their scripts, and the table says what its figures say."""

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import pytest

from benchmarks import widths, widths_table
from benchmarks.widths import WidthsConfig, stages
from benchmarks.widths_table import _curves, _table, _verdicts
from compress.macs import multiply_accumulates
from train.cli import parse, parse_preset
from train.errors import UserError
from train.generator import GeneratorConfig
from train.presets import DEFAULT_PRESET, PRESETS

CONFIG = WidthsConfig(seeds=(0,))
PARSED = {
    "benchmarks/judge.py": "benchmarks.judge:JudgeConfig",
    "compress/search.py": "compress.search_config:SearchConfig",
    "compress/qat.py": "compress.config:QatConfig",
    "deploy/android/export.py": "deploy.selection:ExportConfig",
}


@pytest.fixture(scope="module")
def parsed() -> list[tuple[str, Any]]:
    """Script and configuration of every command, as the scripts themselves understand them."""
    found = []
    for script, *arguments in (command for stage in stages(CONFIG) for command in stage.commands):
        assert (Path(widths.__file__).parents[1] / script).is_file()
        if script == "train/main.py":
            found.append((script, parse_preset(PRESETS, DEFAULT_PRESET, arguments)[1]))
        else:
            module, name = PARSED[script].split(":")
            found.append((script, parse(getattr(importlib.import_module(module), name), arguments, "")))
    return found


def test_students_are_trained_alone_within_the_budgets_and_as_long_as_the_found_ones(parsed):
    most = multiply_accumulates(PRESETS["digits"][1].generator)
    trained = [config for script, config in parsed if script == "train/main.py"]
    alone = [run for run in trained if "alone" in str(run.run)]
    assert len(alone) == 5 and len(trained) == 6
    for run in alone:
        share = int(run.run.name.split("-")[1])
        assert 0.8 * share / 100 * most < multiply_accumulates(run.generator) <= share / 100 * most
        assert run.optimizer.images == CONFIG.images + CONFIG.supernet_images + CONFIG.finetune_images


def test_searches_differ_in_one_thing_and_compare_as_many_candidates(parsed):
    found, intermediate, drawn = (config for script, config in parsed if script == "compress/search.py")
    assert (found.intermediate, intermediate.intermediate) == (0, 1)
    assert found.images == intermediate.images == drawn.images
    assert drawn.supernet_folder == found.supernet_folder != intermediate.supernet_folder
    assert drawn.evolution.population == CONFIG.candidates and drawn.evolution.rounds == 0


def test_everything_that_is_judged_is_made(parsed):
    made = {str(config.run) for script, config in parsed if script in ("train/main.py", "compress/qat.py")}
    (judge,) = (config for script, config in parsed if script == "benchmarks/judge.py")
    judged = [model.partition("=")[2] for model in judge.models]
    assert len(judged) == 1 + len(CONFIG.models())
    for path in map(Path, judged[1:]):
        searched = "students" in path.parts  # of a search
        assert searched or str(path.parents["qat" in path.parts]) in made


def test_a_dry_run_prints_them(capsys):
    widths.main(["--dry-run", "--seeds", "0"])
    said = capsys.readouterr().out
    assert "python compress/search.py --run runs/widths/full-0" in said and "75%" in said
    assert said.count("python benchmarks/judge.py") == 1
    with pytest.raises(UserError, match="--preset scratch-digits is no student's"):
        widths.main(["--preset", "scratch-digits", "--dry-run"])


def row(name, budget, seed, l1, ms=0.1):
    return {"row": name, "budget": budget, "seed": seed, "l1_to_teacher": l1, "ms": ms, "macs": budget / 10} | {
        "frechet_lite0_to_photos_n1000": 30.0 + seed
    }


ROWS = [row("full", 100, seed, 0.080) for seed in (0, 1)]
ROWS += [row("alone", 50, 0, 0.100), row("alone", 50, 1, 0.104)]
ROWS += [row("tuned", 50, 0, 0.090), row("tuned", 50, 1, 0.091)]


def test_the_table_has_means_and_spreads():
    text = _table(ROWS, ["a note"]).markdown()
    assert "| 50 % | uniform, trained alone | 5.00 (5.00–5.00) | 0.1020 (0.1000–0.1040) |" in text
    assert "30.50 (30.00–31.00)" in text and "Mean of 2 seeds" in text and "a note" in text


def test_the_verdict_asks_for_more_than_the_spread():
    (said,) = _verdicts(ROWS)
    assert "is 0.0115 below" in said and "more than the spread of 0.0040, and +13.1% of the full" in said
    close = [*ROWS[:4], row("tuned", 50, 0, 0.100), row("tuned", 50, 1, 0.101)]
    assert "is 0.0015 below" in _verdicts(close)[0] and "no more than the spread of 0.0040" in _verdicts(close)[0]
    worse = [*ROWS[:4], row("tuned", 50, 0, 0.120), row("tuned", 50, 1, 0.121)]
    assert "is 0.0185 above" in _verdicts(worse)[0] and "more than the spread" in _verdicts(worse)[0]
    assert "spread" not in _verdicts([r for r in ROWS if r["seed"] == 0])[0]


def test_the_frontier_has_a_point_for_each_budget():
    assert _curves(ROWS, "macs")["found, fine-tuned"] == [(5.0, pytest.approx(0.0905))]


def test_what_was_exported_is_timed_and_the_uniform_ones_beside_it(tmp_path, monkeypatch):
    def generator(channels):
        config = GeneratorConfig(channels=channels, image_size=32, num_classes=10)
        return dataclasses.replace(config, widths=config.resolved_widths).record()

    made = []

    def int8_programs(configs, folder):
        made.extend(config.resolved_widths.stages[-1] for config in configs)
        return [program(folder / str(k)) for k, _ in enumerate(configs)]

    def program(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 2000)
        return path

    models = {
        ("tuned", 50, 0): tmp_path / "a",
        ("int8", 50, 0): tmp_path / "run" / "qat" / "student_int8.safetensors",
    }
    models |= {("alone", 50, 0): tmp_path / "b", ("random", 50, 0): tmp_path / "c"}
    program(tmp_path / "run" / "artifacts" / widths_table.PROGRAM)
    rows = [row(*key, 0.1) | {"generator": generator(c)} for key, c in zip(models, (4, 4, 8, 6), strict=True)]
    for each in rows:
        del each["ms"]
    monkeypatch.setattr(widths_table, "int8_programs", int8_programs)
    monkeypatch.setattr(widths_table, "time_programs", lambda files, config, **_: {key: [[0.5]] for key in files})
    widths_table._add_times(rows, models, tmp_path / "programs")
    assert made == [8]  # nothing for the row that is not timed, nor for widths that were exported
    assert [each.get("ms") for each in rows] == [0.5, 0.5, 0.5, None] and rows[0]["kilobytes"] == 2.0
