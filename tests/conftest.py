"""Small stand-ins with the real interfaces."""

import pytest
import torch

from train.config import DataConfig, LossConfig, OptimizerConfig, RuntimeConfig, ScheduleConfig, TrainConfig
from train.discriminator import DiscriminatorConfig
from train.distributed import World
from train.generator import GeneratorConfig


@pytest.fixture(autouse=True)
def _one_thread():
    """Two busy processes on two cores wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def world() -> World:
    return World(0, 1, torch.device("cpu"))


@pytest.fixture
def tiny_config() -> TrainConfig:
    """A digits run of 12 steps with every term on; its teacher is the embedded one."""
    return TrainConfig(
        seed=3,
        generator=GeneratorConfig(channels=2, image_size=32, num_classes=10),
        discriminator=DiscriminatorConfig(channels=4),
        data=DataConfig(per_class=8),
        loss=LossConfig(feature=1.0, pixel=1.0, distillation_generator=0.1, real_generator=0.1),
        schedule=ScheduleConfig("released", every=2),
        optimizer=OptimizerConfig(batch_size=8, images=96, generator_lr=1e-3, discriminator_lr=1e-3),
        runtime=RuntimeConfig(log_every=4, grids=2, device="cpu"),
    )
