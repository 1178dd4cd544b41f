"""What the export scripts can be told, and which artifacts that selects."""

import dataclasses
import fnmatch
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from compress.config import INT8_STUDENTS
from deploy.pipeline import Artifact, export
from deploy.source import ExportSource, Reference, open_source
from train.cli import parse
from train.commands import typed
from train.errors import UserError, did_you_mean


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Which run to export, and what of it."""

    run: Path = Path("runs/digits")
    """Run folder of train/main.py and, for the quantized artifacts, compress/qat.py."""
    out: Path | None = None
    """Where the artifacts go; <run>/artifacts by default, <run>/artifacts/class-<N> for one class."""
    only: tuple[str, ...] = ()
    """Artifacts to write: a runtime, a backend or a pattern of file names, such as tflite or *_int8.pte."""
    precision: tuple[str, ...] = ()
    """Precisions to write, such as fp32 fp16 int8; all by default."""
    class_index: Annotated[int | None, tyro.conf.arg(name="class")] = None
    """Export the smaller and faster form of this one class; z is then its only input."""

    again: bool = False
    """Make those anew too that are there from the same weights, options and tools."""

    @property
    def folder(self) -> Path:
        """Where the artifacts go."""
        default = self.run / "artifacts"
        if self.class_index is not None:
            default /= f"class-{self.class_index}"
        return self.out or default


Planner = Callable[[ExportSource, ExportConfig], Sequence[Artifact]]


def run_export(
    arguments: Sequence[str],
    description: str,
    plan: Planner,
    students: Sequence[Reference],
    config_type: type[ExportConfig] = ExportConfig,
) -> None:
    """Parse, choose, export; exit with status 1 if an artifact failed.

    Args:
        arguments: the command line without the program's name.
        description: of the script.
        plan: returns the artifacts that a source allows.
        students: that it makes artifacts of, where the source has them.
        config_type: the flags.
    """
    config = parse(config_type, arguments, description)
    source = open_source(config.run, config.class_index)
    artifacts = choose(plan(source, config), config, source, students)
    failures = export(artifacts, source, config.folder, again=config.again)
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)
    print(f"manifest and golden images: {config.folder}")


def choose(
    artifacts: Sequence[Artifact], config: ExportConfig, source: ExportSource, students: Sequence[Reference]
) -> list[Artifact]:
    """Return the artifacts that `config` asks for; say which are left out for want of a quantized student.

    Args:
        artifacts: that the source allows.
        config: what is asked for.
        source: what they are made from.
        students: that this export makes artifacts of, where the source has them.

    Raises:
        UserError: nothing matches, or what is asked for needs a quantized student that is not there.
    """
    missing = [name for name in INT8_STUDENTS if name in students and name not in source.quantized]
    precisions = sorted({artifact.precision for artifact in artifacts})
    for precision in config.precision:
        if precision in missing:
            raise UserError(f"--precision {precision}: {_remedy(precision, config.run)}")
        if precision in INT8_STUDENTS and precision not in students:
            there = ", ".join(precisions)
            raise UserError(f"--precision {precision}: this export has no {precision} files; there are {there}")
        if precision not in precisions:
            known = f"{did_you_mean(precision, precisions)}; there are {', '.join(precisions)}"
            raise UserError(f"--precision {precision} is unknown{known}")
    for name in missing:
        if not config.precision:
            print(f"without {name} artifacts: {_remedy(name, config.run)}", flush=True)
    chosen = [a for a in artifacts if not config.precision or a.precision in config.precision]
    for pattern in config.only:
        if not any(_matches(artifact, pattern) for artifact in artifacts):
            names = sorted({name for a in artifacts for name in (a.runtime, a.backend, a.file)})
            raise UserError(
                f"--only {pattern} matches nothing{did_you_mean(pattern, names)}; there are {', '.join(names)}"
            )
    chosen = [a for a in chosen if not config.only or any(_matches(a, pattern) for pattern in config.only)]
    if not chosen:
        raise UserError("--only and --precision leave nothing to export; drop one of them")
    return chosen


def _matches(artifact: Artifact, pattern: str) -> bool:
    return pattern in (artifact.runtime, artifact.backend) or fnmatch.fnmatchcase(artifact.file, pattern)


def _remedy(name: str, run: Path) -> str:
    bits = ("--bits", "W4A8") if name == "int4" else ()
    path = run / INT8_STUDENTS[name]  # type: ignore[index]
    return f"no {path}; make it with: {typed('compress/qat.py', '--run', run, *bits)}"
