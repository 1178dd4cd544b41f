"""Where the time goes inside an artifact: `run_device.py --profile`."""

import re
from typing import Any

import numpy as np

from benchmarks.model import Model
from benchmarks.settings import BenchmarkConfig
from benchmarks.tables import Table
from deploy.executorch_profile import profile_program
from train.files import write_json
from train.machine import this_machine

PROFILE_FILE = "profile.json"
TFLITE_NOTE = (
    "its Python runtime has no profiler of operations; TFLite's benchmark_model with --enable_op_profiling=true "
    "prints them, on a phone and on a PC"
)
_RUNS = 100
_HOTTEST = 12
_NUMBER = re.compile(r" #\d+$")


def profile_artifacts(model: Model, config: BenchmarkConfig) -> None:
    """Print the hottest operations of every artifact whose runtime can tell, on one thread; write profile.json."""
    z, y = model.latents(config.seed, 1)
    found: dict[str, Any] = {}
    for artifact in model.artifacts:
        file = artifact["file"]
        if reason := model.runs_here(artifact):
            print(reason)
        elif artifact["runtime"] == "tflite":
            print(f"{file} was not profiled: {TFLITE_NOTE}")
        else:
            times = profile_program(model.folder / file, model.inputs(z[0], int(y[0])), _RUNS)
            medians = {name: float(np.median(values)) for name, values in times.items()}
            found[file] = {"runs": _RUNS, "threads": 1, "sha256": artifact["sha256"], "median_ms": medians}
            print(f"{file}, medians of {_RUNS} runs, one thread\n")
            print(by_kind(medians).markdown())
            print(hottest(medians).markdown())
    path = config.folder / PROFILE_FILE
    write_json(path, {"device": this_machine(), "artifacts": found})
    print(f"every operation: {path}")


def by_kind(medians: dict[str, float]) -> Table:
    """Return what operations of the same kind take together, the most expensive first."""
    kinds: dict[str, list[float]] = {}
    for name, milliseconds in medians.items():
        kinds.setdefault(_NUMBER.sub("", name), []).append(milliseconds)
    order = sorted(kinds, key=lambda kind: -sum(kinds[kind]))
    cells = [[kind, str(len(kinds[kind])), *_share(sum(kinds[kind]), medians)] for kind in order]
    return Table("By kind", ["kind of operation", "how many", "µs", "share"], cells, [])


def hottest(medians: dict[str, float]) -> Table:
    """Return the most expensive single operations."""
    order = sorted(medians, key=lambda name: -medians[name])[:_HOTTEST]
    return Table("Hottest", ["operation", "µs", "share"], [[n, *_share(medians[n], medians)] for n in order], [])


def _share(milliseconds: float, medians: dict[str, float]) -> list[str]:
    return [f"{1000 * milliseconds:,.1f}", f"{milliseconds / max(sum(medians.values()), 1e-12):.1%}"]
