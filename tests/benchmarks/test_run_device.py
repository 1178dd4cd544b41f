"""The whole benchmark on a small student: one real program, every section, the report, and bad input."""

import functools
import json
import shutil
import subprocess
import time
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from browser import CHROMIUM
from PIL import Image
from stand_ins import trained_like_student

from benchmarks import host, run_device, scoring
from benchmarks.latency import monotonic_milliseconds
from benchmarks.model import open_model
from benchmarks.results import Results, read_results
from benchmarks.settings import BenchmarkConfig
from benchmarks.worker import Worker, prepare
from deploy.executorch_program import load_program
from deploy.manifest import read_manifest
from deploy.pipeline import export
from deploy.source import open_source
from deploy.xnnpack_artifacts import xnnpack_artifacts
from train.errors import UserError
from train.generator import GeneratorConfig
from train.reals import RealImages, open_reals
from train.snapshot import SnapshotInfo, save_snapshot

pytest.importorskip("executorch", reason="needs the extra android")

FILE = "student_xnnpack_fp32.pte"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with one artifact, to be read only."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    folder.mkdir()
    student = trained_like_student(GeneratorConfig("dw", 4, 32, 10))
    classes = {index: f"class {index}" for index in range(10)}
    save_snapshot(folder / "student.safetensors", student, SnapshotInfo(student.config, classes, 0.5, "a test"))
    source = open_source(folder)
    assert export(xnnpack_artifacts(source), source, folder / "artifacts") == []
    return folder


class HereWorker:
    """As `benchmarks.worker.Worker`, without the seconds that a process of its own takes to start."""

    def __init__(self, kind, path, threads, inputs):
        self.name, self.inputs = f"{path.name} ({kind})", inputs
        self.prepare = lambda: prepare(kind, path, threads)

    def ready(self):
        try:
            self.loader = self.prepare()
        except UserError as error:
            raise UserError(f"{self.name}: {error}") from None

    def load(self):
        self.call = self.loader()
        self.call(*self.inputs)
        return {"load_ms": 1.0, "first_run_ms": 1.0}

    def time(self, warmup, iterations):
        run = functools.partial(self.call, *self.inputs)
        return monotonic_milliseconds(time.perf_counter_ns, run, iterations)

    def peak_memory_bytes(self):
        return None

    def close(self):
        pass


def few_reals(*of, **how):
    """A tenth of them: all take a feature network half a minute."""
    reals = open_reals(*of, **how)
    return RealImages(reals.images[:200], reals.labels[:200], reals.source)


@pytest.fixture(scope="module")
def measured(run, tmp_path_factory):
    """(arguments, folder) of a finished benchmark."""
    out = tmp_path_factory.mktemp("benchmark")
    with pytest.MonkeyPatch.context() as patch:
        # Lowering the authors' order takes half a minute; test_the_authors_order_is_lowered_once does it.
        patch.setattr(host, "authors_program", lambda snapshot, path: run / "artifacts" / FILE)
        patch.setattr(host, "teacher_programs", lambda model, teacher, folder: ([], ["lowering takes long"]))
        patch.setattr(scoring, "open_reals", few_reals)
        patch.setattr(host, "Worker", lambda kind, *of: (Worker if kind == "program" else HereWorker)(kind, *of))
        return _measure(run, out)


def _measure(run, out):
    arguments = ["--run", str(run), "--out", str(out), "--no-compiled", "--rounds", "2", "--iterations", "2"]
    arguments += ["--threads", "1", "--images", "40", "--teacher", "digits", "--reference", "digits"]
    run_device.main(arguments)
    return arguments, out


def test_every_section_has_its_rows(measured):
    results = read_results(measured[1] / "results.json")
    assert {row["key"] for row in results["latency"]} == {
        f"host/{name}/threads-1"
        for name in (
            *(FILE, "authors_xnnpack_fp32.pte", "torch eager", "torch eager, authors' order"),
            "teacher, torch eager",
        )
    }
    for row in results["latency"]:
        assert row["latency_ms"]["n"] == 4 and row["load_ms"] > 0 and row["first_run_ms"] > 0
        assert row["ratios"]["fp32"]["median"] > 0 and row["load_average"] >= 0
    costs = {row["key"]: row for row in results["cost"]}
    assert costs["deploy"]["multiply_accumulates"] < costs["student"]["multiply_accumulates"]
    assert "int8" not in costs  # there is no such student
    assert costs[f"artifact/{FILE}"]["bytes"] > 1000 and "teacher" in costs
    quality = {row["name"]: row for row in results["quality"]}
    assert set(quality) == {"teacher", "float", FILE}
    assert quality[FILE]["psnr_to_float"] > 60  # the program's own images
    assert 0 <= quality["teacher"]["recognised"] <= 1
    assert any("FID proper is absent" in note for note in results["notes"]["quality"]["left_out"])
    for key in ("frechet_lite0_to_photos_n40", "frechet_lite0_to_teacher_n40"):
        assert quality["float"][key] > 0 and quality["float"][f"{key}_standard_error"] > 0
    assert quality["teacher"]["frechet_lite0_to_photos_n40"] < quality["float"]["frechet_lite0_to_photos_n40"]
    assert "lowering takes long" in results["notes"]["latency on this machine"]["left_out"]


def test_the_report_shows_them(measured):
    text = (measured[1] / "report.md").read_text()
    assert "## Cost" in text and "## Quality" in text and "BigGAN-deep-128, counted" in text
    page = (measured[1] / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3  # the picture and two plots
    assert "http" not in page  # self-contained
    assert (measured[1] / "comparison.png").is_file()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH to draw the report with")
def test_a_browser_draws_the_report(measured, tmp_path):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,2400", "--virtual-time-budget=5000"]
    page = (measured[1] / "report.html").as_uri()
    dom = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", page], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert dom.count("<tr>") > 20 and "BigGAN-deep-128, counted" in dom
    picture = tmp_path / "report.png"
    subprocess.run(
        [CHROMIUM, *flags, f"--screenshot={picture}", page], capture_output=True, timeout=120, check=True
    )
    drawn = np.asarray(Image.open(picture).convert("L"), np.float32)
    assert drawn.shape == (2400, 1200) and drawn.std() > 10


def test_a_second_run_measures_nothing(measured, run, capsys, monkeypatch):
    monkeypatch.setattr(host, "authors_program", lambda snapshot, path: run / "artifacts" / FILE)
    monkeypatch.setattr(host, "teacher_programs", lambda model, teacher, folder: ([], ["lowering takes long"]))
    before = (measured[1] / "results.json").read_text()
    run_device.main(measured[0])
    out = capsys.readouterr().out
    assert "latency with 1 thread: measured already" in out and "quality: measured already" in out
    assert json.loads(before)["latency"] == read_results(measured[1] / "results.json")["latency"]


def test_changed_artifacts_are_refused(run, tmp_path):
    folder = tmp_path / "artifacts"
    shutil.copytree(run / "artifacts", folder)
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-1] + b"\0\0")
    with pytest.raises(UserError, match=r"has the SHA-256 .* of the manifest; export again"):
        open_model(run, folder)
    (folder / FILE).unlink()
    with pytest.raises(UserError, match="is in the manifest and not there"):
        open_model(run, folder)
    with pytest.raises(UserError, match=r"no manifest\.json"):
        open_model(run, tmp_path)


def test_a_file_of_the_wrong_runtime_is_refused(run, tmp_path):
    folder = tmp_path / "artifacts"
    shutil.copytree(run / "artifacts", folder)
    manifest = read_manifest(folder)
    manifest["artifacts"][0] |= {"runtime": "tflite", "backend": "xnnpack"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    arguments = ["--run", str(run), "--artifacts", str(folder), "--out", str(tmp_path), "--parts", "quality"]
    with pytest.raises(UserError, match="no TFLite file"):
        run_device.main([*arguments, "--images", "10", "--teacher", "", "--reference", ""])


def test_patterns_that_match_nothing_are_refused(run):
    with pytest.raises(UserError, match=r"--only \*\.onnx matches no artifact.*; there are student_xnnpack"):
        open_model(run, run / "artifacts", ("*.onnx",))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rounds", "0"], "--rounds 0 is too few; give at least 1"),
        (["--warmup", "-1"], "--warmup -1 is too few; give at least 0"),
        (["--iterations", "0"], "--iterations 0 is too few; give at least 1"),
        (["--images", "-5"], "--images -5 is too few; give at least 1"),
        (["--kid-subset-size", "1"], "--kid-subset-size 1 is too few; give at least 2"),
        (["--target", "ios", "--repeats", "0"], "--repeats 0 is too few; give at least 1"),
        (["--threads", "4", "0"], "--threads 4 0: give at least 1"),
        (["--profile", "--target", "android"], "--profile is for this machine's runtimes; drop --target android"),
        (["--profile", "--threads", "2"], "--profile times operations on one thread; drop --threads 2"),
    ],
)
def test_flags_that_cannot_be_met(flags, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        run_device.main(flags)


def test_the_hottest_operations(run, tmp_path, capsys):
    run_device.main(["--run", str(run), "--out", str(tmp_path), "--profile"])
    out = capsys.readouterr().out
    assert "GEMM" in out and "share" in out
    profile = json.loads((tmp_path / "profile.json").read_text())
    medians = profile["artifacts"][FILE]["median_ms"]
    assert len(medians) > 20 and sum(medians.values()) > 0


def test_candidates_that_cannot_be_loaded_are_named(tmp_path):
    broken = tmp_path / "broken.pte"
    broken.write_bytes(b"no program")
    worker = Worker("program", broken, 1, ())
    try:
        with pytest.raises(UserError, match=r"broken\.pte \(program\): .*is no ExecuTorch program"):
            worker.ready()
    finally:
        worker.close()


def test_a_candidate_that_cannot_be_loaded_is_said_and_tried_again(run, tmp_path, capsys, monkeypatch):
    broken = tmp_path / "broken.pte"
    broken.write_bytes(b"no program")
    monkeypatch.setattr(host, "authors_program", lambda snapshot, path: broken)
    monkeypatch.setattr(host, "Worker", HereWorker)
    arguments = ["--run", str(run), "--out", str(tmp_path / "out"), "--no-compiled", "--rounds", "1"]
    arguments += ["--iterations", "1", "--threads", "1", "--parts", "latency"]

    def measured(status: int) -> tuple[dict, list[str]]:
        capsys.readouterr()
        with pytest.raises(SystemExit) if status else nullcontext() as stop:
            run_device.main(arguments)
        assert not status or stop.value.code == status
        results = read_results(tmp_path / "out" / "results.json")
        said = capsys.readouterr()
        left_out = results["notes"]["latency on this machine"]["left_out"]
        assert all(sentence in said.out for sentence in left_out)
        assert ("is no ExecuTorch program" in said.err) == bool(status)
        return results["latency"], left_out

    rows, left_out = measured(1)
    assert len(rows) == 3 and any("is no ExecuTorch program" in sentence for sentence in left_out)
    assert measured(1) == (rows, left_out)  # the others are not timed again
    broken.write_bytes((run / "artifacts" / FILE).read_bytes())
    monkeypatch.setattr(host, "file_hash", lambda path: "as before")
    rows, left_out = measured(0)
    assert len(rows) == 4 and not [sentence for sentence in left_out if "is no ExecuTorch program" in sentence]
    assert measured(0)[0] == rows


class StandIn:
    """A worker whose process may die while it is timed."""

    def __init__(self, dies):
        self.dies = dies

    def ready(self):
        pass

    def load(self):
        return {"load_ms": 1.0, "first_run_ms": 1.0}

    def time(self, warmup, iterations):
        if self.dies:
            raise UserError("its process has died: Killed")
        return [1.0] * iterations

    def peak_memory_bytes(self):
        return None

    def close(self):
        pass


def test_a_candidate_that_dies_costs_no_other_its_row(tmp_path, monkeypatch):
    labels = {"runtime": "torch", "backend": "eager", "precision": "fp32"}
    candidates = [host.Candidate(name, "eager", tmp_path, labels, "0") for name in ("well", "ill")]
    monkeypatch.setattr(host, "find_candidates", lambda *_: (candidates, []))
    monkeypatch.setattr(host, "_worker", lambda model, group, key, seed: StandIn("ill" in key))
    results = Results(tmp_path / "results.json", {})
    failures = host.measure_host(None, BenchmarkConfig(threads=(1,), rounds=2), results)
    assert failures == ["host/ill/threads-1 was not timed: its process has died: Killed"]
    stored = read_results(tmp_path / "results.json")
    assert [row["name"] for row in stored["latency"]] == ["well"]
    assert list(stored["failures"]) == ["latency/host/ill/threads-1"]


@pytest.mark.slow
def test_the_authors_order_is_lowered_once(run, tmp_path, capsys):
    snapshot, path = run / "student.safetensors", tmp_path / "authors.pte"
    host.authors_program(snapshot, path)
    made = path.stat().st_mtime_ns
    assert "to compare with" in capsys.readouterr().out
    assert host.authors_program(snapshot, path).stat().st_mtime_ns == made
    z, weights = torch.randn(1, 128), torch.eye(10)[3:4]
    program, deployed = (
        load_program(file)(z.numpy(), weights.numpy()) for file in (path, run / "artifacts" / FILE)
    )
    assert abs(program - deployed).max() < 1e-4


def test_torch_forms_draw_the_same_image(run):
    from benchmarks.torch_forms import load_form

    z, weights = torch.randn(1, 128).numpy(), torch.eye(10)[:1].numpy()
    images = [load_form(kind, run / "student.safetensors", 1)(z, weights) for kind in ("eager", "eager-authors")]
    assert abs(images[0] - images[1]).max() < 1e-5
