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
    """Return what quickstart does, in order."""
    folder = ("--run", str(run))
    shipped = ("--run", str(_SHIPPED if _SHIPPED.is_dir() else ROOT / _SHIPPED))  # the shorter one, to print
    exported = (*shipped, "--out", str(animals / "artifacts"))
    measure = ("benchmarks/run_device.py", "--no-compiled")
    return [
        Stage(
            "distil the digits teacher, beside it export the shipped animals",
            (
                ("train/main.py", *folder),
                ("deploy/android/export.py", *exported, "--only", "*_int8.*", "*_fp32.*"),
                (
                    *("deploy/ios/export.py", *exported, "--between-grids", "fp32"),
                    *("--only", "student_fp16.mlpackage", "student_int8.mlpackage"),
                ),
            ),
            290,
        ),
        Stage(
            "quantization-aware training, beside it a grid of the student",
            (("compress/qat.py", *folder), ("train/sample.py", *folder)),
            114,
        ),
        Stage(
            "export for phones",
            # Side by side: each converter is busy with one core. The programs of XNNPACK serve both platforms, so
            # that either command may make them: one each, and both take about as long.
            (
                (*("deploy/android/export.py", *folder), *("--only", "tflite", "vulkan", "*_xnnpack_fp32.pte")),
                (*("deploy/ios/export.py", *folder), *("--only", "coreml", "*_xnnpack_int8.pte")),
            ),
            85,
        ),
        Stage("measure and report", ((*measure, *folder, "--rounds", "10", "--images", "1000"),), 200),
        Stage(
            "measure the shipped animals",
            (
                (
                    *(*measure, *shipped, "--artifacts", str(animals / "artifacts")),
                    *("--out", str(animals / "benchmark"), "--rounds", "5", "--parts", "cost", "latency"),
                ),
            ),
            45,
        ),
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
