"""What a fresh start of a measuring program on a phone gives, and the row that several starts make."""

import dataclasses
import re
import shlex
import statistics as plain
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.latency import statistics, summary_of
from benchmarks.phones.adb import FOLDER, Adb
from train.errors import UserError


class UnexpectedOutputError(UserError):
    """A program on the phone failed, or did not print what is parsed."""


@dataclasses.dataclass(frozen=True)
class Start:
    """Milliseconds and bytes of one fresh start; what the program does not tell is None."""

    n: int
    """Timed runs."""
    mean: float
    runs: tuple[float, ...] = ()
    """The timed runs one by one."""
    median: float | None = None
    min: float | None = None
    max: float | None = None
    load_ms: float | None = None
    first_run_ms: float | None = None
    peak_memory_bytes: int | None = None
    notes: tuple[str, ...] = ()
    """Sentences about how it was measured."""

    @staticmethod
    def of(runs: list[float], **others: Any) -> "Start":
        """Return a start whose runs are known one by one."""
        return Start(
            len(runs), float(np.mean(runs)), tuple(runs), float(np.median(runs)), min(runs), max(runs), **others
        )

    @property
    def typical(self) -> float:
        """Median where it is known, else mean."""
        return self.mean if self.median is None else self.median

    def record(self) -> dict[str, Any]:
        """Return the figures of this start, single runs left out."""
        figures = {
            "n": self.n,
            "mean_ms": self.mean,
            "median_ms": self.median,
            "load_ms": self.load_ms,
            "first_run_ms": self.first_run_ms,
        }
        return {name: round(value, 4) for name, value in figures.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Job:
    """What is on the phone, by its path there, and what a start is asked for."""

    program: str
    """The measuring program."""
    model: str
    """The artifact."""
    inputs: list[str]
    """Of one image, raw float32, in the artifact's order; none where the program makes its own."""
    threads: int
    """Of the runtime."""
    warmup: int
    """Untimed runs after the first."""
    runs: int
    """Timed runs."""

    def line(self, **flags: object) -> str:
        """Return the line of sh that starts the program with these flags."""
        arguments = " ".join(shlex.quote(f"--{name}={value}") for name, value in flags.items())
        return f"{shlex.quote(self.program)} {arguments} 2>&1"


@dataclasses.dataclass(frozen=True)
class Program:
    """A runtime's own measuring program."""

    name: str
    runtime: str
    """Of the artifacts that it runs."""
    takes_inputs: bool
    """Whether it is given the inputs of one image."""
    fed: str
    """What it feeds an artifact with; {seed} is that of the latent."""
    command: Callable[[Job], str]
    """Returns the shell's command for a start."""
    parse: Callable[[str, Job], Start]
    """Makes a start of what was printed; raises UnexpectedOutputError where the times are not there."""
    reason: Callable[[str], str]
    """Returns the line of a text that says best what went wrong, '' where none does."""

    def start(self, adb: Adb, job: Job, timeout: float) -> Start:
        """Start it once: load, a first run, then untimed and timed runs of one image; `timeout` is in seconds.

        Raises:
            UnexpectedOutputError: it failed, or printed no times.
            PhoneGoneError: the phone went away, which cuts output off.
        """
        # From a folder where it may write the trace that some builds leave.
        answer = adb.shell(f"cd {FOLDER} && {self.command(job)}", timeout)
        text = f"{answer.output}\n{answer.error}"
        if answer.code:
            raise UnexpectedOutputError(f"{self.name} failed: {self.reason(text) or answer.last_line}")
        try:
            return self.parse(text, job)
        except UnexpectedOutputError:
            adb.require()
            raise


def first_match(text: str, *patterns: re.Pattern[str]) -> str:
    """Return the first line that has the first of the patterns that is there at all; '' where none is."""
    lines = [line.strip() for line in text.splitlines()]
    return next((line for pattern in patterns for line in lines if pattern.search(line)), "")


def figures(starts: list[Start], references: dict[str, list[Start]]) -> dict[str, Any]:
    """Return the figures of a row.

    Percentiles are over the runs of all starts, and absent where single runs are not known. load_ms and
    first_run_ms are medians over the starts, peak memory the largest.

    Args:
        starts: of one artifact by one program, at least one.
        references: starts of float artifacts between them, start by start, by what they are called.
    """
    if all(start.runs for start in starts):
        latency: dict[str, Any] = dict(statistics([list(start.runs) for start in starts]))
    else:
        n = sum(start.n for start in starts)
        latency = {"mean": round(sum(start.n * start.mean for start in starts) / n, 4)}
        lows, highs = [s.min for s in starts if s.min is not None], [s.max for s in starts if s.max is not None]
        if len(lows) == len(highs) == len(starts):
            latency |= {"min": min(lows), "max": max(highs)}
        latency["n"] = n
    row: dict[str, Any] = {}
    for name in ("load_ms", "first_run_ms"):
        values = [getattr(start, name) for start in starts if getattr(start, name) is not None]
        if values:
            row[name] = round(plain.median(values), 3)
    row["latency_ms"] = latency
    row["ratios"] = {name: _ratio(starts, other) for name, other in references.items()}
    peaks = [start.peak_memory_bytes for start in starts if start.peak_memory_bytes is not None]
    if peaks:
        row["peak_memory_bytes"] = max(peaks)
    notes = list(dict.fromkeys(note for start in starts for note in start.notes))
    if notes:
        row["notes"] = notes
    return row


def _ratio(starts: list[Start], reference: list[Start]) -> dict[str, float]:
    """Return median, lowest and highest of the starts' ratios of medians, of means where those are unknown."""
    both = all(start.median is not None for start in (*starts, *reference))
    ratios = [a.typical / b.typical if both else a.mean / b.mean for a, b in zip(starts, reference, strict=True)]
    return summary_of(ratios)
