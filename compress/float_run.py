"""The float run that is quantized: its settings, its student and its discriminator."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from train.build import build_discriminator
from train.checkpoint import DISCRIMINATOR_FILE
from train.commands import typed
from train.config import DataConfig, LossConfig, OptimizerConfig, RuntimeConfig, ScheduleConfig, TrainConfig
from train.discriminator import DiscriminatorConfig
from train.errors import UserError
from train.files import check_state_dict, file_hash, read_tensors
from train.generator import Generator, GeneratorConfig
from train.places import CONFIG_FILE, read_settings
from train.snapshot import STUDENT_FILE, SnapshotInfo, load_snapshot

_SECTIONS: dict[str, Callable[..., Any]] = {
    "discriminator": DiscriminatorConfig,
    "data": DataConfig,
    "loss": LossConfig,
    "schedule": ScheduleConfig,
    "optimizer": OptimizerConfig,
}


@dataclasses.dataclass(frozen=True)
class FloatRun:
    """What a finished run folder gives to the next stage."""

    folder: Path
    config: TrainConfig
    student: Generator
    """In eval mode on the CPU."""
    info: SnapshotInfo
    discriminator: nn.Module
    fingerprint: str
    """SHA-256 of the student and the discriminator."""


def open_run(folder: Path, *, fresh_discriminator: bool = False) -> FloatRun:
    """Read a run folder.

    Raises:
        UserError: something is missing or damaged, with what to do.
    """
    if not folder.is_dir():
        raise UserError(
            f"no run folder at {folder}; train a student with: {typed('train/main.py', '--run', folder)}"
        )
    student, info = load_snapshot(folder / STUDENT_FILE)
    config = _read_config(folder / CONFIG_FILE)
    if config.generator != info.generator:
        raise UserError(f"{folder / CONFIG_FILE} and {STUDENT_FILE} are of two runs; restore one of them")
    path = folder / DISCRIMINATOR_FILE
    used = [folder / STUDENT_FILE] if fresh_discriminator else [folder / STUDENT_FILE, path]
    discriminator = _discriminator(config, None if fresh_discriminator else path)
    return FloatRun(folder, config, student, info, discriminator, file_hash(*used))


def _read_config(path: Path) -> TrainConfig:
    try:
        if "imported_from" in json.loads(path.read_text(encoding="utf-8")):
            raise UserError(
                f"{path.parent} is an imported checkpoint without settings to train on with; quantize it without "
                f"training: {typed('compress/post_training.py', '--run', path.parent)}; or train it on first: "
                f"{typed('train/main.py', 'paper-dw32', '--initialise', path.parent)}"
            )
        settings: dict[str, Any] = read_settings(path.parent)
        runtime = RuntimeConfig(shared=settings.pop("shared", ""))
        generator = GeneratorConfig.from_record(settings.pop("generator"))
        sections = {name: section(**settings.pop(name)) for name, section in _SECTIONS.items()}
        return TrainConfig(generator=generator, **sections, **settings, runtime=runtime)
    except FileNotFoundError:
        raise UserError(f"no {path}, so data and losses are unknown; give a folder of train/main.py") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} was not written by this version of train/main.py ({error!r})") from None


def _discriminator(config: TrainConfig, path: Path | None) -> nn.Module:
    """Build the discriminator, from `path` or, without one, freshly initialised by the run's seed."""
    torch.manual_seed(config.seed)
    discriminator = build_discriminator(config.discriminator, config.generator)
    if path is None:
        return discriminator
    remedy = "a fresh one costs diversity: restore the file, or go on all the same with --fresh-discriminator"
    tensors, _ = read_tensors(path, "trained discriminator", remedy)
    check_state_dict(tensors, discriminator, path)
    discriminator.load_state_dict(tensors)
    return discriminator
