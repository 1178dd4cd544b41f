"""The table of figures in report.json; rows that are there are kept, so that a stopped comparison goes on."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compress.by_class import ByClass
from compress.config import QatConfig
from compress.evaluate import Judge
from compress.fake_quant import QuantGenerator
from compress.finetune import Result
from compress.float_run import FloatRun
from compress.int8_file import save_int8
from train.files import write_json
from train.snapshot import STUDENT_FILE

REPORT_FILE = "report.json"
FLOAT_ROW, POST_TRAINING_ROW, QAT_ROW = "float student", "{bits} post-training", "{bits} QAT"

COLUMNS = {
    "recognised": "share of images that the judge of digits takes for the class asked for",
    "diversity": "within-class deviation over that of the real digits",
    "diversity_to_teacher": "within-class deviation over that of the teacher's images",
    "l1_to_teacher": "mean absolute difference to the teacher's image of the same z and y, in [0, 2]",
    "psnr_to_float": "dB of the float images in [-1, 1] to the float student's",
    "psnr_to_control": "the same to the float control's, which was trained on for exactly as long",
    "psnr_to_own_float": "the same to the float model that was rounded",
    "bytes": "size of the file",
    "seconds": "of training, or of calibration, on this machine",
}
NOTE = (
    "psnr_to_float is no target for a trained row: training goes on under the teacher, so the student moves away "
    "from where it was, rounded or not, while it gets better. Compare trained rows with the float control."
)


class Table:
    """Rows by name, written after each one.

    Args:
        path: the JSON file; rows of other weights or latents in it are dropped.
        run: the float run.
        judge: measures the images.
    """

    def __init__(self, path: Path, run: FloatRun, judge: Judge) -> None:
        self.path, self.run, self.judge = path, run, judge
        self.float_images = judge.draw(run.student)
        self.control_images: torch.Tensor | None = None
        self.rows: dict[str, dict[str, Any]] = {}
        self._head = {
            "run": str(run.folder),
            "weights": run.fingerprint,
            "latents": judge.record,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "columns": COLUMNS,
            "note": NOTE,
        }
        stored = _read(path)
        if all(stored.get(name) == self._head[name] for name in ("weights", "latents")):
            self.rows = stored.get("rows", {})

    def kept(self, name: str, settings: dict[str, Any]) -> bool:
        """Return whether a row of these settings is there, with all its figures."""
        row = self.rows.get(name, {})
        return "psnr_to_control" in row and row.get("settings") == json.loads(json.dumps(settings))

    def add(
        self,
        name: str,
        generator: nn.Module,
        settings: dict[str, Any],
        *,
        file: Path | None = None,
        seconds: float | None = None,
        own_float: torch.Tensor | None = None,
        remark: str = "",
    ) -> dict[str, Any]:
        """Measure a generator, (z, y) → images, and write the table with its row.

        Args:
            name: the row.
            generator: what is measured.
            settings: what made it, so that a row of other settings is not kept.
            file: whose size is the row's.
            seconds: what it took; left out, those of the row that was there are kept.
            own_float: images of the float model that was rounded.
            remark: what a reader must know of this row.
        """
        images = self.judge.draw(generator)
        row = self.judge.row(
            images, self.float_images, self.control_images, own_float=own_float, file=file, seconds=seconds
        )
        before = self.rows.get(name, {})
        plain = json.loads(json.dumps(settings))
        if seconds is None and before.get("settings") == plain and "seconds" in before:
            row["seconds"] = before["seconds"]
        self.rows[name] = row | ({"remark": remark} if remark else {}) | {"settings": plain}
        write_json(self.path, self._head | {"rows": self.rows})
        return self.rows[name]

    def add_float(self) -> None:
        """Measure the float student."""
        self.add(FLOAT_ROW, self.run.student, {}, file=self.run.folder / STUDENT_FILE)

    def add_post_training(
        self, name: str, student: QuantGenerator, settings: QatConfig, *, seconds: float, own_float: torch.Tensor
    ) -> None:
        """Store a calibrated student and measure it."""
        file = self.path.parent / "post_training" / f"{name.replace(' ', '_')}.safetensors"
        save_int8(file, student, self.run.info)
        self.add(name, ByClass(student), settings.learned(), file=file, seconds=seconds, own_float=own_float)

    def add_trained(self, name: str, result: Result, settings: QatConfig) -> None:
        """Measure a fine-tuned student."""
        student = ByClass(result.student)
        result.student.mode = "float"
        own_float = self.judge.draw(student)
        result.student.mode = "quantize"
        self.add(
            name,
            student,
            settings.learned(),
            file=result.file,
            seconds=result.seconds,
            own_float=own_float,
        )

    def markdown(self) -> str:
        """Return the table in Markdown."""
        head, *rows = _cells(self.rows)
        lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)

    def __str__(self) -> str:
        return table_of(self.rows)


def table_of(rows: dict[str, dict[str, Any]]) -> str:
    """Return rows as a table of text."""
    lines = _cells(rows)
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) if not index else cell.rjust(width) for index, (cell, width) in pairs)
        for pairs in (list(enumerate(zip(line, widths, strict=True))) for line in lines)
    )


def stored_rows(path: Path, run: FloatRun, name: str, settings: QatConfig) -> dict[str, dict[str, Any]]:
    """Return the rows of a report about a run, if that of `name` is there and of these settings; else none."""
    stored = _read(path)
    rows: dict[str, dict[str, Any]] = stored.get("rows", {}) if stored.get("weights") == run.fingerprint else {}
    return rows if rows.get(name, {}).get("settings") == json.loads(json.dumps(settings.learned())) else {}


def _cells(rows: dict[str, dict[str, Any]]) -> list[list[str]]:
    columns = [name for name in COLUMNS if any(name in row for row in rows.values())]
    head = ["", *(name.replace("_", " ") for name in columns)]
    return [head, *([name, *(str(row.get(c, "–")) for c in columns)] for name, row in rows.items())]


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}
