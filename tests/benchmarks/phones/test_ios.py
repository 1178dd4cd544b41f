import dataclasses
import sys

import pytest
from fake_phone import rows_of

from benchmarks.model import open_model
from benchmarks.phones.apple import COMPUTE_UNITS, Apple
from benchmarks.phones.ios import measure_ios
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from train.errors import UserError
from train.files import write_json


@dataclasses.dataclass
class Measurement:
    """As coremltools' MLModelBenchmarker.Measurement, without its statistics."""

    samples: list[float]


@dataclasses.dataclass(frozen=True)
class Device:
    """As coremltools' remote_device.Device, as far as it is used."""

    name: str
    udid: str
    identifier: str = "an identifier"
    os_version: str = "18.1"
    os_build_number: str = "22B83"
    session: object = None


class Library:
    """In place of coremltools: int8 takes 1 ms in the first turn and 2 in the second, fp16 the double."""

    def __init__(self, *iphones: Device) -> None:
        self.iphones = list(iphones)
        self.calls: list[tuple] = []
        self.failing: set[tuple[str, str]] = set()
        self.gone_after: int | None = None
        self.unprepared = ""

    def apple(self) -> Apple:
        return Apple("9.0", lambda: list(self.iphones), self.prepare, self.benchmarker, lambda: "Apple M3 Pro")

    async def prepare(self, iphone: Device) -> Device:
        if self.unprepared:
            raise ValueError(self.unprepared)
        return dataclasses.replace(iphone, session="started")

    def benchmarker(self, path: str, unit: str, iphone: Device | None) -> "Benchmarker":
        return Benchmarker(self, path.rpartition("/")[2], unit, iphone)


@dataclasses.dataclass
class Benchmarker:
    library: Library
    file: str
    unit: str
    iphone: Device | None
    turns: int = 0

    async def benchmark_load(self, iterations: int = 1) -> Measurement:
        self.library.calls.append(("load", self.file, self.unit, iterations))
        if (self.file, self.unit) in self.library.failing:
            raise RuntimeError("Error compiling model:\n  no such unit")
        return Measurement([40.0 + turn for turn in range(iterations)])

    async def benchmark_predict(self, inputs=None, iterations: int = 1, warmup: bool = False) -> Measurement:
        library = self.library
        if self.iphone is not None:
            assert self.iphone.session == "started"
        assert {name: array.shape for name, array in inputs.items()} == {"z": (1, 4), "class_weights": (1, 3)}
        library.calls.append(("predict", self.file, self.unit, iterations))
        if library.gone_after is not None and len(library.calls) > library.gone_after:
            library.iphones.clear()
            raise RuntimeError("The connection was lost")
        base = 1.0 if "int8" in self.file else 2.0
        self.turns += 1
        if self.turns == 1:
            return Measurement([10 * base] * iterations)
        # Untimed ones are slow; they must not count.
        return Measurement([100.0] + [base * (self.turns - 1)] * (iterations - 1))


@pytest.fixture
def config(tmp_path, artifacts) -> BenchmarkConfig:
    return BenchmarkConfig(
        run=artifacts.parent, out=tmp_path / "out", target="ios", repeats=2, warmup=1, iterations=3
    )


@pytest.mark.skipif(sys.platform == "darwin", reason="is about other systems")
def test_elsewhere_than_on_a_mac(model, config, results):
    with pytest.raises(
        UserError, match=r"^--target ios needs a Mac with Xcode's command line tools and, .*there$"
    ):
        measure_ios(model, config, results)
    assert not results.path.exists()


def test_the_mac_itself_where_no_iphone_is_connected(model, config, results, capsys):
    library = Library()
    measure_ios(model, config, results, library.apple())
    rows = rows_of(results)
    assert list(rows) == [
        f"mac/Apple-M3-Pro/student_{name}.mlpackage/coreml/{unit}"
        for unit in COMPUTE_UNITS
        for name in ("fp16", "int8")
    ]
    row = rows["mac/Apple-M3-Pro/student_int8.mlpackage/coreml/CPU_AND_NE"]
    assert row["latency_ms"] == {"p50": 1.5, "p90": 2.0, "mean": 1.5, "min": 1.0, "max": 2.0, "n": 6}
    assert row["ratios"] == {"student_fp16.mlpackage": {"median": 0.5, "low": 0.5, "high": 0.5}}
    assert (row["load_ms"], row["first_run_ms"]) == (40.5, 10.0)
    assert (row["compute_units"], row["tool"], row["precision"]) == ("CPU_AND_NE", "coremltools", "int8")
    assert row["inputs"]["device"] == {"target": "mac", "chip": "Apple M3 Pro"}
    assert "peak_memory_bytes" not in row and "threads" not in row
    assert rows["mac/Apple-M3-Pro/student_fp16.mlpackage/coreml/ALL"]["ratios"] == {}
    assert "no iPhone is connected: the Mac itself is measured" in capsys.readouterr().out


def test_an_iphone(model, config, results):
    library = Library(Device("Anna's iPhone", "00008120-A"))
    measure_ios(model, config, results, library.apple())
    rows = rows_of(results)
    assert len(rows) == 8
    assert all(key.startswith("ios/iPhone-") for key in rows)
    text = results.path.read_text()
    assert "Anna" not in text and "00008120-A" not in text
    device = next(iter(rows.values()))["inputs"]["device"]
    assert (device["target"], device["os"], device["build"]) == ("ios", "18.1", "22B83")
    calls = [call for call in library.calls if call[2] == "ALL"]
    fp16, int8 = "student_fp16.mlpackage", "student_int8.mlpackage"
    assert calls[:4] == [(do, f, "ALL", n) for f in (fp16, int8) for do, n in (("load", 2), ("predict", 1))]
    assert calls[4:] == [("predict", f, "ALL", 4) for f in (fp16, int8, int8, fp16)]
    count = len(library.calls)
    measure_ios(model, config, Results(results.path, model.description), library.apple())
    assert len(library.calls) == count


def test_rows_of_packages_that_were_not_asked_for_stay_until_the_files_change(artifacts, model, config, results):
    library = Library()
    measure_ios(model, config, results, library.apple())
    whole = rows_of(results)
    only = open_model(artifacts.parent, artifacts, ("*int8*",))
    measure_ios(only, dataclasses.replace(config, again=True), results, library.apple())
    assert rows_of(results).keys() == whole.keys()
    for row in results.content["latency"]:
        if "fp16" in row["key"]:
            row["inputs"]["sha256"] = "of an earlier export"
    write_json(results.path, results.content)
    library.failing = {("student_int8.mlpackage", "ALL")}
    measure_ios(only, dataclasses.replace(config, again=True), results, library.apple())
    assert set(rows_of(results)) == {
        key
        for key in whole
        if "int8" in key and not key.endswith("/ALL")  # what failed now is dropped
    }


def test_one_of_several_iphones(model, config, results):
    apple = Library(Device("One", "A-1"), Device("Two", "B-2")).apple()
    with pytest.raises(
        UserError, match=r"^2 iPhones are connected: One \(A-1\), Two \(B-2\); say which with --serial"
    ):
        measure_ios(model, config, results, apple)
    with pytest.raises(UserError, match=r"^no iPhone B-3 \(did you mean B-2\?\); connected: A-1, B-2$"):
        measure_ios(model, dataclasses.replace(config, serial="B-3"), results, apple)
    measure_ios(model, dataclasses.replace(config, serial="Two"), results, apple)
    assert len(rows_of(results)) == 8
    with pytest.raises(UserError, match=r"^no iPhone B-2; none is connected$"):
        measure_ios(model, dataclasses.replace(config, serial="B-2"), results, Library().apple())


def test_an_iphone_that_cannot_be_prepared(model, config, results):
    library = Library(Device("One", "A-1"))
    library.unprepared = "Signing for modelrunner\nrequires a development team"
    with pytest.raises(
        UserError, match=r"^iPhone One cannot run models \(Signing for modelrunner requires .*-team$"
    ):
        measure_ios(model, config, results, library.apple())


def test_without_xcode(model, config, results, capsys):
    def fail():
        raise ValueError("The 'devicectl' command is required.")

    apple = dataclasses.replace(Library().apple(), iphones=fail)
    measure_ios(model, config, results, apple)
    assert "iPhones cannot be listed (The 'devicectl' command is required.)" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"^iPhones cannot be listed .*; install Xcode$"):
        measure_ios(model, dataclasses.replace(config, serial="A-1"), results, apple)


def test_a_unit_that_does_not_take_a_package(model, config, results):
    library = Library()
    library.failing = {("student_fp16.mlpackage", "CPU_AND_NE")}
    measure_ios(model, config, results, library.apple())
    rows = rows_of(results)
    assert len(rows) == 7
    assert rows["mac/Apple-M3-Pro/student_int8.mlpackage/coreml/CPU_AND_NE"]["ratios"] == {}
    assert results.content["notes"]["latency on mac/Apple-M3-Pro"]["left_out"] == [
        "student_fp16.mlpackage was not timed with CPU_AND_NE: Error compiling model: no such unit"
    ]


def test_a_library_that_runs_nothing(model, config, results):
    library = Library()
    library.failing = {(f"student_{name}.mlpackage", unit) for name in ("fp16", "int8") for unit in COMPUTE_UNITS}
    with pytest.raises(
        UserError, match=r"^nothing could be measured on mac/Apple-M3-Pro: student_fp16.* no such unit$"
    ):
        measure_ios(model, config, results, library.apple())


def test_an_iphone_that_goes_away(model, config, results):
    library = Library(Device("One", "A-1"))
    library.gone_after = 10
    with pytest.raises(UserError, match=r"^iPhone One went away; finished rows are kept: .*same command goes on$"):
        measure_ios(model, config, results, library.apple())
    finished = rows_of(results)
    assert [key.rpartition("/")[2] for key in finished] == ["ALL", "ALL"]
    again = Library(Device("One", "A-1"))
    measure_ios(model, config, Results(results.path, model.description), again.apple())
    assert {call[2] for call in again.calls} == set(COMPUTE_UNITS) - {"ALL"}
    assert len(rows_of(results)) == 8


def test_no_packages(artifacts, config, results):
    only = open_model(artifacts.parent, artifacts, ("*.pte",))
    with pytest.raises(UserError, match=r"has no Core ML packages; export with: python deploy/ios/export\.py"):
        measure_ios(only, config, results, Library().apple())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of coremltools' imports
def test_what_is_used_of_coremltools_is_there():
    """Its import alone takes long. Nothing of it runs here; names and signatures are those that are used."""
    import inspect

    coremltools = pytest.importorskip("coremltools")
    from coremltools.models.ml_program.experimental import perf_utils, remote_device

    from benchmarks.phones.apple import open_coremltools

    benchmarker = perf_utils.MLModelBenchmarker
    assert list(inspect.signature(benchmarker).parameters) == ["model", "device"]
    assert list(inspect.signature(benchmarker.benchmark_load).parameters) == ["self", "iterations"]
    predict = inspect.signature(benchmarker.benchmark_predict).parameters
    assert list(predict) == ["self", "inputs", "iterations", "warmup"]
    assert benchmarker.Measurement.from_samples([3.0, 1.0]).samples == [3.0, 1.0]
    assert {unit.name for unit in coremltools.ComputeUnit} == set(COMPUTE_UNITS)
    fields = {field.name for field in dataclasses.fields(remote_device.Device)}
    assert {"name", "udid", "identifier", "os_version", "os_build_number", "session"} <= fields
    assert "credentials" in inspect.signature(remote_device.Device.prepare_for_model_debugging).parameters
    apple = open_coremltools("ABCDE12345")
    assert apple.version == coremltools.__version__
    if sys.platform != "darwin":
        with pytest.raises(ValueError, match="devicectl"):
            apple.iphones()
