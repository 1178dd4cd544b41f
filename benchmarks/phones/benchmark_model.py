"""TFLite's benchmark_model: its command line, and the lines that are parsed."""

import re

from benchmarks.phones.starts import Job, Program, Start, UnexpectedOutputError, first_match

NAME = "benchmark_model"

_NUMBER = r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_TIMINGS = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}"
)
# One for the warm-up, one for the timed runs; all runs alike leave only count and curr.
_COUNT = re.compile(r"\bcount=(\d+)\b([^\n]*)")
# Growth of the largest resident memory since before the load, which is what rows of other runtimes have too. The
# tool can watch its memory as it runs (--report_peak_memory_footprint), by a thread that disturbs the times.
_MEMORY = re.compile(
    r"(?:Memory footprint delta from the start of the tool|Peak memory footprint) \(MB\): "
    rf"init={_NUMBER} overall={_NUMBER}"
)
_ERROR = re.compile(r"^(ERROR|E )|rror|ailed|not executable|not found")
_NO_DELEGATE = re.compile(r"[^\n]*model graph will not be executed by the delegate[^\n]*")


def parse(text: str) -> Start:
    """Return what it printed; it prints no single runs, so there are no percentiles.

    Newer ones print the median of a start.

    Raises:
        UnexpectedOutputError: the times are not there.
    """
    timings, counts = _TIMINGS.search(text), _COUNT.findall(text)
    if timings is None or not counts:
        raise UnexpectedOutputError(
            f"{NAME} printed no times ({_reason(text) or 'no such lines'}); is it TFLite's?"
        )
    n, fields = int(counts[-1][0]), _fields(counts[-1][1])
    if not n:
        raise UnexpectedOutputError(f"{NAME} made no timed run")
    load, first, _, mean = (float(value) / 1000 for value in timings.groups())
    low, high, median = fields.get("min"), fields.get("max"), fields.get("median")
    if "min" not in fields and "curr" in fields:  # all runs took the same
        low = high = median = fields["curr"]
    if fields.get("avg") is not None:
        mean = fields["avg"] / 1000
    return Start(
        n,
        mean,
        median=None if median is None else median / 1000,
        min=None if low is None else low / 1000,
        max=None if high is None else high / 1000,
        load_ms=load,
        first_run_ms=first,
        peak_memory_bytes=_peak(text),
        notes=tuple(line.strip() for line in _NO_DELEGATE.findall(text)[:1]),
    )


def _fields(line: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(rf"\b(\w+)={_NUMBER}", line)}


def _peak(text: str) -> int | None:
    """Return bytes, None where it prints none."""
    found = _MEMORY.search(text)
    return round(float(found[2]) * 2**20) if found else None


def _reason(text: str) -> str:
    return first_match(text, _ERROR)


def _command(job: Job) -> str:
    return job.line(
        graph=job.model,
        num_threads=job.threads,
        use_xnnpack="true",
        warmup_runs=1 + job.warmup,
        warmup_min_secs=0,
        num_runs=job.runs,
        min_secs=0,
    )


PROGRAM = Program(
    NAME,
    runtime="tflite",
    takes_inputs=False,
    fed="random numbers in [-0.5, 0.5], drawn by the program once per start",
    command=_command,
    parse=lambda text, _: parse(text),
    reason=_reason,
)
