"""What draws the judged latents: teachers, students and artifacts, whose images are stored as bytes."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from benchmarks.model import Model
from benchmarks.quality.features import full_precision
from deploy.manifest import versions
from deploy.runners import runner_of
from train.files import file_hash, short_name, write_atomically
from train.images import to_bytes, write_images_header
from train.sampling import generate
from train.snapshot import load_student
from train.teacher import Teacher

BATCH = 100
_CPU = torch.device("cpu")

Draw = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""z float32 [n, z_dim] and y int64 [n], at most `BATCH` of them → uint8 [n, H, W, 3]."""


class Drawer:
    """Something that draws the judged latents; its images are stored, so that a second run need not draw them.

    Args:
        name: of the model.
        sha256: of what it is loaded from.
        open: loads it.
        tools: packages that decide what it computes.
        device: on which it computes.
    """

    def __init__(
        self, name: str, sha256: str, open: Callable[[], Draw], *tools: str, device: torch.device = _CPU
    ) -> None:
        self.name, self._open = name, open
        self.inputs: dict[str, Any] = {"sha256": sha256, "tools": versions(*tools)}
        if device.type != "cpu":  # it rounds in another order
            self.inputs["device"] = device.type

    def images(self, z: np.ndarray, y: np.ndarray, cache: Path) -> np.ndarray:
        """Return the images, uint8 [N, H, W, 3], mapped from the cache; they are drawn into it part by part."""
        digest = hashlib.sha256(repr(self.inputs).encode())
        digest.update(z.tobytes() + y.tobytes())
        name = short_name(re.sub(r"[^\w.-]", "_", self.name), 100)  # a user's own, in judge.py
        path = cache / f"{name}-{digest.hexdigest()[:16]}.npy"
        if not path.is_file():
            draw = self._open()
            write_atomically(path, lambda temporary: self._draw_into(temporary, draw, z, y))
        return np.load(path, mmap_mode="r")

    def _draw_into(self, path: Path, draw: Draw, z: np.ndarray, y: np.ndarray) -> None:
        starts = range(0, len(z), BATCH)
        with (
            open(path, "wb") as file,  # and no memory map: a disk that fills up is then an error, not a crash
            tqdm(total=len(z), desc=f"drawing {self.name}", unit="image", leave=False) as bar,
        ):
            for part in (slice(start, start + BATCH) for start in starts):
                drawn = draw(z[part], y[part])
                if part.start == 0:
                    write_images_header(file, (len(z), *drawn.shape[1:]))
                file.write(drawn.tobytes())
                bar.update(len(drawn))


class Given:
    """Images that are there already: photos, or what somebody else's generator has drawn.

    Args:
        name: of the model.
        sha256: of the images.
        images_of: y int64 [N] → uint8 [N, H, W, 3].
    """

    def __init__(self, name: str, sha256: str, images_of: Callable[[np.ndarray], np.ndarray]) -> None:
        self.name, self._images_of = name, images_of
        self.inputs: dict[str, Any] = {"sha256": sha256, "tools": {}}

    def images(self, _z: np.ndarray, y: np.ndarray, _cache: Path) -> np.ndarray:
        """See `Drawer`; nothing is stored."""
        return self._images_of(y)


def teacher_drawer(name: str, teacher: Teacher, device: torch.device = _CPU) -> Drawer:
    """Return what draws with a teacher, which is moved to `device`."""

    def load() -> Draw:
        teacher.to(device)

        def draw(z: np.ndarray, y: np.ndarray) -> np.ndarray:
            with full_precision():
                return to_bytes(teacher(torch.from_numpy(z).to(device), torch.from_numpy(y).to(device)))

        return draw

    return Drawer(name, teacher.fingerprint, load, device=device)


def student_drawer(name: str, path: Path, device: torch.device = _CPU) -> Drawer:
    """Return what draws with the student at `path`; a quantized one rounds as phones do, which is on the CPU."""
    device = _CPU if path.stem.endswith(("int8", "int4")) else device

    def load() -> Draw:
        student: nn.Module = load_student(path)[0].to(device)

        def draw(z: np.ndarray, y: np.ndarray) -> np.ndarray:
            with full_precision():
                return to_bytes(generate(student, torch.from_numpy(z), torch.from_numpy(y), BATCH))

        return draw

    return Drawer(name, file_hash(path), load, device=device)


def artifact_drawer(model: Model, artifact: dict[str, Any]) -> Drawer:
    """Return what draws with an artifact, in its own runtime."""

    def load() -> Draw:
        _, open_runner = runner_of(artifact["runtime"], artifact["backend"])
        assert open_runner is not None
        run = open_runner(model.folder / artifact["file"])

        def draw(z: np.ndarray, y: np.ndarray) -> np.ndarray:
            images = [run(*model.inputs(*pair)) for pair in zip(z, y, strict=True)]
            return to_bytes(torch.from_numpy(np.concatenate(images)))

        return draw

    package = "ai-edge-litert" if artifact["runtime"] == "tflite" else artifact["runtime"]
    return Drawer(artifact["file"], artifact["sha256"], load, package)
