"""The table: all rows on the same latents, judged by benchmarks/quality."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.animals64.order import order_sentence
from benchmarks.animals64.settings import INT8, STUDENT, STUDENTS, TEACHER, AnimalsConfig
from compress.config import INT8_FILE
from train.biggan import WEIGHTS_FILE
from train.checkpoint import TEACHER_FOLDER
from train.classes import class_names, parse_classes
from train.errors import UserError
from train.files import file_hash, write_atomically, write_json
from train.images import save_png
from train.judging import JUDGED_SEED
from train.noise import SAMPLER, latents_in_turn
from train.reals import open_reals
from train.run import FINISHED_FILE
from train.sampling import labelled_rows
from train.snapshot import STUDENT_FILE
from train.teacher import open_teacher

if TYPE_CHECKING:  # the evaluator is loaded where something is judged, not where students are trained
    from benchmarks.quality.settings import QualitySettings

_FLOAT = "float"  # what the evaluator calls the student that the int8 one is compared with
_TITLES = {TEACHER: "teacher", STUDENT: STUDENTS[STUDENT][1], INT8: f"{STUDENTS[STUDENT][1]}, int8"}
_TITLES |= {name: title for name, (_, title) in STUDENTS.items() if name != STUDENT}
PICTURE = "comparison.png"
_PICTURE_COLUMNS = 10


def weights(config: AnimalsConfig) -> dict[str, Path]:
    """Return the weights of every row, whether they are there or not."""
    files = {TEACHER: config.folder / TEACHER / TEACHER_FOLDER / WEIGHTS_FILE}
    for name in STUDENTS:
        files[name] = config.folder / name / STUDENT_FILE
        if name == STUDENT:
            files[INT8] = config.qat().folder / INT8_FILE
    return files


def _inputs(config: AnimalsConfig) -> dict[str, Any]:
    """Return all that decides the table, files by content."""
    files = {name: getattr(config, name) for name in ("validation", "features", "inception", "classifier")}
    given = {name: path for name, path in files.items() if path is not None} | weights(config)
    for name, path in given.items():
        if not path.is_file():
            raise UserError(f"no {name} at {path}, so the table cannot be made; restore it or unpack it")
    return {name: file_hash(path) for name, path in given.items()} | {"judged_per_class": config.judged_per_class}


def table_is_there(config: AnimalsConfig) -> bool:
    """Return whether the table was made from what is there now."""
    try:
        return json.loads(config.out.read_text())["inputs"] == _inputs(config)
    except (FileNotFoundError, ValueError, KeyError, TypeError, UserError):
        return False


def make_table(config: AnimalsConfig, device: torch.device) -> None:
    """Draw on `device`, judge, and write the table as JSON and Markdown.

    Raises:
        UserError: weights are missing, the runs differ in length, or as `benchmarks.quality.evaluate`.
    """
    from benchmarks.quality.evaluate import Asked, evaluate

    inputs = _inputs(config)
    lengths = {name: _images(config.folder / name) for name in (TEACHER, *STUDENTS)}
    check_equal_images({name: lengths[name] for name in STUDENTS})
    run = config.student(STUDENT)
    known, truncation = run.generator.num_classes, run.data.truncation
    classes, names = parse_classes(config.classes, known), class_names(known)
    count = config.judged_per_class * len(classes)
    z, y = latents_in_turn(classes, JUDGED_SEED, count, run.generator.z_dim, truncation)
    images = _draw(config, inputs, z, y, device)
    _draw_picture(images, config.folder / PICTURE)
    reals = open_reals(str(config.validation), run.generator.image_size, classes, known, config.folder / "cache")
    latents = f"truncated normal, {SAMPLER}, consecutive seeds"
    quality = evaluate(
        images,
        Asked(y, truncation, JUDGED_SEED, latents, {label: names[label] for label in classes}),
        _quality_settings(config),
        # A table is read on other machines than the one where the pack lies.
        reals=dataclasses.replace(reals, source=config.validation.name),
    )
    lengths[INT8] = lengths[STUDENT] + config.images_int8
    rows: dict[str, dict[str, Any]] = {
        name: {"title": title, "training_images": lengths[name]} for name, title in _TITLES.items()
    }
    for name, figures in quality.rows.items():
        rows[STUDENT if name == _FLOAT else name] |= figures
    absent = "Without --classifier top-1 and top-5 of the class asked for are absent."
    table = {
        "inputs": inputs,
        "rows": rows,
        "columns": quality.columns,
        "real_to_real": quality.floor,
        "protocol": quality.record,
        "left_out": [*quality.notes, *([] if config.classifier else [absent])],
        "order": _orders(rows, quality.columns),
    }
    write_json(config.out, table)
    text = markdown(table)
    write_atomically(config.out.with_suffix(".md"), lambda path: path.write_text(text))
    print(f"{text}\ntable: {config.out}; pictures: {config.folder / PICTURE}")


def _draw(
    config: AnimalsConfig, inputs: Mapping[str, Any], z: np.ndarray, y: np.ndarray, device: torch.device
) -> dict[str, np.ndarray]:
    """Return every row's images by the evaluator's names; those drawn by an earlier call come from the disk."""
    from benchmarks.scoring import Drawer, by_student, by_teacher

    truncation = config.student(STUDENT).data.truncation
    teacher = open_teacher(str(config.folder / TEACHER / TEACHER_FOLDER), truncation)
    drawers = {TEACHER: Drawer(TEACHER, teacher.fingerprint, lambda: by_teacher(teacher, device))}
    for name, path in weights(config).items():
        if name != TEACHER:
            where = torch.device("cpu") if name == INT8 else device  # whose rounding is the phone's
            drawers[_FLOAT if name == STUDENT else name] = Drawer(name, inputs[name], by_student(path, where))
    images = {}
    for name, drawer in drawers.items():
        print(f"drawing {len(y):,} images: {drawer.name}", flush=True)
        images[name] = drawer.images(z, y, config.folder / "cache" / "images")
    return images


def _quality_settings(config: AnimalsConfig) -> "QualitySettings":
    from benchmarks.quality.evaluate import QualitySettings

    return QualitySettings(
        inception=config.inception,
        preprocessing=("legacy_tensorflow",),
        features=config.features,
        classifier=config.classifier,
        cross_check=(),
        device=config.device,
        cache=config.folder / "cache" / "features",
    )


def _images(folder: Path) -> int:
    try:
        return int(json.loads((folder / FINISHED_FILE).read_text())["images"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        raise UserError(f"{folder} is not finished, so the table cannot be made; train it first") from None


def check_equal_images(lengths: Mapping[str, int]) -> None:
    """Raise a UserError unless all students saw as many images: rows of different length say nothing."""
    (first, expected), *others = lengths.items()
    for name, images in others:
        if images != expected:
            raise UserError(
                f"{name} was trained on {images:,} images and {first} on {expected:,}; train both for as long"
            )


def _orders(rows: Mapping[str, Mapping[str, Any]], columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    sentences = []
    for key, column in columns.items():
        if key.startswith("fid") and not key.endswith(("_to_teacher", "_real_to_real")):
            distances = {name: row[key] for name, row in rows.items() if key in row}
            sentences.append(order_sentence(distances, column["title"]))
    return sentences


def markdown(table: Mapping[str, Any]) -> str:
    """Return the table with a line for each row, and below it what it says and what is absent."""
    columns = {
        key: column["title"]
        for key, column in table["columns"].items()
        if key.startswith(("fid", "top")) and not key.endswith("_real_to_real")
    }
    heads = [*columns.values(), "int8 to float, dB"]
    lines = [f"| objective | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    for name, row in table["rows"].items():
        cells = [_cell(key, row.get(key)) for key in columns]
        cells.append(_cell("psnr", row.get(f"psnr_to_{_FLOAT}") if name == INT8 else None))
        lines.append(f"| {row['title']} | {' | '.join(cells)} |")
    rows, protocol = table["rows"], table["protocol"]
    floor = [
        f"{table['columns'][key]['title']}: {value:.4g} ({table['columns'][key]['how']})."
        for key, value in table["real_to_real"].items()
        if key.startswith("fid")
    ]
    lengths = f"{rows[TEACHER]['training_images']:,} training images of the teacher, "
    lengths += f"{rows[STUDENT]['training_images']:,} of every float student; "
    judged = f"{protocol['images']:,} judged latents, one seed."
    lines += ["", lengths + judged, *table["order"], *floor, *table["left_out"]]
    return "\n".join(lines) + "\n"


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key.startswith("top"):
        return f"{value:.1%}"
    # Distances on other features than the standard ones may all lie below 3.
    return f"{value:.4g}" if key.startswith("fid") else f"{value:.1f}"


def _draw_picture(images: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw every row's images of the first latents, each of another class, under one another."""
    lines = [of_model[:_PICTURE_COLUMNS] for of_model in images.values()]
    # The font of the pictures has no minus sign.
    titles = [_TITLES[STUDENT if name == _FLOAT else name].replace("−", "-") for name in images]
    save_png(labelled_rows(lines, titles), path)
