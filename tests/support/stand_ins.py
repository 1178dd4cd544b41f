"""Stand-ins that several test modules build."""

import contextlib
import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from train.config import DataConfig, LossConfig, OptimizerConfig, RuntimeConfig, ScheduleConfig, TrainConfig
from train.discriminator import DiscriminatorConfig
from train.generator import ConditionalBatchNorm2d, Generator, GeneratorConfig
from train.norm import BatchNorm2d
from train.snapshot import SnapshotInfo, save_snapshot


@contextlib.contextmanager
def on_one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class FixedPairs:
    """Stored pairs without files."""

    def __init__(self, count: int = 40, size: int = 32, z_dim: int = 128, classes: int = 10) -> None:
        generator = torch.Generator().manual_seed(0)
        self.z = torch.randn(count, z_dim, generator=generator)
        self.y = torch.arange(count) % classes
        self.images = torch.randint(0, 256, (count, size, size, 3), generator=generator, dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self.z)

    def gather(self, indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        chosen = torch.from_numpy(np.asarray(indices))
        return self.z[chosen], self.y[chosen], self.images[chosen]


def without_timing(line: dict) -> dict:
    return {name: value for name, value in line.items() if name != "images_per_second"}


def replace(config: Any, **changes: Any) -> Any:
    """Replace nested fields: replace(config, loss__pixel=1)."""
    for path, value in changes.items():
        *parents, name = path.split("__")
        if parents:
            inner = replace(getattr(config, parents[0]), **{"__".join([*parents[1:], name]): value})
            config = dataclasses.replace(config, **{parents[0]: inner})
        else:
            config = dataclasses.replace(config, **{name: value})
    return config


def save_random_student(path: Path, config: GeneratorConfig, **info: Any) -> Generator:
    torch.manual_seed(1)
    generator = Generator(config).eval()
    save_student(path, generator, **info)
    return generator


def save_student(path: Path, generator: Generator, **info: Any) -> None:
    config = generator.config
    classes = {i: f"class {i}" for i in range(config.num_classes)}
    save_snapshot(
        path,
        generator,
        SnapshotInfo(config, **{"classes": classes, "truncation": 0.5, "source": "a test", **info}),
    )


def trained_like_student(config: GeneratorConfig) -> Generator:
    """A student in eval mode with gains, biases and norm statistics of its own in every channel."""
    torch.manual_seed(0)
    generator = Generator(config)
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
            generator.train()(torch.randn(16, config.z_dim), torch.randint(0, config.num_classes, (16,)))
        for norm in norms:
            norm.momentum = 0.1
    return generator.eval()


class StopAfter:
    """Sends this process a signal after some steps, as an operator would."""

    def __init__(self, step: int, number: int = signal.SIGTERM) -> None:
        self.step, self.number = step, number

    def __call__(self, original):
        def one_step(training, batch, step):
            if step + 1 == self.step:
                os.kill(os.getpid(), self.number)
            return original(training, batch, step)

        return one_step


def tiny_run(grids: int) -> TrainConfig:
    """A digits run of 12 steps with every term on; its teacher is the embedded one."""
    return TrainConfig(
        seed=3,
        generator=GeneratorConfig(channels=2, image_size=32, num_classes=10),
        discriminator=DiscriminatorConfig(channels=4),
        data=DataConfig(per_class=8),
        loss=LossConfig(feature=1.0, pixel=1.0, distillation_generator=0.1, real_generator=0.1),
        schedule=ScheduleConfig("released", every=2),
        optimizer=OptimizerConfig(batch_size=8, images=96, generator_lr=1e-3, discriminator_lr=1e-3),
        runtime=RuntimeConfig(log_every=4, grids=grids, device="cpu"),
    )
