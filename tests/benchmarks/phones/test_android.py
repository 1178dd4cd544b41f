import dataclasses
import json

import numpy as np
import pytest
from fake_phone import app_report, benchmark_output, output, rows_of, runner_output, tool_file

from benchmarks.model import open_model
from benchmarks.phones.adb import PhoneGoneError
from benchmarks.phones.android import measure_android
from benchmarks.phones.app import REPORT, Waiting
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from benchmarks.tables import latency_tables
from train.errors import UserError
from train.files import file_hash
from train.noise import truncated_normal

PHONE = "android/Google-Pixel-8-f14654"
RUNS = [9.0, 5.0, 4.0, 4.0, 2.0]
"""A first run, one of warm-up, three timed."""
QUICK = Waiting(timeout=5, pause=0)


@pytest.fixture
def config(tmp_path, artifacts) -> BenchmarkConfig:
    return BenchmarkConfig(
        run=artifacts.parent, out=tmp_path / "out", target="android", threads=(1,), repeats=2, warmup=1
    )


@pytest.fixture
def small(config) -> BenchmarkConfig:
    return dataclasses.replace(config, rounds=1, iterations=3)


@pytest.fixture
def runner(small, tmp_path, adb) -> BenchmarkConfig:
    """With executor_runner, whose backend Vulkan is not there; int8 takes half the time."""
    adb.answer("executor_runner*student_xnnpack_fp32", runner_output(RUNS, load=20.0))
    adb.answer("executor_runner*student_xnnpack_int8", runner_output([time / 2 for time in RUNS], load=8.0))
    adb.answer("executor_runner*student_vulkan", output("executor_runner_no_backend"), code=134)
    return dataclasses.replace(small, executor_runner=str(tool_file(tmp_path / "executor_runner")))


@pytest.fixture
def both(runner, tmp_path, adb) -> BenchmarkConfig:
    adb.answer("benchmark_model*student_fp32", benchmark_output(mean=2000))
    adb.answer("benchmark_model*student_int8", benchmark_output(mean=1500, init=4000, overall=7.0))
    return dataclasses.replace(runner, benchmark_model=str(tool_file(tmp_path / "benchmark_model")))


def test_a_good_run(adb, model, both, results, capsys):
    measure_android(model, dataclasses.replace(both, threads=(1, 4)), results)
    rows = rows_of(results)
    assert list(rows) == [
        f"{PHONE}/{file}/{tool}/threads-{threads}"
        for tool, files in {
            "executor_runner": ["student_xnnpack_fp32.pte", "student_xnnpack_int8.pte"],
            "benchmark_model": ["student_fp32.tflite", "student_int8.tflite"],
        }.items()
        for threads in (1, 4)
        for file in files
    ]
    row = rows[f"{PHONE}/student_xnnpack_int8.pte/executor_runner/threads-4"]
    assert {name: row[name] for name in ("name", "tool", "runtime", "backend", "precision", "threads")} == {
        "name": "student_xnnpack_int8.pte",
        "tool": "executor_runner",
        "runtime": "executorch",
        "backend": "xnnpack",
        "precision": "int8",
        "threads": 4,
    }
    assert row["latency_ms"] == {"p50": 2.0, "p90": 2.0, "mean": 1.6667, "min": 1.0, "max": 2.0, "n": 6}
    assert (row["load_ms"], row["first_run_ms"]) == (8.0, 4.5)
    assert row["ratios"] == {"student_xnnpack_fp32.pte": {"median": 0.5, "low": 0.5, "high": 0.5}}
    assert row["phone"]["before"]["battery_percent"] == row["phone"]["after"]["battery_percent"] == 83
    assert row["phone"]["worst_thermal_status"] == 0
    assert len(row["starts"]) == 2
    assert "peak_memory_bytes" not in row
    tflite = rows[f"{PHONE}/student_int8.tflite/benchmark_model/threads-1"]
    assert tflite["latency_ms"] == {"mean": 1.5, "min": 1.45, "max": 1.56, "n": 8}
    assert tflite["ratios"]["student_fp32.tflite"]["median"] == 0.75
    assert tflite["peak_memory_bytes"] == 7 * 2**20
    assert "random numbers" in tflite["inputs_fed"]
    assert rows[f"{PHONE}/student_xnnpack_fp32.pte/executor_runner/threads-1"]["ratios"] == {}
    notes = results.content["notes"]["latency on Google-Pixel-8-f14654"]
    assert notes["device"] == {
        "target": "android",
        "soc": "Google Tensor G3",
        "android": "Android 15",
        "cores": "9 cores",
    }
    assert notes["rows"] == f"{PHONE}/"
    assert "Backend VulkanBackend is not registered" in notes["left_out"][0]
    assert notes["left_out"][-1].startswith("not measured in the sample app")
    assert "0.50 of student_xnnpack_fp32.pte" in capsys.readouterr().out


def test_the_commands_and_what_is_on_the_phone(adb, model, both, results, artifacts):
    measure_android(model, dataclasses.replace(both, threads=(4,)), results)
    sha256 = file_hash(artifacts / "student_xnnpack_int8.pte")
    (first, *others) = adb.called("student_xnnpack_int8.pte --inputs=")
    assert "cd /data/local/tmp/tinygan-edge && { " in first
    assert f"--model_path=/data/local/tmp/tinygan-edge/{sha256[:16]}-student_xnnpack_int8.pte" in first
    assert "--num_executions=5" in first and "--cpu_threads=4" in first
    assert others == [first]
    (call, *_) = adb.called("student_int8.tflite --num_threads")
    for flag in ("--num_threads=4", "--use_xnnpack=true", "--warmup_runs=2", "--num_runs=3", "--min_secs=0"):
        assert flag in call.split()
    inputs = sorted(adb.phone.glob("*input-*"), key=lambda path: path.name[16:])
    z, weights = (np.frombuffer(path.read_bytes(), np.float32) for path in inputs)
    np.testing.assert_array_equal(z, truncated_normal(np.array([both.seed], np.uint64), 4, 0.5)[0])
    assert weights.tolist() == [1, 0, 0]


def test_starts_are_in_turns(adb, model, both, results):
    measure_android(model, both, results)
    calls = [call.split(" --graph=")[1].split()[0][-12:] for call in adb.called("--graph=")]
    assert calls == [f"_{name}.tflite"[-12:] for name in ("fp32", "int8", "int8", "fp32")]


def test_a_second_run_measures_nothing_anew(adb, model, runner, results, capsys):
    measure_android(model, runner, results)
    before, started = rows_of(results), len(adb.called("--cpu_threads"))
    measure_android(model, runner, Results(results.path, model.description))
    assert rows_of(results) == before
    # What failed is tried again, once; then there is nothing left to compare with.
    assert len(adb.called("--cpu_threads")) == started + 1
    assert not [call for call in adb.called("push") if adb.called("push").count(call) > 1]
    measure_android(model, dataclasses.replace(runner, again=True), Results(results.path, model.description))
    assert len(adb.called("--cpu_threads")) == 2 * started + 1


def test_a_new_artifact_is_measured_beside_the_float_one(adb, model, artifacts, runner, results):
    measure_android(model, runner, results)
    (artifacts / "student_xnnpack_int8.pte").write_bytes(b"trained better")
    manifest = json.loads((artifacts / "manifest.json").read_text())
    for entry in manifest["artifacts"]:
        entry["sha256"] = file_hash(artifacts / entry["file"])
    (artifacts / "manifest.json").write_text(json.dumps(manifest))
    adb.answer("executor_runner*student_xnnpack_fp32", runner_output([2 * time for time in RUNS]))
    before = rows_of(results)
    measure_android(open_model(artifacts.parent, artifacts), runner, Results(results.path, model.description))
    after = rows_of(results)
    int8, fp32 = (f"{PHONE}/student_xnnpack_{name}.pte/executor_runner/threads-1" for name in ("int8", "fp32"))
    assert after[int8]["ratios"]["student_xnnpack_fp32.pte"]["median"] == 0.25
    assert after[fp32] == before[fp32]


def test_rows_of_another_program_stay_until_the_files_change(adb, model, both, results):
    measure_android(model, both, results)
    whole = set(rows_of(results))
    measure_android(model, dataclasses.replace(both, executor_runner=None), results)
    assert set(rows_of(results)) == whole
    stored = json.loads(results.path.read_text())
    for row in stored["latency"]:
        if "executor_runner" in row["key"]:
            row["inputs"]["sha256"] = "of an earlier export"
    results.path.write_text(json.dumps(stored))
    later = Results(results.path, model.description)
    measure_android(model, dataclasses.replace(both, executor_runner=None), later)
    assert set(rows_of(later)) == {key for key in whole if "executor_runner" not in key}


def test_a_phone_that_goes_away_in_the_middle(adb, model, both, results):
    both = dataclasses.replace(both, threads=(1, 4), executor_runner=None)
    gone = "adb: device '38021FDJH00ABC' not found\n"
    mark = adb.folder / "gone"
    adb.answer("--num_threads=4", err=gone, code=1, first=f"touch {mark}")
    adb.answer("get-state", err=gone, code=1, first=f"[ -f {mark} ] || {{ echo device; exit 0; }}")
    with pytest.raises(PhoneGoneError, match=r"^phone 38021FDJH00ABC went away .*the same command goes on$"):
        measure_android(model, both, results)
    finished = rows_of(results)
    assert [key for key in finished if "tflite" in key] == [
        f"{PHONE}/student_{name}.tflite/benchmark_model/threads-1" for name in ("fp32", "int8")
    ]
    # Connected again, the same command goes on.
    mark.unlink()
    adb.answer("benchmark_model*student_fp32", benchmark_output(mean=2000))
    adb.answer("benchmark_model*student_int8", benchmark_output(mean=1500))
    started = len(adb.called("--num_threads=1"))
    measure_android(model, both, Results(results.path, model.description))
    assert len(adb.called("--num_threads=1")) == started
    assert {key: rows_of(results)[key] for key in finished} == finished
    assert f"{PHONE}/student_int8.tflite/benchmark_model/threads-4" in rows_of(results)


def test_output_cut_off_by_a_disconnect_is_no_measurement(adb, artifacts, runner, results):
    """An adb that ends well though its phone went away."""
    mark = adb.folder / "gone"
    adb.answer("executor_runner*student_xnnpack_int8", output("executor_runner_head"), first=f"touch {mark}")
    adb.answer("get-state", "offline\n", first=f"[ -f {mark} ] || {{ echo device; exit 0; }}")
    with pytest.raises(PhoneGoneError, match="offline"):
        measure_android(open_model(artifacts.parent, artifacts, ("*xnnpack*",)), runner, results)
    assert not results.path.exists()


def test_unexpected_output_leaves_the_others_alone(adb, model, both, results):
    adb.answer("executor_runner*student_xnnpack_int8", "Bus error\n")
    adb.answer("benchmark_model*student_fp32", output("benchmark_model_failed"), code=1)
    measure_android(model, both, results)
    rows = rows_of(results)
    assert set(rows) == {
        f"{PHONE}/student_xnnpack_fp32.pte/executor_runner/threads-1",
        f"{PHONE}/student_int8.tflite/benchmark_model/threads-1",
    }
    assert rows[f"{PHONE}/student_int8.tflite/benchmark_model/threads-1"]["ratios"] == {}
    left_out = results.content["notes"]["latency on Google-Pixel-8-f14654"]["left_out"]
    assert any("student_xnnpack_int8.pte was not timed by executor_runner with 1 threads" in s for s in left_out)
    assert any("The model is not a valid Flatbuffer" in sentence for sentence in left_out)


def test_a_runner_without_inputs(adb, model, runner, results):
    adb.answer("'executor_runner --model'", output("executor_runner_old_flags"), code=1)
    said = r"^nothing could be measured on Google-.*: .* failed: ERROR: unknown command line flag 'inputs'$"
    with pytest.raises(UserError, match=said):
        measure_android(model, runner, results)
    assert rows_of(results) == {}
    assert len(results.content["notes"]["latency on Google-Pixel-8-f14654"]["left_out"]) == 3 + 2


def test_a_row_that_fails_when_measured_again_is_dropped(adb, model, runner, results):
    measure_android(model, runner, results)
    assert len(rows_of(results)) == 2
    adb.answer("executor_runner*student_xnnpack_int8", "Bus error\n")
    measure_android(model, dataclasses.replace(runner, again=True), results)
    assert list(rows_of(results)) == [f"{PHONE}/student_xnnpack_fp32.pte/executor_runner/threads-1"]


def test_a_hot_phone_is_noted(adb, model, runner, results):
    adb.answer("'dumpsys thermalservice'", output("thermal").replace("Status: 0", "Status: 2"))
    measure_android(model, runner, results)
    for row in rows_of(results).values():
        assert row["phone"]["worst_thermal_status"] == 2
        assert "thermal status 2 of 6" in row["notes"][0]


def test_nothing_to_measure_with(adb, model, small, results):
    with pytest.raises(UserError, match=r"^nothing to measure with: give --executor-runner and --benchmark-model"):
        measure_android(model, small, results)


def test_one_thread_and_the_big_cores_by_default(adb, model, runner, results):
    measure_android(model, dataclasses.replace(runner, threads=(), repeats=1), results)
    assert {row["threads"] for row in rows_of(results).values()} == {1, 5}
    adb.answer("cpuinfo_max_freq", "sh: no such thing\n")
    with pytest.raises(UserError, match="Pixel 8 does not list its cores; say with how many threads"):
        measure_android(model, dataclasses.replace(runner, threads=()), results)


def test_a_program_for_another_phone(adb, model, small, results, tmp_path):
    wrong = dataclasses.replace(small, benchmark_model=str(tool_file(tmp_path / "tool", 0x3E)))
    with pytest.raises(UserError, match="is built for x86_64, the phone runs arm64-v8a"):
        measure_android(model, wrong, results)
    lonely = dataclasses.replace(small, benchmark_model_sha256="0" * 64)
    with pytest.raises(UserError, match="--benchmark-model-sha256 is given without --benchmark-model"):
        measure_android(model, lonely, results)


def test_nothing_for_android(adb, artifacts, small, results):
    only = open_model(artifacts.parent, artifacts, ("*.mlpackage",))
    with pytest.raises(UserError, match=r"has nothing for Android; export with: python deploy/android/export\.py"):
        measure_android(only, small, results)


def test_a_full_phone(adb, model, runner, results):
    adb.answer("'push '", err="adb: error: failed to copy: No space left on device\n", code=1)
    with pytest.raises(UserError, match="free space on the phone, or remove what earlier runs left"):
        measure_android(model, runner, results)


def test_the_app_measures_too(adb, model, artifacts, small, results):
    install(adb)
    for file, p50 in {"student_xnnpack_fp32.pte": 4.0, "student_xnnpack_int8.pte": 1.0}.items():
        report = json.dumps(app_report(model, file, 1, p50))
        adb.answer(f"'--es artifact {file}'", "Starting: Intent\nStatus: ok\nComplete\n", first=write(adb, report))
    refused = app_report(model, "", 1) | {
        "rows": [],
        "errors": [{"artifact": "", "message": "a model is missing"}],
    }
    for file in ("student_fp32.tflite", "student_int8.tflite", "student_vulkan_fp16.pte"):
        adb.answer(
            f"'--es artifact {file}'", "Status: ok\n", first=write(adb, json.dumps(refused | {"for": file}))
        )
    measure_android(model, small, results, QUICK)
    rows = rows_of(results)
    assert list(rows) == [f"{PHONE}/student_xnnpack_{name}.pte/app/threads-1" for name in ("fp32", "int8")]
    int8 = rows[f"{PHONE}/student_xnnpack_int8.pte/app/threads-1"]
    assert int8["ratios"] == {"student_xnnpack_fp32.pte": {"median": 0.25}}
    assert "| 0.25 |" in latency_tables(results.content)[0].markdown()
    assert int8["latency_ms"] == {"p50": 1.0, "p90": 3.5, "mean": 3.1, "min": 2.8, "max": 4.0, "n": 4}
    assert (int8["load_ms"], int8["first_run_ms"], int8["peak_memory_bytes"]) == (21.5, 4.25, 104857600)
    assert int8["inputs"]["tools"] == {"app": "0.1.0, 2026-11-20 10:00:00"}
    assert int8["phone"]["after"]["thermal_status"] == 0
    (call,) = adb.called("--es artifact student_xnnpack_int8.pte")
    assert call.endswith("--ei threads 1 --ei warmup 1 --ei rounds 3")
    left_out = results.content["notes"]["latency on Google-Pixel-8-f14654"]["left_out"]
    assert any(
        "student_fp32.tflite was not timed by app with 1 threads: the app: a model is missing" in s
        for s in left_out
    )
    assert "not measured without --executor-runner" in left_out
    started = len(adb.called("am start"))
    measure_android(model, small, results, QUICK)
    assert len(adb.called("am start")) == started + 3


def test_the_app_measures_the_float_artifact_again_beside_a_new_one(adb, artifacts, model, small, results):
    """The phone is twice as slow as it was on the day of the first row."""
    install(adb)
    fp32, int8 = (f"student_xnnpack_{name}.pte" for name in ("fp32", "int8"))

    def takes(file, p50):
        text = json.dumps(app_report(model, file, 1, p50) | {"day": p50})
        adb.answer(f"'--es artifact {file}'", "Status: ok\n", first=write(adb, text))

    takes(fp32, 4.0)
    measure_android(open_model(artifacts.parent, artifacts, (fp32,)), small, results, QUICK)
    before = rows_of(results)
    takes(fp32, 8.0)
    takes(int8, 2.0)
    only = open_model(artifacts.parent, artifacts, ("*xnnpack*",))
    measure_android(only, small, Results(results.path, model.description), QUICK)
    rows = rows_of(results)
    assert rows[f"{PHONE}/{int8}/app/threads-1"]["ratios"] == {fp32: {"median": 0.25}}
    assert rows[f"{PHONE}/{fp32}/app/threads-1"] == before[f"{PHONE}/{fp32}/app/threads-1"]
    started = len(adb.called("am start"))
    measure_android(only, small, Results(results.path, model.description), QUICK)
    assert len(adb.called("am start")) == started


def install(adb):
    """Put the app on the phone; its report is a file in the fake's folder."""
    adb.answer("'shell pm path'", "package:/data/app/~~x/base.apk\n")
    adb.answer(
        "'dumpsys package'", "    versionCode=1\n    versionName=0.1.0\n    lastUpdateTime=2026-11-20 10:00:00\n"
    )
    adb.answer("'am force-stop'")
    adb.answer("pidof", "4242\n")
    adb.answer(f"'cat {REPORT}'", err=f"cat: {REPORT}: No such file or directory\n", code=1)
    adb.answer(f"'cat {REPORT}'", first=f"[ -f {adb.folder}/report ] && cat {adb.folder}/report && exit 0; exit 1")


def write(adb, text: str) -> str:
    """Return the command with which the app writes its report."""
    path = adb.folder / f"report{len(list(adb.folder.glob('report?*')))}"
    path.write_text(text)
    return f"cp {path} {adb.folder}/report"
