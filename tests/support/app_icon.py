"""Draw the app's icon anew: `python tests/support/app_icon.py`.

A jellyfish, drawn by the shipped student of animals; pixels stay squares. The App Store wants 1024 × 1024 pixels
without transparency.
"""

import numpy as np
import torch
from PIL import Image

from deploy.source import open_source
from train.commands import ROOT
from train.images import save_png, to_bytes
from train.noise import truncated_normal

RUN = ROOT / "train" / "assets" / "animals_student"
ICON = ROOT / "deploy" / "ios" / "App" / "Resources" / "Assets.xcassets" / "AppIcon.appiconset" / "AppIcon.png"
SIZE = 1024
_JELLYFISH, _SEED = 107, 13


def draw_icon() -> Image.Image:
    """Return the icon, RGB."""
    source = open_source(RUN)
    config = source.info.generator
    z = truncated_normal(np.array([_SEED], np.uint64), config.z_dim, source.info.truncation)
    with torch.no_grad():
        drawn = source.form(torch.from_numpy(z), torch.eye(config.num_classes)[[_JELLYFISH]])
    return Image.fromarray(to_bytes(drawn)[0]).resize((SIZE, SIZE), Image.Resampling.NEAREST)


if __name__ == "__main__":
    save_png(draw_icon(), ICON)
