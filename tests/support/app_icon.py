"""Draw the app's icon anew: `python tests/support/app_icon.py`.

A 3 on its way to an 8 in four steps, drawn by the shipped digits student; pixels stay squares. The App Store wants
1024 × 1024 pixels without transparency.
"""

import itertools

import numpy as np
import torch
from PIL import Image

from deploy.source import open_source
from train.commands import ROOT
from train.images import save_png, to_bytes
from train.noise import truncated_normal

RUN = ROOT / "train" / "assets" / "digits_student"
ICON = ROOT / "deploy" / "ios" / "App" / "Resources" / "Assets.xcassets" / "AppIcon.appiconset" / "AppIcon.png"
SIZE = 1024
_FROM, _TO, _SEED = 3, 8, 4
_NIGHT = (24, 28, 64)
_TILE, _PLACES = 384, (96, 544)


def draw_icon() -> Image.Image:
    """Return the icon, RGB."""
    source = open_source(RUN)
    config = source.info.generator
    z = torch.from_numpy(truncated_normal(np.array([_SEED], np.uint64), config.z_dim, source.info.truncation))
    weight = torch.linspace(0, 1, 4)[:, None]
    classes = torch.eye(config.num_classes)
    with torch.no_grad():
        drawn = source.form(z.expand(4, -1), (1 - weight) * classes[_FROM] + weight * classes[_TO])
    icon = Image.new("RGB", (SIZE, SIZE), _NIGHT)
    for tile, (y, x) in zip(to_bytes(drawn), itertools.product(_PLACES, _PLACES), strict=True):
        digit = Image.fromarray(np.maximum(tile, np.array(_NIGHT, np.uint8)))
        icon.paste(digit.resize((_TILE, _TILE), Image.Resampling.NEAREST), (x, y))
    return icon


if __name__ == "__main__":
    save_png(draw_icon(), ICON)
