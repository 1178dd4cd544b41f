"""The sample app's own measurement: started over adb, its report read back and checked."""

import dataclasses
import json
import math
import re
import shlex
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from benchmarks.phones.adb import Adb
from benchmarks.phones.starts import UnexpectedOutputError

PACKAGE = "io.github.tinygan.edge"
ACTIVITY = f"{PACKAGE}/{PACKAGE}.app.BenchmarkActivity"
REPORT = f"/sdcard/Android/data/{PACKAGE}/files/benchmark.json"
FORMAT = "tinygan-edge-app-benchmark-1"

_LATENCY = ("p50", "p90", "mean", "min", "max", "n")


@dataclasses.dataclass(frozen=True)
class Waiting:
    """How long to wait for the app."""

    timeout: float = 600
    """Seconds until it is given up."""
    pause: float = 1
    """Seconds between two looks."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def app_version(adb: Adb) -> str | None:
    """Return what identifies the installed app: its version and when it was installed; None where it is not."""
    answer = adb.shell(f"pm path {PACKAGE}")
    if answer.code or "package:" not in answer.output:
        return None
    listed = adb.read(f"dumpsys package {PACKAGE}")
    found = [re.search(rf"\b{name}=(.+)", listed) for name in ("versionName", "lastUpdateTime")]
    return ", ".join(match[1].strip() for match in found if match) or "unknown version"


def measure_app(
    adb: Adb,
    artifact: dict[str, Any],
    *,
    threads: int,
    warmup: int,
    runs: int,
    waiting: Waiting = Waiting(),
) -> dict[str, Any]:
    """Let the app measure one artifact; return its report.

    Args:
        adb: the phone.
        artifact: the manifest's entry.
        threads: of the runtime.
        warmup: untimed runs.
        runs: timed runs.
        waiting: how long to wait.

    Raises:
        UnexpectedOutputError: the app does not start, ends without a report, or gives none in time.
        PhoneGoneError: the phone went away.
    """
    before = _read_report(adb)
    adb.shell(f"am force-stop {PACKAGE}")
    command = (
        f"am start -W -n {ACTIVITY} --es artifact {shlex.quote(artifact['file'])} "
        f"--ei threads {threads} --ei warmup {warmup} --ei rounds {runs}"
    )
    answer = adb.shell(command, 60)
    said = f"{answer.output}\n{answer.error}"
    if answer.code or "Error" in said:
        lines = [line.strip() for line in said.splitlines() if "Error" in line]
        raise UnexpectedOutputError(f"the app does not start: {lines[-1] if lines else answer.last_line}")
    report = _wait(adb, before, f"{artifact['file']}, {threads} thr, in the app", waiting)
    adb.shell(f"am force-stop {PACKAGE}")
    return report


def app_row(report: dict[str, Any], artifact: dict[str, Any], threads: int) -> dict[str, Any]:
    """Return the figures of a row, from the app's report on one artifact.

    Raises:
        UnexpectedOutputError: it is of another model or another measurement, has an error, or lacks a figure.
    """
    if report.get("format") != FORMAT:
        raise UnexpectedOutputError(f"the app's report is of format {report.get('format')!r}, not {FORMAT!r}")
    file = artifact["file"]
    for error in _objects(report, "errors"):
        if error.get("artifact") in (file, None, ""):
            raise UnexpectedOutputError(f"the app: {error.get('message', 'an error without message')}")
    row = next((row for row in _objects(report, "rows") if row.get("artifact") == file), None)
    if row is None:
        raise UnexpectedOutputError(f"the app's report has no row for {file}")
    _check_model(report.get("model_sha256"), row.get("sha256", artifact["sha256"]), artifact)
    if row.get("threads", threads) != threads:
        raise UnexpectedOutputError(f"the app measured with {row['threads']} threads, not {threads}")
    latency = row.get("latency_ms")
    if not isinstance(latency, dict):
        raise UnexpectedOutputError("the app's report has no latency_ms")
    figures: dict[str, Any] = {name: _figure(row, name) for name in ("load_ms", "first_run_ms")}
    figures["latency_ms"] = {name: _figure(latency, name) for name in _LATENCY}
    figures["latency_ms"]["n"] = int(figures["latency_ms"]["n"])
    if "peak_memory_bytes" in row:
        figures["peak_memory_bytes"] = int(_figure(row, "peak_memory_bytes"))
    if isinstance(conditions := row.get("conditions"), dict):  # heat, power saving, charging: why a row is slow
        figures["conditions"] = conditions
    app = report.get("app")
    if isinstance(app, dict) and app.get("debuggable") is True:
        figures["notes"] = ["the app is a debug build: its times count for little"]
    return figures


def _check_model(students: Any, sha256: Any, artifact: dict[str, Any]) -> None:
    """Check that the app holds the same student (student → hash) and, where it tells it, the same file."""
    found = students.get(artifact["student"]) if isinstance(students, dict) else None
    wanted = artifact["student_sha256"]
    if found == wanted:
        found, wanted = sha256, artifact["sha256"]
    if found != wanted:
        raise UnexpectedOutputError(
            f"the app holds another model ({artifact['file']}: {str(found)[:16]}…, not {wanted[:16]}…); build it "
            "with these artifacts and install it again"
        )


def _figure(row: dict[str, Any], name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise UnexpectedOutputError(f"the app's report has {name} = {value!r}, no figure")
    return value


def _objects(report: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = report.get(name, [])
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _wait(adb: Adb, before: str | None, what: str, waiting: Waiting) -> dict[str, Any]:
    """Wait until there is a report that was not there before, and whole."""
    start = waiting.clock()
    ended = False
    with tqdm(total=None, desc=what, unit=" looks", leave=False) as bar:
        while True:
            text = _read_report(adb)
            if text is not None and text != before:
                report = _parse(text)
                if report is not None:
                    return report
            if ended:
                raise UnexpectedOutputError("the app ended without a report; see: adb logcat -d -b crash")
            if waiting.clock() - start > waiting.timeout:
                raise UnexpectedOutputError(
                    f"the app gave no report within {waiting.timeout:.0f} s; unlock the phone, keep its screen on"
                )
            # One more look after the end: the report may have come in between.
            ended = bool(adb.shell(f"pidof {PACKAGE}").code)
            bar.update()
            waiting.sleep(waiting.pause)


def _read_report(adb: Adb) -> str | None:
    """Return the report's text, None where there is none."""
    answer = adb.shell(f"cat {REPORT}")
    if not answer.code:
        return answer.output
    if "Permission denied" not in answer.error + answer.output:
        return None
    # Some phones keep the shell out of apps' folders; a debug build opens its own.
    own = adb.shell(f"run-as {PACKAGE} cat {REPORT}")
    if own.code and "No such file" not in own.error + own.output:
        raise UnexpectedOutputError(
            f"the app's report cannot be read ({own.last_line}); this phone keeps adb out of apps' folders: "
            "install the app's debug build, or share the report from its screen"
        )
    return None if own.code else own.output


def _parse(text: str) -> dict[str, Any] | None:
    """Return the report, None while it is being written."""
    try:
        report = json.loads(text)
    except ValueError:
        return None
    return report if isinstance(report, dict) else None
