"""What is judged, what is measured, and what comes out."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.features import Preprocessing


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """What every model was asked to draw."""

    y: np.ndarray
    """int64 [N], class indices."""
    truncation: float
    first_seed: int | None
    """The latents' seeds are `consecutive_seeds` of it; None where `latents` says what they are."""
    latents: str = "truncated normal, splitmix64-truncnorm-v1, consecutive seeds"
    names: Mapping[int, str] = dataclasses.field(default_factory=dict)
    """Class index → name."""


@dataclasses.dataclass(frozen=True)
class QualitySettings:
    """What to measure."""

    inception: Path | None = None
    """The standard inception-2015-12-05.pt, for FID, KID and Inception Score."""
    preprocessing: tuple[Preprocessing, ...] = ("legacy_tensorflow", "clean")
    """Protocols of the standard Inception; `clean` needs clean-fid."""
    features: Path | None = None
    """Any TorchScript feature network; its metrics carry its name."""
    lite0: bool = False
    """Measure a Fréchet distance on EfficientNet-lite0 too, whose weights come with a package."""
    classifier: Path | None = None
    """A quantized ImageNet classifier as TFLite file, for top-1 and top-5 agreement."""
    classifier_labels: Path | None = None
    """Its labels, one per line, to be checked."""
    teacher_intra_fid: Path | None = None
    """JSON with class index → intra-FID of a teacher, measured elsewhere, to correlate with."""
    intra_samples: int | None = None
    """Images per class for intra-FID; as many as all classes have by default."""
    kid_subset_size: int | None = None
    """Images per subset of KID; a tenth of them by default, at most 1,000."""
    digits: bool = False
    """Whether the images are of the embedded digits, which have a judge of their own."""
    cross_check: tuple[str, ...] = ("float",)
    """Models whose FID clean-fid computes too; slow, because it takes a matrix square root."""
    batch_size: int = 64
    """Images per pass of a feature network."""
    device: str = "auto"
    """Of the feature networks."""
    cache: Path = Path("benchmark/cache")
    """Where features are kept."""


@dataclasses.dataclass(frozen=True)
class Quality:
    """What was measured; all of it is JSON-ready."""

    rows: dict[str, dict[str, Any]]
    """Model → metrics; one that was not measured is absent."""
    columns: dict[str, dict[str, Any]]
    """Metric → title, better ("higher", "lower" or None) and how it was measured."""
    floor: dict[str, Any]
    """Real images against real images."""
    per_class: dict[str, dict[str, dict[str, float]]]
    """Name of the intra-FID → model → class index → value."""
    record: dict[str, Any]
    """Images, seeds, truncation, classes, references, protocols, versions."""
    notes: list[str]
    """Sentences about what was left out and how to get it, and what the numbers do not say."""
