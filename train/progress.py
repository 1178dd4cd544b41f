"""What a run shows while it trains: a progress line, stats.jsonl, TensorBoard, sample grids, alarms."""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.distributed
from torch import nn
from tqdm import tqdm

from train.distributed import World
from train.files import write_text
from train.images import save_png, sheet, to_bytes
from train.loop import STATE_FILE, Observer, not_finite
from train.sampling import generate

PINNED_ENTRIES = 10  # entries of stats.jsonl in a row before the alarm
COLLAPSED_DIVERSITY = 0.2  # of the reference images' diversity


@dataclasses.dataclass(frozen=True)
class Reference:
    """Fixed latents and the images to compare the student's with: the teacher's of the same z and y, or reals.

    Elements come in rows: `columns` classes side by side, the same classes again in the next row.
    """

    z: torch.Tensor
    y: torch.Tensor
    images: np.ndarray
    """uint8 [N, H, W, 3]."""
    columns: int
    names: Sequence[str]


def draw(generator: nn.Module, reference: Reference) -> np.ndarray:
    """Return the generator's images for a reference's latents, uint8 [N, H, W, 3], in eval mode."""
    return to_bytes(generate(generator, reference.z, reference.y))


def comparison_sheet(reference: Reference, rows: Sequence[np.ndarray], path: Path) -> None:
    """Write a sheet with the reference images above each of `rows`, [N, H, W, 3] each, line by line."""
    lines = []
    for start in range(0, len(reference.images), reference.columns):
        part = slice(start, start + reference.columns)
        lines += [images[part] for images in (reference.images, *rows)]
    scale = max(1, 64 // reference.images.shape[1])
    save_png(sheet(lines, reference.names, scale=scale, group=1 + len(rows)), path)


def relative_diversity(images: np.ndarray, reference: Reference) -> float:
    """Return the deviation among images of one class, relative to that of the reference images."""

    def deviation(values: np.ndarray) -> float:
        stacked = values.astype(np.float32).reshape(-1, reference.columns, *values.shape[1:])
        return float(stacked.std(axis=0).mean())

    return deviation(images) / max(deviation(reference.images), 1e-6)


class Progress(Observer):
    """Observes a run on behalf of whoever watches it."""

    def __init__(
        self,
        folder: Path,
        world: World,
        *,
        steps: int,
        batch_size: int,
        log_every: int,
        grids: int,
        average: nn.Module,
        reference: Reference,
        beside: Sequence[nn.Module] = (),
    ) -> None:
        self.folder, self.world = folder, world
        self.steps, self.batch_size, self.log_every = steps, batch_size, log_every
        self.grid_every = math.ceil(steps / grids) if grids else 0
        self.average, self.reference = average, reference
        self._beside = [draw(generator, reference) for generator in beside if grids and world.is_main]
        self._sums: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = {}
        self._saved = self._pinned = 0
        self._alarmed: set[str] = set()
        self._bar: tqdm | None = None
        self._tensorboard = None

    def start(self, step: int) -> None:
        """Open the files; what an earlier process logged beyond `step` is dropped, it will come again."""
        self._saved, self._window = step, (step, time.monotonic())
        if not self.world.is_main:
            return
        self._log = self.folder / "stats.jsonl"
        kept = "".join(_entries_until(self._log, step))
        write_text(self._log, kept)
        self._tensorboard = _tensorboard(self.folder)
        self._bar = tqdm(
            total=self.steps * self.batch_size,
            initial=step * self.batch_size,
            unit="img",
            unit_scale=True,
            dynamic_ncols=True,
            mininterval=1.0,
        )

    def after_step(self, step: int, terms: dict[str, torch.Tensor]) -> None:
        """Add up the terms; log, check and draw when it is time."""
        for name, term in terms.items():
            self._sums[name] = self._sums[name] + term if name in self._sums else term.clone()
            self._counts[name] = self._counts.get(name, 0) + 1
        if self._bar is not None:
            self._bar.update(self.batch_size)
        if step % self.log_every == 0 or step == self.steps:
            self._flush(step)
        if self.grid_every and (step % self.grid_every == 0 or step == self.steps) and self.world.is_main:
            self._draw(step)

    def close(self) -> None:
        """Finish the progress line and the files, however the run ended."""
        for resource in (self._bar, self._tensorboard):
            if resource is not None:
                resource.close()

    def after_save(self, step: int) -> None:
        """Remember the last good state."""
        self._saved = step

    def _flush(self, step: int) -> None:
        means = {name: total / self._counts[name] for name, total in sorted(self._sums.items())}
        self._sums, self._counts = {}, {}
        if self.world.size > 1:
            for mean in means.values():
                torch.distributed.all_reduce(mean.div_(self.world.size))
        values = {name: float(mean) for name, mean in means.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise not_finite(f"the term {name} (step {step})", self._saved, self.folder / STATE_FILE)
        if not self.world.is_main:
            return
        now = time.monotonic()
        speed = (step - self._window[0]) * self.batch_size / max(now - self._window[1], 1e-9)
        self._window = (step, now)
        entry = {"step": step, "images": step * self.batch_size, "images_per_second": round(speed, 1), **values}
        with open(self._log, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()}, refresh=False)
        if self._tensorboard is not None:
            for name, value in values.items():
                self._tensorboard.add_scalar(name, value, step)
        self._watch_discriminator(values, step)

    def _watch_discriminator(self, values: dict[str, float], step: int) -> None:
        """Raise the alarm at a hinge loss of 0 (one side has won) or of exactly 2 (the scores say nothing)."""
        hinges = [value for name, value in values.items() if name.startswith("d_")]
        pinned = hinges and all(value < 0.01 or abs(value - 2) < 1e-3 for value in hinges)
        self._pinned = self._pinned + 1 if pinned else 0
        if self._pinned == PINNED_ENTRIES:
            self._alarm(
                "discriminator",
                f"the discriminator's losses are pinned at {values} since {PINNED_ENTRIES} entries (step {step})",
            )

    def _draw(self, step: int) -> None:
        images = draw(self.average, self.reference)
        path = self.folder / "samples" / f"step-{step:07d}.png"
        comparison_sheet(self.reference, [*self._beside, images], path)
        diversity = relative_diversity(images, self.reference)
        if step > self.steps // 10 and diversity < COLLAPSED_DIVERSITY:
            self._alarm(
                "diversity",
                f"the images of a class hardly differ: {diversity:.2f} of the reference's (step {step})",
            )

    def _alarm(self, kind: str, message: str) -> None:
        if kind not in self._alarmed:
            self._alarmed.add(kind)
            tqdm.write(f"warning: possible collapse: {message}", file=sys.stderr)
            with open(self._log, "a", encoding="utf-8") as file:
                file.write(json.dumps({"alarm": kind, "message": message}) + "\n")


def _entries_until(log: Path, step: int) -> list[str]:
    """Return the lines of a log up to `step`; a line that a kill cut off is dropped."""
    kept: list[str] = []
    if log.exists() and step:
        for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                break
            if entry.get("step", 0) > step:
                break
            kept.append(line)
    return kept


def _tensorboard(folder: Path):
    """Return a TensorBoard writer if TensorBoard is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
