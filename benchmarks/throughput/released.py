"""The baseline: a plain loop with the call pattern of TinyGAN's released code, on our networks.

Per iteration, as there: the discriminator judges the teacher's images, the student's images of the same latents,
real images, and student's images of fresh latents with the real images' classes, in a call each; then the student
draws the first batch again and the discriminator judges it, against the features that it had for the teacher
before its update. Every n-th iteration the adversarial terms take one more call for those images and one for
another fresh batch. So the discriminator is called five times, or seven, and the student three times, or four.

Where the released code is slower than that pattern asks for, the baseline is not: images for the discriminator's
update are drawn without recording gradients, values are read for the log as seldom as our trainer does it, and
fresh latents come from a cheap sampler. The pattern was read there; the code is our own.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, RandomSampler

from train import losses
from train.images import from_bytes
from train.sources import Sources
from train.step import Players, StepWeights

_ENDLESS = 2**40  # images of the one epoch: a real one has 37,000 steps, a restart each second would slow it


@dataclasses.dataclass(frozen=True)
class ReleasedBatch:
    """Pairs and, drawn apart from them, real images; images are float32 [N, 3, H, W] in [-1, 1]."""

    z: torch.Tensor
    y: torch.Tensor
    teacher: torch.Tensor
    real: torch.Tensor
    real_y: torch.Tensor
    """Classes of the real images."""


class ReleasedBatches:
    """Batches from two DataLoaders, an item at a time, as the released code reads them.

    Args:
        sources: pairs and real images.
        batch_size: of either.
        device: where the batches go, from pinned memory if it is a GPU.
        workers: processes of each loader; 0 loads between the steps.
        png: a new folder; the images are written there and decoded for each item. None takes them from memory.
    """

    def __init__(
        self, sources: Sources, batch_size: int, device: torch.device, *, workers: int, png: Path | None
    ) -> None:
        assert sources.pairs is not None and sources.reals is not None
        z, y, teacher = sources.pairs.gather(np.arange(len(sources.pairs)))
        real, real_y = sources.reals.images, torch.from_numpy(sources.reals.labels)
        pairs = _Items(_pictures(teacher.numpy(), png, "teacher"), (z, y))
        reals = _Items(_pictures(real, png, "real"), (real_y,))
        self.device = device
        self._pairs, self._reals = (_endless(items, batch_size, workers, device) for items in (pairs, reals))

    def next(self) -> ReleasedBatch:
        """Return the next batch."""
        teacher, z, y = (self._move(tensor) for tensor in next(self._pairs))
        real, real_y = (self._move(tensor) for tensor in next(self._reals))
        return ReleasedBatch(z, y, teacher, real, real_y)

    def _move(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.device, non_blocking=True)


class _Items(Dataset[tuple[torch.Tensor, ...]]):
    """Pictures, arrays or files, and what belongs to each."""

    def __init__(self, pictures: Sequence[np.ndarray | Path], others: tuple[torch.Tensor, ...]) -> None:
        self.pictures, self.others = pictures, others

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        picture = self.pictures[index]
        if isinstance(picture, Path):
            with Image.open(picture) as image:
                picture = np.array(image)
        pixels = from_bytes(torch.from_numpy(picture)[None])[0].contiguous()
        return pixels, *(other[index] for other in self.others)


def _pictures(images: np.ndarray, folder: Path | None, name: str) -> Sequence[np.ndarray | Path]:
    if folder is None:
        return list(images)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}-{index:06d}.png" for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        if not path.exists():
            Image.fromarray(image).save(path)
    return paths


def _endless(items: _Items, batch_size: int, workers: int, device: torch.device) -> Iterator[Any]:
    sampler = RandomSampler(items, replacement=True, num_samples=_ENDLESS)
    return iter(
        DataLoader(
            items,
            batch_size,
            sampler=sampler,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            drop_last=True,
        )
    )


def released_step(
    players: Players, batch: ReleasedBatch, weights: StepWeights, truncation: float
) -> dict[str, torch.Tensor]:
    """Update discriminator and student once, in the precision of their weights.

    Args:
        players: in train mode; how they say to be run is not looked at.
        batch: on the networks' device.
        weights: of a step on which every term of the discriminator, L_KD_feat and L_KD-pix are on.
        truncation: of fresh latents.

    Returns:
        Every term before weighting, detached.
    """
    terms, teacher_features = _update_discriminator(players, batch, weights, truncation)
    terms |= _update_generator(players, batch, weights, truncation, teacher_features)
    return {name: term.detach() for name, term in terms.items()}


def _update_discriminator(
    players: Players, batch: ReleasedBatch, weights: StepWeights, truncation: float
) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    generator, discriminator = players.generator, players.discriminator
    discriminator.requires_grad_(True)
    teacher_scores, teacher_features = discriminator(batch.teacher, batch.y)
    with torch.no_grad():
        student = generator(batch.z, batch.y)
        fresh = generator(_fresh_latents(batch.z, truncation), batch.real_y)
    student_scores, _ = discriminator(student, batch.y)
    real_scores, _ = discriminator(batch.real, batch.real_y)
    fresh_scores, _ = discriminator(fresh, batch.real_y)
    terms = {
        "d_distillation": losses.discriminator_hinge_loss(teacher_scores, student_scores),
        "d_real": losses.discriminator_hinge_loss(real_scores, fresh_scores),
    }
    total = weights.distillation_discriminator * terms["d_distillation"]
    total = total + weights.real_discriminator * terms["d_real"]
    players.discriminator_optimizer.zero_grad()
    total.backward()
    players.discriminator_optimizer.step()
    return terms, [feature.detach() for feature in teacher_features]


def _update_generator(
    players: Players,
    batch: ReleasedBatch,
    weights: StepWeights,
    truncation: float,
    teacher_features: list[torch.Tensor],
) -> dict[str, torch.Tensor]:
    generator, discriminator = players.generator, players.discriminator
    discriminator.requires_grad_(False)
    student = generator(batch.z, batch.y)
    _, features = discriminator(student, batch.y)
    terms = {
        "g_feature": losses.feature_matching_loss(teacher_features, features),
        "g_pixel": losses.pixel_loss(batch.teacher, student),
    }
    total = weights.feature * terms["g_feature"] + weights.pixel * terms["g_pixel"]
    if weights.adversarial:
        scores, _ = discriminator(student, batch.y)
        fresh = generator(_fresh_latents(batch.z, truncation), batch.real_y)
        fresh_scores, _ = discriminator(fresh, batch.real_y)
        terms["g_distillation"] = losses.generator_hinge_loss(scores)
        terms["g_real"] = losses.generator_hinge_loss(fresh_scores)
        total = total + weights.distillation_generator * terms["g_distillation"]
        total = total + weights.real_generator * terms["g_real"]
    players.generator_optimizer.zero_grad()
    total.backward()
    players.generator_optimizer.step()
    return terms


def _fresh_latents(z: torch.Tensor, truncation: float) -> torch.Tensor:
    return torch.randn_like(z).fmod(2) * truncation
