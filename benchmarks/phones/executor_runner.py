"""ExecuTorch's executor_runner: its command line, and the log lines that are parsed.

It logs to its standard error, or to the phone's log where it was built with the preset for Android; both are read.
"""

import re

from benchmarks.phones.starts import Job, Program, Start, UnexpectedOutputError, first_match

NAME = "executor_runner"

_LOADED = re.compile(r"Model loaded in (\d+(?:\.\d+)?) ms")
_RUN = re.compile(r"Iteration (\d+) of (\d+): (\d+(?:\.\d+)?) ms")
_TOTAL = re.compile(r"Model executed successfully (\d+) time\(s\) in (\d+(?:\.\d+)?) ms")
_SLOWER = {
    r"ETDump written": "traced: this build writes an ETDump, which costs time",
    r"^D \d\d:\d\d:": "this build logs details while it runs, which costs time",
}
_ERROR = re.compile(r"^(E |F |ERROR|Aborted|Segmentation)")
_MISSING = re.compile(r"Backend (\w+) is not (?:registered|available)|Missing operator", re.IGNORECASE)


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
    return first_match(text, _MISSING, _ERROR)


def _command(job: Job) -> str:
    line = job.line(
        model_path=job.model,
        inputs=",".join(job.inputs),
        num_executions=1 + job.warmup + job.runs,
        cpu_threads=job.threads,
    )
    log = "logcat -d --pid=$pid -v raw -s ExecuTorch 2>/dev/null"
    return f"{{ {line} & pid=$!; wait $pid; code=$?; {log}; exit $code; }}"


PROGRAM = Program(
    NAME,
    runtime="executorch",
    takes_inputs=True,
    fed="one image: latent of seed {seed}, its class",
    command=_command,
    parse=lambda text, job: parse(text, warmup=job.warmup, runs=job.runs),
    reason=_reason,
)
