"""Figures of a finished digits generator, on latents that it was not trained on."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from train import digits
from train.config import TrainConfig
from train.files import write_json
from train.images import to_bytes
from train.noise import latents_in_turn
from train.sampling import generate
from train.sources import Sources
from train.teacher import Teacher, open_teacher

QUALITY_FILE = "quality.json"
JUDGED_IMAGES = 2000
JUDGED_SEED = 2**63  # latents that no pair has: their seeds are below 2^63 for seeds below 2^31

ImageFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def judge_digits(
    config: TrainConfig, sources: Sources, folder: Path, generator: nn.Module, teacher_folder: Path
) -> None:
    """Judge the finished digits generator on latents that it was not trained on; write quality.json, print it.

    Args:
        config: of the run.
        sources: its data.
        folder: of the run.
        generator: (z, y) → images.
        teacher_folder: where a BigGAN was stored; it is judged as the teacher that it became, at truncation 1 too.
    """
    judge = functools.partial(
        _judge, z_dim=config.generator.z_dim, classes=sources.classes, sampler=sources.sampler
    )
    if config.generator.architecture == "biggan":
        for truncation in (sources.truncation, 1.0):
            teacher = open_teacher(str(teacher_folder), truncation)
            name = QUALITY_FILE if truncation == sources.truncation else f"quality-truncation-{truncation}.json"
            judge(functools.partial(_teach, teacher), None, truncation=truncation, path=folder / name)
        return
    source = config.data.teacher
    stored = not source or source.startswith("pairs:")
    teach = None if stored else functools.partial(_teach, open_teacher(source, sources.truncation))
    images_of = functools.partial(generate, generator, batch_size=250)
    judge(images_of, teach, truncation=sources.truncation, path=folder / QUALITY_FILE)


def _teach(teacher: Teacher, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.cat([teacher(*part) for part in zip(z.split(250), y.split(250), strict=True)])


def _judge(
    images_of: ImageFunction,
    teach: ImageFunction | None,
    *,
    z_dim: int,
    classes: list[int],
    truncation: float,
    sampler: str,
    path: Path,
) -> None:
    latents = latents_in_turn(classes, JUDGED_SEED, JUDGED_IMAGES, z_dim, truncation, sampler=sampler)
    z, y = map(torch.from_numpy, latents)
    teacher_images = None if teach is None else to_bytes(teach(z, y))
    quality = digits.measure(to_bytes(images_of(z, y)), y.numpy(), teacher_images)
    record = {"images": JUDGED_IMAGES, "truncation": truncation, "first_seed": JUDGED_SEED}
    write_json(path, dataclasses.asdict(quality) | record)
    line = f"recognised {quality.recognised:.1%}, diversity {quality.diversity:.2f} of the real digits'"
    if quality.l1_to_teacher is not None and quality.l1_of_class_mean is not None:
        share = quality.l1_to_teacher / quality.l1_of_class_mean
        line += f", L1 to the teacher {quality.l1_to_teacher:.3f} ({share:.2f} of the class mean image's)"
    print(f"{line}, truncation {truncation}; table: {path}")
