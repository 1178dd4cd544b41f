"""Fit a student to a teacher: `python train/main.py [PRESET] [--flag value ...]`.

Without arguments it distils the embedded digits teacher. Running a command again resumes its run.
"""

import dataclasses
import itertools
import json
import sys
from pathlib import Path

from train.cli import parse_preset, run_script
from train.commands import typed
from train.distributed import distributed_world
from train.errors import UserError
from train.loop import Interrupted
from train.presets import DEFAULT_PRESET, PRESETS
from train.run import train


def main(arguments: list[str]) -> None:
    """Parse, resolve, train."""
    _check_one_teacher(arguments)
    preset, config = parse_preset(PRESETS, DEFAULT_PRESET, arguments)
    folder = config.run or Path("runs") / preset
    if config.dry_run:
        resolved = dataclasses.asdict(dataclasses.replace(config, run=folder)) | {
            "generator": config.generator.record(),
            "preset": preset,
            "steps": config.steps,
        }
        print(json.dumps(resolved, indent=2, default=str))
        return
    with distributed_world(config.runtime.device) as world:
        try:
            train(config, folder, world)
        except Interrupted as stop:
            if world.is_main:
                print(f"\nstopped; saved in {folder}; go on with the same command", file=sys.stderr)
            sys.exit(stop.exit_status)


def _check_one_teacher(arguments: list[str]) -> None:
    """Refuse several teachers, of which the parser would take the last one."""
    flag = "--data.teacher"
    split = [part for argument in arguments for part in argument.split("=", 1 if argument.startswith(flag) else 0)]
    given = [value for name, value in itertools.pairwise(split) if name == flag]
    if len(given) > 1:
        teachers = [part for value in given for part in ("--teacher", value)]
        pairs = Path("data") / "pairs"
        command = typed("train/collect.py", *teachers, "--reals", "PHOTOS", "--out", pairs)
        raise UserError(
            f"of several teachers one draws each class, which is chosen when their images are stored: {command}; "
            f"then pass {flag} pairs:{pairs}"
        )


if __name__ == "__main__":
    run_script(main)
