"""Training throughput: that what is timed is what the report says, and that its figures add up."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from stand_ins import replace, tiny_run
from torch import nn

from benchmarks import train_throughput
from benchmarks.cost import measure_cost
from benchmarks.throughput import measuring
from benchmarks.throughput.configurations import BASELINE, Configuration, Task, build_loop, configurations
from benchmarks.throughput.counts import Limits, Work, attainable, count
from benchmarks.throughput.loops import Loop
from benchmarks.throughput.measuring import Prepared, Protocol, measure_batch
from benchmarks.throughput.released import ReleasedBatches
from benchmarks.throughput.stored import random_sources
from benchmarks.throughput.table import throughput_table
from train.errors import UserError
from train.presets import PRESETS
from train.run import assemble

CPU = torch.device("cpu")
LIMITS = {"float32": Limits(1e9, 1e9), "bfloat16": Limits(2e9, 1e9)}


@pytest.fixture
def task(tmp_path, world):
    config = tiny_run(grids=0)
    return Task(config, random_sources(config, tmp_path / "pairs", 20, 0), world, 1e-3, 0, None)


def rows_of(config, **runtime):
    changed = replace(config, **{f"runtime__{name}": value for name, value in runtime.items()})
    return configurations(changed, CPU, changes=True)


def parameters(module):
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def test_every_loop_trains_both_networks(task):
    rows = rows_of(task.config)
    assert rows[0].name == BASELINE and len(rows) == 6
    for row in rows:
        loop = build_loop(row, task)
        players = loop.training.players
        before = [parameters(players.generator), parameters(players.discriminator)]
        averaged = parameters(loop.training.average.module)
        loop.run(2)
        for network, old in zip((players.generator, players.discriminator), before, strict=True):
            new = parameters(network)
            moved = [name for name in old if not torch.equal(old[name], new[name])]
            assert len(moved) > len(old) / 2, row.name
            assert all(value.isfinite().all() for value in new.values())
        assert (averaged["to_rgb.weight"] != loop.training.average.module.to_rgb.weight).any() == row.our_step


def test_the_baseline_makes_the_calls_of_the_released_code_and_ours_fewer(task):
    images = {}
    for row in (rows_of(task.config)[0], rows_of(task.config)[-1]):
        loop = build_loop(row, task)
        sizes = images[row.our_step] = {"generator": [], "discriminator": []}
        for name, found in sizes.items():
            network = getattr(loop.training.players, name)
            network.register_forward_pre_hook(lambda _, inputs, found=found: found.append(len(inputs[0])))
        loop.run(1)
        for name in list(sizes):
            sizes[f"first {name}"] = list(sizes[name])
        loop.run(1)  # every second one has the adversarial terms
    batch = task.config.optimizer.batch_size
    assert images[False]["first discriminator"] == [batch] * 5
    assert images[False]["first generator"] == [batch] * 3
    assert images[False]["discriminator"] == [batch] * 12
    assert images[False]["generator"] == [batch] * 7
    assert images[True]["discriminator"] == [3 * batch, batch, batch] * 2
    assert images[True]["generator"] == [batch] * 2


@pytest.mark.parametrize("runtime", [{}, {"precision": "bfloat16"}, {"compile": "on"}])
def test_the_last_configuration_is_the_trainer_itself(task, runtime):
    config = replace(task.config, **{f"runtime__{name}": value for name, value in runtime.items()})
    for changes in (True, False):
        last = configurations(config, CPU, changes)[-1]
        ours, theirs = build_loop(last, task).training, assemble(config, task.sources, task.world)
        assert ours.fingerprint == theirs.fingerprint and ours.average.decay == theirs.average.decay
        assert ours.players.precision == theirs.players.precision
        for name in ("generator", "discriminator"):
            mine, other = getattr(ours.players, name), getattr(theirs.players, name)
            assert (mine._compiled_call_impl is None) == (other._compiled_call_impl is None)
            for (_, a), (_, b) in zip(mine.named_parameters(), other.named_parameters(), strict=True):
                assert torch.equal(a, b) and a.stride() == b.stride()
            groups = [getattr(side.players, f"{name}_optimizer").param_groups for side in (ours, theirs)]
            settings = [{k: v for k, v in group[0].items() if k != "params"} for group in groups]
            assert settings[0] == settings[1] and settings[0]["fused"]


def test_changes_are_made_one_by_one_and_undone_below(task):
    rows = rows_of(task.config, precision="bfloat16", compile="on")
    flags = [[value for value in vars(row).values() if isinstance(value, bool)] for row in rows]
    assert flags == [[True] * n + [False] * (8 - n) for n in range(8)]  # the last change is for CUDA alone
    for row in rows[:6]:
        players = build_loop(row, task).training.players
        group = players.generator_optimizer.param_groups[0]
        assert (group["fused"], group["foreach"]) == ((True, None) if row.fused_adam else (None, None))
        weight = players.generator.blocks[0].conv1.depthwise.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) and players.precision == torch.float32
        _, features = players.discriminator(torch.zeros(2, 3, 32, 32), torch.zeros(2, dtype=torch.long))
        assert features[0].is_contiguous() != row.channels_last


def test_changes_do_not_change_what_is_learned(task):
    loops = [build_loop(row, task) for row in rows_of(task.config) if row.our_step]
    assert len(loops) == 4
    for step in range(3):  # the second has the adversarial terms, the third sees both optimizers' updates
        first, *others = [loop.advance(step) for loop in loops]
        assert set(first) >= {"d_distillation", "d_real", "g_feature", "g_pixel"}
        for terms in others:
            for name, value in first.items():
                torch.testing.assert_close(terms[name], value, rtol=1e-3, atol=1e-4)


def test_images_from_png_files_are_those_in_memory(task, tmp_path):
    batches = []
    for png in (None, tmp_path / "png"):
        torch.manual_seed(0)
        batches.append(ReleasedBatches(task.sources, 8, CPU, workers=0, png=png).next())
    in_memory, decoded = batches
    assert torch.equal(in_memory.teacher, decoded.teacher) and torch.equal(in_memory.real, decoded.real)
    assert decoded.teacher.shape == (8, 3, 32, 32) and decoded.teacher.is_contiguous()
    assert decoded.teacher.min() >= -1 and decoded.teacher.max() <= 1 and decoded.teacher.std() > 0.1
    assert len(list((tmp_path / "png").glob("*.png"))) == 2 * len(task.sources.pairs) == 40
    # Every image is with its own latent.
    z, y, images = task.sources.pairs.gather(range(20))
    index = int((z == decoded.z[0]).all(dim=1).nonzero())
    assert y[index] == decoded.y[0]
    assert torch.equal(images[index], ((decoded.teacher[0].permute(1, 2, 0) + 1) * 127.5).round().byte())


def test_a_visit_is_of_whole_turns_and_reads_the_log_as_often_as_the_trainer(task):
    loop = build_loop(rows_of(task.config)[2], task)
    loop.log_every, loop.training.steps = 3, 4
    steps, advance = [], loop.advance
    loop.advance = lambda step: steps.append(step) or advance(step)
    (milliseconds,) = loop.time(1, 2)
    assert loop.timed_iterations == len(steps) - 1 and loop.timed_iterations % 2 == 0 and milliseconds > 0
    loop.time(0, 2)
    assert steps[:5] == [0, 1, 2, 3, 0]  # its schedule begins anew
    assert loop.read_values["d_real"] > 0 and all(isinstance(value, float) for value in loop.read_values.values())


def test_flops_and_bytes_by_hand():
    x = torch.randn(5, 8, 4, 4, requires_grad=True)
    depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
    work = count(lambda: depthwise(x).sum().backward())
    assert work.flops == 3 * 2 * 5 * 8 * 16 * 9
    image, weight = 4 * 5 * 8 * 16, 4 * 8 * 9
    forward, backward = 2 * image + weight, 3 * image + 2 * weight
    assert work.moved_bytes == forward + backward
    frozen = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False).requires_grad_(False)
    work = count(lambda: frozen(x).sum().backward())
    assert work.flops == 2 * 2 * 5 * 8 * 16 * 9 and work.moved_bytes == forward + 2 * image + weight
    linear, v = nn.Linear(6, 7, bias=False), torch.randn(5, 6)
    work = count(lambda: linear(v).sum().backward())
    assert work.flops == 2 * 2 * 5 * 6 * 7
    assert work.moved_bytes == 2 * 4 * (5 * 6 + 6 * 7 + 5 * 7)
    halved = count(lambda: torch.mm(v.bfloat16(), torch.zeros(6, 7, dtype=torch.bfloat16)))
    assert halved.moved_bytes == 2 * (5 * 6 + 6 * 7 + 5 * 7)


def test_the_flops_of_a_step_are_those_of_its_calls(task):
    loop = build_loop(rows_of(task.config)[-1], task)
    players, batch = loop.training.players, task.config.optimizer.batch_size
    y = torch.zeros(1, dtype=torch.long)
    generator = measure_cost(players.generator.eval(), torch.zeros(1, 128), y).multiply_accumulates
    discriminator = measure_cost(players.discriminator, torch.zeros(1, 3, 32, 32), y).multiply_accumulates
    players.generator.train()
    latent = players.generator.input_linear.weight.numel()  # no gradient goes to z,
    first = 4 * 3 * 16 * 16 * 16  # nor, in the discriminator's update, to its 3 images
    expected = (3 * generator - latent) + 3 * (3 * discriminator - first) + discriminator + 2 * discriminator
    assert count(lambda: loop.advance(1)).flops == 2 * batch * expected
    # Without the adversarial term, in every other step, no gradient passes the last layer of 16 inputs.
    assert loop.count().flops == 2 * batch * (expected - 16 / 2)
    baseline = build_loop(rows_of(task.config)[0], task)
    mean = baseline.count()
    each = [count(lambda step=step: baseline.advance(step)) for step in (0, 1)]
    assert mean.flops == (each[0].flops + each[1].flops) / 2 > loop.count().flops
    assert each[1].moved_bytes > each[0].moved_bytes > 0


class Clocked:
    """A loop whose visits take what they are told."""

    timed_iterations = 3

    def __init__(self, milliseconds):
        self.milliseconds = list(milliseconds)

    def time(self, warmup, iterations):
        assert (warmup, iterations) == (1, 2)
        return [self.milliseconds.pop(0)]


def test_the_ratio_is_taken_within_a_round(task, monkeypatch):
    visits = {BASELINE: [10.0, 100.0, 40.0], "ours": [1.0, 20.0, 10.0]}

    def prepare(row, *_):
        return Prepared(Clocked(visits[row.name]), Work(2e6, 4e6), None)

    monkeypatch.setattr(measuring, "_prepare", prepare)
    found = measure_batch(configurations(task.config, CPU, changes=False), task, Protocol(3, 1), LIMITS)
    ours = found[1]
    assert ours["ratio"] == {"median": 5.0, "low": 4.0, "high": 10.0}  # that of the medians would be 4
    assert ours["milliseconds"] == {"median": 10.0, "low": 1.0, "high": 20.0, "rounds": [1.0, 20.0, 10.0]}
    assert ours["images_per_second"] == 800.0
    assert ours["share_of_flops"] == 0.2 and ours["share_of_bytes"] == 0.4
    assert ours["hours"] == round(96 / 800 / 3600, 3) and "peak_memory_bytes" not in ours


@pytest.fixture
def tiny_preset(monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", ("a test's", tiny_run(grids=0)))
    monkeypatch.setattr(train_throughput, "attainable", functools.partial(attainable, size=256))
    return ["--preset", "tiny", "--device", "cpu", "--rounds", "2", "--seconds", "0.01", "--warmup", "1"]


def test_the_report(tiny_preset, tmp_path, capsys):
    out = tmp_path / "new" / "report.json"
    main_arguments = ["--batch-sizes", "4", "48", "--pairs", "20", "--png", "--out", str(out), "--seed", "5"]
    train_throughput.main([*tiny_preset, *main_arguments])
    report = json.loads(out.read_text())
    machine, protocol = report["machine"], report["protocol"]
    assert machine["torch"] == torch.__version__ and machine["threads"] == 1 and machine["cpu"]
    assert machine["device"] == "cpu" and "device_name" not in machine
    assert (report["preset"], report["seeds"], report["images"]) == ("tiny", [5], 96)
    assert protocol["batch_sizes"] == [4, 48] and protocol["baseline_images"] == "png" and protocol["workers"] == 0
    assert report["attainable"]["float32"]["flops_per_second"] > 1e8 and set(report["attainable"]) == {"float32"}
    assert [(row["batch_size"], row["name"]) for row in report["rows"]] == [
        (size, name) for size in (4, 48) for name in (BASELINE, "ours")
    ]
    for row in report["rows"]:
        times = row["milliseconds"]
        assert len(times["rounds"]) == 2 and times["low"] <= times["median"] <= times["high"]
        assert row["images_per_second"] == pytest.approx(1000 * row["batch_size"] / times["median"], rel=1e-3)
        assert row["iterations"] >= 4 and row["flops_per_iteration"] > 0 and row["share_of_flops"] > 0
        assert "peak_memory_bytes" not in row  # which torch does not know of a CPU
    baseline, ours = report["rows"][2:]
    rounds = zip(baseline["milliseconds"]["rounds"], ours["milliseconds"]["rounds"], strict=True)
    ratios = sorted(a / b for a, b in rounds)
    assert [ours["ratio"]["low"], ours["ratio"]["high"]] == pytest.approx(ratios, abs=0.01)
    fastest = [row for row in report["rows"] if row.get("fastest")]
    assert [row["name"] for row in fastest] == ["ours"]
    assert fastest[0]["images_per_second"] == max(report["rows"][i]["images_per_second"] for i in (1, 3))
    table = out.with_suffix(".md").read_text()
    assert table in capsys.readouterr().out and "**ours**, the fastest batch" in table
    assert "peak memory, GB" not in table and "| 48 |" in table
    assert all(f"*{name}*: " in table for name in report["definitions"])


def test_what_does_not_fit_says_so_and_the_others_go_on(tiny_preset, tmp_path, monkeypatch):
    def build(configuration: Configuration, task: Task) -> Loop:
        if task.config.optimizer.batch_size == 8 and configuration.our_step:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return build_loop(configuration, task)

    monkeypatch.setattr(measuring, "build_loop", build)
    out = tmp_path / "report.json"
    train_throughput.main([*tiny_preset, "--batch-sizes", "8", "4", "--out", str(out)])
    report = json.loads(out.read_text())
    whole, short, *others = report["rows"]
    assert short["left_out"] == "out of memory" and "milliseconds" not in short and "ratio" not in short
    assert all("milliseconds" in row for row in (whole, *others)) and others[1]["fastest"]
    assert "| ours | 8 | – | out of memory | – |" in throughput_table(report).markdown()


def test_a_loop_that_runs_out_of_memory_in_a_round_leaves_the_others(task, monkeypatch):
    class Greedy(Clocked):
        def time(self, warmup, iterations):
            if len(self.milliseconds) == 1:
                raise torch.OutOfMemoryError
            return super().time(warmup, iterations)

    def prepare(row, *_):
        return Prepared((Clocked if row.name == BASELINE else Greedy)([10.0, 20.0]), Work(1, 1), None)

    monkeypatch.setattr(measuring, "_prepare", prepare)
    rows = configurations(task.config, CPU, changes=False)
    baseline, ours = measure_batch(rows, task, Protocol(2, 1), LIMITS)
    assert baseline["milliseconds"]["rounds"] == [10.0, 20.0] and baseline["ratio"]["median"] == 1
    assert ours["left_out"] == "out of memory" and "milliseconds" not in ours


def test_every_change_has_its_gain_and_what_the_counts_predict(task, monkeypatch):
    rows = configurations(task.config, CPU, changes=True)
    flops = dict(zip((row.name for row in rows), (60, 60, 40, 32, 32, 32), strict=True))
    times = dict(zip((row.name for row in rows), (12.0, 12.0, 6.0, 5.0, 4.0, 2.0), strict=True))
    monkeypatch.setattr(
        measuring, "_prepare", lambda row, *_: Prepared(Clocked([times[row.name]]), Work(flops[row.name], 1), None)
    )
    found = measure_batch(rows, task, Protocol(1, 1), LIMITS)
    assert "gain" not in found[0]
    assert [row["gain"]["median"] for row in found[1:]] == [1, 2, 1.2, 1.25, 2]
    assert [row["gain_by_flops"] for row in found[1:]] == [1, 1.5, 1.25, 1, 1]


def test_the_profile_names_what_takes_the_time(tiny_preset, tmp_path):
    out = tmp_path / "report.json"
    train_throughput.main([*tiny_preset, "--batch-sizes", "4", "--profile", "--out", str(out)])
    (profile,) = json.loads(out.read_text())["profiles"]
    shares = [row["share"] for row in profile["operations"]]
    assert shares == sorted(shares, reverse=True) and 0.3 < sum(shares) <= 1
    names = {row["operation"]: row for row in profile["operations"]}
    assert names["aten::convolution_backward"]["calls"] >= 10
    assert "| `aten::convolution_backward` |" in out.with_suffix(".md").read_text()


def test_without_a_baseline_there_is_no_ratio(task, monkeypatch):
    def prepare(row, *_):
        if row.name == BASELINE:
            raise torch.OutOfMemoryError
        return Prepared(Clocked([5.0]), Work(1, 1), None)

    monkeypatch.setattr(measuring, "_prepare", prepare)
    rows = configurations(task.config, CPU, changes=False)
    baseline, ours = measure_batch(rows, task, Protocol(1, 1), LIMITS)
    assert baseline["left_out"] and ours["milliseconds"]["median"] == 5.0 and "ratio" not in ours


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--preset", "paper-dw23"],
            r"'paper-dw23' is unknown \(did you mean paper-dw32\?\); give one of digits,",
        ),
        (
            ["--preset", "scratch-digits"],
            "'scratch-digits' does not distil .* give one of digits, animals64, paper-",
        ),
        (["--preset", "digits-pixel-only"], "'digits-pixel-only' does not distil with all terms"),
        (["--batch-sizes", "32", "0"], "--batch-sizes 32 0 has no image in a batch"),
        (["--batch-sizes", "4", "4"], "--batch-sizes 4 4 has one twice"),
        (["--rounds", "0"], "--rounds must be at least 1, not 0"),
        (["--workers", "-1"], "--workers must be at least 0, not -1"),
        (["--seconds", "0"], "--seconds 0.0 is no time"),
        (["--seconds", "nan"], "--seconds nan is no time"),
        (["--seed", "-1"], "--seed must be"),
        (["--out", "report.md"], "--out report.md is no .json file"),
        (["--device", "tpu"], "device 'tpu'"),
        (["--speed"], "--speed"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message) as error:
        train_throughput.main(arguments)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_the_script_needs_no_more_than_the_trainer():
    # A box for training has none of these.
    absent = ["torchao", "torchvision", "executorch", "coremltools", "matplotlib", "cleanfid", "jinja2"]
    lazy = ["sklearn", "scipy", "pytorch_pretrained_biggan"]
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({absent + lazy})); sys.argv = ['x', '--help']; "
        "runpy.run_path('benchmarks/train_throughput.py', run_name='__main__')"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--batch-sizes" in done.stdout and "TinyGAN's" in done.stdout
