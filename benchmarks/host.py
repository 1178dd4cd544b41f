"""Latency on this machine: the artifacts in their own runtimes, between the float student's forms in torch."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.compared_programs import authors_program, teacher_programs
from benchmarks.latency import Samples, interleave, ratio, statistics
from benchmarks.model import Model, teacher_spec
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from benchmarks.worker import Kind, Worker
from deploy.manifest import versions
from train.errors import UserError
from train.files import file_hash
from train.machine import this_machine, usable_cores
from train.snapshot import STUDENT_FILE
from train.teacher import open_teacher

AUTHORS_FILE = "authors_xnnpack_fp32.pte"
TEACHER_EAGER = "teacher, torch eager"
DEPLOY_FP32 = "student_xnnpack_fp32.pte"
REFERENCES = {"fp32": DEPLOY_FP32, "fp32, authors' order": AUTHORS_FILE}
"""What latencies are compared with: both float programs of XNNPACK, at the same number of threads."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """Something that draws an image."""

    name: str
    kind: Kind
    path: Path
    labels: dict[str, str]
    """runtime, backend, precision."""
    sha256: str
    num_classes: int | None = None
    """Of a teacher that knows other classes than the student."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Candidates that are timed together, because ratios are of one run."""

    threads: int
    candidates: dict[str, Candidate]
    """By the key of their row."""
    inputs: dict[str, dict[str, Any]]
    """What decides their figures."""


def measure_host(model: Model, config: BenchmarkConfig, results: Results) -> list[str]:
    """Time every candidate with every number of threads; a group that results.json has already is kept.

    Returns:
        A sentence for each candidate that was asked for and could not be timed.
    """
    candidates, notes = find_candidates(model, config)
    left_out: list[str] = []
    groups = [_group(candidates, threads, config) for threads in config.threads or sorted({1, usable_cores()})]
    for group in groups:
        failures = None if config.again else _still_failing(model, group, results, config.seed)
        if failures is None:
            failures = _measure_together(model, config, results, group)
        else:
            print(f"latency with {_threads(group.threads)}: measured already", flush=True)
        left_out += failures
    for sentence in [*notes, *left_out]:
        print(sentence, flush=True)
    if not (config.only or config.threads):
        results.keep_only("latency", "host/", [key for group in groups for key in group.candidates])
    results.say(
        "latency on this machine",
        device=this_machine(),
        protocol=f"{config.rounds} rounds over all candidates in changing order, each {config.warmup} untimed and "
        f"{config.iterations} timed runs of one image in a process of its own; percentiles over all timed runs; "
        "ratios of medians within a round: median, lowest and highest; calls from Python, what the bindings cost "
        "included; memory: growth of the process from before the load to its peak; load average: of the machine "
        "over the minute before",
        left_out=[*notes, *left_out],
    )
    return left_out


def _still_failing(model: Model, group: Group, results: Results, seed: int) -> list[str] | None:
    """Return a sentence for each candidate without a row that still does not load; None if one has to be timed."""
    missing = {key for key, inputs in group.inputs.items() if not results.kept("latency", key, inputs)}
    if missing - {key.removeprefix("latency/") for key in results.content.get("failures", {})}:
        return None
    failures = []
    for key in sorted(missing):  # what kept it from loading may be gone
        worker = _worker(model, group, key, seed)
        try:
            worker.ready()
            worker.load()
            return None
        except UserError as error:
            failures.append(_failure(key, error))
        finally:
            worker.close()
    return failures


def _worker(model: Model, group: Group, key: str, seed: int) -> Worker:
    z, y = model.latents(seed, 1)
    candidate = group.candidates[key]
    inputs = model.inputs(z[0], int(y[0]))
    if candidate.num_classes is not None:  # which class it is does not change the time
        inputs = inputs[0], np.eye(1, candidate.num_classes, dtype=np.float32)
    return Worker(candidate.kind, candidate.path, group.threads, inputs)


def _failure(key: str, error: UserError) -> str:
    return f"{key} was not timed: {error}"


def _group(candidates: list[Candidate], threads: int, config: BenchmarkConfig) -> Group:
    keyed = {f"host/{candidate.name}/threads-{threads}": candidate for candidate in candidates}
    inputs = {key: _inputs(candidate, threads, config) for key, candidate in keyed.items()}
    return Group(threads, keyed, inputs)


def find_candidates(model: Model, config: BenchmarkConfig) -> tuple[list[Candidate], list[str]]:
    """Return what can be timed here, and a sentence for each artifact that cannot."""
    candidates, notes = [], []
    for artifact in model.artifacts:
        if reason := model.runs_here(artifact):
            notes.append(reason)
            continue
        kind: Kind = "tflite" if artifact["runtime"] == "tflite" else "program"
        labels = {name: artifact[name] for name in ("runtime", "backend", "precision")}
        path = model.folder / artifact["file"]
        candidates.append(Candidate(artifact["file"], kind, path, labels, artifact["sha256"]))
    teachers, left_out = _teacher_candidates(model, config)
    candidates += teachers
    notes += left_out
    if model.one_class:
        notes.append("the float student in torch was not timed beside the form of one class: it draws all classes")
        return candidates, notes
    snapshot = model.students.get("float")
    if snapshot is None:
        why = model.replaced.get("float", f"there is no {model.run / STUDENT_FILE}")
        notes.append(f"the float student in torch was not timed: {why}")
        return candidates, notes
    authors = authors_program(snapshot, config.folder / "cache" / AUTHORS_FILE)
    labels = {"runtime": "executorch", "backend": "xnnpack", "precision": "fp32"}
    candidates.append(Candidate(AUTHORS_FILE, "program", authors, labels, file_hash(authors)))
    forms: dict[str, Kind] = {"torch eager": "eager", "torch eager, authors' order": "eager-authors"}
    if config.compiled:
        forms["torch.compile"] = "compiled"
    for name, kind in forms.items():
        labels = {"runtime": "torch", "backend": "compile" if kind == "compiled" else "eager", "precision": "fp32"}
        candidates.append(Candidate(name, kind, snapshot, labels, file_hash(snapshot)))
    return candidates, notes


def _teacher_candidates(model: Model, config: BenchmarkConfig) -> tuple[list[Candidate], list[str]]:
    """Return the teacher in torch and, where it lowers, in the phones' runtimes."""
    spec = teacher_spec(model, config.teacher)
    if spec is None:
        return [], ["no teacher was timed, there is none at hand: give one with --teacher"]
    if model.one_class:
        return [], ["the teacher was not timed beside the form of one class: it draws all classes"]
    teacher = open_teacher(spec, model.truncation)
    labels = {"runtime": "torch", "backend": "eager", "precision": "fp32"}
    candidates = [Candidate(TEACHER_EAGER, "teacher", Path(spec), labels, teacher.fingerprint)]
    paths, notes = teacher_programs(model, teacher, config.folder / "cache")
    for path in paths:
        kind: Kind = "tflite" if path.suffix == ".tflite" else "program"
        runtime = "tflite" if kind == "tflite" else "executorch"
        labels = {"runtime": runtime, "backend": "xnnpack", "precision": "fp32"}
        candidates.append(Candidate(path.name, kind, path, labels, file_hash(path), teacher.num_classes))
    return candidates, notes


def _measure_together(model: Model, config: BenchmarkConfig, results: Results, group: Group) -> list[str]:
    """Time a group, store its rows and its failures; return a sentence for each candidate that did not run."""
    failures: list[str] = []
    workers: dict[str, Worker] = {}

    def failed(key: str, error: UserError) -> None:
        failures.append(_failure(key, error))
        results.put_failure("latency", key, group.inputs[key], failures[-1])
        workers.pop(key).close()

    loads: dict[str, dict[str, float]] = {}
    busy = {"load_average": round(os.getloadavg()[0], 2)} if hasattr(os, "getloadavg") else {}
    try:
        for key in group.candidates:
            workers[key] = _worker(model, group, key, config.seed)
        for key in tqdm(list(workers), desc=f"loading, {_threads(group.threads)}", leave=False):
            try:
                workers[key].ready()
                loads[key] = workers[key].load()
            except UserError as error:
                failed(key, error)
        visits = config.rounds * len(workers)
        with tqdm(total=visits, desc=f"timing, {_threads(group.threads)}", leave=False) as bar:
            samples = interleave(
                workers,
                rounds=config.rounds,
                warmup=config.warmup,
                iterations=config.iterations,
                tick=bar.update,
                failed=failed,
            )
        for key, worker in workers.items():
            figures = {
                "name": group.candidates[key].name,
                **group.candidates[key].labels,
                "bytes": _file_size(group.candidates[key]),
                "threads": group.threads,
                **{name: round(value, 3) for name, value in loads[key].items()},
                "latency_ms": statistics(samples[key]),
                "ratios": _ratios(samples, key, group.threads),
                **busy,
                "peak_memory_bytes": worker.peak_memory_bytes(),
            }
            kept = {name: value for name, value in figures.items() if value is not None}
            results.put("latency", key, group.inputs[key], kept)
            print(_line(kept), flush=True)
    finally:
        for worker in workers.values():
            worker.close()
    return failures


def _file_size(candidate: Candidate) -> int | None:
    return candidate.path.stat().st_size if candidate.kind in ("program", "tflite") else None


def _ratios(samples: dict[str, Samples], key: str, threads: int) -> dict[str, dict[str, float]]:
    references = {name: f"host/{file}/threads-{threads}" for name, file in REFERENCES.items()}
    return {name: ratio(samples[key], samples[other]) for name, other in references.items() if other in samples}


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _line(row: dict[str, Any]) -> str:
    times = row["latency_ms"]
    ratios = ", ".join(f"{value['median']:.2f} of {name}" for name, value in row["ratios"].items())
    return (
        f"{row['name']:<32} {row['threads']} thr  p50 {times['p50']:8.3f} ms  p90 {times['p90']:8.3f} ms  {ratios}"
    )


def _inputs(candidate: Candidate, threads: int, config: BenchmarkConfig) -> dict[str, Any]:
    packages = {"program": "executorch", "tflite": "ai-edge-litert"}
    return {
        "sha256": candidate.sha256,
        "threads": threads,
        "device": this_machine(),
        "rounds": config.rounds,
        "warmup": config.warmup,
        "iterations": config.iterations,
        "tools": versions(packages.get(candidate.kind, "torch")),
    }
