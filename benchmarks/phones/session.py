"""One phone, one model, and the rows that come out of them."""

import dataclasses
from typing import Any

from tqdm import tqdm

from benchmarks.model import Model
from benchmarks.phones.adb import Adb
from benchmarks.phones.device import unit_name
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig


@dataclasses.dataclass(frozen=True)
class Session:
    """What all measurements on an Android phone share."""

    adb: Adb
    model: Model
    config: BenchmarkConfig
    results: Results
    device: dict[str, Any]
    threads: tuple[int, ...]
    """To measure with."""
    keys: list[str] = dataclasses.field(default_factory=list)
    """Of the rows that were asked for, in their order."""
    failed: list[str] = dataclasses.field(default_factory=list)
    """Of the rows that could not be had."""
    left_out: list[str] = dataclasses.field(default_factory=list)
    """A sentence about each of them."""

    @property
    def prefix(self) -> str:
        """With which the phone's rows begin."""
        return f"android/{unit_name(self.device)}/"

    @property
    def runs(self) -> int:
        """Timed runs of a start."""
        return self.config.rounds * self.config.iterations

    def expect(self, artifact: dict[str, Any], tool: str, version: str, threads: int) -> bool:
        """Say that a row is asked for; return whether it has to be measured."""
        key = self._key(artifact, tool, threads)
        self.keys.append(key)
        inputs = self._inputs(artifact, tool, version, threads)
        return self.config.again or not self.results.kept("latency", key, inputs)

    def put(self, artifact: dict[str, Any], tool: str, version: str, threads: int, row: dict[str, Any]) -> None:
        """Write a row and print it."""
        labels = {name: artifact[name] for name in ("runtime", "backend", "precision")}
        row = {"name": artifact["file"], "tool": tool, **labels, "threads": threads, **row}
        inputs = self._inputs(artifact, tool, version, threads)
        self.results.put("latency", self._key(artifact, tool, threads), inputs, row)
        times = row["latency_ms"]
        figures = "  ".join(f"{name} {times[name]:8.3f} ms" for name in ("p50", "p90", "mean") if name in times)
        ratios = "".join(f"  {value['median']:.2f} of {name}" for name, value in row["ratios"].items())
        print(f"{artifact['file']:<28} {tool:<15} {threads} thr  {figures}{ratios}", flush=True)

    def leave_out(self, artifact: dict[str, Any], tool: str, threads: int, why: object) -> None:
        """Say that a row cannot be had."""
        key = self._key(artifact, tool, threads)
        self.keys.remove(key)
        self.failed.append(key)
        sentence = f"{artifact['file']} was not timed by {tool} with {threads} threads: {why}"
        self.left_out.append(sentence)
        tqdm.write(sentence)

    def tidy(self) -> None:
        """Drop the phone's rows of files that are not the model's any more, and those that failed now."""
        keep_current(self.results, self.model, self.prefix, self.keys, self.failed)

    def _key(self, artifact: dict[str, Any], tool: str, threads: int) -> str:
        return f"{self.prefix}{artifact['file']}/{tool}/threads-{threads}"

    def _inputs(self, artifact: dict[str, Any], tool: str, version: str, threads: int) -> dict[str, Any]:
        """Return what decides the figures of a row."""
        return {
            "sha256": artifact["sha256"],
            "threads": threads,
            "device": self.device,
            "tools": {tool: version},
            "repeats": self.config.repeats,
            "warmup": self.config.warmup,
            "runs": self.runs,
        }


def keep_current(results: Results, model: Model, prefix: str, keys: list[str], failed: list[str]) -> None:
    """Drop a device's rows of files that are not the model's any more, and those that failed now.

    Rows of other artifacts, programs or numbers of threads than were measured this time stay.

    Args:
        results: the rows.
        model: whose manifest says which files there are.
        prefix: with which the device's rows begin.
        keys: of the rows that were asked for, in their order.
        failed: of those that could not be had.
    """
    current = {artifact["file"]: artifact["sha256"] for artifact in model.manifest["artifacts"]}
    others = [
        row["key"]
        for row in results.content["latency"]
        if row["key"].startswith(prefix)
        and row["key"] not in {*keys, *failed}
        and current.get(row["name"]) == row["inputs"]["sha256"]
    ]
    results.keep_only("latency", prefix, [*keys, *others])


def float_reference(artifact: dict[str, Any], artifacts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the float artifact of the same runtime, None where there is none."""
    same = (other for other in artifacts if other["runtime"] == artifact["runtime"])
    return next((other for other in same if other["precision"] == "fp32"), None)
