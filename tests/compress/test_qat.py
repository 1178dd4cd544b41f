"""Quantization-aware training of a tiny digits run, end to end."""

import dataclasses
import itertools
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from stand_ins import save_random_student

from compress import compare, evaluate, finetune, qat
from compress.by_class import ByClass
from compress.config import QatConfig, parse_bits, parse_exception
from compress.deploy_form import deploy_form
from compress.finetune import calibration_batches, quantize_post_training
from compress.float_run import open_run
from compress.int8_file import load_int8
from compress.quality_table import COLUMNS
from compress.train_on import FineTuneBatches, training_of
from train import loop
from train.errors import UserError
from train.generator import GeneratorConfig
from train.loop import Interrupted, load_state
from train.run import batch_source
from train.sample import main as sample
from train.snapshot import load_student
from train.sources import open_sources
from train.step import train_step, weights_at

FAST = ("--images", "64", "--calibration-batches", "3", "--device", "cpu")


@pytest.fixture
def run_copy(digits_run, tmp_path) -> Path:
    shutil.copytree(digits_run.parent / "pairs", tmp_path / "pairs")
    return Path(shutil.copytree(digits_run, tmp_path / "digits"))


@pytest.fixture
def opened(digits_run, world):
    """Settings, run, sources and the calibrated student."""

    def open_(**changes):
        settings = QatConfig(run=digits_run, images=64, calibration_batches=3, **changes)
        run = open_run(digits_run)
        sources = open_sources(settings.float_settings(run.config), run.folder, world)
        batches = calibration_batches(settings, run, sources, world)
        return settings, run, sources, quantize_post_training(deploy_form(run.student), settings, batches)

    return open_


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = load_state(folder / "state.pt")
    parts = ("generator", "discriminator", "average")
    return {f"{part}.{name}": value for part in parts for name, value in state[part].items()}


def test_the_script_leaves_an_int8_student_a_report_and_pictures(digits_run, tmp_path, capsys, monkeypatch):
    out = tmp_path / "qat"
    command = ["--run", str(digits_run), "--out", str(out), *FAST]
    qat.main(command)
    assert "W8A8 QAT" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    assert list(report["rows"]) == ["float student", "W8A8 post-training", "W8A8 QAT"]
    assert report["latents"]["images"] == 40
    for name, row in report["rows"].items():
        assert row.keys() - {"settings", "remark"} <= COLUMNS.keys()
        assert {"recognised", "diversity", "l1_to_teacher", "bytes"} <= row.keys(), name
    rounded = report["rows"]["W8A8 post-training"]
    assert rounded["psnr_to_float"] == rounded["psnr_to_own_float"] > 30
    assert report["rows"]["W8A8 QAT"]["seconds"] > 0
    assert (out / "comparison.png").stat().st_size > 1000
    assert sorted(p.name for p in (out / "samples").iterdir())[-1] == "step-0000008.png"
    student, info = load_int8(out / "student_int8.safetensors")
    assert info.images == 96 + 64
    assert bool(student.frozen)

    before = (out / "state.pt").stat().st_mtime_ns
    for work in ("calibration_batches", "finetune", "open_sources"):
        monkeypatch.setattr(qat, work, None)  # finished: nothing is opened, calibrated or trained
    qat.main(command)
    assert "is finished" in capsys.readouterr().out
    monkeypatch.undo()
    assert (out / "state.pt").stat().st_mtime_ns == before
    again = json.loads((out / "report.json").read_text())["rows"]
    timing = {"seconds": None}
    assert {n: r | timing for n, r in again.items()} == {n: r | timing for n, r in report["rows"].items()}

    with pytest.raises(UserError, match="made with other settings"):
        qat.main([*command, "--bits", "W4A8"])


def test_sampling_from_the_int8_file(digits_run, tmp_path, opened, world):
    settings, run, sources, start = opened(out=tmp_path / "qat")
    file = finetune.finetune(settings, run, sources, start, world).file
    sample(["--checkpoint", str(file), "--columns", "2"])
    sample(["--checkpoint", str(file), "--interpolate", "class", "--classes", "3,8,5", "--steps", "4"])
    (grid,) = (tmp_path / "qat").glob("student_int8_grid*.png")
    (strip,) = (tmp_path / "qat").glob("student_int8_interpolate_class*.png")
    assert grid.stat().st_size > 1000 and strip.stat().st_size > 1000
    student, info = load_student(file)
    z, y = torch.randn(1, info.generator.z_dim), torch.tensor([3])
    with torch.no_grad():  # a batch of one; a plain class is a mixture of one
        assert torch.equal(student(z, y), student.synthesize(z, student.class_embedding(y)))


def test_a_stopped_fine_tuning_goes_on_to_the_same_bits(opened, tmp_path, world, monkeypatch):
    settings, run, sources, start = opened(out=tmp_path / "whole")
    finetune.finetune(settings, run, sources, start, world)
    parts = dataclasses.replace(settings, out=tmp_path / "parts")
    one_step = loop.one_step
    for stop_at in (3, 7):  # before and after the ranges are frozen

        def stopping(training, batch, step, stop_at=stop_at):
            if step + 1 == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return one_step(training, batch, step)

        monkeypatch.setattr(loop, "one_step", stopping)
        with pytest.raises(Interrupted):
            finetune.finetune(parts, run, sources, start, world)
        assert not (parts.folder / "student_int8.safetensors").exists()
    monkeypatch.setattr(loop, "one_step", one_step)
    result = finetune.finetune(parts, run, sources, start, world)
    assert result.seconds is None  # nobody measured the whole
    ours, theirs = weights(settings.folder), weights(parts.folder)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours.keys() | theirs.keys())
    ours, theirs = (load_file(folder / "student_int8.safetensors") for folder in (settings.folder, parts.folder))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours.keys() | theirs.keys())


def test_a_gpu_would_neither_calibrate_train_nor_draw_in_tf32(opened, tmp_path, world, monkeypatch):
    """It would round convolutions more coarsely than the grids do."""
    seen = {}

    def watch(owner, name):
        function = getattr(owner, name)

        def watching(*args, **options):
            seen.setdefault(name, set()).add(torch.backends.cudnn.allow_tf32)
            return function(*args, **options)

        monkeypatch.setattr(owner, name, watching)

    for owner, name in (
        (finetune, "equalise"),
        (finetune.QuantGenerator, "calibrate"),
        (finetune, "reconstruct"),
        (loop, "one_step"),
        (evaluate, "generate"),
    ):
        watch(owner, name)
    settings, run, sources, start = opened(out=tmp_path)
    result = finetune.finetune(settings, run, sources, start, world)
    evaluate.Judge(run, sources).draw(ByClass(result.student))
    assert set(seen) == {"equalise", "calibrate", "reconstruct", "one_step", "generate"}
    assert all(allowed == {False} for allowed in seen.values())
    assert torch.backends.cudnn.allow_tf32


def test_ranges_are_learned_and_frozen_on_schedule(opened, tmp_path, world, monkeypatch):
    settings, run, sources, start = opened(out=tmp_path, freeze_at=0.5)
    ranges, one_step = [], loop.one_step

    def watching(training, batch, step):
        terms = one_step(training, batch, step)
        points = training.players.generator.generator.points().values()
        ranges.append(torch.stack([p.range for p in points if p.fixed is None]).clone())
        return terms

    monkeypatch.setattr(loop, "one_step", watching)
    finetune.finetune(settings, run, sources, start, world)
    moved = [not torch.equal(before, after) for before, after in itertools.pairwise(ranges)]
    assert moved == [True] * 3 + [False] * 4


def test_every_term_reaches_every_weight_of_the_student(opened, world):
    settings, run, sources, start = opened()
    config = settings.float_settings(run.config)
    batches = FineTuneBatches(batch_source(config, sources, world), run.config.steps, None)
    turn = weights_at(config.loss, config.schedule, 1, config.steps)
    names = ("feature", "pixel", "distillation_generator", "real_generator")
    assert all(getattr(turn, name) > 0 for name in names)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():  # on the grid, where calibration leaves weights, a scale has no gradient but noise
        for operation in start.operations().values():
            weight = operation.operation.weight  # each by a share of its own: the scale follows the largest
            weight.mul_(1 + 0.01 * torch.rand(weight.shape, generator=random))
    for name in names:
        alone = dataclasses.replace(turn, **{other: 0.0 for other in names if other != name})
        training = training_of(ByClass(start).train(), settings, config, run, world)
        train_step(training.players, batches.at(0), alone)
        parameters = training.players.generator.named_parameters()
        silent = [n for n, p in parameters if p.grad is None or not p.grad.abs().sum() > 0]
        assert silent == [], name


def test_the_trained_discriminator_goes_on(opened, digits_run, tmp_path, world):
    settings, run, sources, start = opened(out=tmp_path, learning_rate_share=0.0)
    finetune.finetune(settings, run, sources, start, world)
    trained = load_state(tmp_path / "state.pt")["discriminator"]
    stored = load_state(digits_run / "state.pt")["discriminator"]
    same = [n for n in stored if not n.endswith(("_u", "_v"))]  # these turn at every call
    assert all(torch.equal(trained[name], stored[name]) for name in same if "_u" not in name and "_v" not in name)


def test_the_pixel_weight_is_constant_and_learning_rates_are_shares(opened):
    settings, run, *_ = opened(pixel_share=0.5, learning_rate_share=0.1)
    config = settings.float_settings(run.config)
    assert {weights_at(config.loss, config.schedule, step, 8).pixel for step in range(8)} == {0.5}
    assert config.optimizer.generator_lr == pytest.approx(1e-4)
    assert config.steps == 8


def test_without_the_distillation_losses_the_float_student_is_the_teacher(opened, world):
    settings, run, sources, _ = opened(losses="student")
    config = settings.float_settings(run.config)
    turn = weights_at(config.loss, config.schedule, 0, config.steps)
    assert not turn.trains_discriminator
    assert (turn.feature, turn.adversarial, turn.pixel) == (0, 0, 1)
    batches = FineTuneBatches(batch_source(config, sources, world), run.config.steps, run.student)
    batch = batches.at(0)
    with torch.no_grad():
        assert torch.equal(batch.teacher, run.student(batch.z, batch.y))


def test_a_batch_of_one(run_copy, tmp_path):
    settings = json.loads((run_copy / "config.json").read_text())
    settings["settings"]["optimizer"]["batch_size"] = 1
    (run_copy / "config.json").write_text(json.dumps(settings))
    qat.main(["--run", str(run_copy), "--images", "3", "--calibration-batches", "2", "--device", "cpu"])
    assert (run_copy / "qat" / "student_int8.safetensors").is_file()


def test_a_run_without_a_discriminator_says_what_is_lost(run_copy, tmp_path):
    (run_copy / "discriminator.safetensors").unlink()
    command = ["--run", str(run_copy), *FAST]
    with pytest.raises(UserError, match=r"fresh one costs diversity.*--fresh-discriminator") as error:
        qat.main(command)
    assert "\n" not in str(error.value)
    assert not (run_copy / "qat").exists()
    qat.main([*command, "--fresh-discriminator"])
    assert (run_copy / "qat" / "student_int8.safetensors").is_file()


def test_what_is_no_student_is_refused(run_copy, tmp_path, world):
    with pytest.raises(UserError, match=r"no run folder at .*train/main.py"):
        qat.main(["--run", str(tmp_path / "none")])
    student = run_copy / "student.safetensors"
    shutil.copy(run_copy / "discriminator.safetensors", student)
    with pytest.raises(UserError, match="is no student snapshot"):
        qat.main(["--run", str(run_copy)])
    save_random_student(student, GeneratorConfig(channels=4, image_size=32, num_classes=10))
    with pytest.raises(UserError, match="are of two runs"):
        qat.main(["--run", str(run_copy)])
    (run_copy / "config.json").write_text("{}")
    with pytest.raises(UserError, match="not written by this version"):
        qat.main(["--run", str(run_copy)])
    (run_copy / "config.json").unlink()
    with pytest.raises(UserError, match="data and losses are unknown"):
        qat.main(["--run", str(run_copy)])


def test_less_than_a_batch_is_refused_by_the_flag_that_gives_it(digits_run, tmp_path):
    command = ["--run", str(digits_run), "--out", str(tmp_path / "qat"), "--device", "cpu"]
    with pytest.raises(UserError, match=r"^--images 5 is less than one of the run's batches; give 8 or more$"):
        qat.main([*command, "--images", "5"])
    with pytest.raises(UserError, match=r"^--pt2e-images 7 is less .* give 8 or more$"):
        compare.main([*command, "--pt2e-images", "7"])
    assert not (tmp_path / "qat").exists()


@pytest.mark.parametrize(
    ("text", "bits"), [("W8A8", (8, 8)), ("w4", (4, None)), ("A6", (None, 6)), ("float", (None, None))]
)
def test_bits_are_written_short(text, bits):
    assert parse_bits(text) == bits


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bits": "int8"}, "not written like W8A8"),
        ({"bits": ""}, "not written like W8A8"),
        ({"images": 0}, "--images must be at least 1"),
        ({"freeze_at": 1.5}, r"--freeze-at must be in \[0, 1\], not 1.5"),
        ({"learning_rate_share": -1.0}, "--learning-rate-share must be at least 0"),
    ],
)
def test_bad_settings_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        QatConfig(**fields)


def test_exceptions_are_written_short():
    assert parse_exception("blocks.0.*=6") == ("blocks.0.*", 6)
    assert parse_exception("to_rgb.weight=float") == ("to_rgb.weight", None)
    with pytest.raises(UserError, match="not written like"):
        parse_exception("to_rgb.weight")
    settings = QatConfig(bits="W8", exceptions=("to_rgb.weight=float",)).quantization()
    assert (settings.weight_bits, settings.activation_bits) == (8, None)
    assert settings.bits_of("to_rgb.weight") is None


def test_the_comparison_has_all_rows_and_goes_on(digits_run, tmp_path, capsys, monkeypatch):
    out = tmp_path / "qat"
    command = ["--run", str(digits_run), "--out", str(out), "--images", "24", "--calibration-batches", "1"]
    qat.main(command)
    command += ["--no-pt2e", "--rounded-widths", "W6A8"]
    compare.main(command)
    rows = json.loads((out / "report.json").read_text())["rows"]
    for bits in ("W8A8", "W4A8"):
        rounded = ("{} post-training", "{} post-training of the control", "{} rounding to nearest of the control")
        for row in (*rounded, "{} QAT"):
            assert rows[row.format(bits)]["psnr_to_control"] > 15
    assert rows["float control"].keys() == rows["float control, not equalised"].keys()
    assert "psnr_to_control" not in rows["float control"]
    assert (out / "widths.png").stat().st_size > 1000
    assert {f"W8A8 post-training, class path {path}" for path in ("shared", "float")} <= rows.keys()
    assert "W6A8 post-training of the control" in rows and "W6A8 QAT" not in rows
    assert "| W4A8 QAT |" in (out / "report.md").read_text()
    eight, four = (rows[f"{bits} rounding to nearest of the control"] for bits in ("W8A8", "W4A8"))
    assert eight["psnr_to_own_float"] != four["psnr_to_own_float"]  # a student so little trained has no order
    assert rows["W8A8 QAT, L1 to the float student only"]["settings"]["losses"] == "student"
    monkeypatch.setattr(finetune, "train_on", None)  # whatever is trained now fails
    compare.main(command)
    assert json.loads((out / "report.json").read_text())["rows"] == rows


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_torchaos_flow_makes_a_row(digits_run, tmp_path):
    pytest.importorskip("torchao")
    compare.main(
        ["--run", str(digits_run), "--out", str(tmp_path), *FAST, "--widths", "W8A8", "--pt2e-images", "16"]
    )
    row = json.loads((tmp_path / "report.json").read_text())["rows"]["W8A8 QAT by torchao's PT2E"]
    assert row["remark"].startswith("16 images only")
    assert row["psnr_to_float"] > 15
