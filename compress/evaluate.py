"""The figures of every row of the report, all on the same latents."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from compress.float_run import FloatRun
from train import digits, judging
from train.images import to_bytes, within_class_deviation
from train.noise import latents_in_turn
from train.precision import without_tf32
from train.sampling import generate
from train.sources import Sources
from train.teacher import open_teacher

_BATCH = 100


def psnr(images: torch.Tensor, reference: torch.Tensor) -> float | None:
    """Return the peak signal-to-noise ratio of float images in [-1, 1] in dB; None where they are equal."""
    error = float((images - reference).double().square().mean())
    return float(10 * np.log10(4 / error)) if error else None


class Judge:
    """Draws the judged images of a generator and measures them.

    Latents are new ones where the teacher can draw their images too; else stored pairs, those that were held out
    of training if there are some.
    """

    def __init__(self, run: FloatRun, sources: Sources) -> None:
        config, count = run.config, judging.JUDGED_IMAGES  # the same images as in quality.json
        self.reals_are_digits = config.data.reals == "digits"
        self.teacher: np.ndarray | None = None
        teacher = config.data.teacher
        if teacher.startswith("pairs:"):
            assert sources.pairs is not None
            unseen = sources.pairs.held_out[:count]
            chosen = unseen if len(unseen) else np.arange(min(count, len(sources.pairs)))
            self.z, self.y, images = sources.pairs.gather(chosen)
            self.teacher = images.numpy()
            which = "stored pairs that were held out" if len(unseen) else "the first stored pairs, trained on"
            self.record: dict[str, Any] = {"images": len(chosen), "latents": which}
            return
        z_dim, truncation = config.generator.z_dim, config.data.truncation
        seed = judging.JUDGED_SEED
        latents = latents_in_turn(sources.classes, seed, count, z_dim, truncation, sampler=sources.sampler)
        self.z, self.y = map(torch.from_numpy, latents)
        self.record = {"images": count, "first_seed": seed, "truncation": truncation}
        if teacher:
            model = open_teacher(teacher, truncation)
            parts = list(zip(self.z.split(_BATCH), self.y.split(_BATCH), strict=True))
            drawn = tqdm(parts, desc="drawing the teacher's", unit=" batches", delay=3, leave=False)
            self.teacher = np.concatenate([to_bytes(model(*part)) for part in drawn])

    @without_tf32()
    def draw(self, generator: nn.Module) -> torch.Tensor:
        """Return a generator's images of the judged latents, float32 [N, 3, H, W] on the CPU."""
        return generate(generator, self.z, self.y, batch_size=_BATCH)

    def figures(self, images: torch.Tensor) -> dict[str, float]:
        """Return recognised (digits only), diversity and L1 to the teacher, those that there are."""
        pixels, y = to_bytes(images), self.y.numpy()
        if self.reals_are_digits:
            quality = dataclasses.asdict(digits.measure(pixels, y, self.teacher))
            del quality["l1_of_class_mean"]
            return {name: round(value, 5) for name, value in quality.items() if value is not None}
        figures = {}
        if self.teacher is not None:
            ours, theirs = (within_class_deviation(images, y) for images in (pixels, self.teacher))
            figures["diversity_to_teacher"] = ours / theirs
            figures["l1_to_teacher"] = float(np.abs(pixels.astype(np.float64) - self.teacher).mean() / 127.5)
        return {name: round(value, 5) for name, value in figures.items()}

    def row(
        self,
        images: torch.Tensor,
        float_images: torch.Tensor,
        control_images: torch.Tensor | None = None,
        *,
        own_float: torch.Tensor | None = None,
        file: Path | None = None,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Return a row of the report; what is not known or was not measured is left out."""
        row: dict[str, Any] = dict(self.figures(images))
        references = {
            "psnr_to_float": float_images,
            "psnr_to_control": control_images,
            "psnr_to_own_float": own_float,
        }
        for name, reference in references.items():
            if reference is not None and (value := psnr(images, reference)) is not None:
                row[name] = round(value, 2)
        if file is not None:
            row["bytes"] = file.stat().st_size
        if seconds is not None:
            row["seconds"] = round(seconds, 1)
        return row
