"""Programs that are made to be timed beside the exported ones, once for each model that they are made of."""

from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.model import Model
from benchmarks.teacher_forms import FoldedTeacher
from benchmarks.torch_forms import AuthorsOrder
from deploy.android.tflite import convert_module
from deploy.android.tflite_file import INPUTS
from deploy.manifest import versions
from deploy.xnnpack import lower_xnnpack
from train.errors import UserError, first_line
from train.files import file_hash, write_atomically, write_text
from train.locks import locked
from train.snapshot import load_snapshot
from train.teacher import Teacher

TEACHER_PROGRAM, TEACHER_TFLITE = "teacher_xnnpack_fp32.pte", "teacher_fp32.tflite"


def authors_program(snapshot: Path, path: Path) -> Path:
    """Return a program of the float student in the authors' order of operations."""

    def make() -> bytes:
        student, _ = load_snapshot(snapshot)
        config = student.config
        inputs = torch.zeros(1, config.z_dim), torch.zeros(1, config.num_classes)
        return lower_xnnpack(AuthorsOrder(student), inputs).buffer

    what = "the float program in the authors' order of operations"
    return _made_once(path, file_hash(snapshot), "executorch", what, make)


def teacher_programs(model: Model, teacher: Teacher, folder: Path) -> tuple[list[Path], list[str]]:
    """Return the teacher's XNNPACK program and TFLite file, and a sentence for each that cannot be made."""
    z = torch.zeros(1, teacher.z_dim)
    weights = torch.zeros(1, teacher.num_classes)
    weights[0, min(model.classes)] = 1
    makers: dict[str, tuple[str, Callable[[], bytes]]] = {
        TEACHER_PROGRAM: (
            "executorch",
            lambda: lower_xnnpack(FoldedTeacher(teacher), (z, weights)).buffer,
        ),
        TEACHER_TFLITE: (
            "litert-torch",
            lambda: convert_module(
                FoldedTeacher(teacher, nhwc=True), dict(zip(INPUTS, (z, weights), strict=True))
            ),
        ),
    }
    found, notes = [], []
    for file, (package, make) in makers.items():
        try:
            found.append(_made_once(folder / file, teacher.fingerprint, package, "the teacher's own", make))
        except (UserError, ImportError) as error:  # a package is missing, or it is no teacher to be lowered
            notes.append(f"{file} was not made: {first_line(error)}")
        except Exception as error:  # converters have no error type of their own
            notes.append(f"{file} was not made, the teacher does not lower: {first_line(error)}")
    return found, notes


def _made_once(path: Path, source: str, package: str, what: str, make: Callable[[], bytes]) -> Path:
    """Return `path` with what `make` gives, unless it is there, of the same source and version of the package."""
    made_of = f"{source} {package} {versions(package).get(package)}"
    mark = path.with_suffix(".source")
    with locked(path.parent, f"makes {path}", name=f".{path.name}.lock"):
        if path.is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == made_of:
            return path
        print(f"making {path.name}, {what}, to compare with", flush=True)
        made = make()
        mark.unlink(missing_ok=True)
        write_atomically(path, lambda temporary: temporary.write_bytes(made))
        write_text(mark, made_of)
    return path
