"""A run that starts from somebody's weights."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from stand_ins import replace, save_random_student

from train import loop
from train.build import build_network
from train.checkpoint import DISCRIMINATOR_FILE
from train.discriminator import Discriminator
from train.errors import UserError
from train.files import read_tensors, save_tensors
from train.initialise import initialise
from train.places import check_folder
from train.presets import PRESETS
from train.run import assemble, train
from train.sources import Sources, open_sources
from train.teacher import EMBEDDED, open_teacher

NAMES = [f"class {index}" for index in range(10)]
TEACHER = PRESETS["scratch-digits"][1].generator


def test_a_run_starts_from_a_snapshot(tiny_config, world, tmp_path):
    stored = save_random_student(tmp_path / "start.safetensors", tiny_config.generator)
    config = replace(tiny_config, initialise=str(tmp_path / "start.safetensors"))
    training = assemble(config, open_sources(config, tmp_path / "run", world), world)
    for network in (training.players.generator, training.average.module):
        assert all(
            torch.equal(a, b)
            for a, b in zip(network.state_dict().values(), stored.state_dict().values(), strict=True)
        )
    train(config, tmp_path / "run", world)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["initialise"].endswith(
        "start.safetensors"
    )


def test_a_run_goes_on_where_its_first_weights_lie_elsewhere(tiny_config, world, tmp_path):
    save_random_student(tmp_path / "here" / "start.safetensors", tiny_config.generator)
    config = replace(tiny_config, initialise=str(tmp_path / "here" / "start.safetensors"))
    train(config, tmp_path / "run", world)
    check_folder(tmp_path / "run", replace(config, initialise="elsewhere/start.safetensors"))
    with pytest.raises(UserError, match=r"made with initialise 'start\.safetensors', not 'another\.safetensors'"):
        check_folder(tmp_path / "run", replace(config, initialise="here/another.safetensors"))


def test_a_biggan_starts_from_a_folder_of_the_library():
    torch.manual_seed(0)
    generator = build_network(TEACHER)
    names = [str(digit) for digit in range(10)]
    line = initialise(generator, Discriminator(4, 32, 10), str(EMBEDDED["digits"]), names, range(10))
    assert "a discriminator that starts anew; 10 of 10 classes keep their rows; the optimizers" in line
    z, y = torch.randn(64, 128).clamp(-2, 2) * 0.5, torch.arange(64) % 10
    with torch.no_grad():
        drawn = generator.eval()(z, y)
        expected = open_teacher("digits", 0.5)(z, y)
    # Norms of the batch at hand in place of the stored ones: alike, and not the same.
    assert (drawn - expected).abs().mean() < 0.1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.safetensors", r"no snapshot to start from at .*nowhere\.safetensors; give --initialise another"),
        ("wide.safetensors", r"wide\.safetensors does not fit the architecture"),
        ("empty", r"no BigGAN weights file at .*empty"),
    ],
)
def test_what_does_not_fit_is_refused(tiny_config, tmp_path, name, message):
    save_random_student(tmp_path / "wide.safetensors", replace(tiny_config.generator, channels=3))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        initialise(
            build_network(tiny_config.generator), Discriminator(4, 32, 10), str(tmp_path / name), NAMES, range(10)
        )


def run_of(folder, config, names, channels=4):
    """A run folder's weights: a student and a discriminator of these classes, both with random ones."""
    classes = dict(enumerate(names))
    config = replace(config, num_classes=len(names))
    stored = save_random_student(folder / "student.safetensors", config, classes=classes)
    torch.manual_seed(2)
    discriminator = Discriminator(channels, 32, len(names))
    discriminator(torch.randn(8, 3, 32, 32), torch.arange(8) % len(names))  # as if trained: its vectors have moved
    save_tensors(folder / DISCRIMINATOR_FILE, discriminator.state_dict(), {})
    return stored, discriminator


def assembled(config, source, names, world, **changes):
    """The networks of a run over classes of these names that starts from `source`."""
    config = replace(config, generator__num_classes=len(names), initialise=str(source), **changes)
    sources = Sources(None, None, list(range(len(names))), names, 0.5)
    players = assemble(config, sources, world).players
    return players.generator, players.discriminator


def differing(one, other):
    return {name for name, tensor in one.state_dict().items() if not torch.equal(tensor, other.state_dict()[name])}


def test_a_run_starts_from_another_ones_folder_with_its_discriminator(tiny_config, world, tmp_path, capsys):
    names = ["ant", "bee", "cat"]
    generator, discriminator = run_of(tmp_path, tiny_config.generator, names)
    started = assembled(tiny_config, tmp_path, names, world)
    assert not differing(started[0], generator) and not differing(started[1], discriminator)
    line = capsys.readouterr().out.strip()
    counts = [len(network.state_dict()) for network in (generator, discriminator)]
    assert line == (
        f"starts from {tmp_path}: {counts[0]} tensors of the generator, {counts[1]} of its discriminator; 3 of 3 "
        "classes keep their rows; the optimizers begin anew"
    )


def test_new_classes_keep_what_fits(tiny_config, world, tmp_path, capsys):
    """Two of three classes are known, at other places; the third starts as in a run of its own."""
    generator, discriminator = run_of(tmp_path, tiny_config.generator, ["ant", "Bee, honey", "cat", "dog"])
    names = ["cat", "eel", "bee, honey"]
    started = assembled(tiny_config, tmp_path, names, world)
    fresh = assembled(tiny_config, "", names, world)
    assert "; 2 of 3 classes keep their rows, new: eel; the" in capsys.readouterr().out
    rows = [
        (network.class_embedding.weight, old.class_embedding.weight, new.class_embedding.weight)
        if not hasattr(network.class_embedding, "parametrizations")
        else [n.class_embedding.parametrizations.weight.original for n in (network, old, new)]
        for network, old, new in zip(started, (generator, discriminator), fresh, strict=True)
    ]
    for found, old, new in rows:
        assert torch.equal(found[[0, 2]], old[[2, 1]]) and torch.equal(found[1], new[1])
        assert not torch.equal(found[0], new[0])
    assert differing(started[0], generator) == {"class_embedding.weight"}
    scores, _ = started[1](torch.randn(3, 3, 32, 32), torch.arange(3))
    assert scores.isfinite().all()


def test_a_class_of_another_name_is_new_at_its_old_place_too(tiny_config, world, tmp_path, capsys):
    generator, _ = run_of(tmp_path, tiny_config.generator, ["ant", "bee"])
    names = ["ant", "cat"]
    started, _ = assembled(tiny_config, tmp_path, names, world)
    fresh, _ = assembled(tiny_config, "", names, world)
    assert torch.equal(started.class_embedding.weight[0], generator.class_embedding.weight[0])
    assert torch.equal(started.class_embedding.weight[1], fresh.class_embedding.weight[1])
    assert "1 of 2 classes keep their rows, new: cat;" in capsys.readouterr().out


@pytest.mark.parametrize("changes", [{"discriminator__channels": 8}, {"discriminator__kind": "projected"}])
def test_a_state_of_another_discriminator_is_refused(tiny_config, world, tmp_path, changes):
    run_of(tmp_path, tiny_config.generator, ["ant", "bee"])
    with pytest.raises(
        UserError, match=r"discriminator\.safetensors does not fit .*; pass --discriminator\.kind"
    ) as e:
        assembled(tiny_config, tmp_path, ["ant", "bee"], world, **changes)
    assert "\n" not in str(e.value) and str(e.value).endswith(f"--initialise {tmp_path / 'student.safetensors'}")
    assembled(tiny_config, tmp_path / "student.safetensors", ["ant", "bee"], world, discriminator__channels=8)


def test_two_tables_of_classes_are_refused(tiny_config, world, tmp_path):
    run_of(tmp_path, tiny_config.generator, ["ant", "bee"])
    np.save(tmp_path / "table.npy", np.zeros((2, 128), np.float32))
    with pytest.raises(UserError, match=r"--data\.class-embedding and --initialise both set the classes' rows"):
        assembled(tiny_config, tmp_path, ["ant", "bee"], world, data__class_embedding=str(tmp_path / "table.npy"))


def test_a_run_that_goes_on_needs_no_first_weights_and_says_nothing_of_them(
    tiny_config, world, tmp_path, monkeypatch, capsys
):
    train(tiny_config, tmp_path / "first", world)
    config = replace(tiny_config, initialise=str(tmp_path / "first"))
    one_step = loop.one_step

    def stop_in_the_middle(training, batch, step):
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return one_step(training, batch, step)

    train(config, tmp_path / "whole", world)
    assert "10 of 10 classes keep their rows" in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(loop, "one_step", stop_in_the_middle)
        with pytest.raises(loop.Interrupted):
            train(config, tmp_path / "stopped", world)
    capsys.readouterr()
    (tmp_path / "first").rename(tmp_path / "gone")
    train(config, tmp_path / "stopped", world)
    assert "starts from" not in capsys.readouterr().out
    whole, stopped = (tmp_path / name / "student.safetensors" for name in ("whole", "stopped"))
    assert whole.read_bytes() == stopped.read_bytes()
    first, _ = read_tensors(tmp_path / "gone" / "student.safetensors", "", "")
    then, _ = read_tensors(whole, "", "")
    assert not torch.equal(first["to_rgb.weight"], then["to_rgb.weight"])
