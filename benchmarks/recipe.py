"""A recipe: commands of this project in order, each a process of its own that goes on where it was stopped."""

import dataclasses
import os
import subprocess
import time
from collections.abc import Sequence

from train.commands import script_process, spoken, typed
from train.errors import UserError
from train.machine import usable_cores

Command = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Stage:
    """Commands that run side by side."""

    title: str
    commands: tuple[Command, ...]
    seconds: float
    """That it took on two cores of a server, for the estimate of what is left."""
    then: tuple[Command, ...] = ()
    """What follows the last command when that one has ended, one after the other, still beside the others."""


def print_stages(plan: Sequence[Stage]) -> None:
    """Print the commands of all stages, as they are typed."""
    for stage in plan:
        print(f"# {stage.title}", *(typed(*command) for command in (*stage.commands, *stage.then)), sep="\n")


def run_stages(plan: Sequence[Stage]) -> None:
    """Run stage after stage, saying which one it is and about how long is left."""
    spent = expected = 0.0
    begun = time.monotonic()
    for number, stage in enumerate(plan, 1):
        left = sum(later.seconds for later in plan[number - 1 :])
        # As much slower or faster than the reference as the stages so far were.
        speed = spent / expected if expected and spent > expected / 4 else 1.0
        print(f"\n[{number}/{len(plan)}] {stage.title}; about {spoken(left * speed)} left", flush=True)
        started = time.monotonic()
        run_side_by_side(stage.commands, stage.then)
        spent += time.monotonic() - started
        expected += stage.seconds
    print(f"\ndone in {spoken(time.monotonic() - begun)}")


def run_side_by_side(commands: Sequence[Command], then: Sequence[Command] = ()) -> None:
    """Run scripts of this project in processes of their own and wait for all of them.

    Several share the cores, unless OMP_NUM_THREADS says otherwise: threads beyond them wait for each other.

    Args:
        commands: run at the same time.
        then: run one after the other, from the end of the last one of `commands` on.

    Raises:
        UserError: one of them failed; the others are ended.
    """
    environment = dict(os.environ)
    if len(commands) > 1:
        environment.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // len(commands))))

    def start(command: Command) -> subprocess.Popen[bytes]:
        print(f"  {typed(*command)}", flush=True)
        return subprocess.Popen(script_process(*command), env=environment)

    waiting = [*then]
    last = commands[-1]
    processes = {command: start(command) for command in commands}
    try:
        while processes:
            for command, process in list(processes.items()):
                status = process.poll()
                if status is None:
                    continue
                del processes[command]
                if status:
                    raise UserError(f"{typed(*command)} has failed (exit status {status})")
                if command == last and waiting:
                    last = waiting.pop(0)
                    processes[last] = start(last)
            time.sleep(0.1)
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()
