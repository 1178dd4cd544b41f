"""Judge the images that all models made of the same latents."""

import functools
import importlib.metadata
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.cross_check import clean_fid_distance, open_clean_fid
from benchmarks.quality.features import FeatureNetwork, choose_device, open_features, open_inception, open_lite0
from benchmarks.quality.fidelity import fidelity
from benchmarks.quality.figure import Figure
from benchmarks.quality.inception_file import INCEPTION_FILE
from benchmarks.quality.intra_class import class_counts, read_class_values, worst
from benchmarks.quality.network_judge import NetworkJudge, ReferenceSet
from benchmarks.quality.recognition import ImageNetClassifier
from benchmarks.quality.reference import FeatureStore, images_hash
from benchmarks.quality.settings import Asked, Quality, QualitySettings
from benchmarks.quality.worst_classes import write_worst_classes
from train import digits
from train.classes import classes_text
from train.errors import UserError
from train.images import within_class_deviation
from train.reals import RealImages, of_classes

# Models of these names are what the others' images are compared with, one by one.
PAIRED = {"teacher": "the teacher", "float": "the float student", "control": "the float control"}


def evaluate(
    models: Mapping[str, np.ndarray],
    asked: Asked,
    settings: QualitySettings,
    *,
    reals: RealImages | None = None,
    picture: Path | None = None,
    worst_of: str = "",
    on_row: Callable[[str, dict[str, Any]], None] | None = None,
) -> Quality:
    """Judge the models' images of the same latents.

    Args:
        models: name → uint8 [N, H, W, 3], which may be a memory map; "teacher", "float" and "control" are what the
            others are compared with.
        asked: the latents and classes.
        settings: what to measure.
        reals: real images; those of the classes asked for are compared with.
        picture: where the ten worst classes are drawn, if intra-FID is measured.
        worst_of: the model whose worst classes they are; the last one by default.
        on_row: is told every model and its metrics as soon as they are whole.

    Raises:
        UserError: images that do not fit each other, a file that is not what it should be, too few images.
    """
    start = time.monotonic()
    _check(models, asked, worst_of)
    session = _Session(
        models, asked, settings, None if reals is None else of_classes(reals, np.unique(asked.y).tolist())
    )
    columns: dict[str, dict[str, Any]] = {}

    def tabulate(figures: Sequence[Figure]) -> dict[str, Any]:
        for figure in figures:
            columns[figure.key] = {"title": figure.title, "better": figure.better, "how": figure.how}
        return {figure.key: figure.rounded for figure in figures}

    found = {}
    # The teacher first: the others' intra-FID is correlated with its own.
    for name in sorted(models, key=lambda name: name != "teacher"):
        found[name] = tabulate(session.figures(name))
        if on_row is not None:
            on_row(name, found[name])
    floor = tabulate([figure for judge in session.judges for figure in judge.floor()])
    if picture is not None:
        session.draw_worst(picture, worst_of or list(models)[-1])
    per_class = {
        judge.intra_key: {
            model: {str(label): float(f"{value:.6g}") for label, value in values.items()}
            for model, values in judge.per_class.items()
        }
        for judge in session.judges
        if judge.intra_key
    }
    record = session.record() | {"seconds": round(time.monotonic() - start, 1)}
    return Quality({name: found[name] for name in models}, columns, floor, per_class, record, session.all_notes())


def _check(models: Mapping[str, np.ndarray], asked: Asked, worst_of: str) -> None:
    if not models:
        raise UserError("there are no images to judge")
    if worst_of and worst_of not in models:
        raise UserError(f"the worst classes of {worst_of!r} cannot be drawn; there are {', '.join(models)}")
    first, shape = next((name, images.shape) for name, images in models.items())
    for name, images in models.items():
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or images.shape != shape:
            raise UserError(
                f"{name} has {images.dtype} images of shape {list(images.shape)}; uint8 [N, H, W, 3] like those "
                f"of {first}, {list(shape)}, are needed"
            )
    if len(asked.y) != shape[0] or not shape[0]:
        raise UserError(f"{shape[0]} images and {len(asked.y)} classes asked for; one class per image is needed")


class _Session:
    """Everything opened once: the networks, the classifier, the references."""

    def __init__(
        self,
        models: Mapping[str, np.ndarray],
        asked: Asked,
        settings: QualitySettings,
        reals: RealImages | None,
    ) -> None:
        self.models, self.asked, self.settings, self.reals = models, asked, settings, reals
        self.notes: list[str] = []
        self.store = FeatureStore(settings.cache, settings.batch_size)
        if settings.digits and settings.classifier is not None:
            raise UserError("--classifier knows ImageNet's classes, these are digits; leave it out")
        self.classifier = (
            ImageNetClassifier(settings.classifier, settings.classifier_labels) if settings.classifier else None
        )
        self.device = choose_device(settings.device)
        self.networks = self._open_networks()
        references = self._references()
        self.given = read_class_values(settings.teacher_intra_fid)
        self.judges = [
            NetworkJudge(
                network,
                self.store,
                asked.y,
                references,
                kid_subset_size=settings.kid_subset_size,
                intra_samples=settings.intra_samples,
                given=self.given,
            )
            for network in self.networks
        ]

    def _open_networks(self) -> list[FeatureNetwork]:
        settings, networks = self.settings, []
        if settings.inception is not None:
            networks += [open_inception(settings.inception, mode, self.device) for mode in settings.preprocessing]
        if settings.features is not None:
            networks.append(open_features(settings.features, self.device))
        if settings.lite0 and (self.reals is not None or "teacher" in self.models):
            networks.append(open_lite0(self.device))
        if settings.inception is None:
            absent = "FID, KID, Inception Score and intra-FID are" if not networks else "FID proper is"
            self.notes.append(
                f"{absent} absent: give the standard {INCEPTION_FILE} with --inception FILE, or fetch it with "
                + ("--download." if networks else "--download; or any TorchScript network with --features.")
            )
        return networks

    def _references(self) -> list[ReferenceSet]:
        references = []
        if self.reals is not None:
            references.append(ReferenceSet("", "real images", self.reals.images, self.reals.labels))
        if "teacher" in self.models:
            teacher = self.models["teacher"]
            references.append(ReferenceSet("_to_teacher", "images of the teacher", teacher, self.asked.y))
        if self.networks and self.reals is None:
            there = "are to the teacher's images only" if references else "are absent, there is no teacher either"
            self.notes.append(f"Without real images distances {there}: give --reference a folder or a pack.")
        if self.settings.inception is not None and self.settings.cross_check:
            absent = sorted(set(self.settings.cross_check) - self.models.keys())
            if self.reals is None:
                self.notes.append("clean-fid's own value is absent, it is taken to real images only.")
            elif absent:
                self.notes.append(
                    f"clean-fid's own value is absent for {', '.join(absent)}: there is no such model."
                )
        return references

    def figures(self, name: str) -> list[Figure]:
        """Return everything about one model."""
        images = self.models[name]
        figures = self._recognition(name, images) + self._paired(name, images)
        for judge in self.judges:
            figures += judge.figures(name, images)
        if self.settings.inception is not None and name in self.settings.cross_check and self.reals is not None:
            figures += self._by_clean_fid(images, name, self.reals)
        return figures

    def _recognition(self, name: str, images: np.ndarray) -> list[Figure]:
        figures = []
        if self.settings.digits:
            share = digits.recognised(images, self.asked.y)
            how = (
                "share that a support-vector classifier of real digits takes for the class asked for; it is right "
            )
            how += f"on {digits.judge_accuracy():.1%} of unseen real ones"
            figures.append(Figure("recognised", share, "recognised", "higher", how))
            how = "deviation within a class over that of the real digits"
            figures.append(Figure("diversity", digits.diversity(images, self.asked.y), "diversity", None, how))
        if self.classifier is not None:
            for key, share in self.classifier.agreement(images, self.asked.y, name).items():
                first, _, among = key.partition("_")[0].removeprefix("top").partition("of")
                title = f"top-{first} agreement" + (f" of {among} classes" if among else "")
                ahead = "no other class" if first == "1" else f"fewer than {first} other classes"
                ahead += f" of the {among} asked for" if among else ""
                how = f"share with {ahead} at or above the score of the one asked for, by {self.classifier.name}"
                figures.append(Figure(key, share, title, "higher", how))
        return figures

    def _paired(self, name: str, images: np.ndarray) -> list[Figure]:
        figures = []
        for reference, words in PAIRED.items():
            if reference not in self.models or reference == name:
                continue
            found = fidelity(images, self.models[reference])
            how = f"of all bytes, to {words}'s image of the same latent"
            if found.psnr is None:
                self.notes.append(f"{name} has the very bytes of {words}; its PSNR is infinite and absent.")
            else:
                psnr_how = f"from the mean squared error {how}"
                figures.append(Figure(f"psnr_to_{reference}", found.psnr, f"dB to {words}", "higher", psnr_how))
            ssim_how = f"11 × 11 Gaussian windows, mean over colours and images, {how}"
            l1_how = f"mean absolute difference in [-1, 1], {how}"
            figures.append(Figure(f"ssim_to_{reference}", found.ssim, f"SSIM to {words}", "higher", ssim_how))
            figures.append(Figure(f"l1_to_{reference}", found.l1, f"L1 to {words}", "lower", l1_how))
        if "teacher" in self.models and name != "teacher" and (deviation := self._teacher_deviation):
            value = within_class_deviation(images, self.asked.y) / deviation
            how = "deviation within a class over that of the teacher's images"
            figures.append(Figure("diversity_to_teacher", value, "diversity to the teacher", None, how))
        return figures

    @functools.cached_property
    def _teacher_deviation(self) -> float:
        return within_class_deviation(self.models["teacher"], self.asked.y)

    def _by_clean_fid(self, images: np.ndarray, name: str, reals: RealImages) -> list[Figure]:
        assert self.settings.inception is not None
        figures = []
        for mode in self.settings.preprocessing:
            theirs = open_clean_fid(self.settings.inception, mode, self.device)
            own = self.store.measure(theirs, images, name).features
            real = self.store.measure(theirs, reals.images, "real images").features
            key = next(network for network in self.networks if network.name == mode).key("fid", len(images))
            value, how = clean_fid_distance(own, real), f"{theirs.how}, on the same images"
            figures.append(Figure(f"{key}_by_clean_fid", value, f"FID by clean-fid, {mode}", "lower", how))
        return figures

    def draw_worst(self, path: Path, model: str) -> None:
        """Draw the ten worst classes by the first network that measured intra-FID."""
        values = next((judge.per_class[model] for judge in self.judges if model in judge.per_class), None)
        if values is None:
            return
        chosen = {label: values[label] for label in worst(values)}
        if "teacher" in self.models and model != "teacher":
            above = RealImages(self.models["teacher"], self.asked.y, "teacher")
            words = ("teacher", model)
        else:
            assert self.reals is not None
            above, words = self.reals, ("real", model)
        own = RealImages(self.models[model], self.asked.y, model)
        write_worst_classes(path, chosen, own, above, names=self.asked.names, words=words)

    def record(self) -> dict[str, Any]:
        """Return how everything was measured."""
        asked, counts = self.asked, class_counts(self.asked.y)
        record: dict[str, Any] = {
            "images": len(asked.y),
            "image_size": next(iter(self.models.values())).shape[1],
            "latents": asked.latents,
            "first_seed": asked.first_seed,
            "truncation": asked.truncation,
            "classes": classes_text(sorted(counts)),
            "images_per_class": sorted(set(counts.values())),
            "networks": [
                {"name": n.name, "how": n.how, "dimensions": n.dimensions, "sha256": n.sha256}
                for n in self.networks
            ],
        }
        if self.reals is not None:
            record["reals"] = {
                "source": self.reals.source,
                "images": len(self.reals.labels),
                "images_per_class": sorted(set(class_counts(self.reals.labels).values())),
                "sha256": images_hash(self.reals.images),
            }
        if self.networks:
            record["device"] = str(self.device)
            record["versions"] = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "scipy")}
            if any(network.name == "clean" for network in self.networks):
                record["versions"]["clean-fid"] = importlib.metadata.version("clean-fid")
        return record

    def all_notes(self) -> list[str]:
        """Return every sentence, once."""
        return list(
            dict.fromkeys(self.notes + [n for judge in self.judges for n in judge.notes] + self.store.notes)
        )
