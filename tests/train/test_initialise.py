"""A run that starts from somebody's weights."""

import json

import pytest
import torch
from stand_ins import replace, save_random_student

from train.build import build_network
from train.errors import UserError
from train.generator import GeneratorConfig
from train.initialise import initialise
from train.run import assemble, check_folder, train
from train.sources import open_sources
from train.teacher import EMBEDDED, open_teacher

TEACHER = GeneratorConfig("biggan", 8, 32, 10)


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
    initialise(generator, str(EMBEDDED["digits"]))
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
        initialise(build_network(tiny_config.generator), str(tmp_path / name))
