"""Draw the app's icon anew: `python deploy/ios/icon.py`.

Four animals, drawn by the shipped float student; pixels stay squares. The App Store wants 1024 × 1024 pixels
without transparency.
"""

import itertools
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from train.commands import ROOT
from train.images import save_png, to_bytes
from train.noise import truncated_normal
from train.sampling import generate
from train.snapshot import load_student

STUDENT = ROOT / "train/assets/animals_student/student.safetensors"
ICON = Path(__file__).parent / "App" / "Resources" / "Assets.xcassets" / "AppIcon.appiconset" / "AppIcon.png"
SIZE = 1024
_DRAWN = ((1, 4), (107, 0), (145, 0), (294, 0))  # class and seed: goldfish, jellyfish, penguin, bear
_NIGHT = (24, 28, 64)
_TILE, _PLACES = 448, (48, 528)


def draw_icon() -> Image.Image:
    """Return the icon, RGB."""
    generator, info = load_student(STUDENT)
    classes, seeds = np.array(_DRAWN).T
    z = truncated_normal(seeds.astype(np.uint64), info.generator.z_dim, info.truncation)
    drawn = generate(generator, torch.from_numpy(z), torch.from_numpy(classes))
    icon = Image.new("RGB", (SIZE, SIZE), _NIGHT)
    for tile, (y, x) in zip(to_bytes(drawn), itertools.product(_PLACES, _PLACES), strict=True):
        icon.paste(Image.fromarray(tile).resize((_TILE, _TILE), Image.Resampling.NEAREST), (x, y))
    return icon


if __name__ == "__main__":
    save_png(draw_icon(), ICON)
