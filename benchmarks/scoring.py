"""Quality: every model draws the same latents, artifacts in their own runtimes, and one evaluator judges them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from benchmarks.model import Model, teacher_spec
from benchmarks.quality.evaluate import Asked, Quality, QualitySettings, evaluate
from benchmarks.quality.features import full_precision
from benchmarks.results import Results
from benchmarks.settings import BenchmarkConfig
from compress.config import INT8_STUDENTS
from deploy.manifest import versions
from deploy.runners import runner_of
from train.commands import typed
from train.errors import UserError
from train.files import file_hash, write_atomically
from train.images import save_png, sheet, to_bytes
from train.noise import SAMPLER
from train.reals import open_reals
from train.sampling import generate
from train.snapshot import load_student
from train.teacher import Teacher, open_teacher

TEACHER, FLOAT, CONTROL = "teacher", "float", "control"
CONTROL_FILE = Path("qat/control") / INT8_STUDENTS["int8"].name
PICTURE_FILE = "comparison.png"
_PICTURE_ROWS, _PICTURE_COLUMNS = 3, 10
_BATCH = 100
_CPU = torch.device("cpu")

Draw = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""z float32 [N, z_dim] and y int64 [N] → uint8 [N, H, W, 3]."""


class Drawer:
    """Something that draws the judged latents; its images are stored, so that a second run need not draw them.

    Args:
        name: of the model.
        sha256: of what it is loaded from.
        open: loads it.
        tools: packages that decide what it computes.
    """

    def __init__(self, name: str, sha256: str, open: Callable[[], Draw], *tools: str) -> None:
        self.name, self._open = name, open
        self.inputs = {"sha256": sha256, "tools": versions(*tools)}

    def images(self, z: np.ndarray, y: np.ndarray, cache: Path) -> np.ndarray:
        """Return the images, uint8 [N, H, W, 3], mapped from the cache."""
        digest = hashlib.sha256(repr(self.inputs).encode())
        digest.update(z.tobytes() + y.tobytes())
        path = cache / f"{self.name}-{digest.hexdigest()[:16]}.npy"
        if not path.is_file():
            drawn = self._open()(z, y)
            write_atomically(path, lambda temporary: _save(temporary, drawn))
        return np.load(path, mmap_mode="r")


def measure_quality(model: Model, config: BenchmarkConfig, results: Results) -> list[str]:
    """Judge the teacher, the float student, its control, the quantized students and the artifacts.

    Models, figures and what was left out go into the section "quality"; a picture beside the results.

    Returns:
        A sentence for each thing that was asked for and failed.
    """
    drawers, left_out = find_drawers(model, config)
    if not drawers:
        return [f"quality was not measured, nothing here can draw: {'; '.join(left_out)}"]
    asked, settings = _asked(model, config), _settings(model, config)
    inputs = {drawer.name: drawer.inputs | {"asked": _plain(config)} for drawer in drawers}
    keys = {name: f"quality/{name}" for name in inputs}
    if not config.again and all(results.kept("quality", keys[name], inputs[name]) for name in inputs):
        print("quality: measured already", flush=True)
        return []
    z, y = model.latents(config.seed, config.images)
    images = {}
    for drawer in tqdm(drawers, desc="drawing", leave=False):
        images[drawer.name] = drawer.images(z, y, config.folder / "cache" / "images")
    _draw_picture(model, images, y, config.folder / PICTURE_FILE)
    quality = evaluate(
        images,
        asked,
        settings,
        reals=_reals(model, config),
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
        left_out=left_out + quality.notes,
    )
    return []


def find_drawers(model: Model, config: BenchmarkConfig) -> tuple[list[Drawer], list[str]]:
    """Return everything that can draw here, and a sentence for each thing that cannot."""
    drawers, notes = [], []
    if spec := teacher_spec(model, config.teacher):
        teacher = open_teacher(spec, model.truncation)
        drawers.append(Drawer(TEACHER, teacher.fingerprint, lambda: by_teacher(teacher)))
    else:
        notes.append("There is no teacher to draw with, so distances to it are absent: give one with --teacher.")
    for name in (FLOAT, CONTROL, *INT8_STUDENTS):
        path = model.run / CONTROL_FILE if name == CONTROL else model.students.get(name)
        if path is not None and path.is_file():
            drawers.append(Drawer(name, file_hash(path), by_student(path)))
        elif name == CONTROL:
            made = f"make it with: {typed('compress/compare.py', '--run', model.run)}"
            notes.append(f"There is no float control, trained for as long as the int8 student, at {path}: {made}")
        elif name in model.replaced:
            notes.append(f"the {name} student was not scored: {model.replaced[name]}")
    for artifact in model.artifacts:
        if reason := model.runs_here(artifact):
            notes.append(reason)
        else:
            package = "ai-edge-litert" if artifact["runtime"] == "tflite" else artifact["runtime"]
            drawers.append(Drawer(artifact["file"], artifact["sha256"], _by_artifact(model, artifact), package))
    return drawers, notes


def by_teacher(teacher: Teacher, device: torch.device = _CPU) -> Draw:
    """Return what draws with a teacher, which is moved to `device`."""
    teacher.to(device)

    def draw(z: np.ndarray, y: np.ndarray) -> np.ndarray:
        parts = zip(torch.from_numpy(z).split(_BATCH), torch.from_numpy(y).split(_BATCH), strict=True)
        with full_precision():
            return np.concatenate([to_bytes(teacher(a.to(device), b.to(device))) for a, b in parts])

    return draw


def by_student(path: Path, device: torch.device = _CPU) -> Callable[[], Draw]:
    """Return what loads the student at `path`, float or int8, and draws with it on `device`."""

    def load() -> Draw:
        student: nn.Module = load_student(path)[0].to(device)

        def draw(z: np.ndarray, y: np.ndarray) -> np.ndarray:
            # By parts: the images of a whole evaluation as float32 may not fit into memory.
            parts = zip(torch.from_numpy(z).split(_BATCH), torch.from_numpy(y).split(_BATCH), strict=True)
            with full_precision():
                return np.concatenate([to_bytes(generate(student, *part, _BATCH)) for part in parts])

        return draw

    return load


def _by_artifact(model: Model, artifact: dict[str, Any]) -> Callable[[], Draw]:
    def load() -> Draw:
        _, open_runner = runner_of(artifact["runtime"], artifact["backend"])
        assert open_runner is not None
        run = open_runner(model.folder / artifact["file"])

        def draw(z: np.ndarray, y: np.ndarray) -> np.ndarray:
            pairs = tqdm(zip(z, y, strict=True), total=len(z), desc=artifact["file"], leave=False)
            return np.concatenate([to_bytes(torch.from_numpy(run(*model.inputs(*pair)))) for pair in pairs])

        return draw

    return load


def _asked(model: Model, config: BenchmarkConfig) -> Asked:
    _, y = model.latents(config.seed, config.images)
    return Asked(
        y,
        model.truncation,
        config.seed,
        latents=f"truncated normal, {SAMPLER}, consecutive seeds",
        names=model.classes,
    )


def _settings(model: Model, config: BenchmarkConfig) -> QualitySettings:
    return QualitySettings(
        inception=config.inception,
        features=config.features,
        classifier=config.classifier,
        classifier_labels=config.classifier_labels,
        teacher_intra_fid=config.teacher_intra_fid,
        digits=_reference(model, config) == "digits",
        cache=config.folder / "cache" / "features",
    )


def _reference(model: Model, config: BenchmarkConfig) -> str:
    stated = config.reference if config.reference is not None else model.setting("data", "reals")
    return stated or ""


def _reals(model: Model, config: BenchmarkConfig) -> Any:
    source = _reference(model, config)
    if not source:
        return None
    described = model.manifest["model"]
    return open_reals(
        source,
        described["image_size"],
        sorted(model.classes),
        described["num_classes"],
        config.folder / "cache" / "reals",
    )


def _plain(config: BenchmarkConfig) -> dict[str, Any]:
    """Return what decides the figures apart from the models: latents, references, networks by content."""
    files = {
        name: file_hash(path)
        for name in ("inception", "features", "classifier", "classifier_labels", "teacher_intra_fid")
        if (path := getattr(config, name)) is not None and _exists(path)
    }
    return {
        "images": config.images,
        "seed": config.seed,
        "teacher": config.teacher,
        "reals": config.reference,
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
    labels = [model.classes[int(y[column[0]])] for column in indices]
    size = images[shown[0]].shape[1]
    save_png(sheet(lines, labels, scale=max(1, 64 // size), group=len(shown)), path)


def _line(name: str, figures: dict[str, Any], quality: Quality) -> str:
    shown = [f"{quality.columns[key]['title']} {value:.4g}" for key, value in list(figures.items())[:6]]
    return f"{name:<32} {', '.join(shown)}"


def _save(path: Path, images: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, images)
