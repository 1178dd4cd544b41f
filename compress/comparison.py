"""The rows of the comparison: the same student, rounded and trained on in every way that is worth a row."""

import copy
import dataclasses
import time
from typing import Any

import torch

from compress.by_class import ByClass
from compress.config import QatConfig
from compress.deploy_form import DeployGenerator, deploy_form
from compress.fake_quant import QuantGenerator
from compress.finetune import calibration_batches, finetune, post_training
from compress.float_run import FloatRun
from compress.report import POST_TRAINING_ROW, QAT_ROW, Table
from train.checkpoint import save_tensors
from train.distributed import World
from train.sources import Sources

CONTROL_ROW = "float control of {bits}"
POST_TRAINING_OF_CONTROL_ROW = "{bits} post-training of the control"
STUDENT_ONLY_ROW = "{bits} QAT, L1 to the float student only"
PT2E_ROW = "W8A8 QAT by torchao's PT2E"


class Comparison:
    """Makes rows; what is there already, rows and fine-tuned weights, is kept."""

    def __init__(self, settings: QatConfig, run: FloatRun, sources: Sources, world: World, table: Table) -> None:
        self.settings, self.run, self.sources, self.world, self.table = settings, run, sources, world, table
        self.batches = calibration_batches(settings, run, sources, world)
        self.form = deploy_form(run.student).to(world.device)

    def family(self, bits: str) -> None:
        """Add the rows of one pair of bit widths: float control, post-training of both floats, and QAT."""
        settings = self._of(bits)
        control = self._control(settings)
        self._post_training(POST_TRAINING_ROW, self.form, settings, self.table.float_images)
        assert self.table.control_images is not None
        self._post_training(
            POST_TRAINING_OF_CONTROL_ROW, control, _not_equalised(settings), self.table.control_images
        )
        self._qat(QAT_ROW, settings)

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
            copy.deepcopy(self.form),
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

    def _control(self, settings: QatConfig) -> DeployGenerator:
        """Train the float form on, from the same numbers in the same order; later rows are compared with it."""
        control = dataclasses.replace(
            settings,
            bits="float",
            exceptions=(),
            equalise="on" if settings.equalises else "off",
            out=settings.folder / "control",
        )
        result = finetune(control, self.run, self.sources, self._start(control, self.form), self.world)
        student = ByClass(result.student)
        self.table.control_images = self.table.judge.draw(student)
        self.table.add(
            CONTROL_ROW.format(bits=settings.bits),
            student,
            control.learned(),
            seconds=result.seconds,
        )
        form: Any = result.student.form
        return form

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
        return post_training(form, settings, self.batches)


def _not_equalised(settings: QatConfig) -> QatConfig:
    """Return settings for a form that has been equalised already, or not, as its family is."""
    return dataclasses.replace(settings, equalise="off")


def recovered(table: Table, bits: str) -> float | None:
    """Return the share of the L1 that rounding the control costs and QAT does not; None without these rows."""
    names = (CONTROL_ROW, POST_TRAINING_OF_CONTROL_ROW, QAT_ROW)
    rows = [table.rows.get(name.format(bits=bits), {}) for name in names]
    if not all("l1_to_teacher" in row for row in rows):
        return None
    control, rounded, trained = (row["l1_to_teacher"] for row in rows)
    return (rounded - trained) / (rounded - control) if rounded > control else None
