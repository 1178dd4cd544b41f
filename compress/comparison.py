"""The rows of the comparison: the same student, rounded and trained on in every way that is worth a row."""

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from compress.by_class import ByClass
from compress.config import QatConfig, parse_bits
from compress.deploy_form import DeployGenerator, deploy_form
from compress.fake_quant import QuantGenerator
from compress.figures import new_figure
from compress.finetune import calibration_batches, finetune, prepare, quantize
from compress.float_run import FloatRun
from compress.quality_table import FLOAT_ROW, POST_TRAINING_ROW, QAT_ROW, Table
from compress.ranges import RangeObserver
from train.distributed import World
from train.files import save_tensors, write_atomically
from train.sources import Sources

CONTROL_ROWS = {True: "float control", False: "float control, not equalised"}
POST_TRAINING_OF_CONTROL_ROW = "{bits} post-training of the control"
NEAREST_ROW = "{bits} rounding to nearest of the control"
CLASS_PATHS: tuple[Literal["slices", "shared", "float"], ...] = ("slices", "shared", "float")
CLASS_PATH_ROW = "{bits} post-training, class path {path}"
STUDENT_ONLY_ROW = "{bits} QAT, L1 to the float student only"
PT2E_ROW = "W8A8 QAT by torchao's PT2E"


class Comparison:
    """Makes rows; what is there already, rows and fine-tuned weights, is kept."""

    def __init__(self, settings: QatConfig, run: FloatRun, sources: Sources, world: World, table: Table) -> None:
        self.settings, self.run, self.sources, self.world, self.table = settings, run, sources, world, table
        self.batches = calibration_batches(settings, run, sources, world)
        self.form = deploy_form(run.student).to(world.device)
        self._controls: dict[bool, tuple[DeployGenerator, torch.Tensor]] = {}
        self._prepared: dict[Any, tuple[DeployGenerator, dict[str, RangeObserver]]] = {}

    def family(self, bits: str, *, train: bool = True) -> None:
        """Add the rows of one pair of bit widths: float control, post-training of both floats, and QAT.

        Args:
            bits: the widths, such as W4A8.
            train: add QAT, which takes minutes.
        """
        settings = self._of(bits)
        control, self.table.control_images = self._control(settings)
        self._post_training(POST_TRAINING_ROW, self.form, settings, self.table.float_images)
        # The control has been equalised already, or must not be.
        self._post_training(
            POST_TRAINING_OF_CONTROL_ROW,
            control,
            dataclasses.replace(settings, equalise="off"),
            self.table.control_images,
        )
        self._post_training(
            NEAREST_ROW,
            control,
            dataclasses.replace(settings, equalise="off", reconstruct=False, range_method="mse"),
            self.table.control_images,
        )
        if train:
            self._qat(QAT_ROW, settings)

    def class_paths(self, bits: str) -> None:
        """Add post-training with the other ways to make gains and biases."""
        settings = self._of(bits)
        for path in CLASS_PATHS:
            if path != settings.class_path:
                row = CLASS_PATH_ROW.format(bits="{bits}", path=path)
                self._post_training(
                    row, self.form, dataclasses.replace(settings, class_path=path), self.table.float_images
                )

    def student_only(self, bits: str) -> None:
        """Add QAT without the distillation losses."""
        settings = self._of(bits)
        out = settings.folder / "student_only"
        self._qat(STUDENT_ONLY_ROW, dataclasses.replace(settings, losses="student", out=out))

    def pt2e(self, images: int) -> None:
        """Add torchao's own flow, for as many images as it is given."""
        settings = dataclasses.replace(self._of("W8A8"), images=images)
        if self.table.kept(PT2E_ROW, settings.learned()):
            return
        from compress.pt2e import finetune_pt2e

        folder = self.settings.folder / "pt2e"
        student, seconds = finetune_pt2e(
            self.form,
            settings=settings,
            run=self.run,
            sources=self.sources,
            batches=self.batches,
            folder=folder,
        )
        remark = "" if images == self.settings.images else f"{images} images only: it is slow on this machine"
        file = folder / "converted.safetensors"
        save_tensors(file, {k: v for k, v in student.state_dict().items() if isinstance(v, torch.Tensor)}, {})
        self.table.add(PT2E_ROW, student, settings.learned(), file=file, seconds=seconds, remark=remark)

    def _of(self, bits: str) -> QatConfig:
        """Return the settings of other bits; those of the command line have the folder itself."""
        if bits == self.settings.bits:
            return self.settings
        return dataclasses.replace(self.settings, bits=bits, exceptions=(), out=self.settings.folder / bits)

    def _control(self, settings: QatConfig) -> tuple[DeployGenerator, torch.Tensor]:
        """Train the float form on, from the same numbers in the same order; return it and its images.

        Adam sees equalised weights on other scales, so that there is a control of each kind.
        """
        equalised = settings.equalises
        if equalised not in self._controls:
            folder = self.settings.folder / ("control" if equalised else "control_not_equalised")
            switch: Any = "on" if equalised else "off"
            control = dataclasses.replace(settings, bits="float", exceptions=(), equalise=switch, out=folder)
            result = finetune(control, self.run, self.sources, self._start(control, self.form), self.world)
            student = ByClass(result.student)
            images = self.table.judge.draw(student)
            self.table.control_images = None
            self.table.add(CONTROL_ROWS[equalised], student, control.learned(), seconds=result.seconds)
            form: Any = result.student.form
            self._controls[equalised] = (form, images)
        return self._controls[equalised]

    def _post_training(
        self, row: str, form: DeployGenerator, settings: QatConfig, own_float: torch.Tensor
    ) -> None:
        name = row.format(bits=settings.bits)
        if self.table.kept(name, settings.learned()):
            return
        started = time.monotonic()
        student = self._start(settings, form)
        self.table.add_post_training(
            name, student, settings, seconds=time.monotonic() - started, own_float=own_float
        )

    def _qat(self, row: str, settings: QatConfig) -> None:
        name = row.format(bits=settings.bits)
        if self.table.kept(name, settings.learned()):
            return
        start = self._start(settings, self.form)
        result = finetune(settings, self.run, self.sources, start, self.world)
        self.table.add_trained(name, result, settings)

    def _start(self, settings: QatConfig, form: DeployGenerator) -> QuantGenerator:
        # What is observed does not depend on the bits; `self` keeps the forms.
        key = id(form), settings.equalises, settings.class_path, settings.range_method
        if key not in self._prepared:
            self._prepared[key] = prepare(form, settings, self.batches), {}
        prepared, observed = self._prepared[key]
        return quantize(prepared, settings, self.batches, observed)


def recovered(table: Table, bits: str, equalised: bool, rounded_row: str) -> float | None:
    """Return the share of the L1 that rounding the control costs and QAT does not; None without these rows."""
    names = (CONTROL_ROWS[equalised], rounded_row.format(bits=bits), QAT_ROW.format(bits=bits))
    rows = [table.rows.get(name, {}) for name in names]
    if not all("l1_to_teacher" in row for row in rows):
        return None
    control, rounded, trained = (row["l1_to_teacher"] for row in rows)
    return (rounded - trained) / (rounded - control) if rounded > control else None


def plot_widths(table: Table, widths: Sequence[str], path: Path) -> None:
    """Draw the L1 to the teacher at each width, by method: where a line leaves the control, its method breaks."""
    finest = parse_bits(widths[0])
    panels = {
        "weights": [bits for bits in widths if parse_bits(bits)[1] == finest[1]],
        "activations": [bits for bits in widths if parse_bits(bits)[0] == finest[0]],
    }
    panels = {what: chosen for what, chosen in panels.items() if len(chosen) > 1}
    if not panels:
        return
    figure = new_figure(5.5 * len(panels), 4)
    for axes, (what, chosen) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        _plot_panel(axes, table, chosen)
        axes.set_title(f"coarser {what}")
    figure.axes[0].set_ylabel("L1 to the teacher, in [0, 2]")
    figure.axes[0].legend(fontsize=8)
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))


def _plot_panel(axes: Any, table: Table, widths: Sequence[str]) -> None:
    lines = {
        "post-training of the float student": POST_TRAINING_ROW,
        "rounding to nearest of the control": NEAREST_ROW,
        "post-training of the control": POST_TRAINING_OF_CONTROL_ROW,
        "quantization-aware training": QAT_ROW,
    }
    for label, row in lines.items():
        levels = {bits: table.rows.get(row.format(bits=bits), {}).get("l1_to_teacher") for bits in widths}
        # A line goes to the next width only where that was measured.
        heights = [math.nan if level is None else level for level in levels.values()]
        axes.plot(range(len(widths)), heights, "o-", label=label)
    axes.set_xticks(range(len(widths)), widths)
    for row, style in ((FLOAT_ROW, ":"), (CONTROL_ROWS[True], "--")):
        if "l1_to_teacher" in table.rows.get(row, {}):
            axes.axhline(table.rows[row]["l1_to_teacher"], color="grey", linestyle=style, label=row)
