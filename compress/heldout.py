"""Latents that a search measures on, and the teacher's images of them: none of them judges a student later."""

from typing import Literal

import numpy as np
import torch

from compress.elastic import Latents
from compress.float_run import FloatRun
from train import judging
from train.images import from_bytes
from train.noise import GIVEN, latents_in_turn
from train.sources import Sources
from train.teacher import open_teacher

BATCH = 64

# Above the seeds of pairs, and away from 2^63, from where students are judged.
_FIRST_SEEDS = {"sorting": 2**63 + 2**60, "statistics": 2**63 + 2**61, "comparison": 2**63 + 2**62}


def latents_of(
    run: FloatRun,
    sources: Sources,
    purpose: Literal["sorting", "statistics", "comparison"],
    count: int,
    device: torch.device,
) -> list[Latents]:
    """Return latents of all trained classes, in batches; where no sampler draws such, those of the first pairs.

    Args:
        run: of the student.
        sources: its data.
        purpose: each has its own seeds.
        count: of latents; a last batch that is not full is left out, unless it is the only one.
        device: of the tensors.
    """
    info = run.info
    if info.sampler == GIVEN:
        assert sources.pairs is not None
        z, y, _ = sources.pairs.gather(np.arange(min(count, len(sources.pairs))))
    else:
        first, z_dim = _FIRST_SEEDS[purpose], info.generator.z_dim
        latents = latents_in_turn(sorted(info.classes), first, count, z_dim, info.truncation, sampler=info.sampler)
        z, y = map(torch.from_numpy, latents)
    parts = zip(z.to(device).split(BATCH), y.to(device).split(BATCH), strict=True)
    return [(z_part, y_part) for z_part, y_part in parts if len(z_part) == min(BATCH, len(z))]


def comparison(
    run: FloatRun, sources: Sources, count: int, device: torch.device
) -> tuple[list[Latents], list[torch.Tensor], str]:
    """Return latents in batches, the teacher's images of them, float32 [N, 3, H, W] in [-1, 1], and what they are.

    Where the teacher is stored pairs only, these are held out of training and of judging if there are enough, else
    the last that were trained on.

    Args:
        run: with a teacher.
        sources: its data.
        count: of latents, as in `latents_of`.
        device: of the tensors.
    """
    name = run.config.data.teacher
    if name.startswith("pairs:"):
        assert sources.pairs is not None
        unseen, trained = sources.pairs.held_out[judging.JUDGED_IMAGES :], len(sources.pairs)
        enough = len(unseen) >= count
        chosen = unseen[:count] if enough else np.arange(max(0, trained - count), trained)
        z, y, images = sources.pairs.gather(chosen)
        latents = list(zip(z.to(device).split(BATCH), y.to(device).split(BATCH), strict=True))
        targets = [from_bytes(part.to(device)) for part in images.split(BATCH)]
        which = "stored pairs that were held out" if enough else "the last stored pairs, trained on"
        return latents, targets, which
    latents = latents_of(run, sources, "comparison", count, device)
    teacher = open_teacher(name, run.info.truncation).to(device)
    with torch.no_grad():
        targets = [teacher(z, y).float() for z, y in latents]
    return latents, targets, f"seeds from {_FIRST_SEEDS['comparison']}"
