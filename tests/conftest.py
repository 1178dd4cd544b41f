"""Small stand-ins with the real interfaces."""

import pytest
import torch
from stand_ins import on_one_thread, tiny_run

from train import biggan, judging
from train.config import TrainConfig
from train.distributed import World


@pytest.fixture(scope="session", autouse=True)
def _few_images_of_finished_runs():
    """Drawing and judging thousands takes most of a toy run's time; tests of the figures ask for more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "JUDGED_IMAGES", 40)
        patch.setattr(biggan, "STATISTICS_IMAGES", 20)
        yield


@pytest.fixture(autouse=True)
def _one_thread():
    """Two busy processes on two cores wait for each other's threads."""
    with on_one_thread():
        yield


@pytest.fixture(autouse=True)
def _tf32_as_at_the_start(monkeypatch):
    """PyTorch's default; what ran before in this process may have left it switched off."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)


@pytest.fixture
def world() -> World:
    return World(0, 1, torch.device("cpu"))


@pytest.fixture
def tiny_config() -> TrainConfig:
    """A digits run of 12 steps with every term on; its teacher is the embedded one."""
    return tiny_run(grids=2)
