"""Which latents are judged: new ones; or, where stored pairs are all there is of a teacher, those held out."""

import dataclasses
from pathlib import Path

import numpy as np

from benchmarks.drawing import Drawer, Given, teacher_drawer
from benchmarks.model import Model, open_teacher_of, teacher_spec
from benchmarks.quality.features import choose_device
from benchmarks.quality.settings import Asked
from benchmarks.settings import BenchmarkConfig
from train.noise import law_of
from train.pairs import PairDataset

TEACHER = "teacher"
_IMAGES, _IMAGES_PER_CLASS = 2000, 50  # by default: so many, or so many of each class where that is more
_PAIRS = "pairs:"


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """What every model draws."""

    z: np.ndarray
    """float32 [N, z_dim]."""
    y: np.ndarray
    """int64 [N]."""
    asked: Asked
    teacher: Drawer | Given | None
    """Draws them, or has drawn them."""
    left_out: list[str]
    """A sentence where there is no teacher."""


def choose_judged(model: Model, config: BenchmarkConfig) -> Judged:
    """Return the latents to judge on, none of which training has seen.

    Raises:
        UserError: the teacher or the stored pairs are not what they should be.
    """
    count = config.images or max(_IMAGES, _IMAGES_PER_CLASS * len(model.classes))
    source = model.setting("data", "teacher") or "" if config.teacher is None else config.teacher
    left_out: list[str] = []
    if source.startswith(_PAIRS):
        place, held_out = Path(source.removeprefix(_PAIRS)), model.setting("data", "held_out") or 0
        trained = [int(index) for index in model.manifest["model"]["classes"]]
        pairs = PairDataset(place, held_out=held_out, classes=trained)
        if len(pairs.held_out):
            return _held_out(model, pairs, count)
        left_out = [
            "The run has trained on all of its stored pairs, so that none are left to judge on and distances to "
            "the teacher are absent: give the teacher itself with --teacher."
        ]
    z, y = model.latents(config.seed, count)
    latents = described_law(model.manifest["sampler"]["name"])
    asked = Asked(y, model.truncation, config.seed, latents=latents, names=model.classes)
    if spec := teacher_spec(model, config.teacher):
        teacher = teacher_drawer(TEACHER, open_teacher_of(model, spec), choose_device(config.device))
        return Judged(z, y, asked, teacher, [])
    none = ["There is no teacher to draw with, so distances to it are absent: give one with --teacher."]
    return Judged(z, y, asked, None, left_out or none)


def described_law(sampler: str) -> str:
    """Return what latents of consecutive seeds are, for records."""
    return f"{law_of(sampler).replace('-', ' ')}, {sampler}, consecutive seeds"


def _held_out(model: Model, pairs: PairDataset, count: int) -> Judged:
    chosen = pairs.held_out
    z, y, images = (part.numpy() for part in pairs.gather(chosen))
    of_model = np.flatnonzero(np.isin(y, sorted(model.classes)))[:count]  # all, but in the form of one class
    z, y, images = z[of_model], y[of_model], images[of_model]
    latents = f"pairs {chosen[0]:,} to {chosen[-1]:,} of those stored, which were held out of training"
    asked = Asked(y, pairs.truncation, None, latents=latents, names=model.classes)
    return Judged(z, y, asked, Given(TEACHER, pairs.settings.fingerprint, lambda _y: images), [])
