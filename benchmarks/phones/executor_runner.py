"""ExecuTorch's executor_runner: its command line, and the log lines that are parsed.

It logs to its standard error, or to the phone's log where it was built with the preset for Android; both are read.
"""

import re
import shlex

from benchmarks.phones.adb import FOLDER, Adb
from benchmarks.phones.starts import Start, UnexpectedOutputError, parsed

NAME = "executor_runner"

_LOADED = re.compile(r"Model loaded in (\d+(?:\.\d+)?) ms")
_RUN = re.compile(r"Iteration (\d+) of (\d+): (\d+(?:\.\d+)?) ms")
_TOTAL = re.compile(r"Model executed successfully (\d+) time\(s\) in (\d+(?:\.\d+)?) ms")
_SLOWER = {
    r"ETDump written": "traced: this build writes an ETDump, which costs time",
    r"^D \d\d:\d\d:": "this build logs details while it runs, which costs time",
}
_MISSING = re.compile(r"Backend (\w+) is not (?:registered|available)|Missing operator", re.IGNORECASE)


def start(
    adb: Adb, program: str, model: str, inputs: list[str], *, threads: int, warmup: int, runs: int, timeout: float
) -> Start:
    """Start it once: load, a first run, `warmup` untimed and `runs` timed runs of one image.

    Args:
        adb: the phone.
        program: path of it on the phone.
        model: path of the .pte on the phone.
        inputs: paths of the input files on the phone, raw float32, in the program's order.
        threads: of the runtime.
        warmup: untimed runs after the first.
        runs: timed runs.
        timeout: seconds.

    Raises:
        UnexpectedOutputError: it failed, or printed no times.
        PhoneGoneError: the phone went away.
    """
    flags = {
        "model_path": model,
        "inputs": ",".join(inputs),
        "num_executions": str(1 + warmup + runs),
        "cpu_threads": str(threads),
    }
    arguments = " ".join(shlex.quote(f"--{name}={value}") for name, value in flags.items())
    # From a folder where it may write the trace that some builds leave.
    command = (
        f"cd {FOLDER} && {{ {shlex.quote(program)} {arguments} 2>&1 & pid=$!; wait $pid; code=$?; "
        "logcat -d --pid=$pid -v raw -s ExecuTorch 2>/dev/null; exit $code; }"
    )
    answer = adb.shell(command, timeout)
    return parsed(adb, answer, NAME, _reason, lambda text: parse(text, warmup=warmup, runs=runs))


def parse(text: str, *, warmup: int, runs: int) -> Start:
    """Return what it printed.

    Builds that print no single runs give the mean over all of them, the first and the warm-up among them.

    Raises:
        UnexpectedOutputError: the times are not there, or not as many as were asked for.
    """
    asked = 1 + warmup + runs
    total = _TOTAL.search(text)
    if total is None:
        raise UnexpectedOutputError(
            f"{NAME} printed no times ({_reason(text) or 'no log lines'}); build it with "
            "-DEXECUTORCH_ENABLE_LOGGING=ON"
        )
    if int(total[1]) != asked:
        raise UnexpectedOutputError(f"{NAME} ran {total[1]} times, not the {asked} that it was told")
    loaded = _LOADED.search(text)
    load_ms = float(loaded[1]) if loaded else None
    notes = tuple(note for mark, note in _SLOWER.items() if re.search(mark, text, re.MULTILINE))
    single = {int(index): float(value) for index, _, value in _RUN.findall(text)}
    if not single:
        notes += (
            f"mean over all {asked} runs of a start, the first and {warmup} warm-ups among them: this {NAME} "
            "prints no single runs",
        )
        return Start(asked, float(total[2]) / asked, load_ms=load_ms, notes=notes)
    if sorted(single) != list(range(1, asked + 1)):
        raise UnexpectedOutputError(
            f"{NAME} printed the times of {len(single)} runs, not of {asked}; its log has gaps"
        )
    timed = [single[index] for index in range(2 + warmup, asked + 1)]
    return Start.of(timed, load_ms=load_ms, first_run_ms=single[1], notes=notes)


def _reason(text: str) -> str:
    """Return the line that says best what went wrong, '' where none does."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if _MISSING.search(line):
            return line
    errors = [line for line in lines if line.startswith(("E ", "F ", "ERROR", "Aborted", "Segmentation"))]
    return errors[0] if errors else ""
