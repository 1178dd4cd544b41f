"""Latency on an iPhone, from a Mac, for each compute unit; on the Mac itself where no iPhone is connected."""

import asyncio
import dataclasses
import statistics
import sys
from typing import Any

from tqdm import tqdm

from benchmarks.model import Model
from benchmarks.phones.apple import (
    COMPUTE_UNITS,
    Apple,
    Benchmarker,
    Place,
    find_place,
    one_line,
    open_coremltools,
    require_iphone,
)
from benchmarks.phones.session import keep_current
from benchmarks.phones.starts import Start, figures
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from deploy.manifest import export_command
from train.errors import UserError

ELSEWHERE = (
    "--target ios needs a Mac with Xcode's command line tools and, for an iPhone, the phone on its cable with "
    "developer mode on; give the same command there"
)


@dataclasses.dataclass
class Candidate:
    """A package that is loaded."""

    artifact: dict[str, Any]
    benchmarker: Benchmarker
    fed: dict[str, Any]
    """Inputs of one image by name."""
    load_ms: float
    first_run_ms: float
    starts: list[Start] = dataclasses.field(default_factory=list)
    """One per turn."""


def measure_ios(model: Model, config: BenchmarkConfig, results: Results, apple: Apple | None = None) -> list[str]:
    """Time every Core ML package with every compute unit; rows that results.json has already are kept.

    Args:
        model: run folder and artifacts.
        config: what to measure.
        results: where the rows go.
        apple: in place of coremltools.

    Returns:
        A sentence for each row that was asked for and could not be had.

    Raises:
        UserError: this is no Mac, coremltools is missing, there is nothing to measure, several iPhones are
            connected, the iPhone went away, or nothing at all could be measured.
    """
    if apple is None and sys.platform != "darwin":
        raise UserError(ELSEWHERE)
    packages = [artifact for artifact in model.artifacts if artifact["runtime"] == "coreml"]
    if not packages:
        again = export_command(model.run, model.folder, "deploy/ios/export.py")
        raise UserError(f"{model.folder} has no Core ML packages; export with: {again}")
    return asyncio.run(
        _Measuring(model, config, results, apple or open_coremltools(config.development_team)).run(packages)
    )


class _Measuring:
    def __init__(self, model: Model, config: BenchmarkConfig, results: Results, apple: Apple) -> None:
        self.model, self.config, self.results, self.apple = model, config, results, apple
        self.keys: list[str] = []
        self.failed: list[str] = []
        self.left_out: list[str] = []

    async def run(self, packages: list[dict[str, Any]]) -> list[str]:
        config, apple = self.config, self.apple
        place = await find_place(apple, config.serial)
        print(f"measuring on {place.key}", flush=True)
        for unit in COMPUTE_UNITS:
            inputs = {artifact["file"]: self._inputs(artifact, unit, place) for artifact in packages}
            keys = {file: f"{place.key}/{file}/coreml/{unit}" for file in inputs}
            self.keys += keys.values()
            if not config.again and all(self.results.kept("latency", keys[f], inputs[f]) for f in inputs):
                print(f"Core ML with {unit}: measured already", flush=True)
                continue
            candidates = await self._load(packages, unit, place, keys)
            await self._time(candidates, unit, place)
            for candidate in candidates:
                file = candidate.artifact["file"]
                row = _row(candidate, candidates, unit)
                self.results.put("latency", keys[file], inputs[file], row)
                times = row["latency_ms"]
                print(f"{file:<28} {unit:<12} p50 {times['p50']:8.3f} ms  p90 {times['p90']:8.3f} ms", flush=True)
        keep_current(self.results, self.model, f"{place.key}/", self.keys, self.failed)
        self.results.say(
            f"latency on {place.key}",
            rows=f"{place.key}/",
            device=place.description,
            protocol=f"coremltools {apple.version}, per compute unit: {config.repeats} loads (median), one first "
            f"prediction, then {config.repeats} turns over the packages, each {config.warmup} untimed and "
            f"{config.iterations} timed predictions of one image; times as the library takes them where "
            "the model runs; ratios to the float package: of medians of a turn, median, lowest and highest",
            left_out=self.left_out,
        )
        if not self.keys:
            raise UserError(f"nothing could be measured on {place.key}: {self.left_out[0]}")
        return self.left_out

    def _inputs(self, artifact: dict[str, Any], unit: str, place: Place) -> dict[str, Any]:
        """Return what decides the figures of a row."""
        return {
            "sha256": artifact["sha256"],
            "compute_units": unit,
            "device": place.description,
            "tools": {"coremltools": self.apple.version},
            **{name: getattr(self.config, name) for name in ("repeats", "warmup", "iterations", "seed")},
        }

    async def _load(
        self, packages: list[dict[str, Any]], unit: str, place: Place, keys: dict[str, str]
    ) -> list[Candidate]:
        """Load every package and predict once; those that fail are left out."""
        z, y = self.model.latents(self.config.seed, 1)
        arrays = self.model.inputs(z[0], int(y[0]))
        candidates = []
        for artifact in packages:
            file = artifact["file"]
            fed = {spec["name"]: array for spec, array in zip(artifact["inputs"], arrays, strict=True)}
            try:
                benchmarker = self.apple.benchmarker(str(self.model.folder / file), unit, place.iphone)
                loads = await benchmarker.benchmark_load(iterations=self.config.repeats)
                first = await benchmarker.benchmark_predict(inputs=fed, iterations=1)
                load_ms, first_run_ms = statistics.median(loads.samples), first.samples[0]
            except Exception as error:  # the library raises many kinds; the others go on without this package
                require_iphone(self.apple, place)
                self.keys.remove(keys[file])
                self.failed.append(keys[file])
                self.left_out.append(f"{file} was not timed with {unit}: {one_line(error)}")
                print(self.left_out[-1], flush=True)
                continue
            candidates.append(Candidate(artifact, benchmarker, fed, load_ms, first_run_ms))
        return candidates

    async def _time(self, candidates: list[Candidate], unit: str, place: Place) -> None:
        """Time the packages in turns."""
        config = self.config
        with tqdm(total=config.repeats * len(candidates), desc=f"Core ML, {unit}", leave=False) as bar:
            for turn in range(config.repeats):
                for candidate in reversed(candidates) if turn % 2 else candidates:
                    try:
                        measured = await candidate.benchmarker.benchmark_predict(
                            inputs=candidate.fed, iterations=config.warmup + config.iterations
                        )
                    except Exception as error:
                        require_iphone(self.apple, place)
                        file = candidate.artifact["file"]
                        raise UserError(f"{file} ran with {unit} and then failed: {one_line(error)}") from None
                    candidate.starts.append(Start.of(list(measured.samples[config.warmup :])))
                    bar.update()


def _row(candidate: Candidate, candidates: list[Candidate], unit: str) -> dict[str, Any]:
    """Return the figures of a row; ratios are to the float package."""
    floats = [other for other in candidates if other.artifact["precision"] in ("fp32", "fp16")]
    references = {other.artifact["file"]: other.starts for other in floats[:1] if other is not candidate}
    return {
        "name": candidate.artifact["file"],
        "tool": "coremltools",
        **{name: candidate.artifact[name] for name in ("runtime", "backend", "precision")},
        "compute_units": unit,
        "load_ms": round(candidate.load_ms, 3),
        "first_run_ms": round(candidate.first_run_ms, 3),
        **figures(candidate.starts, references),
    }
