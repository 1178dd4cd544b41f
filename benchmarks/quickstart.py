"""The whole way on the embedded digits: train, quantize, export, measure, report. `make quickstart` calls it.

The shipped student of animals, whose training takes longer, is exported and measured beside them. Every stage is
a command of its own, printed before it runs; a stage that is done already takes seconds, so that a stopped
quickstart goes on.
"""

import dataclasses
from pathlib import Path

from benchmarks.recipe import Stage, run_stages
from train.cli import parse, run_script
from train.commands import ROOT

_SHIPPED = Path("train/assets/animals_student")


@dataclasses.dataclass(frozen=True)
class QuickstartConfig:
    """Where results go."""

    run: Path = Path("runs/digits")
    """Run folder."""
    animals: Path = Path("runs/animals64")
    """Artifacts and report of the shipped animals."""


def stages(run: Path, animals: Path) -> list[Stage]:
    """Return what quickstart does, in order: what needs one core beside what needs another, timings alone."""
    folder = ("--run", str(run))
    shipped = ("--run", str(_SHIPPED if _SHIPPED.is_dir() else ROOT / _SHIPPED))  # the shorter one, to print
    artifacts = str(animals / "artifacts")
    measure = ("benchmarks/run_device.py", "--no-compiled", "--threads", "1")
    measure_shipped = (*measure, *shipped, "--artifacts", artifacts, "--out", str(animals / "benchmark"))
    measure_shipped += ("--teacher", "animals")
    android, ios = "deploy/android/export.py", "deploy/ios/export.py"
    return [
        Stage(
            "distil the digits teacher, beside it export and score the shipped animals",
            (
                ("train/main.py", *folder),
                (android, *shipped, "--out", artifacts, "--only", "*_int8.*", "*_fp32.*"),
            ),
            240,
            then=(
                (
                    *(ios, *shipped, "--out", artifacts, "--between-grids", "fp32"),
                    *("--only", "student_fp16.mlpackage", "student_int8.mlpackage"),
                ),
                (*measure_shipped, "--parts", "cost", "quality", "--images", "500"),
            ),
        ),
        Stage(
            "quantization-aware training, beside it export the float student",
            (("compress/qat.py", *folder), ("train/sample.py", *folder)),
            110,
            then=(
                (android, *folder, "--precision", "fp32", "fp16"),
                (ios, *folder, "--precision", "fp16", "palette6"),
            ),
        ),
        Stage(
            "export the int8 student",
            # Each converter is busy with one core. XNNPACK's program serves both platforms; the first makes it.
            (
                (android, *folder, "--precision", "int8"),
                (ios, *folder, "--precision", "int8", "--only", "coreml"),
            ),
            55,
        ),
        Stage("measure and report", ((*measure, *folder, "--rounds", "10", "--images", "500"),), 90),
        Stage("time the shipped animals", ((*measure_shipped, "--rounds", "5", "--parts", "latency"),), 80),
    ]


def main(arguments: list[str]) -> None:
    """Run all stages and say where the results are."""
    config = parse(QuickstartConfig, arguments, __doc__ or "")
    run_stages(stages(config.run, config.animals))
    print(f"teacher over student: {config.run}/samples/final.png; phone artifacts: {config.run}/artifacts")
    print(
        f"reports: {config.run}/benchmark/report.html and, of the animals, {config.animals}/benchmark/report.html"
    )


if __name__ == "__main__":
    run_script(main)
