"""Width search of a tiny digits run, end to end."""

import dataclasses
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scripts import run_script
from stand_ins import FixedPairs, replace, save_random_student

from compress import candidates, qat, search, supernet
from compress.candidates import Cache, Distance
from compress.elastic import elastic
from compress.evaluate import psnr
from compress.float_run import open_run
from compress.heldout import comparison, latents_of
from compress.macs import multiply_accumulates
from compress.program_costs import ProgramTable
from compress.search_config import SearchConfig
from compress.supernet import Sandwich
from compress.width_space import WidthSpace
from train import judging, loop
from train import run as float_training
from train.distributed import World
from train.errors import UserError
from train.generator import Widths
from train.images import to_bytes
from train.loop import load_state
from train.noise import GIVEN
from train.sample import main as sample
from train.snapshot import load_snapshot
from train.sources import Sources

FAST = ("--device", "cpu", "--latents", "64", "--final-latents", "64", "--images", "64")
FAST += (
    "--finetune-images",
    "16",
    "--evolution.population",
    "6",
    "--evolution.parents",
    "2",
    "--evolution.rounds",
    "2",
)
BUDGET = "1.1M"


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_run_config) -> Path:
    """A folder with a run, "digits", that is wide enough to be made narrower, and its pairs."""
    folder = tmp_path_factory.mktemp("runs")
    config = replace(tiny_run_config, generator__channels=8)
    float_training.train(config, folder / "digits", World(0, 1, torch.device("cpu")))
    return folder


@pytest.fixture(scope="module")
def searched(runs, tmp_path_factory) -> Path:
    """The run after a search, to be read only."""
    folder = tmp_path_factory.mktemp("searched")
    shutil.copytree(runs, folder, dirs_exist_ok=True)
    search.main(["--run", str(folder / "digits"), "--macs", BUDGET, *FAST])
    return folder / "digits"


def same_weights(first: Path, second: Path) -> bool:
    ours, theirs = (load_state(folder / "search" / "supernet" / "state.pt") for folder in (first, second))
    return all(
        torch.equal(ours[part][name], theirs[part][name])
        for part in ("generator", "discriminator", "average")
        for name in ours[part]
    )


def test_a_found_student_is_a_run_like_any_other(searched, tmp_path):
    found = searched / "search" / BUDGET
    info = load_snapshot(found / "student.safetensors")[1]
    row = json.loads((found / "found.json").read_text())
    assert multiply_accumulates(info.generator) <= 1_100_000
    assert info.images == 96 + 64 + 16 * row["fine_tuned"]["kept"]
    assert row["found"]["multiply_accumulates"] == multiply_accumulates(info.generator)
    distances = {name: sum(row[name]["distance"].values()) for name in ("found", "uniform_slice")}
    assert distances["found"] <= distances["uniform_slice"]
    written = row["found"]["distance_as_written"]
    assert written == row["found"]["distance"]  # calibrated on as many latents here
    tuned = row["fine_tuned"]
    assert tuned["kept"] == (sum(tuned["distance"].values()) < sum(written.values()))
    students = {path.stem: path.read_bytes() for path in (found / "students").iterdir()}
    assert students.keys() == {"found", "uniform_slice", "full", "fine_tuned"}
    kept, _ = load_snapshot(found / "students" / f"{'fine_tuned' if tuned['kept'] else 'found'}.safetensors")
    assert all(
        torch.equal(tensor, kept.state_dict()[name])
        for name, tensor in load_snapshot(found / "student.safetensors")[0].state_dict().items()
    )
    assert {"recognised", "l1_to_teacher"} <= json.loads((found / "quality.json").read_text()).keys()
    run = open_run(found)
    assert run.config.generator == info.generator and run.info.classes.keys() == set(range(10))
    assert float_training.is_finished(found, run.config)

    sample(["--run", str(found), "--out", str(tmp_path / "grid.png")])
    assert (tmp_path / "grid.png").stat().st_size > 1000
    out = tmp_path / "qat"
    command = ["--run", str(found), "--out", str(out), "--images", "64", "--calibration-batches", "3"]
    qat.main([*command, "--device", "cpu"])
    rows = json.loads((out / "report.json").read_text())["rows"]
    assert rows["W8A8 QAT"]["bytes"] > 1000
    assert not (searched / "search" / "pairs").exists()  # those of the full student's run were found


def test_all_losses_take_part_and_the_full_widths_come_out(searched):
    folder = searched / "search" / "supernet"
    entries = [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]
    terms = {name for entry in entries for name in entry}
    assert {"d_distillation", "d_real", "g_feature", "g_adversarial", "g_pixel"} <= terms
    info = load_snapshot(folder / "supernet.safetensors")[1]
    assert info.generator == load_snapshot(searched / "student.safetensors")[1].generator


def test_a_finished_search_says_so_and_does_nothing(searched, capsys, monkeypatch):
    folder = searched / "search" / BUDGET
    before = (folder / "student.safetensors").stat().st_mtime_ns
    monkeypatch.setattr(supernet, "train_on", None)
    monkeypatch.setattr(candidates.Candidates, "measure", None)
    search.main(["--run", str(searched), "--macs", BUDGET, *FAST])
    said = capsys.readouterr().out
    assert f"{BUDGET}: " in said and "uniform slice" in said and "compress/qat.py --run" in said
    assert (folder / "student.safetensors").stat().st_mtime_ns == before


def test_a_stopped_search_goes_on_to_the_same_student(searched, runs, tmp_path, monkeypatch):
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    run = tmp_path / "digits"
    command = ["--run", str(run), "--macs", BUDGET, *FAST]
    original = loop.one_step

    def stopping(training, batch, step):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(training, batch, step)

    monkeypatch.setattr(loop, "one_step", stopping)
    with pytest.raises(SystemExit) as stop:
        search.main(command)
    assert (
        stop.value.code == 128 + signal.SIGTERM
        and load_state(run / "search" / "supernet" / "state.pt")["step"] == 4
    )
    monkeypatch.setattr(loop, "one_step", original)

    measured = 0
    measure = candidates.Candidates.measure

    def killed(self, student):
        nonlocal measured
        measured += 1
        if measured == 6:
            raise KeyboardInterrupt
        return measure(self, student)

    monkeypatch.setattr(candidates.Candidates, "measure", killed)
    with pytest.raises(KeyboardInterrupt):
        search.main(command)
    assert same_weights(run, searched)
    evaluations = run / "search" / candidates.EVALUATIONS_FILE
    assert len(evaluations.read_text().splitlines()) == 1 + 5
    evaluations.write_text(evaluations.read_text() + '{"widths": [1')  # a kill in the middle of a line
    measured = 6  # the five that are known are not measured again
    search.main(command)
    ours, theirs = (folder / "search" / BUDGET / "student.safetensors" for folder in (run, searched))
    assert ours.read_bytes() == theirs.read_bytes()
    kept = (searched / "search" / candidates.EVALUATIONS_FILE).read_text()
    assert evaluations.read_text() == kept
    assert measured - 6 == len(kept.splitlines()) - 1 - 5 + 2  # and the found one as it is written, and fine-tuned


def test_the_reach_comes_first_and_alone_without_a_budget(runs, capsys):
    search.main(["--run", str(runs / "digits"), "--device", "cpu"])
    space = WidthSpace(open_run(runs / "digits").info.generator)
    fewest, most = space.macs(space.smallest), space.macs(space.largest)
    said = capsys.readouterr().out
    assert said.startswith(f"budgets from {fewest / 1e6:.4g}M to {most / 1e6:.4g}M multiply-accumulates")
    assert not (runs / "digits" / "search").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--macs", "1k"], r"--macs 1k cannot be searched: .*reach from \S+M to \S+M"),
        (["--macs", BUDGET, "160M"], r"--macs 160M cannot be searched"),
        (["--macs", "half"], "'half' is not written like"),
        (["--macs", BUDGET, "--images", "3"], "--images 3 is less than one of the run's batches"),
        (["--evolution.parents", "64"], "leave no room for children"),
        (["--latents", "0"], "--latents must be at least 1, not 0"),
        (
            ["--macs", BUDGET, "--finetune-images", "3"],
            "--finetune-images 3 is less than one of the run's batches",
        ),
        (["--intermediate", "-1"], "--intermediate must be at least 0, not -1"),
        (["--ms", "1", "--programs", "nowhere.json"], r"no table of measured programs at nowhere\.json"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(runs, arguments, message):
    with pytest.raises(UserError, match=message) as error:
        search.main(["--run", str(runs / "digits"), "--device", "cpu", *arguments])
    assert "\n" not in str(error.value)
    assert not (runs / "digits" / "search").exists()


def test_runs_that_are_no_distilled_students_are_refused(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs / "digits", run)
    config = json.loads((run / "config.json").read_text())
    changed = {"settings": config["settings"] | {"data": config["settings"]["data"] | {"teacher": ""}}}
    (run / "config.json").write_text(json.dumps(config | changed))
    with pytest.raises(UserError, match="was trained without a teacher"):
        search.main(["--run", str(run)])
    biggan = {"settings": config["settings"] | {"generator": {"architecture": "biggan"}}}
    (run / "config.json").write_text(json.dumps(config | biggan))
    with pytest.raises(UserError, match=r"run of a teacher, not of a student; give that of a dw or std"):
        search.main(["--run", str(run)])
    (run / "discriminator.safetensors").unlink()
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"no trained discriminator at .*; restore it, or train"):
        search.main(["--run", str(run)])
    with pytest.raises(UserError, match="no run folder at"):
        search.main(["--run", str(tmp_path / "nowhere")])


def test_supernets_and_students_of_others_are_refused(searched, tmp_path):
    shutil.copytree(searched.parent, tmp_path, dirs_exist_ok=True)
    run = tmp_path / "digits"
    command = ["--run", str(run), "--macs", BUDGET, *FAST]
    with pytest.raises(UserError, match=r"supernet was made with images 64, not 72; delete it"):
        search.main([*command, "--images", "72"])
    with pytest.raises(UserError, match=r"1\.1M was found by a search with other settings; delete it"):
        search.main([*command, "--evolution.rounds", "3"])
    config = load_snapshot(run / "student.safetensors")[1].generator
    save_random_student(run / "student.safetensors", config)
    with pytest.raises(UserError, match=r"is the supernet of another student than that of \S+digits; delete it"):
        search.main(command)


def test_budgets_in_milliseconds_and_bytes_follow_a_table_of_a_phone(searched, tmp_path, capsys):
    shutil.copytree(searched.parent, tmp_path, dirs_exist_ok=True)
    run, file = tmp_path / "digits", tmp_path / "phone.json"
    space = WidthSpace(open_run(run).info.generator)
    random = np.random.default_rng(0)
    drawn = [space.draw(random) for _ in range(15)]
    rows = [
        dataclasses.asdict(space.widths(genes)) | {"ms": 0.1 + space.macs(genes) / 1e6, "bytes": 1000 * genes[0]}
        for genes in drawn
    ]
    ProgramTable(space.config.record(), "Pixel 8", "invented", tuple(rows)).write(file)
    command = ["--run", str(run), *FAST, "--programs", str(file), "--machine", "Pixel 8"]
    search.main([*command, "--ms", "0.8", "--bytes", "60%"])
    said = capsys.readouterr().out
    assert "the rank correlation is 1.000" in said and "budgets from 0." in said and " ms: the smallest" in said
    found = json.loads((run / "search" / "0.8ms" / "found.json").read_text())
    assert found["found"]["fitted_ms"] <= 0.8 and found["found"]["multiply_accumulates"] < 750_000
    assert (run / "search" / "60%B" / "student.safetensors").is_file()
    with pytest.raises(UserError, match=r"phone\.json was measured on 'Pixel 8', not on '.*; name that machine"):
        search.main(["--run", str(run), *FAST, "--programs", str(file), "--ms", "0.8"])


def test_a_supernet_learns_the_full_students_features_and_is_shared(runs, tmp_path):
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    run = tmp_path / "digits"
    command = ["--run", str(run), "--macs", BUDGET, *FAST, "--intermediate", "1"]
    search.main(command)
    lines = (run / "search" / "supernet" / "stats.jsonl").read_text().splitlines()
    assert any("g_intermediate" in json.loads(line) for line in lines)
    assert load_snapshot(run / "search" / BUDGET / "student.safetensors")[1].generator.widths != Widths()
    drawn = ["--evolution.population", "14", "--evolution.rounds", "0", "--finetune-images", "0"]
    other = ["--out", str(tmp_path / "random"), "--supernet", str(run / "search" / "supernet")]
    before = (run / "search" / "supernet" / "state.pt").stat().st_mtime_ns
    search.main([*command, *drawn, *other])
    assert (run / "search" / "supernet" / "state.pt").stat().st_mtime_ns == before
    row = json.loads((tmp_path / "random" / BUDGET / "found.json").read_text())
    assert "fine_tuned" not in row and not (tmp_path / "random" / "supernet").exists()
    with pytest.raises(UserError, match=r"supernet was made with intermediate 1\.0, not 0\.0; delete it"):
        search.main(["--run", str(run), "--macs", BUDGET, *FAST])


def test_the_sandwich_is_a_function_of_the_step(trained_like):
    student = elastic(trained_like(channels=8))
    space = WidthSpace(student.config)
    sandwich = Sandwich(student, space, seed=0)
    chosen = [sandwich.widths_at(step) for step in range(400)]
    ends = [space.widths(genes) for genes in (space.largest, space.smallest)]
    assert all(70 < chosen.count(end) < 130 for end in ends)
    sandwich.start(7)
    assert student.chosen == chosen[7]
    sandwich.after_step(8, {})
    assert student.chosen == chosen[8]
    assert dataclasses.replace(sandwich, seed=1).widths_at(2) != chosen[2] or len(set(chosen)) > 50


def test_only_finite_distances_are_kept(tmp_path):
    path, key = tmp_path / "search" / "evaluations.jsonl", {"supernet": "a"}
    cache = Cache(path, key)
    cache.add((8, 16), Distance(0.25, 0.5))
    with pytest.raises(
        UserError, match=r"widths \(8, 8\) has no finite distance.*delete the supernet's folder and search"
    ):
        cache.add((8, 8), Distance(float("nan"), 0.5))
    assert Cache(path, key).known == {(8, 16): Distance(0.25, 0.5)}
    assert Cache(path, {"supernet": "b"}).known == {}  # of another supernet


class SomeHeldOut(FixedPairs):
    held_out = np.arange(90, 190)  # of which the first 20 are for judging

    def __init__(self) -> None:
        super().__init__(190)

    def __len__(self) -> int:
        return 90


@pytest.mark.parametrize(
    ("count", "described", "first"),
    [(80, "stored pairs that were held out", 110), (85, "the last stored pairs, trained on", 5)],
)
def test_a_teacher_that_is_stored_pairs_is_compared_with_on_unseen_ones(
    runs, monkeypatch, count, described, first
):
    monkeypatch.setattr(judging, "JUDGED_IMAGES", 20)
    run, pairs = open_run(runs / "digits"), SomeHeldOut()
    run = dataclasses.replace(run, config=replace(run.config, data__teacher="pairs:somewhere"))
    sources: Any = Sources(pairs, None, list(range(10)), [], 0.5)
    latents, targets, said = comparison(run, sources, count, torch.device("cpu"))
    assert said == described
    assert [len(y) for _, y in latents] == [len(x) for x in targets] == [64, count - 64]
    assert torch.equal(torch.cat([z for z, _ in latents]), pairs.z[first : first + count])
    assert (to_bytes(torch.cat(targets)) == pairs.images[first : first + count].numpy()).all()


def test_statistics_of_a_student_of_given_latents_are_measured_on_its_pairs(runs):
    run, pairs = open_run(runs / "digits"), SomeHeldOut()
    drawn = latents_of(run, Sources(None, None, [], [], 0.5), "statistics", 150, torch.device("cpu"))
    assert [len(y) for _, y in drawn] == [64, 64]  # of equal size
    given = dataclasses.replace(run, info=dataclasses.replace(run.info, sampler=GIVEN))
    sources: Any = Sources(pairs, None, list(range(10)), [], 0.5)
    ((z, y),) = latents_of(given, sources, "statistics", 150, torch.device("cpu"))
    assert torch.equal(z, pairs.z[:64]) and torch.equal(y, pairs.y[:64])


def test_a_supernet_keeps_every_setting_of_the_run_but_its_length(runs):
    run = open_run(runs / "digits")
    config = SearchConfig(images=64, learning_rate_share=0.5).supernet_settings(run.config)
    assert (config.loss, config.schedule) == (run.config.loss, run.config.schedule)
    assert config.steps == 8 and config.optimizer.generator_lr == run.config.optimizer.generator_lr / 2
    assert SearchConfig().supernet_settings(run.config) == run.config


@pytest.mark.slow
def test_two_processes_train_the_supernet_of_one(searched, runs, tmp_path, latents):
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    run_script("compress/search.py", "--run", tmp_path / "digits", "--macs", BUDGET, *FAST, processes=2)
    z, y = latents(16, num_classes=10, z_dim=128)
    file = Path("search", "supernet", "supernet.safetensors")
    with torch.no_grad():
        ours, theirs = (load_snapshot(run / file)[0](z, y) for run in (tmp_path / "digits", searched))
    distance = psnr(ours, theirs)
    assert distance is None or distance > 40
    assert (tmp_path / "digits" / "search" / BUDGET / "finished.json").is_file()
