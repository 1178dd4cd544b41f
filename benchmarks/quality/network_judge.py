"""Everything that one feature network says: FID, KID, Inception Score and intra-FID of every model."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.quality import intra_class
from benchmarks.quality.diversity import within_class_distance
from benchmarks.quality.features import FeatureNetwork
from benchmarks.quality.figure import Figure
from benchmarks.quality.frechet_error import frechet_error
from benchmarks.quality.inception_score import SPLITS, inception_score
from benchmarks.quality.kid import SUBSETS, kernel_distance, subset_plan
from benchmarks.quality.reference import FeatureStore, Measured
from train.errors import UserError
from train.frechet import GaussianStatistics, frechet_distance, gaussian_statistics

FEWEST_IMAGES = 2 * max(SUBSETS, SPLITS)
FEWEST_PER_CLASS = 10  # below, a class's distance says more about which images were drawn than about the model
_SEED = 0  # of the halves of the real images


@dataclasses.dataclass(frozen=True, eq=False)
class ReferenceSet:
    """Images that the models' are compared with."""

    suffix: str
    """Of the metrics' names: "" for reals, "_to_teacher"."""
    words: str
    images: np.ndarray
    """uint8 [N, H, W, 3]."""
    y: np.ndarray
    """int64 [N]."""


class NetworkJudge:
    """Judges the models by one network; every model has images of the same classes, y."""

    def __init__(
        self,
        network: FeatureNetwork,
        store: FeatureStore,
        y: np.ndarray,
        references: Sequence[ReferenceSet],
        *,
        kid_subset_size: int | None = None,
        intra_samples: int | None = None,
        given: Mapping[int, float] | None = None,
    ) -> None:
        """Measure the references.

        Args:
            network: gives the features.
            store: keeps them.
            y: int64 [N], the class of each image of every model.
            references: reals, teacher, both or none; intra-FID is taken to the first.
            kid_subset_size: as `kernel_distance`.
            intra_samples: images per class of a model for intra-FID; None takes as many as all classes have.
            given: class → intra-FID of a teacher, measured elsewhere, to correlate with.

        Raises:
            UserError: too few images of a model, a reference or a class.
        """
        self.network, self.store, self.y = network, store, y
        self.kid_subset_size, self.given = kid_subset_size, given or {}
        self.notes: list[str] = []
        self.per_class: dict[str, intra_class.ClassValues] = {}
        """Model → class → intra-FID."""
        # All numbers are looked at before the long work starts.
        for what, count in [("every model", len(y)), *((part.words, len(part.y)) for part in references)]:
            if count < FEWEST_IMAGES:
                raise UserError(
                    f"distances by {network.name} need {FEWEST_IMAGES} images, there are {count} of {what}; "
                    f"take more, or leave the network out{'' if network.inception else ' with --no-lite0'}"
                )
        for part in references:
            subset_plan(len(y), len(part.y), kid_subset_size)
        counts = self._intra_counts(references[0], intra_samples) if references else None
        self.references = [(part, store.measure(network, part.images, part.words)) for part in references]
        reals = [(part, measured) for part, measured in self.references if not part.suffix]
        self._real_distance = within_class_distance(reals[0][1].features, reals[0][0].y) if reals else None
        self._intra = None if counts is None else self._prepare_intra(*counts)
        fewest = min([len(y), *(len(part.y) for part in references)])
        if references and fewest < network.dimensions:
            self.notes.append(
                f"{network.name}: {fewest:,} images are fewer than its {network.dimensions:,} dimensions, which "
                "puts distances far above their values for many images; compare them at equal numbers only."
            )

    def figures(self, model: str, images: np.ndarray) -> list[Figure]:
        """Return everything about a model's images, uint8 [N, H, W, 3]; "teacher" is not compared with itself.

        Raises:
            UserError: its features are not finite.
        """
        own = self.store.measure(self.network, images, model)
        figures = []
        if self._real_distance is not None and (distance := within_class_distance(own.features, self.y)):
            figures.append(
                Figure(
                    f"diversity_{self.network.name}",
                    distance / self._real_distance,
                    f"diversity by {self.network.name}",
                    None,
                    f"mean distance of two images of one class over that of the real images, {self.network.how}",
                )
            )
        for part, measured in self.references:
            if not (model == "teacher" and part.suffix == "_to_teacher"):
                figures += self._distances(own, measured, part)
        if own.probabilities is not None:
            figures += self._score(own.probabilities)
        if self._intra is not None and not (model == "teacher" and self._intra.part.suffix == "_to_teacher"):
            figures += self._intra_figures(model, own.features, self._intra)
        return figures

    def _distances(self, own: Measured, measured: Measured, part: ReferenceSet) -> list[Figure]:
        network, count, where = self.network, len(self.y), f"{len(part.y):,} {part.words}"
        to = " to the teacher" if part.suffix else "" if network.inception else " to the photos"
        fid_key, fid_title = network.key("fid", count, part.suffix), network.title("FID") + to
        distance = frechet_distance(own.statistics, measured.statistics)
        # The teacher's images are of the models' latents, image by image.
        error = frechet_error(distance, own.features, measured.features, paired=bool(part.suffix))
        splits = f"{error.splits} disjoint splits of {error.split_size} images (seed 0)"
        kernel = kernel_distance(own.features, measured.features, self.kid_subset_size)
        kid_key = network.key("kid", count, part.suffix)
        kid_how = (
            f"unbiased squared MMD with the kernel (x·y/D + 1)³, mean over {kernel.subsets} disjoint subsets of "
            f"{kernel.subset_size} images (seed {kernel.seed}), {where}, {network.how}"
        )
        return [
            Figure(
                fid_key,
                distance,
                fid_title,
                "lower",
                f"Fréchet distance of {count:,} images to {where}, {network.how}",
            ),
            Figure(
                f"{fid_key}_standard_error",
                error.standard_error,
                f"{fid_title}, standard error",
                None,
                f"deviation of {splits} over the root of their number",
            ),
            Figure(
                f"{fid_key}_excess",
                error.excess,
                f"{fid_title}, excess",
                None,
                f"by how much it is too high, at least, because there are {count:,} images and no more: "
                f"1/{error.splits - 1} of what the mean of {splits} lies above it",
            ),
            Figure(kid_key, kernel.value, network.title("KID") + to, "lower", kid_how),
            Figure(
                f"{kid_key}_standard_error",
                kernel.standard_error,
                network.title("KID") + to + ", standard error",
                None,
                "deviation of those subsets over the root of their number",
            ),
        ]

    def _score(self, probabilities: np.ndarray) -> list[Figure]:
        mean, deviation = inception_score(probabilities)
        key, title = self.network.key("inception_score", len(self.y)), self.network.title("Inception Score")
        how = f"of {len(self.y):,} images in {SPLITS} splits, no bias in the last layer, {self.network.how}"
        return [
            Figure(key, mean, title, "higher", how),
            Figure(f"{key}_std", deviation, f"{title}, deviation", None, "standard deviation of the splits"),
        ]

    @dataclasses.dataclass(frozen=True, eq=False)
    class _Intra:
        part: ReferenceSet
        statistics: dict[int, GaussianStatistics]
        count: int  # images per class of a model
        reference_count: int

    def _intra_counts(self, part: ReferenceSet, samples: int | None) -> tuple[int, int] | None:
        """Return the images per class of a model and of the reference; None leaves intra-FID out."""
        own, theirs = intra_class.class_counts(self.y), intra_class.class_counts(part.y)
        if len(own) < 2:
            self.notes.append(
                f"All images are of class {self.y[0]}: a distance within classes is absent, it would be the "
                "whole one."
            )
            return None
        lowest, reference_lowest = min(own.values()), min(theirs.values())
        if samples is not None and (samples > lowest or samples < 2):
            label = min(own, key=lambda index: own[index])
            raise UserError(
                f"a distance within classes of {samples} images: there are {lowest} of class {label}; draw at "
                f"least {samples} of each of the {len(own)} classes, or ask for 2 to {lowest}"
            )
        if samples is None and min(lowest, reference_lowest) < FEWEST_PER_CLASS:
            self.notes.append(
                f"{self.network.name}: a distance within classes needs {FEWEST_PER_CLASS} images each, the least "
                f"frequent class has {lowest} of a model and {reference_lowest} of {part.words}; it is absent."
            )
            return None
        if reference_lowest < 2:
            raise UserError(
                f"a distance within classes needs 2 images each of {part.words}, a class has 1; add some"
            )
        return samples or lowest, reference_lowest

    def _prepare_intra(self, count: int, reference_count: int) -> _Intra:
        part, measured = self.references[0]
        statistics = intra_class.class_statistics(measured.features, part.y, reference_count)
        return self._Intra(part, statistics, count, reference_count)

    @property
    def intra_key(self) -> str | None:
        """Return the name of the mean intra-FID, or None where it is not measured."""
        return self._intra and self.network.key("intra_fid", self._intra.count, self._intra.part.suffix)

    def _intra_figures(self, model: str, features: np.ndarray, intra: _Intra) -> list[Figure]:
        key = self.intra_key
        assert key is not None
        values = intra_class.class_distances(
            features, self.y, intra.count, intra.statistics, f"{self.network.name} classes of {model}"
        )
        self.per_class[model] = values
        title = self.network.title("intra-FID") + (" to the teacher" if intra.part.suffix else "")
        figures = [
            Figure(
                key,
                float(np.mean(list(values.values()))),
                title,
                "lower",
                f"mean over {len(values)} classes of the Fréchet distance of {intra.count} images to "
                f"{intra.reference_count} {intra.part.words}, {self.network.how}",
            )
        ]
        others = {"teacher": self.per_class.get("teacher"), "given": self.given}
        for name, other in others.items():
            if other and name != model and (found := intra_class.correlation(values, other)) is not None:
                whose = "the teacher's" if name == "teacher" else "the given"
                how = f"Pearson's over the {len(values.keys() & other.keys())} classes"
                words = f"{title}, correlation to {whose}"
                figures.append(Figure(f"{key}_correlation_to_{name}", found, words, "higher", how))
        return figures

    def floor(self) -> list[Figure]:
        """Return FID and KID of two disjoint random halves of the real images, at most a model's number each."""
        if not self.references or self.references[0][0].suffix:
            return []
        part, measured = self.references[0]
        half = min(len(part.y) // 2, len(self.y))
        if half < FEWEST_IMAGES:
            self.notes.append(
                f"{self.network.name}: the distance between halves of the real images needs {2 * FEWEST_IMAGES}, "
                f"there are {len(part.y)}; it is absent."
            )
            return []
        order = np.random.default_rng(_SEED).permutation(len(part.y))
        a, b = (measured.features[np.sort(order[i * half : (i + 1) * half])] for i in (0, 1))
        how = f"two disjoint random halves of {half:,} real images each (seed {_SEED}), {self.network.how}"
        distance = frechet_distance(gaussian_statistics(a), gaussian_statistics(b))
        kernel = kernel_distance(a, b, self.kid_subset_size if (self.kid_subset_size or 0) * 2 <= half else None)
        return [
            Figure(
                self.network.key("fid", half, "_real_to_real"),
                distance,
                f"{self.network.title('FID')}, real to real",
                None,
                how,
            ),
            Figure(
                self.network.key("kid", half, "_real_to_real"),
                kernel.value,
                f"{self.network.title('KID')}, real to real",
                None,
                f"{kernel.subsets} disjoint subsets of {kernel.subset_size}, {how}",
            ),
        ]
