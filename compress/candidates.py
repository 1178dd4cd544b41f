"""How far a student of some widths is from the teacher; every answer is kept in a file."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from compress.elastic import Latents, calibrate, extract
from compress.float_run import FloatRun
from compress.heldout import comparison, latents_of
from compress.search_config import SearchConfig
from compress.supernet import Supernet
from compress.width_space import Genes, WidthSpace
from train import losses
from train.errors import UserError
from train.files import write_text
from train.generator import Generator
from train.precision import without_tf32
from train.sources import Sources

EVALUATIONS_FILE = "evaluations.jsonl"


@dataclasses.dataclass(frozen=True)
class Distance:
    """Of a student to the teacher on the same latents."""

    l1: float
    """Mean absolute difference of the images, in [0, 2]."""
    features: float
    """That of the critic's features, weighted as in L_KD_feat (equation 4)."""

    @property
    def total(self) -> float:
        """What the search makes small."""
        return self.l1 + self.features


class Candidates:
    """Cuts students out of a supernet and compares them with the teacher, all on the same latents.

    Args:
        settings: of the search.
        run: whose teacher it is.
        sources: its data.
        supernet: on the device to compute on.
    """

    def __init__(self, settings: SearchConfig, run: FloatRun, sources: Sources, supernet: Supernet) -> None:
        self.space, self.supernet = WidthSpace(run.info.generator), supernet
        self._run, self._sources = run, sources
        self._device = supernet.student.input_linear.weight.device
        self._latents, self._targets, self.described = comparison(run, sources, settings.latents, self._device)
        self._statistics = self._statistics_latents(settings.latents)
        with torch.no_grad():
            parts = zip(self._targets, self._latents, strict=True)
            self._features = [supernet.critic(images, y)[1] for images, (_, y) in parts]
        # Not on another kind of device: its sums are in another order, and the search would not come out the same.
        key = {
            "device": self._device.type,
            "supernet": supernet.fingerprint,
            "latents": self.described,
            "count": settings.latents,
        }
        self._cache = Cache(settings.folder / EVALUATIONS_FILE, key)

    def _statistics_latents(self, count: int) -> list[Latents]:
        return latents_of(self._run, self._sources, "statistics", count, self._device)

    def distance(self, genes: Genes) -> Distance:
        """Return the distance of a student of these widths; its statistics are measured anew for it."""
        if (known := self._cache.known.get(genes)) is None:
            known = self.measure(self.student(genes))
            self._cache.add(genes, known)
        return known

    def student(self, genes: Genes, count: int | None = None) -> Generator:
        """Return a student of these widths.

        Args:
            genes: within the space.
            count: latents that its statistics are measured on; by default those of all candidates.
        """
        student = extract(self.supernet.student, self.space.widths(genes))
        self.calibrate(student, count)
        return student

    @without_tf32()
    def calibrate(self, student: Generator, count: int | None = None) -> None:
        """Measure a student's statistics anew; see `student`."""
        calibrate(student, self._statistics if count is None else self._statistics_latents(count))

    @without_tf32()
    @torch.no_grad()
    def measure(self, student: Generator) -> Distance:
        """Return the distance of a student in eval mode."""
        l1 = features = images = 0
        for (z, y), target, wanted in zip(self._latents, self._targets, self._features, strict=True):
            drawn = student(z, y)
            l1 += len(z) * float(losses.pixel_loss(target, drawn))
            features += len(z) * float(losses.feature_matching_loss(wanted, self.supernet.critic(drawn, y)[1]))
            images += len(z)
        return Distance(l1 / images, features / images)


class Cache:
    """Distances in a file, a line each, after a line that says what they are of.

    Args:
        path: of the file. One that is of something else is begun anew; a line that a kill cut off is dropped.
        key: what they are of.
    """

    def __init__(self, path: Path, key: dict[str, Any]) -> None:
        self.path = path
        self.known: dict[Genes, Distance] = {}
        kept = [json.dumps(key)]
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        if lines[:1] == kept:
            for line in lines[1:]:
                try:
                    entry = json.loads(line)
                    self.known[tuple(entry["widths"])] = Distance(entry["l1"], entry["features"])
                except (ValueError, KeyError, TypeError):
                    break
                kept.append(line)
        write_text(path, "".join(f"{line}\n" for line in kept))

    def add(self, genes: Genes, distance: Distance) -> None:
        """Keep a distance.

        Raises:
            UserError: it is not finite.
        """
        if not all(map(torch.isfinite, torch.tensor([distance.l1, distance.features]))):
            raise UserError(
                f"a student of widths {genes} has no finite distance to the teacher; delete the supernet's folder "
                "and search again with a lower --learning-rate-share"
            )
        self.known[genes] = distance
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"widths": list(genes), **dataclasses.asdict(distance)}) + "\n")
