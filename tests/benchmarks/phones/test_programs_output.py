import pytest
from fake_phone import benchmark_output, output, runner_output

from benchmarks.phones import benchmark_model, executor_runner
from benchmarks.phones.starts import Start, UnexpectedOutputError, figures

TIMES = [9.0, 5.0, 4.0, 2.0, 3.0, 2.5, 2.0]
"""A first run, two of warm-up, four timed."""


def test_executor_runner_with_single_runs():
    start = executor_runner.parse(runner_output(TIMES), warmup=2, runs=4)
    assert start.runs == (2.0, 3.0, 2.5, 2.0)
    assert (start.n, start.mean, start.median) == (4, 2.375, 2.25)
    assert (start.load_ms, start.first_run_ms) == (12.5, 9.0)
    assert start.peak_memory_bytes is None
    assert start.notes == ()


def test_executor_runner_that_logs_into_the_phones_log():
    bare = "\n".join(line.partition("] ")[2] for line in runner_output(TIMES).splitlines() if "] " in line)
    text = "OutputX 0: tensor(sizes=[1, 3, 32, 32], [0.1, 0.2])\n--------- beginning of main\n" + bare
    assert executor_runner.parse(text, warmup=2, runs=4) == executor_runner.parse(
        runner_output(TIMES), warmup=2, runs=4
    )


def test_an_older_executor_runner_gives_the_mean_alone():
    start = executor_runner.parse(output("executor_runner_old"), warmup=3, runs=4)
    assert (start.n, start.mean, start.runs, start.median) == (8, 2.5, (), None)
    assert start.load_ms is None and start.first_run_ms is None
    assert "traced: this build writes an ETDump, which costs time" in start.notes
    assert any("the first and 3 warm-ups among them" in note for note in start.notes)
    row = figures([start, start], {})
    assert row["latency_ms"] == {"mean": 2.5, "n": 16}
    assert "load_ms" not in row and "first_run_ms" not in row and "peak_memory_bytes" not in row


def test_a_build_that_logs_details_is_noted():
    text = "D 00:00:00.015988 executorch:XNNPACKBackend.cpp:57] Creating XNN workspace\n" + runner_output(TIMES)
    assert executor_runner.parse(text, warmup=2, runs=4).notes == (
        "this build logs details while it runs, which costs time",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"printed no times \(no log lines\); build it with -DEXECUTORCH_ENABLE_LOGGING=ON"),
        ("OutputX 0: tensor(sizes=[1])", r"no log lines"),
        (runner_output(TIMES[:-1]), r"ran 6 times, not the 7 that it was told"),
        (runner_output(TIMES).replace("Iteration 4 of 7", "Iteration four of 7"), r"times of 6 runs, not of 7"),
    ],
)
def test_executor_runner_unexpected(text, message):
    with pytest.raises(UnexpectedOutputError, match=message):
        executor_runner.parse(text, warmup=2, runs=4)


def test_benchmark_model():
    start = benchmark_model.parse(benchmark_output())
    assert (start.n, start.mean, start.min, start.max) == (4, 1.5, 1.45, 1.56)
    assert (start.load_ms, start.first_run_ms) == (5.2, 2.1)
    assert start.peak_memory_bytes == 9.25 * 2**20
    assert start.median is None and start.runs == ()


def test_a_newer_benchmark_model_prints_a_median():
    text = benchmark_output().replace("std=40", "std=40 p5=1455 median=1492 p95=1555")
    assert benchmark_model.parse(text).median == 1.492


def test_slow_runs_are_printed_with_exponents():
    start = benchmark_model.parse(benchmark_output(mean=2.95034e06))
    assert start.mean == pytest.approx(2950.34)


def test_a_single_run_has_no_spread():
    text = "count=1 curr=3500\n\ncount=1 curr=2900\n\nInference timings in us: Init: 10, First inference: 3500, "
    start = benchmark_model.parse(text + "Warmup (avg): 3500, Inference (avg): 2900\n")
    assert (start.n, start.mean, start.median, start.min, start.max) == (1, 2.9, 2.9, 2.9, 2.9)
    assert start.peak_memory_bytes is None


def test_a_delegate_that_does_nothing_is_noted():
    text = "INFO: Though XNNPACK delegate is explicitly applied, the model graph will not be executed by the "
    text += "delegate.\n"
    (note,) = benchmark_model.parse(text + benchmark_output()).notes
    assert "will not be executed by the delegate" in note


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (output("benchmark_model_failed"), "printed no times .*ERROR: The model is not a valid Flatbuffer"),
        ("", "printed no times .*no such lines"),
        (benchmark_output().replace("Inference (avg)", "Inference (median)"), "printed no times"),
    ],
)
def test_benchmark_model_unexpected(text, message):
    with pytest.raises(UnexpectedOutputError, match=message):
        benchmark_model.parse(text)


def test_percentiles_are_of_all_runs_and_ratios_of_medians_of_starts():
    ours = [Start.of([1.0, 2.0, 3.0], load_ms=5.0, first_run_ms=8.0), Start.of([3.0, 4.0, 5.0], load_ms=7.0)]
    base = [Start.of([4.0, 4.0, 4.0]), Start.of([5.0, 5.0, 5.0])]
    row = figures(ours, {"fp32": base})
    assert row["latency_ms"] == {"p50": 3.0, "p90": 4.5, "mean": 3.0, "min": 1.0, "max": 5.0, "n": 6}
    assert row["ratios"] == {"fp32": {"median": 0.65, "low": 0.5, "high": 0.8}}
    assert (row["load_ms"], row["first_run_ms"]) == (6.0, 8.0)


def test_means_are_weighted_and_compared_where_medians_are_not_printed():
    ours = [Start(4, 2.0, min=1.0, max=3.0, peak_memory_bytes=10), Start(12, 4.0, min=2.0, max=9.0)]
    row = figures(ours, {"fp32": [Start(4, 4.0, median=1.0), Start(4, 4.0)]})
    assert row["latency_ms"] == {"mean": 3.5, "min": 1.0, "max": 9.0, "n": 16}
    assert row["ratios"]["fp32"] == {"median": 0.75, "low": 0.5, "high": 1.0}
    assert row["peak_memory_bytes"] == 10
