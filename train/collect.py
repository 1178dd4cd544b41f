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
from typing import Annotated

import tyro

from train.adapted_teacher import CombinedTeacher, RenumberedTeacher, at_size_of_a_student
from train.choosing import check_alike, chosen_by_photos, given_choice, recorded_choice
from train.classes import parse_classes
from train.cli import parse, run_script
from train.commands import typed
from train.distributed import World, distributed_world
from train.errors import UserError
from train.given_pairs import store_given_pairs
from train.naming import named, numbered
from train.noise import sampler_of
from train.pair_folder import stored_settings
from train.pairs import DEFAULT_SHARD_SIZE, PairDataset, collect_pairs
from train.places import beside
from train.reals import LEAVE_OUT, open_reals
from train.teacher import Teacher, open_teacher


@dataclasses.dataclass(frozen=True)
class CollectOptions:
    """What to collect, and where."""

    teacher: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """digits, animals, biggan-deep-128, a folder with a BigGAN, hub:OWNER/NAME, snapshot:FILE, FILE.py:function,
    module:function, onnx:FILE or saved_model:FOLDER; train/YOUR_OWN_GENERATOR.md has the last four. Given several
    times, each class is drawn by the teacher that --reals or --teacher-classes say."""
    reals: str = ""
    """With several teachers: photos as in train/main.py, or digits; each class is drawn by the teacher whose
    images lie nearest to its photos, by a Fréchet distance that is printed."""
    damaged: int = 0
    """How many of these photos may be left out because they cannot be read."""
    choice_images: int = 300
    """Images of each class and teacher for that distance."""
    teacher_classes: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """With several teachers, in place of --reals: the classes of each, in their order, such as
    --teacher-classes 0-3 --teacher-classes 4-9."""
    out: Path = Path()
    """Folder for the pairs: new, empty, or holding the same collection unfinished."""
    per_class: int = 3000
    """Pairs of each class; the paper stores 3000."""
    classes: str = ""
    """Such as 0-397 (the paper's animals) or 1,7,20-29; empty: all classes that the teacher has."""
    truncation: float | None = None
    """Factor of the latents, in (0, 1]; none: the teacher's own."""
    renumber: bool = False
    """Count the chosen classes 0, 1, … in their order, so that the student has as many classes as were chosen;
    their names and the teacher's numbers go with them. Without it they keep the teacher's numbers."""
    image_size: int | None = None
    """32, 64 or 128, not above the teacher's; larger images are brought there by area resampling. None: the
    teacher's own, or the next one below it."""
    given: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """In place of a teacher: images that were made already, a folder of image files in the order of their names
    (2.png before 10.png), .npy or .npz; needs --latents and --labels."""
    latents: Path | None = None
    """With --from: the latent of every image, .npy, float32 [N, z_dim]."""
    labels: Path | None = None
    """With --from: the class of every image, .npy, whole numbers [N]."""
    names: str = ""
    """With --from: the names of the classes 0, 1, …, such as ant,bee,cat."""
    law: str = "given"
    """With --from: the law of the latents, truncated-normal, normal, uniform or sphere, which is checked; without
    one the student trains, and no app can draw new latents for it."""
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
    _check(options)
    command = typed("train/collect.py", *arguments)
    with distributed_world(options.device) as world:
        advice = f"stopped; finished shards are kept, go on with the same command: {command}"
        with _stop_with_one_line(advice if world.is_main else ""):
            if options.given is not None:
                _store_given(options, world, command)
                return
            teacher, labels = _teacher_and_classes(options, world)
            collect_pairs(
                teacher,
                options.out,
                labels,
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


def _check(options: CollectOptions) -> None:
    if options.out == Path():
        raise UserError("give a folder for the pairs with --out")
    if bool(options.teacher) == (options.given is not None):
        raise UserError("give either --teacher, or --from with images that were made already")
    for flag, value in (("--latents", options.latents), ("--labels", options.labels)):
        if (value is None) != (options.given is None):
            raise UserError(f"{flag} belongs to --from; give all of --from, --latents and --labels, or none")
    if options.given is None and (options.names or options.law != "given"):
        raise UserError("--names and --law are for --from; a teacher says both itself")
    if options.given is not None and (options.classes or options.renumber):
        raise UserError("--classes and --renumber are for a teacher; leave them out with --from")
    several = len(options.teacher) > 1
    if several and bool(options.reals) == bool(options.teacher_classes):
        raise UserError("several teachers need either --reals, by which to choose, or --teacher-classes for each")
    if not several and (options.reals or options.teacher_classes):
        raise UserError("--reals and --teacher-classes are for several teachers; give --teacher more than once")


def _teacher_and_classes(options: CollectOptions, world: World) -> tuple[Teacher, list[int]]:
    """Return the teacher on its device, several of them as one, and the labels to store."""

    def opened(spec: str) -> Teacher:
        return world.main_first(lambda: open_teacher(spec, options.truncation)).to(world.device)

    teachers = [opened(spec) for spec in options.teacher]
    check_alike(teachers)
    count = teachers[0].num_classes
    by_hand = given_choice(options.teacher_classes, teachers) if options.teacher_classes else {}
    chosen = sorted(by_hand) if by_hand and not options.classes else range(count)
    labels = parse_classes(options.classes, count) if options.classes else list(chosen)
    if by_hand and (left := set(labels) ^ by_hand.keys()):
        raise UserError(f"--classes and --teacher-classes differ by class {min(left)}; leave --classes out")
    if options.renumber and len(labels) < count:
        teachers = [RenumberedTeacher(teacher, labels) for teacher in teachers]
        by_hand = {index: by_hand[label] for index, label in enumerate(labels) if by_hand}
        labels = list(range(len(labels)))
    size = min(at_size_of_a_student(teacher, options.image_size).image_size for teacher in teachers)
    teachers = [_at_size(teacher, size, world) for teacher in teachers]
    if len(teachers) == 1:
        return teachers[0], labels
    choice = by_hand or world.told_by_main(lambda: _chosen(options, teachers, labels, world))
    return CombinedTeacher(teachers, choice), labels


def _chosen(options: CollectOptions, teachers: list[Teacher], labels: list[int], world: World) -> dict[int, int]:
    """Return class → position of its teacher: as the folder has recorded, else as the photos say."""
    recorded = recorded_choice(stored_settings(options.out), teachers)
    if recorded is not None and sorted(recorded) == labels:
        print(f"which teacher draws which class is as {options.out} has recorded", flush=True)
        return recorded
    first = teachers[0]
    naming = named(first.names, first.teacher_classes) if first.names else numbered(first.num_classes)
    cache = beside(options.out, "cache")
    reals = open_reals(
        options.reals,
        first.image_size,
        labels,
        first.num_classes,
        cache,
        naming=naming,
        damaged=options.damaged,
        remedy=LEAVE_OUT,
    )
    return chosen_by_photos(teachers, reals, labels, options.choice_images, world.device)


def _at_size(teacher: Teacher, image_size: int | None, world: World) -> Teacher:
    fitted = at_size_of_a_student(teacher, image_size)
    if fitted.image_size != teacher.image_size and world.is_main:
        sizes = f"{teacher.image_size} px are brought to {fitted.image_size} px"
        print(f"{teacher.name}'s images of {sizes} by area resampling", flush=True)
    return fitted


def _store_given(options: CollectOptions, world: World, command: str) -> None:
    assert options.given is not None and options.latents is not None and options.labels is not None
    if world.size > 1:
        raise UserError("--from stores what is there already; run it in one process, without torchrun")
    truncation = 1.0 if options.truncation is None else options.truncation
    if not 0 < truncation <= 1:
        raise UserError(f"--truncation {truncation} is not in (0, 1]")
    store_given_pairs(
        options.given,
        options.latents,
        options.labels,
        options.out,
        names=[name.strip() for name in options.names.split(",") if name.strip()],
        sampler=sampler_of(options.law),
        truncation=truncation,
        image_size=options.image_size,
        shard_size=options.shard_size,
        world=world,
        command=command,
    )


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
