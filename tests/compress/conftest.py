"""Students with statistics and gains of their own, and inputs for them."""

from pathlib import Path

import pytest
import torch
from stand_ins import on_one_thread, tiny_run, trained_like_student

from compress.deploy_form import one_hot
from train import run as float_training
from train.config import TrainConfig
from train.distributed import World
from train.generator import Architecture, GeneratorConfig

CLASSES, Z_DIM = 5, 8


def _trained_like(architecture: Architecture = "dw", image_size=32, channels=4, num_classes=CLASSES, z_dim=Z_DIM):
    return trained_like_student(GeneratorConfig(architecture, channels, image_size, num_classes, z_dim, 16))


def _latents(count=16, seed=1, num_classes=CLASSES, z_dim=Z_DIM):
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(count, z_dim, generator=random).clamp(-2, 2)
    y = torch.randint(0, num_classes, (count,), generator=random)
    return z, y


def _batches(count=3, size=16):
    """Latents and class weights, to calibrate with."""
    return [(z, one_hot(y, CLASSES)) for z, y in (_latents(size, seed) for seed in range(count))]


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    with on_one_thread():
        yield


@pytest.fixture(scope="session")
def trained_like():
    return _trained_like


@pytest.fixture(scope="session")
def latents():
    return _latents


@pytest.fixture(scope="session")
def batches():
    return _batches


@pytest.fixture(scope="session")
def tiny_run_config() -> TrainConfig:
    """A digits run of 12 steps with every term on."""
    return tiny_run(grids=1)


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory, tiny_run_config) -> Path:
    """A run folder of train/main.py, to be read only."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    float_training.train(tiny_run_config, folder, World(0, 1, torch.device("cpu")))
    return folder
