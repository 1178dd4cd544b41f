"""The whole way on the embedded digits: train, quantize, export, measure, report. `make quickstart` calls it.

Every stage is a command of its own, printed before it runs; a stage that is done already takes seconds, so that
a stopped quickstart goes on.
"""

import dataclasses
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from train.cli import parse, run_script
from train.commands import script_process, typed
from train.errors import UserError

Command = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Stage:
    """Commands that run side by side."""

    title: str
    commands: tuple[Command, ...]
    seconds: float
    """That it took on two cores of a server, for the estimate of what is left."""


@dataclasses.dataclass(frozen=True)
class QuickstartConfig:
    """Where the run goes."""

    run: Path = Path("runs/digits")
    """Run folder."""


def stages(run: Path) -> list[Stage]:
    """Return what quickstart does, in order."""
    folder = ("--run", str(run))
    return [
        Stage("distil the digits teacher", (("train/main.py", *folder),), 127),
        Stage("draw a grid of the student", (("train/sample.py", *folder),), 5),
        Stage("quantization-aware training", (("compress/qat.py", *folder),), 165),
        Stage(
            "export for phones",
            # Side by side: each converter is busy with one core. The programs of XNNPACK serve both platforms.
            (
                ("deploy/android/export.py", *folder),
                ("deploy/ios/export.py", *folder, "--only", "coreml"),
            ),
            150,
        ),
        Stage(
            "measure and report", (("benchmarks/run_device.py", *folder, "--no-compiled", "--rounds", "10"),), 100
        ),
    ]


def main(arguments: list[str]) -> None:
    """Run all stages and say where the results are."""
    config = parse(QuickstartConfig, arguments, __doc__ or "")
    run_stages(stages(config.run))
    print(f"teacher over student: {config.run}/samples/final.png; phone artifacts: {config.run}/artifacts")
    print(f"report: {config.run}/benchmark/report.html")


def run_stages(plan: Sequence[Stage]) -> None:
    """Run stage after stage, saying which one it is and about how long is left."""
    spent = expected = 0.0
    begun = time.monotonic()
    for number, stage in enumerate(plan, 1):
        left = sum(later.seconds for later in plan[number - 1 :])
        # As much slower or faster than the reference as the stages so far were.
        speed = spent / expected if expected and spent > expected / 4 else 1.0
        print(f"\n[{number}/{len(plan)}] {stage.title}; about {_minutes(left * speed)} left", flush=True)
        started = time.monotonic()
        run_side_by_side(stage.commands)
        spent += time.monotonic() - started
        expected += stage.seconds
    print(f"\ndone in {_minutes(time.monotonic() - begun)}")


def run_side_by_side(commands: Sequence[Command]) -> None:
    """Run scripts of this project in processes of their own and wait for all of them.

    Raises:
        UserError: one of them failed; the others are ended.
    """
    for command in commands:
        print(f"  {typed(*command)}", flush=True)
    processes = {command: subprocess.Popen(script_process(*command)) for command in commands}
    try:
        while processes:
            for command, process in list(processes.items()):
                status = process.poll()
                if status is None:
                    continue
                del processes[command]
                if status:
                    raise UserError(f"{typed(*command)} has failed (exit status {status})")
            time.sleep(0.1)
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


if __name__ == "__main__":
    run_script(main)
