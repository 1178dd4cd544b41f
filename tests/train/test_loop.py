"""fit() on the CPU: exact resume, signals, blow-ups."""

import json
import signal
from pathlib import Path

import pytest
import torch
from stand_ins import StopAfter, replace, without_timing

from train import files, judging, loop
from train.distributed import World
from train.errors import UserError
from train.loop import Interrupted, StopSignal, WeightAverage, _check_agreed, load_state
from train.run import train
from train.snapshot import load_snapshot


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """A parent of run folders, so that they share the teacher's pairs."""
    return tmp_path_factory.mktemp("runs")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = load_state(folder / "state.pt")
    parts = ("generator", "discriminator", "average")
    return {f"{part}.{name}": value for part in parts for name, value in state[part].items()}


def entries(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]
    return [without_timing(line) for line in lines if "alarm" not in line]


def same(first: Path, second: Path) -> bool:
    ours, theirs = weights(first), weights(second)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[n], theirs[n]) for n in ours)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_goes_on_to_the_same_bits(tiny_config, world, shared, monkeypatch, number):
    whole, parts = shared / "whole", shared / f"parts-{number}"
    if not whole.exists():
        train(tiny_config, whole, world)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "one_step", StopAfter(5, number)(loop.one_step))
        with pytest.raises(Interrupted) as stop:
            train(tiny_config, parts, world)
    assert stop.value.exit_status == 128 + number
    assert load_state(parts / "state.pt")["step"] == 5
    train(tiny_config, parts, world)
    assert same(whole, parts)
    ours, theirs = (entries(folder) for folder in (whole, parts))
    assert [entry["step"] for entry in theirs] == [4, 8, 12]
    assert ours[0] == theirs[0]
    assert ours[2] == theirs[2]  # the second covers what followed the stop only


def test_a_finished_run_says_so_and_changes_nothing(tiny_config, world, shared, capsys):
    folder = shared / "finished"
    train(tiny_config, folder, world)
    before = (folder / "state.pt").stat().st_mtime_ns
    train(tiny_config, folder, world)
    assert "is finished: 96 images" in capsys.readouterr().out
    assert (folder / "state.pt").stat().st_mtime_ns == before


def test_a_run_leaves_what_the_next_stages_need(tiny_config, world, shared):
    folder = shared / "outputs"
    train(tiny_config, folder, world)
    generator, info = load_snapshot(folder / "student.safetensors")
    assert info.classes == {i: str(i) for i in range(10)}
    assert (info.images, info.truncation) == (96, 0.5)
    assert "teacher digits" in info.source
    averaged = load_state(folder / "state.pt")["average"]
    assert all(torch.equal(averaged[name], value) for name, value in generator.state_dict().items())
    quality = json.loads((folder / "quality.json").read_text())
    assert quality["images"] == judging.JUDGED_IMAGES
    assert 0 < quality["l1_to_teacher"] < 2
    pictures = {p.name for p in (folder / "samples").iterdir()}
    assert pictures == {"real-labels.png", "step-0000006.png", "step-0000012.png", "final.png"}
    assert (folder / "discriminator.safetensors").exists()


def test_another_seed_gives_another_student(tiny_config, world, shared):
    first, second = shared / "whole", shared / "seed"
    if not first.exists():
        train(tiny_config, first, world)
    train(replace(tiny_config, seed=4), second, world)
    assert not same(first, second)


def test_a_blow_up_stops_aloud_and_keeps_the_last_good_state(tiny_config, world, shared, monkeypatch):
    folder = shared / "blow-up"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "one_step", StopAfter(4)(loop.one_step))
        with pytest.raises(Interrupted):
            train(tiny_config, folder, world)
    good = weights(folder)
    original = loop.one_step

    def poisoned(training, batch, step):
        with torch.no_grad():
            next(training.players.generator.parameters()).fill_(float("nan"))
        return original(training, batch, step)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "one_step", poisoned)
        with pytest.raises(UserError, match=r"no longer finite; the state after 4 steps is kept"):
            train(tiny_config, folder, world)
    kept = weights(folder)
    assert all(torch.equal(good[name], kept[name]) for name in good)


def test_a_kill_during_a_save_loses_nothing(tiny_config, world, shared, monkeypatch):
    folder = shared / "killed-save"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "one_step", StopAfter(6)(loop.one_step))
        with pytest.raises(Interrupted):
            train(tiny_config, folder, world)
    good = (folder / "state.pt").read_bytes()

    def dies(state, file):
        file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files.torch, "save", dies)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_config, folder, world)
    assert (folder / "state.pt").read_bytes() == good
    assert not list(folder.glob(".*tmp"))


def test_a_damaged_state_is_refused(tiny_config, world, shared, tmp_path):
    folder = tmp_path / "run"
    if not (shared / "whole").exists():
        train(tiny_config, shared / "whole", world)
    folder.mkdir()
    for name in ("config.json", "state.pt"):
        (folder / name).write_bytes((shared / "whole" / name).read_bytes())
    state = (folder / "state.pt").read_bytes()
    (folder / "state.pt").write_bytes(state[: len(state) // 2])
    with pytest.raises(UserError, match=r"state.pt is not a readable training state"):
        train(tiny_config, folder, world)


def test_the_learning_rate_falls_linearly_to_zero(tiny_config, world, shared):
    from train.run import assemble
    from train.sources import open_sources

    config = replace(tiny_config, optimizer__decay_start=0.5)
    training = assemble(config, open_sources(config, shared / "rates", world), world)
    assert [training.learning_rate_factor(step) for step in (0, 5, 6, 9, 11)] == pytest.approx(
        [1, 1, 1, 0.5, 1 / 6]
    )


def test_the_average_follows_weights_and_statistics_but_copies_counters():
    trained = torch.nn.BatchNorm2d(2)
    average = WeightAverage(torch.nn.BatchNorm2d(2), trained, decay=0.9)
    with torch.no_grad():
        trained.weight.fill_(3.0)
        trained.running_mean.fill_(1.0)
        trained.num_batches_tracked.fill_(7)
    average.update(updates=10_000)
    assert torch.allclose(average.module.weight, torch.tensor(1.2))
    assert torch.allclose(average.module.running_mean, torch.tensor(0.1))
    assert average.module.num_batches_tracked == 7


def test_a_signal_during_the_last_save_is_not_forgotten(tiny_config, world, tmp_path, monkeypatch):
    from train import loop
    from train.run import has_ended, train

    save = loop.save_torch
    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_torch", lambda *all: (save(*all), signal.raise_signal(signal.SIGTERM)))
        with pytest.raises(Interrupted) as stop:
            train(tiny_config, tmp_path, world)
    assert stop.value.exit_status == 143 and not has_ended(tmp_path, tiny_config)
    train(tiny_config, tmp_path, world)  # writes what was trained
    assert has_ended(tmp_path, tiny_config) and (tmp_path / "student.safetensors").is_file()


def test_processes_that_find_different_states_are_stopped(monkeypatch, tmp_path):
    other = 5  # steps that the other process finds done

    def all_reduce(tensor, op):
        assert op == torch.distributed.ReduceOp.MAX
        tensor.copy_(torch.maximum(tensor, torch.tensor([other, -other])))

    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    two = World(0, 2, torch.device("cpu"))
    _check_agreed(two, 5, tmp_path)
    with pytest.raises(UserError, match=r"one process finds 5 steps done in .* and another 0; let all"):
        _check_agreed(two, 0, tmp_path)


def test_signal_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
