"""The whole way on the embedded digits: train, quantize, export, measure, report. `make quickstart` calls it.

Every stage is a command of its own, printed before it runs; a stage that is done already takes seconds, so that
a stopped quickstart goes on.
"""

import dataclasses
from pathlib import Path

from benchmarks.recipe import Stage, run_stages
from train.cli import parse, run_script


@dataclasses.dataclass(frozen=True)
class QuickstartConfig:
    """Where the run goes."""

    run: Path = Path("runs/digits")
    """Run folder."""


def stages(run: Path) -> list[Stage]:
    """Return what quickstart does, in order."""
    folder = ("--run", str(run))
    return [
        Stage("distil the digits teacher", (("train/main.py", *folder),), 226),
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
            99,
        ),
        Stage(
            "measure and report",
            (("benchmarks/run_device.py", *folder, "--no-compiled", "--rounds", "10", "--images", "1000"),),
            264,
        ),
    ]


def main(arguments: list[str]) -> None:
    """Run all stages and say where the results are."""
    config = parse(QuickstartConfig, arguments, __doc__ or "")
    run_stages(stages(config.run))
    print(f"teacher over student: {config.run}/samples/final.png; phone artifacts: {config.run}/artifacts")
    print(f"report: {config.run}/benchmark/report.html")


if __name__ == "__main__":
    run_script(main)
