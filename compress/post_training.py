"""Quantize without training: `python compress/post_training.py --run runs/official [--bits W4A8]`.

It needs a student and nothing else, so that an imported checkpoint will do; training on (compress/qat.py), for
which data and losses have to be known, loses less. It leaves student_int8.safetensors in <run>/qat.
"""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from compress.by_class import ByClass
from compress.config import INT8_FILE, QatConfig
from compress.deploy_form import deploy_form, one_hot
from compress.evaluate import psnr
from compress.finetune import quantize_post_training
from compress.int8_file import save_int8
from compress.train_on import claimed
from train.cli import parse, run_script
from train.distributed import World
from train.errors import UserError, at_least, check_ranges
from train.judging import JUDGED_SEED
from train.loop import STATE_FILE
from train.noise import consecutive_seeds, draw_latents
from train.sampling import generate
from train.snapshot import STUDENT_FILE, SnapshotInfo, load_snapshot

_BATCH = 32
_COMPARED, _AT_ONCE = 64, 8  # images; many large ones at once are slow on a CPU


@dataclasses.dataclass(frozen=True)
class PostTrainingConfig:
    """Which student is quantized, and to which widths."""

    run: Path = Path("runs/digits")
    """Folder with the student: of train/main.py or train/import_official.py."""
    out: Path | None = None
    """Where the result goes; by default <run>/qat, and for other bits than W8A8 <run>/qat/<bits>."""
    bits: str = "W8A8"
    """Bits of weights and activations, as in compress/qat.py."""
    exceptions: tuple[str, ...] = ()
    """Layers with other bits, as in compress/qat.py."""
    latents: int = 512
    """How many the ranges are chosen from."""

    def __post_init__(self) -> None:
        check_ranges(self, at_least(1, "latents"))


def main(arguments: list[str]) -> None:
    """Parse, quantize, compare with the float student."""
    config = parse(PostTrainingConfig, arguments, "Quantize a student by calibration alone.")
    settings = QatConfig(run=config.run, out=config.out, bits=config.bits, exceptions=config.exceptions)
    file = settings.folder / INT8_FILE
    if (settings.folder / STATE_FILE).is_file():
        raise UserError(
            f"{settings.folder} holds a fine-tuning of compress/qat.py; give another folder with --out"
        )
    student, info = load_snapshot(config.run / STUDENT_FILE)
    with claimed(settings.folder, World(0, 1, torch.device("cpu")), ".training.lock"):
        z, y = _latents(info, 0, config.latents)
        weights = one_hot(y, info.generator.num_classes)
        batches = list(zip(z.split(_BATCH), weights.split(_BATCH), strict=True))
        rounded = quantize_post_training(deploy_form(student), settings, batches)
        save_int8(file, rounded, info)
    z, y = _latents(info, JUDGED_SEED, _COMPARED)
    level = psnr(generate(ByClass(rounded), z, y, _AT_ONCE), generate(student, z, y, _AT_ONCE))
    print(f"{config.bits} without training: {level or float('inf'):.1f} dB to the float student's images; {file}")


def _latents(info: SnapshotInfo, first_seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return z float32 [count, z_dim] and y int64 [count], spread over the classes that the student knows.

    They are mixed, because some steps use the first latents only.
    """
    classes = sorted(info.classes)
    seeds = consecutive_seeds(first_seed, count)
    z = draw_latents(info.sampler, seeds, info.generator.z_dim, info.truncation)
    order = np.random.default_rng(0).permutation(count)
    return torch.from_numpy(z), torch.tensor(classes)[order * len(classes) // count]


if __name__ == "__main__":
    run_script(main)
