"""Latency on an Android phone: ExecuTorch's and TFLite's own measuring programs, and the sample app."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.model import Model
from benchmarks.phones import app, benchmark_model, executor_runner
from benchmarks.phones.adb import open_phone
from benchmarks.phones.device import big_cores, describe, read_state, summary, unit_name
from benchmarks.phones.programs import Starter, measure_programs
from benchmarks.phones.session import Session, float_reference
from benchmarks.phones.starts import Job, Program, Start, UnexpectedOutputError
from benchmarks.phones.tools import Tool, check_abi, obtain
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from deploy.manifest import export_command
from train.errors import UserError
from train.files import file_hash, write_atomically

NOTHING = (
    "nothing to measure with: give --executor-runner and --benchmark-model (path, or URL with its SHA-256) built "
    f"for the phone, or install the sample app {app.PACKAGE}"
)
PROGRAMS = (executor_runner.PROGRAM, benchmark_model.PROGRAM)
APP = "app"
START_TIMEOUT = 600
"""Seconds for one start of a measuring program."""


def measure_android(
    model: Model, config: BenchmarkConfig, results: Results, waiting: app.Waiting | None = None
) -> list[str]:
    """Measure every artifact for Android on a phone; rows that results.json has already are kept.

    Args:
        model: run folder and artifacts.
        config: what to measure with.
        results: where the rows go, one by one.
        waiting: how long to wait for the app.

    Returns:
        A sentence for each row that was asked for and could not be had.

    Raises:
        UserError: no phone, no program to measure with, a wrong one, the phone went away, or nothing at all
            could be measured; rows that were finished before stay.
    """
    artifacts = [artifact for artifact in model.artifacts if "android" in artifact["platforms"]]
    if not artifacts:
        again = export_command(model.run, model.folder)
        raise UserError(f"{model.folder} has nothing for Android; export with: {again}")
    tools = _tools(config)
    adb = open_phone(config.serial)
    device = describe(adb)
    installed = app.app_version(adb)
    if not tools and installed is None:
        raise UserError(NOTHING)
    for tool in tools.values():
        check_abi(tool, device["abis"])
    session = Session(adb, model, config, results, device, _threads(config, device))
    name = unit_name(device)
    print(
        f"measuring on {name} ({device.get('soc', 'it does not tell its SoC')}), serial {adb.serial}", flush=True
    )
    for program in PROGRAMS:
        if tool := tools.get(program.name):
            _measure_by(program, session, tool, artifacts)
    if installed is not None:
        _measure_app(session, installed, artifacts, waiting or app.Waiting())
    missing = [program.name.replace("_", "-") for program in PROGRAMS if program.name not in tools]
    notes = [f"not measured without --{flag}" for flag in missing]
    if installed is None:
        notes.append(f"not measured in the sample app: {app.PACKAGE} is not installed")
    session.tidy()
    results.say(
        f"latency on {name}",
        rows=session.prefix,
        device=summary(device),
        protocol=f"{config.repeats} fresh starts of each program per artifact, in turns over the artifacts, each "
        f"with a first run, {config.warmup} untimed and {session.runs} timed runs of one image; the app starts "
        "once and times what its user waits for: latent, model, pixels; load and first run: median of the starts; "
        "percentiles over all timed runs, absent where a program prints no single runs; ratios to the float "
        "artifact of the same runtime: of medians of a start (of means where those are not printed), median, "
        "lowest and highest over the starts, the app's of its one start",
        left_out=[*session.left_out, *notes],
    )
    if not session.keys:
        raise UserError(f"nothing could be measured on {name}: {session.left_out[0]}")
    return session.left_out


def _tools(config: BenchmarkConfig) -> dict[str, Tool]:
    """Return the programs that were given, by name."""
    given = {
        executor_runner.NAME: (config.executor_runner, config.executor_runner_sha256),
        benchmark_model.NAME: (config.benchmark_model, config.benchmark_model_sha256),
    }
    found = {}
    for name, (place, sha256) in given.items():
        flag = name.replace("_", "-")
        if place is not None:
            found[name] = obtain(flag, place, sha256, config.folder / "cache")
        elif sha256 is not None:
            raise UserError(f"--{flag}-sha256 is given without --{flag}; give the program too")
    return found


def _threads(config: BenchmarkConfig, device: dict[str, Any]) -> tuple[int, ...]:
    if config.threads:
        return config.threads
    if "cores" not in device:
        raise UserError(f"{device['model']} does not list its cores; say with how many threads: --threads 1 4")
    return tuple(sorted({1, big_cores(device)}))


def _measure_by(program: Program, session: Session, tool: Tool, artifacts: list[dict[str, Any]]) -> None:
    """Measure the artifacts of a program's runtime by it."""
    chosen = [artifact for artifact in artifacts if artifact["runtime"] == program.runtime]
    adb, config = session.adb, session.config
    pushed: list[str] = []

    def prepare(artifact: dict[str, Any]) -> Starter:
        if not pushed:
            pushed.append(adb.put(tool.path, tool.sha256, executable=True))
            inputs = _input_files(session.model, config) if program.takes_inputs else []
            pushed.extend(adb.put(path, file_hash(path)) for path in inputs)
        remote = adb.put(session.model.folder / artifact["file"], artifact["sha256"])

        def start(threads: int) -> Start:
            job = Job(pushed[0], remote, pushed[1:], threads, config.warmup, session.runs)
            return program.start(adb, job, START_TIMEOUT)

        return start

    fed = program.fed.format(seed=config.seed)
    measure_programs(session, program.name, tool.sha256, chosen, prepare, fed=fed)


def _measure_app(session: Session, installed: str, artifacts: list[dict[str, Any]], waiting: app.Waiting) -> None:
    for threads in session.threads:
        _measure_in_app(session, installed, artifacts, waiting, threads)


def _measure_in_app(
    session: Session, installed: str, artifacts: list[dict[str, Any]], waiting: app.Waiting, threads: int
) -> None:
    """Let the sample app measure with a number of threads; float artifacts first, for the ratios of the others.

    A float artifact whose row is there already is measured again beside new ones, because a ratio to another day's
    times says what the phone did, not what the artifact does; its row stays.
    """
    ordered = sorted(artifacts, key=lambda artifact: artifact["precision"] != "fp32")
    wanted = [artifact for artifact in ordered if session.expect(artifact, APP, installed, threads)]
    rows: dict[str, dict[str, Any] | None] = {}

    def measured(artifact: dict[str, Any]) -> dict[str, Any] | None:
        """Return the figures of one start, None where the app fails."""
        file = artifact["file"]
        if file not in rows:
            try:
                rows[file] = _one_start(session, artifact, waiting, threads)
            except UnexpectedOutputError as error:
                rows[file] = None
                if artifact in wanted:
                    session.leave_out(artifact, APP, threads, error)
        return rows[file]

    for artifact in wanted:
        if (row := measured(artifact)) is None:
            continue
        reference = float_reference(artifact, artifacts)
        base = None if reference is None or reference is artifact else measured(reference)
        ratios = {}
        if base is not None and reference is not None and base["latency_ms"]["p50"]:
            # Of one start there is no lowest and highest.
            median = row["latency_ms"]["p50"] / base["latency_ms"]["p50"]
            ratios[reference["file"]] = {"median": round(median, 3)}
        session.put(artifact, APP, installed, threads, row | {"ratios": ratios})


def _one_start(session: Session, artifact: dict[str, Any], waiting: app.Waiting, threads: int) -> dict[str, Any]:
    before = read_state(session.adb)
    report = app.measure_app(
        session.adb,
        artifact,
        threads=threads,
        warmup=session.config.warmup,
        runs=session.runs,
        waiting=waiting,
    )
    row = app.app_row(report, artifact, threads)
    return row | {"phone": {"before": before, "after": read_state(session.adb)}}


def _input_files(model: Model, config: BenchmarkConfig) -> list[Path]:
    """Write the inputs of one image as raw float32; return the files in the programs' order."""
    z, y = model.latents(config.seed, 1)
    files = []
    for index, array in enumerate(model.inputs(z[0], int(y[0]))):
        content = np.ascontiguousarray(array, np.float32).tobytes()
        path = config.folder / "cache" / f"input-{index}.bin"
        write_atomically(path, lambda temporary, content=content: temporary.write_bytes(content))
        files.append(path)
    return files
