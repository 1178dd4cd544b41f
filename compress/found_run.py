"""A found student as a run folder: drawn, quantized, exported and measured like any other."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compress.float_run import FloatRun
from train.checkpoint import DISCRIMINATOR_FILE, TEACHER_FOLDER
from train.errors import UserError
from train.files import save_tensors, write_json
from train.generator import Generator
from train.judging import judge_digits
from train.places import CONFIG_FILE, beside, record_places
from train.progress import comparison_sheet, draw
from train.run import FINISHED_FILE, ending
from train.snapshot import STUDENT_FILE, save_snapshot
from train.sources import Sources, grid_reference

FOUND_FILE = "found.json"
STUDENTS_FOLDER = "students"
"""The students that a search compared: found, uniform_slice, full and fine_tuned, as snapshots."""


@dataclasses.dataclass(frozen=True)
class FoundStudent:
    """A student to go on with."""

    student: Generator
    """With widths of its own, in eval mode, calibrated."""
    critic: nn.Module
    images: int
    """That were trained on since the full student's run."""


def read_found(folder: Path, key: dict[str, Any]) -> dict[str, Any] | None:
    """Return what an earlier search wrote of the student in `folder`; None where there is none yet.

    Args:
        folder: of one budget.
        key: what decides the student.

    Raises:
        UserError: the folder holds something else.
    """
    path = folder / FOUND_FILE
    remedy = "delete it, or give another --out"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["search"] != json.loads(json.dumps(key)):
            raise UserError(f"{folder} was found by a search with other settings; {remedy}")
        return stored if (folder / FINISHED_FILE).is_file() else None
    except FileNotFoundError:
        if (folder / CONFIG_FILE).is_file():
            raise UserError(f"{folder} holds something else than a found student; {remedy}") from None
        return None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged; delete {folder}, or give another --out") from None


def write_run(
    folder: Path,
    kept: FoundStudent,
    found: dict[str, Any],
    students: Mapping[str, Generator],
    *,
    run: FloatRun,
    sources: Sources,
) -> None:
    """Write a student with its settings, its critic, a picture and, for digits, its quality.

    Args:
        folder: of the new run.
        kept: what goes into it.
        found: what the search says of it.
        students: that were compared, each to be kept beside it.
        run: of the full student.
        sources: its data.
    """
    write_json(folder / FOUND_FILE, found)
    student = kept.student
    info = dataclasses.replace(run.info, generator=student.config, images=run.info.images + kept.images)
    for name, each in students.items():
        own = dataclasses.replace(info, generator=each.config)
        save_snapshot(folder / STUDENTS_FOLDER / f"{name}.safetensors", each, own)
    config = dataclasses.replace(run.config, generator=student.config)
    save_tensors(folder / DISCRIMINATOR_FILE, kept.critic.state_dict(), {})
    save_snapshot(folder / STUDENT_FILE, student, info)
    # The collection of pairs beside the full student's run is this one's too.
    shared = run.config.runtime.shared or str(beside(run.folder, "."))
    places = record_places(dataclasses.asdict(config.data) | {"shared": shared}, folder)
    write_json(folder / CONFIG_FILE, {"settings": config.learned(), "places": places, "torch": torch.__version__})
    reference = grid_reference(sources, config.generator.z_dim, config.seed)
    comparison_sheet(reference, [draw(student, reference)], folder / "samples" / "final.png")
    if config.data.reals == "digits":
        judge_digits(config, sources, folder, student, folder / TEACHER_FOLDER)
    write_json(folder / FINISHED_FILE, ending(config))
