import copy
import json

import pytest
from fake_phone import app_report

from benchmarks.phones.adb import PhoneGoneError, open_phone
from benchmarks.phones.app import ACTIVITY, REPORT, Waiting, app_row, app_version, measure_app
from benchmarks.phones.starts import UnexpectedOutputError

FILE = "student_xnnpack_int8.pte"
QUICK = Waiting(timeout=5, pause=0)


@pytest.fixture
def artifact(model):
    return next(artifact for artifact in model.artifacts if artifact["file"] == FILE)


@pytest.fixture
def installed(adb):
    adb.answer("'am force-stop'")
    adb.answer(
        "'am start'", "Starting: Intent { cmp=io.github.tinygan.edge }\nStatus: ok\nTotalTime: 312\nComplete\n"
    )
    adb.answer("pidof", "4242\n")
    adb.answer(f"'shell cat {REPORT}'", err=f"cat: {REPORT}: No such file or directory\n", code=1)
    return adb


def measure(artifact, waiting=QUICK):
    return measure_app(open_phone(None), artifact, threads=2, warmup=1, runs=3, waiting=waiting)


def test_the_version_tells_builds_apart(adb):
    assert app_version(open_phone(None)) is None
    adb.answer("'shell pm path'", "package:/data/app/base.apk\n")
    adb.answer("'dumpsys package'", "versionName=0.1.0\nlastUpdateTime=2026-11-20 10:00:00\n")
    assert app_version(open_phone(None)) == "0.1.0, 2026-11-20 10:00:00"


def test_it_waits_for_a_new_and_whole_report(installed, model, artifact):
    """First there is the report of an earlier run, then half of a new one, then the new one."""
    old, new = json.dumps(app_report(model, FILE, 2, p50=9)), json.dumps(app_report(model, FILE, 2, p50=3))
    installed.answer(f"'shell cat {REPORT}'", new)
    installed.answer(f"'shell cat {REPORT}'", new[:100], times=1)
    installed.answer(f"'shell cat {REPORT}'", old, times=3)
    report = measure(artifact)
    assert report["rows"][0]["latency_ms"]["p50"] == 3
    assert len(installed.called("shell cat")) == 5
    (start,) = installed.called("am start")
    assert start.endswith(
        f"am start -W -n {ACTIVITY} --es artifact {FILE} --ei threads 2 --ei warmup 1 --ei rounds 3"
    )


def test_a_phone_that_keeps_the_shell_out(installed, model, artifact):
    denied = f"cat: {REPORT}: Permission denied\n"
    installed.answer(f"'shell cat {REPORT}'", err=denied, code=1)
    installed.answer("run-as", json.dumps(app_report(model, FILE, 2)))
    installed.answer("run-as", err=f"cat: {REPORT}: No such file or directory\n", code=1, times=1)
    assert measure(artifact)["rows"]
    installed.answer("run-as", err="run-as: package not debuggable: io.github.tinygan.edge\n", code=1)
    with pytest.raises(
        UnexpectedOutputError, match=r"cannot be read \(run-as: package not debug.*install the app's deb"
    ):
        measure(artifact)


def test_an_app_that_does_not_start(installed, artifact):
    missing = f"Error type 3\nError: Activity class {{{ACTIVITY}}} does not exist.\n"
    installed.answer("'am start'", "Starting: Intent\n" + missing)
    with pytest.raises(
        UnexpectedOutputError, match=r"^the app does not start: Error: Activity class .* does not exist"
    ):
        measure(artifact)


def test_an_app_that_ends_without_a_report(installed, artifact):
    installed.answer("pidof", code=1)
    with pytest.raises(
        UnexpectedOutputError, match=r"^the app ended without a report; see: adb logcat -d -b crash"
    ):
        measure(artifact)


def test_an_app_that_takes_too_long(installed, artifact):
    now = iter(range(0, 10_000, 100))
    slept = []
    waiting = Waiting(timeout=250, pause=7, clock=lambda: next(now), sleep=slept.append)
    with pytest.raises(UnexpectedOutputError, match=r"^the app gave no report within 250 s; unlock the phone"):
        measure(artifact, waiting)
    assert slept == [7, 7]


def test_a_phone_that_goes_away_while_the_app_measures(installed, artifact):
    installed.answer("pidof", code=1)
    installed.answer("get-state", err="error: device '38021FDJH00ABC' not found\n", code=1)
    with pytest.raises(PhoneGoneError, match="the same command goes on"):
        measure(artifact)


def test_a_debug_build_is_noted(model, artifact):
    report = app_report(model, FILE, 2)
    assert "notes" not in app_row(report, artifact, 2)
    report["app"]["debuggable"] = True
    assert app_row(report, artifact, 2)["notes"] == ["the app is a debug build: its times count for little"]


def test_what_the_phone_was_like_stands_beside_its_times(model, artifact):
    report = app_report(model, FILE, 2)
    assert "conditions" not in app_row(report, artifact, 2)  # of an app before it told them
    conditions = {"thermal_state": "serious", "power_saving": True, "charging": False}
    report["rows"][0]["conditions"] = conditions
    assert app_row(report, artifact, 2)["conditions"] == conditions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(format="2"), r"is of format '2', not 'tinygan-edge-app-benchmark-1'"),
        (lambda r: r.update(rows=[]), rf"has no row for {FILE}"),
        (lambda r: r.update(rows="none"), rf"has no row for {FILE}"),
        (
            lambda r: r["errors"].append({"artifact": FILE, "message": "out of memory"}),
            r"^the app: out of memory$",
        ),
        (
            lambda r: r["model_sha256"].update(int8="0" * 20),
            r"holds another model .*0000000000000000….*install it again",
        ),
        (lambda r: r.update(model_sha256=None), r"holds another model"),
        (lambda r: r["rows"][0].update(sha256="1" * 64), r"holds another model .*1111111111111111…"),
        (lambda r: r["rows"][0].update(threads=8), r"measured with 8 threads, not 2"),
        (lambda r: r["rows"][0].update(load_ms=None), r"has load_ms = None, no figure"),
        (lambda r: r["rows"][0]["latency_ms"].update(p50="fast"), r"has p50 = 'fast', no figure"),
        (lambda r: r["rows"][0]["latency_ms"].update(p90=float("nan")), r"has p90 = nan, no figure"),
        (lambda r: r["rows"][0]["latency_ms"].pop("n"), r"has n = None, no figure"),
        (lambda r: r["rows"][0].update(latency_ms=3), r"has no latency_ms"),
    ],
)
def test_reports_that_are_refused(model, artifact, change, message):
    report = copy.deepcopy(app_report(model, FILE, 2))
    assert app_row(report, artifact, 2)["load_ms"] == 21.5
    change(report)
    with pytest.raises(UnexpectedOutputError, match=message):
        app_row(report, artifact, 2)
