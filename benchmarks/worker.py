"""A process of its own for each candidate: it loads one model, runs it when asked, and tells what it took.

The process reads one JSON object per line and answers each with one; see `serve`. It gives each candidate its own
thread pool, its own first load and its own peak memory.
"""

import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.latency import monotonic_milliseconds
from train.commands import module_process, process_environment
from train.errors import UserError

_ANSWER = "\x1e"  # a record separator, with which every answer begins
Kind = Literal["program", "tflite", "eager", "eager-authors", "compiled", "teacher"]


class Worker:
    """The parent's end.

    Args:
        kind: what loads the model.
        path: the artifact, the student's snapshot, or what --teacher is told.
        threads: that the runtime may use.
        inputs: of one image, each float32 [1, length].
    """

    def __init__(self, kind: Kind, path: Path, threads: int, inputs: tuple[np.ndarray, ...]) -> None:
        self._name = f"{path.name} ({kind})"
        self._process = subprocess.Popen(
            module_process("benchmarks.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            # What a runtime decides at import time; torch and ExecuTorch are told again when they are there.
            env=process_environment(OMP_NUM_THREADS=str(threads), PYTHONIOENCODING="utf-8"),
        )
        arrays = [array.tolist() for array in inputs]
        self._send({"kind": kind, "path": str(path), "threads": threads, "inputs": arrays})

    def ready(self) -> None:
        """Wait until the runtime is imported.

        Raises:
            UserError: it is not installed, or the process has died.
        """
        self._receive()

    def load(self) -> dict[str, float]:
        """Load the model and run it once; return load_ms and first_run_ms."""
        self._send({"do": "load"})
        return self._receive()

    def time(self, warmup: int, iterations: int) -> list[float]:
        """See `benchmarks.latency.Timed`."""
        self._send({"do": "time", "warmup": warmup, "iterations": iterations})
        return self._receive()["ms"]

    def peak_memory_bytes(self) -> int | None:
        """Return by how much the process has grown at most since before the load; None where that is not known."""
        self._send({"do": "memory"})
        return self._receive()["peak_memory_bytes"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while not (line := self._process.stdout.readline()).startswith(_ANSWER):  # else some import has printed it
            if not line:
                raise self._died()
        answer = json.loads(line.removeprefix(_ANSWER))
        if "error" in answer:
            raise UserError(f"{self._name}: {answer['error']}")
        return answer

    def _died(self) -> UserError:
        _, said = self._process.communicate()
        last = said.strip().splitlines()[-1:] or [f"exit status {self._process.returncode}"]
        return UserError(f"{self._name}: its process has died: {last[0]}")


def serve(receive: Callable[[], str], send: Callable[[dict[str, Any]], None]) -> None:
    """Answer the parent's messages until there are no more.

    The first one names the model; the answer comes when the runtime is imported. Then `load`, `time` and `memory`,
    as in `Worker`.
    """
    first = json.loads(receive())
    inputs = tuple(np.array(values, np.float32) for values in first["inputs"])
    try:
        load = prepare(first["kind"], Path(first["path"]), first["threads"])
        send({})
        run: Callable[[], object] | None = None
        resident = 0
        while line := receive():
            message = json.loads(line)
            if message["do"] == "load":
                resident = _reset_peak()
                start = time.perf_counter_ns()
                call = load()
                loaded = time.perf_counter_ns()
                call(*inputs)
                send({"load_ms": (loaded - start) / 1e6, "first_run_ms": (time.perf_counter_ns() - loaded) / 1e6})
                run = _bind(call, inputs)
            elif message["do"] == "time":
                assert run is not None
                monotonic_milliseconds(time.perf_counter_ns, run, message["warmup"])
                send({"ms": monotonic_milliseconds(time.perf_counter_ns, run, message["iterations"])})
            else:
                peak = _status("VmHWM")
                send({"peak_memory_bytes": max(0, peak - resident) if peak and resident else None})
    except UserError as error:
        send({"error": str(error)})


def prepare(kind: Kind, path: Path, threads: int) -> Callable[[], Callable[..., object]]:
    """Import a runtime and return what loads the model into it, ready for inputs float32 [1, length].

    Raises:
        UserError: the runtime is not installed, or the kind is unknown.
    """
    if kind == "program":
        from deploy.executorch_program import prepare_program

        return prepare_program(path, threads)
    if kind == "tflite":
        from deploy.android.tflite_file import prepare_tflite

        return prepare_tflite(path, threads=threads)
    if kind in ("eager", "eager-authors", "compiled"):
        from benchmarks.torch_forms import load_form

        return functools.partial(load_form, kind, path, threads)
    if kind == "teacher":
        from benchmarks.torch_forms import load_teacher

        return functools.partial(load_teacher, str(path), threads)
    raise UserError(f"nothing is known of models of the kind {kind!r}")


def _bind(call: Callable[..., object], inputs: tuple[np.ndarray, ...]) -> Callable[[], object]:
    return lambda: call(*inputs)


def _reset_peak() -> int:
    """Forget the peak of resident memory so far; return the bytes resident now, 0 where the system cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return _status("VmRSS")


def _status(field: str) -> int:
    """Return a field of this process's memory in bytes, 0 where the system has none."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)


def main() -> None:
    """Serve the parent process through the standard streams, which nothing else may write to."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def send(answer: dict[str, Any]) -> None:
        print(_ANSWER + json.dumps(answer), file=answers, flush=True)

    serve(sys.stdin.readline, send)


if __name__ == "__main__":
    main()
