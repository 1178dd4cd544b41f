"""Store a teacher's images with their latents and classes, for a student to learn from.

One command, run again after any stop, until it says that the folder is complete. Several GPUs share the shards:
torchrun --nproc-per-node 8 train/collect.py …
"""

import contextlib
import dataclasses
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from train.classes import parse_classes
from train.cli import parse, run_script
from train.commands import typed
from train.distributed import distributed_world
from train.pairs import DEFAULT_SHARD_SIZE, PairDataset, collect_pairs
from train.teacher import open_teacher


@dataclasses.dataclass(frozen=True)
class CollectOptions:
    """What to collect, and where."""

    teacher: str
    """digits, biggan-deep-128, a folder with a BigGAN, or snapshot:FILE."""
    out: Path
    """Folder for the pairs: new, empty, or holding the same collection unfinished."""
    per_class: int = 3000
    """Pairs of each class; the paper stores 3000."""
    classes: str = ""
    """Such as 0-397 (the paper's animals) or 1,7,20-29; empty: all classes that the teacher has."""
    truncation: float | None = None
    """Factor of the latents, in (0, 1]; none: the teacher's own."""
    seed: int = 0
    """0 to 2^32 - 1; another seed gives other latents."""
    batch_size: int = 64
    """Images that the teacher makes at once."""
    shard_size: int = DEFAULT_SHARD_SIZE
    """Pairs per file; a stop loses at most one unfinished shard per process."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    verify: bool = False
    """Read all shards back and compare their checksums; training does so by itself for sets below 2 GB."""


def main(arguments: list[str]) -> None:
    """Run the script on `arguments`.

    Raises:
        UserError: anything outside the code that is wrong, in one line.
        SystemExit: Ctrl-C (status 130) or SIGTERM (143), after a line that says how to go on.
    """
    options = parse(CollectOptions, arguments, __doc__ or "")
    command = typed("train/collect.py", *arguments)
    with distributed_world(options.device) as world:
        advice = f"stopped; finished shards are kept, go on with the same command: {command}"
        with _stop_with_one_line(advice if world.is_main else ""):
            teacher = world.main_first(lambda: open_teacher(options.teacher, options.truncation)).to(world.device)
            labels = options.classes or f"0-{teacher.num_classes - 1}"
            collect_pairs(
                teacher,
                options.out,
                parse_classes(labels, teacher.num_classes),
                per_class=options.per_class,
                seed=options.seed,
                world=world,
                batch_size=options.batch_size,
                shard_size=options.shard_size,
                command=command,
            )
            if options.verify and world.is_main:
                PairDataset(options.out, verify=True)
                print(f"every shard of {options.out} matches its checksum")


@contextlib.contextmanager
def _stop_with_one_line(message: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `message` on stderr, if any, and the shell's exit status for the signal."""

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit:
        if message:
            print(message, file=sys.stderr)
        raise
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    run_script(main)
