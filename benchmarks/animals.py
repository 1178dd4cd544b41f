"""Animals at 64 px, from photographs to the paper's Table 2, in as many runs as it takes.

    python benchmarks/animals.py --photos TRAIN.npz --validation VAL.npz --minutes 25 --features NETWORK.pt

A teacher of our own is trained, its images collected, a student distilled and quantized, the same student
trained from scratch and without a term each, and all of them judged. Running the command again goes on where it
was stopped. --pack and --unpack take the runs from one machine to another.
"""

import sys
from collections.abc import Sequence

from benchmarks.animals64.archive import check_state_fits, pack, unpack
from benchmarks.animals64.clock import Clock, limited
from benchmarks.animals64.settings import AnimalsConfig
from benchmarks.animals64.stages import Stage, check_inputs, plan
from train.cli import parse, run_script
from train.distributed import distributed_world
from train.errors import UserError
from train.loop import Interrupted


def main(arguments: list[str]) -> None:
    """Unpack, run what the time allows, pack, and say what comes next.

    Raises:
        UserError: anything outside the code that is wrong, in one line.
        SystemExit: SIGTERM from outside (status 143), or Ctrl-C while a network trains (130); all is saved.
    """
    config = parse(AnimalsConfig, arguments, __doc__ or "")
    clock = Clock(config.minutes, config.reserve_minutes)
    if config.unpack is not None:
        unpack(config, config.unpack)
    stages = plan(config)
    if config.minutes != 0:
        check_inputs(config)
        check_state_fits(config)
        try:
            run_stages(stages, config, clock)
        except BaseException:  # on a lent machine what is not packed is lost, whatever stopped it
            _pack_what_there_is(config)
            raise
    if config.pack is not None:
        pack(config, config.pack)
    numbered = enumerate(stages, 1)
    following = next(((number, stage) for number, stage in numbered if not stage.is_done()), None)
    if following is None:
        print(f"all {len(stages)} stages are done; the table is {config.out}")
    else:
        number, stage = following
        print(f"next is stage {number} of {len(stages)}, {stage.title}; run the same command again")


def _pack_what_there_is(config: AnimalsConfig) -> None:
    """Pack after a failure, which is what a user has to hear of."""
    if config.pack is not None:
        try:
            pack(config, config.pack)
        except (UserError, OSError) as error:
            print(f"warning: nothing was packed: {error}", file=sys.stderr)


def run_stages(stages: Sequence[Stage], config: AnimalsConfig, clock: Clock) -> None:
    """Run stage after stage until the time is up."""
    try:
        with distributed_world(config.device) as world, limited(clock):
            if world.size > 1:
                raise UserError("the stages run in one process; start it without torchrun")
            for number, stage in enumerate(stages, 1):
                done = stage.is_done()
                if not done and clock.is_short():
                    break
                state = "done already" if done else clock.left()
                print(f"[{number}/{len(stages)}] {stage.title}; {state}", flush=True)
                if not done:
                    stage.run(world)
    except Interrupted as stop:
        if not clock.is_up:
            print(f"\nstopped; saved in {config.folder}; go on with the same command", file=sys.stderr)
            sys.exit(stop.exit_status)
    if clock.is_short():
        print(f"\nthe {config.minutes:g} minutes are up; all is saved in {config.folder}", flush=True)


if __name__ == "__main__":
    run_script(main)
