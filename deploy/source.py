"""What a run folder gives to the exporters: the float student and its quantized forms, ready for inference."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from compress.config import INT8_STUDENTS
from compress.deploy_form import DeployGenerator, deploy_form
from compress.fake_quant import QuantGenerator
from compress.int8_file import load_int8
from compress.one_class import OneClassGenerator, specialise
from compress.one_class_student import specialise_quantized
from train.commands import typed
from train.errors import UserError
from train.files import file_hash
from train.noise import check_drawable, consecutive_seeds, draw_latents
from train.snapshot import STUDENT_FILE, SnapshotInfo, load_snapshot

Reference = Literal["float", "int8", "int4"]
"""Which student an artifact is made from and compared with."""

_CALIBRATION_SEED, _CALIBRATION_BATCHES, _CALIBRATION_BATCH = 0x0CA1, 8, 32


@dataclasses.dataclass(frozen=True)
class ExportSource:
    """A student in every form that a run has; all on the CPU, in eval mode, and left as they are."""

    run: Path
    info: SnapshotInfo
    form: DeployGenerator | OneClassGenerator
    """The float student."""
    quantized: dict[Reference, QuantGenerator]
    """The quantized students that there are."""
    files: dict[Reference, str]
    """Student → SHA-256 of its file."""
    class_index: int | None = None
    """The class of a specialised form."""

    @property
    def inputs(self) -> dict[str, int]:
        """Name → length of each input, which is float32 [1, length]."""
        config = self.info.generator
        inputs = {"z": config.z_dim}
        return inputs if self.class_index is not None else inputs | {"class_weights": config.num_classes}

    def example_inputs(self) -> tuple[torch.Tensor, ...]:
        """Return inputs to trace with: a latent, and the one-hot weights of the first trained class."""
        z = torch.from_numpy(self.latents(1))
        if self.class_index is not None:
            return (z,)
        weights = torch.zeros(1, self.info.generator.num_classes)
        weights[0, min(self.info.classes)] = 1.0
        return z, weights

    def latents(self, count: int) -> np.ndarray:
        """Return latents to calibrate and trace with, float32 [count, z_dim]."""
        seeds = consecutive_seeds(_CALIBRATION_SEED, count)
        return draw_latents(self.info.sampler, seeds, self.info.generator.z_dim, self.info.truncation)


def open_source(run: Path, class_index: int | None = None) -> ExportSource:
    """Read a run folder.

    Args:
        run: folder of train/main.py, and perhaps of compress/qat.py.
        class_index: give the forms specialised to this class.

    Raises:
        UserError: there is no student, a file is damaged or of another architecture, the class is unknown, or no
            app can draw its latents.
    """
    if not run.is_dir():
        raise UserError(f"no run folder at {run}; train a student with: {typed('train/main.py', '--run', run)}")
    student, info = load_snapshot(run / STUDENT_FILE)
    check_drawable(info.sampler, f"the student of {run}")
    if class_index is not None and class_index not in info.classes:
        known = f"{min(info.classes)} to {max(info.classes)}"
        raise UserError(f"--class {class_index} is not a class of this student; its classes lie in {known}")
    files: dict[Reference, str] = {"float": file_hash(run / STUDENT_FILE)}
    quantized: dict[Reference, QuantGenerator] = {}
    for reference, relative in INT8_STUDENTS.items():
        path = run / relative
        if not path.is_file():
            continue
        quantized[reference], found = load_int8(path)
        if found.generator != info.generator:
            raise UserError(f"{path} is of another architecture than {run / STUDENT_FILE}; make it again")
        files[reference] = file_hash(path)
    source = ExportSource(run, info, deploy_form(student), quantized, files)
    return source if class_index is None else _of_class(source, class_index)


def _of_class(source: ExportSource, class_index: int) -> ExportSource:
    assert isinstance(source.form, DeployGenerator)
    latents = torch.from_numpy(source.latents(_CALIBRATION_BATCHES * _CALIBRATION_BATCH))
    batches = [(z,) for z in latents.split(_CALIBRATION_BATCH)]
    form = specialise(source.form, class_index).requires_grad_(False)
    quantized = {
        name: specialise_quantized(student, class_index, batches) for name, student in source.quantized.items()
    }
    return dataclasses.replace(source, form=form, quantized=quantized, class_index=class_index)
