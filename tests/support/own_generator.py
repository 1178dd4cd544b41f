"""What train/YOUR_OWN_GENERATOR.md tells a user to do, done small: its listing, its commands, a toy generator."""

import importlib
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from toy_generator import CLASSES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "train" / "YOUR_OWN_GENERATOR.md").read_text("utf-8")
SMALL = {
    "train/collect.py": ["--per-class", "8", "--device", "cpu"],
    "train/pack.py": [],
    "train/main.py": [
        "--generator.channels",
        "2",
        "--discriminator.channels",
        "4",
        "--optimizer.images",
        "32",
        "--optimizer.batch-size",
        "8",
        "--runtime.grids",
        "1",
        "--runtime.device",
        "cpu",
    ],
    "compress/qat.py": ["--images", "16", "--calibration-batches", "1", "--no-reconstruct", "--device", "cpu"],
    "deploy/android/export.py": [],
}


def blocks(language: str = "") -> list[str]:
    return [text for name, text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.S | re.M) if name == language]


def commands() -> list[str]:
    """The five of the walk."""
    return blocks()[0].splitlines()


def make_folder(folder: Path) -> None:
    """The user's folder before the first command."""
    (listing,) = blocks("python")
    (folder / "my_generator.py").write_text(listing)
    shutil.copy(ROOT / "tests" / "support" / "toy_generator.py", folder / "their_code.py")
    with open(folder / "their_code.py", "a") as file:
        file.write("\nnetwork = draw\n")
    random = np.random.default_rng(0)
    for name in CLASSES:
        (folder / "my_photos" / name).mkdir(parents=True)
        for k in range(2):
            pixels = random.integers(0, 256, (40, 50, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "my_photos" / name / f"{k}.jpg")


def run(command: str) -> None:
    """Run a command of the page in this process, with the flags that make it small."""
    python, script, *arguments = shlex.split(command)
    assert python == "python"
    main = importlib.import_module(script.removesuffix(".py").replace("/", ".")).main
    small = SMALL[script]
    given = set(small)
    # A flag of ours takes the place of the page's.
    kept: list[str] = []
    for word in arguments:
        if kept and kept[-1] in given:
            kept.pop()
            continue
        kept.append(word)
    main([*kept, *small])
