"""Students with statistics and gains of their own, and inputs for them."""

from pathlib import Path

import pytest
import torch
from stand_ins import tiny_run
from torch import nn

from compress import evaluate
from compress.deploy_form import one_hot
from train import run as float_training
from train.config import TrainConfig
from train.distributed import World
from train.generator import Architecture, ConditionalBatchNorm2d, Generator, GeneratorConfig
from train.norm import BatchNorm2d

CLASSES, Z_DIM = 5, 8


def _trained_like(architecture: Architecture = "dw", image_size=32, channels=4, num_classes=CLASSES, z_dim=Z_DIM):
    """A student in eval mode with gains, biases and norm statistics of its own in every channel."""
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(architecture, channels, image_size, num_classes, z_dim, 16))
    norms = [module for module in generator.modules() if isinstance(module, BatchNorm2d)]
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, ConditionalBatchNorm2d):
                module.gain_bias.weight.normal_(0, 0.1)
            elif isinstance(module, nn.Conv2d | nn.Linear):
                assert module.bias is not None
                module.bias.add_(torch.randn_like(module.bias) * 0.1)
        generator.output_norm.weight.uniform_(0.5, 1.5)
        generator.output_norm.bias.normal_(0, 0.2)
        for norm in norms:
            norm.momentum = None  # the plain mean over these batches
        for _ in range(3):
            generator.train()(torch.randn(16, z_dim), torch.randint(0, num_classes, (16,)))
        for norm in norms:
            norm.momentum = 0.1
    return generator.eval()


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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(float_training, "JUDGED_IMAGES", 250)
        float_training.train(tiny_run_config, folder, World(0, 1, torch.device("cpu")))
    return folder


@pytest.fixture(autouse=True)
def _few_judged_images(monkeypatch):
    monkeypatch.setattr(evaluate, "JUDGED_IMAGES", 40)
