"""Quality: every model draws the same latents, artifacts in their own runtimes, and one evaluator judges them."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drawing import Drawer, Given, artifact_drawer, student_drawer
from benchmarks.judged import TEACHER, Judged, choose_judged
from benchmarks.model import Model
from benchmarks.quality.evaluate import Asked, Quality, QualitySettings, evaluate
from benchmarks.quality.features import choose_device
from benchmarks.quality.inception_file import find_inception
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from compress.config import INT8_STUDENTS
from train.classes import first_synonym
from train.commands import typed
from train.errors import UserError
from train.files import file_hash
from train.images import save_png, sheet
from train.reals import LEAVE_OUT, RealImages, open_reals

FLOAT, CONTROL = "float", "control"
CONTROL_FILE = Path("qat/control") / INT8_STUDENTS["int8"].name
PICTURE_FILE = "comparison.png"
_PICTURE_ROWS, _PICTURE_COLUMNS = 3, 10


def measure_quality(model: Model, config: BenchmarkConfig, results: Results) -> list[str]:
    """Judge the teacher, the float student, its control, the quantized students and the artifacts.

    Models, figures and what was left out go into the section "quality"; a picture beside the results.

    Returns:
        A sentence for each thing that was asked for and failed.
    """
    inception = find_inception(config.inception, download=config.download)
    judged = choose_judged(model, config)
    config = dataclasses.replace(config, inception=inception, images=len(judged.y))
    drawers, left_out = find_drawers(model, judged, config)
    if not drawers:
        return [f"quality was not measured, nothing here can draw: {'; '.join(left_out)}"]
    plain = _plain(config, judged.asked)
    inputs = {drawer.name: drawer.inputs | {"asked": plain} for drawer in drawers}
    keys = {name: f"quality/{name}" for name in inputs}
    if not config.again and all(results.kept("quality", keys[name], inputs[name]) for name in inputs):
        print("quality: measured already", flush=True)
        return []
    cache = config.folder / "cache" / "images"
    images = {drawer.name: drawer.images(judged.z, judged.y, cache) for drawer in drawers}
    _draw_picture(model, images, judged.y, config.folder / PICTURE_FILE)
    quality = evaluate(
        images,
        judged.asked,
        _settings(model, config),
        reals=open_reference(model, config),
        picture=config.folder / "worst_classes.png",
        worst_of=_scored_int8(images),
    )
    for name, figures in quality.rows.items():
        results.put("quality", keys[name], inputs[name], {"name": name, **figures})
        print(_line(name, figures, quality), flush=True)
    if not config.only:
        results.keep_only("quality", "quality/", list(keys.values()))
    results.say(
        "quality",
        columns=quality.columns,
        real_to_real=quality.floor,
        per_class=quality.per_class,
        protocol=quality.record,
        left_out=left_out + _flattered(model, config) + quality.notes,
    )
    return []


def find_drawers(model: Model, judged: Judged, config: BenchmarkConfig) -> tuple[list[Drawer | Given], list[str]]:
    """Return everything that can draw here, and a sentence for each thing that cannot."""
    drawers = [judged.teacher] if judged.teacher else []
    notes, device = list(judged.left_out), choose_device(config.device)
    for name in (FLOAT, CONTROL, *INT8_STUDENTS):
        path = model.run / CONTROL_FILE if name == CONTROL else model.students.get(name)
        if path is not None and path.is_file():
            drawers.append(student_drawer(name, path, device))
        elif name == CONTROL and "float" in model.students and not model.run.is_file():
            made = f"make it with: {typed('compress/compare.py', '--run', model.run)}"
            notes.append(f"There is no float control, trained for as long as the int8 student, at {path}: {made}")
        elif name in model.replaced:
            notes.append(f"the {name} student was not scored: {model.replaced[name]}")
    for artifact in model.artifacts:
        if reason := model.runs_here(artifact):
            notes.append(reason)
        else:
            drawers.append(artifact_drawer(model, artifact))
    return drawers, notes


def _flattered(model: Model, config: BenchmarkConfig) -> list[str]:
    critic = model.setting("discriminator") or {}
    if not config.lite0 or critic.get("kind") != "projected":
        return []
    return [
        "The critic of this run looked at lite0's features, which flatters the distance on them: judge by FID, or "
        "by another network with --features."
    ]


def _settings(model: Model, config: BenchmarkConfig) -> QualitySettings:
    return QualitySettings(
        inception=config.inception,
        preprocessing=config.preprocessing,
        features=config.features,
        lite0=config.lite0,
        classifier=config.classifier,
        classifier_labels=config.classifier_labels,
        teacher_intra_fid=config.teacher_intra_fid,
        intra_samples=config.intra_samples,
        kid_subset_size=config.kid_subset_size,
        device=config.device,
        digits=_reference(model, config) == "digits",
        cache=config.folder / "cache" / "features",
    )


def _reference(model: Model, config: BenchmarkConfig) -> str:
    stated = config.reference if config.reference is not None else model.setting("data", "reals")
    return stated or ""


def open_reference(model: Model, config: BenchmarkConfig) -> RealImages | None:
    """Return the real images that were asked for, or the run's own; None where there are none."""
    source = _reference(model, config)
    if not source:
        return None
    described = model.manifest["model"]
    own = (model.setting("data") or {}).get("damaged", 0) if config.reference is None else 0
    return open_reals(
        source,
        described["image_size"],
        sorted(model.classes),
        described["num_classes"],
        config.folder / "cache" / "reals",
        damaged=own if config.damaged is None else config.damaged,
        remedy=LEAVE_OUT,
    )


def _plain(config: BenchmarkConfig, asked: Asked) -> dict[str, Any]:
    """Return what decides the figures apart from the models: latents, references, networks by content."""
    files = {
        name: file_hash(path)
        for name in ("inception", "features", "classifier", "classifier_labels", "teacher_intra_fid")
        if (path := getattr(config, name)) is not None and _exists(path)
    }
    return {
        "images": config.images,
        "latents": asked.latents,
        "seed": asked.first_seed,
        "teacher": config.teacher,
        "reals": config.reference,
        "protocol": [config.lite0, config.preprocessing, config.intra_samples, config.kid_subset_size],
    } | files


def _exists(path: Path) -> bool:
    if not path.is_file():
        raise UserError(f"no file at {path}")
    return True


def _scored_int8(images: dict[str, np.ndarray]) -> str:
    """Return the model whose worst classes are drawn: an int8 artifact, or else the nearest thing to it."""
    return next((name for name in reversed(images) if "int8" in name), list(images)[-1])


def _draw_picture(model: Model, images: dict[str, np.ndarray], y: np.ndarray, path: Path) -> None:
    """Draw teacher, float and int8 student under one another, a column per class."""
    shown = [name for name in (TEACHER, FLOAT, _scored_int8(images)) if name in images]
    indices = [np.flatnonzero(y == label)[:_PICTURE_ROWS] for label in np.unique(y)[:_PICTURE_COLUMNS]]
    # The last classes may have an image less.
    rows = zip(*indices, strict=False)
    lines = [images[name][list(row)] for row in rows for name in shown]
    labels = [first_synonym(model.classes[int(y[column[0]])]) for column in indices]
    size = images[shown[0]].shape[1]
    save_png(sheet(lines, labels, scale=max(1, 64 // size), group=len(shown)), path)


def _line(name: str, figures: dict[str, Any], quality: Quality) -> str:
    shown = [f"{quality.columns[key]['title']} {value:.4g}" for key, value in list(figures.items())[:6]]
    return f"{name:<32} {', '.join(shown)}"
