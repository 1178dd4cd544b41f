"""Stored pairs and real images to time a trainer with: the real files, random contents."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from train.classes import class_names, parse_classes
from train.config import TrainConfig
from train.noise import SAMPLER
from train.pair_folder import write_index, write_plan
from train.pair_format import FORMAT, PairSettings, write_shard
from train.pairs import DEFAULT_SHARD_SIZE, PairDataset
from train.reals import RealImages
from train.sources import Sources

_BLOTCH = 8  # pixels between the points of the grid that a random picture is interpolated from
_GRAIN = 8.0  # levels of noise on top, so that a picture compresses about as a photograph does


def random_sources(config: TrainConfig, folder: Path, count: int, seed: int) -> Sources:
    """Write `count` pairs or a few more, every class equally often, and open them; as many real images beside.

    Args:
        config: of the run that will learn from them; says image size, latents and classes.
        folder: new; gets the collection in the format of `train/collect.py`.
        count: 1 or more.
        seed: of the pictures and of the latents.
    """
    generator = config.generator
    classes = parse_classes(config.data.classes or f"0-{generator.num_classes - 1}", generator.num_classes)
    settings = PairSettings(
        format=FORMAT,
        teacher="random pictures",
        fingerprint=f"seed {seed}",
        truncation=config.data.truncation,
        sampler=SAMPLER,
        image_size=generator.image_size,
        z_dim=generator.z_dim,
        num_classes=generator.num_classes,
        classes=classes,
        per_class=-(-count // len(classes)),
        seed=seed,
        shard_size=DEFAULT_SHARD_SIZE,
    )
    random = torch.Generator().manual_seed(seed)
    write_plan(folder, settings, "")
    for name, part in settings.shards.items():
        z, y = settings.latents_and_classes(part)
        write_shard(
            folder / name, {"images": random_pictures(len(part), generator.image_size, random), "z": z, "y": y}
        )
    write_index(folder, settings)
    reals = RealImages(
        random_pictures(settings.count, generator.image_size, random),
        np.array(classes, dtype=np.int64)[np.arange(settings.count) % len(classes)],
        "random pictures",
    )
    names = class_names(generator.num_classes)
    return Sources(PairDataset(folder), reals, classes, names, config.data.truncation)


def random_pictures(count: int, size: int, random: torch.Generator) -> np.ndarray:
    """Return soft blotches of colour with a little grain, uint8 [count, size, size, 3]."""
    pictures = np.empty((count, size, size, 3), dtype=np.uint8)
    for index in range(count):
        points = torch.rand(1, 3, size // _BLOTCH, size // _BLOTCH, generator=random) * 255
        soft = F.interpolate(points, size=(size, size), mode="bilinear", align_corners=False)[0]
        grain = (torch.rand(3, size, size, generator=random) - 0.5) * _GRAIN
        pictures[index] = (soft + grain).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    return pictures
