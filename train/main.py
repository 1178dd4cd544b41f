"""Fit a student to a teacher: `python train/main.py [PRESET] [--flag value ...]`.

Without arguments it distils the embedded digits teacher. Running a command again resumes its run.
"""

import dataclasses
import json
import sys
from pathlib import Path

from train.cli import parse_preset, run_script
from train.distributed import distributed_world
from train.loop import Interrupted
from train.presets import DEFAULT_PRESET, PRESETS
from train.run import train


def main(arguments: list[str]) -> None:
    """Parse, resolve, train."""
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


if __name__ == "__main__":
    run_script(main)
