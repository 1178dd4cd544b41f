"""A fake adb that replays outputs from a table, and a small model to measure.

No phone was there when these were written: the texts in tests/benchmarks/phones/outputs are made from the format
strings in the sources of Android, ExecuTorch and TFLite, and from logs that others published; their figures are
invented.
"""

import json
from pathlib import Path

import numpy as np

from benchmarks.model import Model
from benchmarks.results import Results
from deploy.manifest_fields import PIXEL_RULE
from train.files import file_hash
from train.noise import SAMPLER

OUTPUTS = Path(__file__).parents[1] / "benchmarks/phones/outputs"


def output(name: str) -> str:
    return (OUTPUTS / f"{name}.txt").read_text()


class FakeAdb:
    """`adb` as a shell script: the newest answer whose pattern matches the command line is given.

    push and sha256sum work on a folder that stands for the phone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.phone = folder, folder / "phone"
        self.phone.mkdir(parents=True)
        self._rules: list[str] = []
        self._write()

    def answer(
        self,
        pattern: str,
        out: str = "",
        *,
        err: str = "",
        code: int = 0,
        times: int | None = None,
        first: str = ":",
    ) -> None:
        """Answer command lines that hold a shell pattern; only `times` times, after running `first`."""
        number = len(self._rules)
        (self.folder / f"out{number}").write_text(out)
        (self.folder / f"err{number}").write_text(err)
        count = f"{self.folder}/count{number}"
        limit = f'n=$(cat {count} 2>/dev/null || echo 0); [ "$n" -lt {times} ] && echo $((n+1)) > {count} &&'
        said = f"cat {self.folder}/out{number}; " if out else ""
        said += f"cat {self.folder}/err{number} >&2; " if err else ""
        self._rules.append(
            f'case "$*" in *{pattern}*) {limit if times is not None else ""} '
            f"{{ {first}; {said}exit {code}; }};; esac"
        )
        self._write()

    @property
    def calls(self) -> list[str]:
        log = self.folder / "calls"
        return [line.strip() for line in log.read_text().splitlines()] if log.exists() else []

    def called(self, part: str) -> list[str]:
        return [call for call in self.calls if part in call]

    def _write(self) -> None:
        lines = [
            "#!/bin/sh",
            f'printf "%s\\n" "$*" >> {self.folder}/calls',
            *reversed(self._rules),
            f'if [ "$3" = push ]; then cp "$4" {self.phone}/; mv {self.phone}/$(basename "$4") '
            f'{self.phone}/$(basename "$5"); exit; fi',
            f'case "$4" in sha256sum*) sha256sum {self.phone}/$(basename "${{4#sha256sum }}"); exit;; esac',
            'case "$4" in rm*) exit 0;; esac',
            'echo "unexpected: $*" >&2; exit 99',
        ]
        program = self.folder / "adb"
        program.write_text("\n".join(lines) + "\n")
        program.chmod(0o755)


def tool_file(path: Path, machine: int = 0xB7) -> Path:
    """Write what looks like a program for a processor."""
    path.write_bytes(
        b"\x7fELF" + bytes([2, 1, 1]) + bytes(9) + b"\x03\x00" + machine.to_bytes(2, "little") + b"code"
    )
    return path


FILES = {
    "student_fp16.mlpackage": ("coreml", "mlprogram", "fp16", ["ios"]),
    "student_int8.mlpackage": ("coreml", "mlprogram", "int8", ["ios"]),
    "student_fp32.tflite": ("tflite", "litert", "fp32", ["android"]),
    "student_int8.tflite": ("tflite", "litert", "int8", ["android"]),
    "student_vulkan_fp16.pte": ("executorch", "vulkan", "fp16", ["android"]),
    "student_xnnpack_fp32.pte": ("executorch", "xnnpack", "fp32", ["android", "ios"]),
    "student_xnnpack_int8.pte": ("executorch", "xnnpack", "int8", ["android", "ios"]),
}


def runner_output(times: list[float], load: float = 12.5) -> str:
    """What executor_runner of ExecuTorch 1.5 logs, given the milliseconds of each run."""
    lines = [output("executor_runner_head").rstrip(), _log(718, f"Model loaded in {load:f} ms.")]
    lines += [_log(880, f"Iteration {i} of {len(times)}: {time:f} ms") for i, time in enumerate(times, 1)]
    lines += [_log(889, f"Model executed successfully {len(times)} time(s) in {sum(times):f} ms.")]
    return "\n".join(lines) + "\n" + output("executor_runner_tail")


def benchmark_output(mean: float = 1500.0, first: int = 2100, init: int = 5200, overall: float = 9.25) -> str:
    """What benchmark_model prints, microseconds and MB."""
    text = output("benchmark_model")
    for name, value in {"MEAN": f"{mean:g}", "FIRST": first, "INIT": init, "OVERALL": overall}.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def _log(line: int, message: str) -> str:
    return f"I 00:00:00.{line:06d} executorch:executor_runner.cpp:{line}] {message}"


def app_report(model: Model, file: str, threads: int, p50: float = 3.0) -> dict:
    """The app's report on one file."""
    report = json.loads(output("app_report"))
    report["rows"][0] |= {"artifact": file, "threads": threads}
    report["rows"][0]["latency_ms"]["p50"] = p50
    report["model_sha256"] = {a["student"]: a["student_sha256"] for a in model.artifacts}
    return report


def rows_of(results: Results) -> dict[str, dict]:
    return {row["key"]: row for row in json.loads(results.path.read_text())["latency"]}


def floats(path: Path) -> list[float]:
    return np.frombuffer(path.read_bytes(), np.float32).tolist()


def write_artifacts(run: Path) -> Path:
    """A folder with a manifest and files that only their hashes are looked at."""
    folder = run / "artifacts"
    folder.mkdir(parents=True)
    specs = [
        {"name": "z", "shape": [1, 4], "dtype": "float32", "range": [-1, 1]},
        {"name": "class_weights", "shape": [1, 3], "dtype": "float32", "range": [0, 1]},
    ]
    entries = []
    for file, (runtime, backend, precision, platforms) in FILES.items():
        (folder / file).write_bytes(f"content of {file}".encode())
        student = "int8" if precision == "int8" else "float"
        entries.append(
            {"file": file, "platforms": platforms, "runtime": runtime, "backend": backend, "precision": precision}
            | {"bytes": 9, "sha256": file_hash(folder / file), "student": student, "student_sha256": student * 8}
            | {"inputs": specs, "outputs": [], "outside_delegate": {}, "parity": {}, "options": {}, "tools": {}}
        )
    model = {"architecture": "dw", "channels": 4, "image_size": 32, "z_dim": 4, "num_classes": 3, "class": None}
    model |= {
        "classes": {"0": "a", "1": "b", "2": "c"},
        "trained_from": "a test",
        "sha256": {"float": "float" * 8},
    }
    head = {"format": "tinygan-edge-manifest-1", "model": model, "sampler": {"name": SAMPLER, "truncation": 0.5}}
    first = {"seed": 1, "class": 0, "files": {"float": "golden_float.rgb"}}
    golden = {"file": "golden.npz", "sha256": "", "first": first}
    head |= {"pixels": PIXEL_RULE, "golden": golden, "artifacts": entries}
    (folder / "manifest.json").write_text(json.dumps(head))
    return folder
