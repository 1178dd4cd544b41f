"""The recipe's commands are commands of this project, each with flags that its script knows."""

import importlib
from pathlib import Path

import pytest
import torch

from benchmarks import animals
from benchmarks.animals import AnimalsConfig, stages
from benchmarks.cost import measure_cost
from train.biggan import _for_inference
from train.build import build_network
from train.cli import parse, parse_preset
from train.presets import DEFAULT_PRESET, PRESETS, TEN_ANIMALS

CONFIG = AnimalsConfig(
    Path("train.npz"), Path("validation.npz"), features=Path("net.pt"), classifier=Path("net.tflite")
)
PARSED = {
    "benchmarks/learning_curve.py": "CurveConfig",
    "benchmarks/judge.py": "JudgeConfig",
    "train/collect.py": "CollectOptions",
    "compress/qat.py": "QatConfig",
}


@pytest.mark.parametrize(
    "command", [c for stage in stages(CONFIG) for c in stage.commands], ids=lambda c: " ".join(c[:5])
)
def test_every_command_is_understood_by_its_script(command):
    script, *arguments = command
    assert (Path(animals.__file__).parents[1] / script).is_file()
    if script == "train/main.py":
        preset, config = parse_preset(PRESETS, DEFAULT_PRESET, arguments)
        assert preset == arguments[0]
        assert config.data.classes == TEN_ANIMALS
        assert config.data.reals == "train.npz"
        assert config.generator.channels == 10
    else:
        module = importlib.import_module(script.removesuffix(".py").replace("/", "."))
        assert parse(getattr(module, PARSED[script]), arguments, "")


def test_a_dry_run_prints_them(capsys):
    animals.main(["--photos", "train.npz", "--validation", "validation.npz", "--dry-run"])
    printed = capsys.readouterr().out
    assert printed.count("python train/main.py") == 2 + len(animals.SHORT)
    photos = "photos=reals:validation.npz training-photos=reals:train.npz"
    assert f"benchmarks/judge.py --models {photos} teacher=teacher:animals" in printed
    assert "--no-lite0" not in printed  # without another network lite0 has to judge


def test_every_row_changes_one_thing():
    full = PRESETS["animals64"][1]
    for name, (preset, *_) in animals.SHORT.items():
        config = PRESETS[preset][1]
        assert config.generator == full.generator, name
        assert config.optimizer == full.optimizer, name


def test_the_second_run_trains_the_student_of_the_first():
    first, second = PRESETS["animals64"][1], PRESETS["animals64-projected"][1]
    assert second.generator == first.generator
    assert second.data == first.data
    assert (first.discriminator.kind, second.discriminator.kind) == ("strided", "projected")


def test_the_student_costs_an_eighth_of_the_teacher():
    def cost(config):
        network = build_network(config).eval()
        if config.architecture == "biggan":
            network = _for_inference(network.model, 1.0)
            return measure_cost(network, torch.zeros(1, 128), torch.zeros(1, 1000), 1.0).multiply_accumulates
        return measure_cost(network, torch.zeros(1, 128), torch.zeros(1, dtype=torch.int64)).multiply_accumulates

    teacher = PRESETS["scratch-animals64"][1].generator
    assert cost(teacher) >= 8 * cost(PRESETS["animals64"][1].generator)
