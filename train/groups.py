"""Divide a teacher's classes into groups of like ones, for a student each: `python train/groups.py --groups 4`.

Classes are alike where the teacher's images of them have like features: the mean of EfficientNet-lite0's pooled
features. Written are the groups, and for each of them the command that trains its student; `deploy/bundle.py`
puts what the students are exported to into one app.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

from train.class_features import class_features
from train.classes import class_names, classes_text, first_synonym, parse_classes, short_name
from train.cli import parse, run_script
from train.clusters import Clustering, cluster
from train.commands import typed
from train.config import TrainConfig
from train.distributed import distributed_world
from train.errors import UserError, at_least, check_ranges, did_you_mean
from train.feature_network import FeatureNetwork
from train.files import check_writable, write_json
from train.pairs import PairDataset
from train.presets import PRESETS, TINY_IMAGENET_ANIMALS
from train.sources import check_stored_first
from train.teacher import Teacher, open_teacher

FORMAT = "tinygan-edge-groups-1"
GROUPS_FILE = "groups.json"
_PAIRS = "pairs:"
_NAME_LENGTH = 60  # of a group's folder


@dataclasses.dataclass(frozen=True)
class GroupOptions:
    """Whose classes are grouped, and how."""

    preset: str = "animals64"
    """Of train/main.py: what the students are trained by, and whose teacher and classes are grouped by default."""
    teacher: str = ""
    """As --data.teacher of train/main.py takes it, pairs:DIR included; empty: the preset's."""
    classes: str = ""
    """Such as 0-397; empty: the 59 that the embedded animals teacher knows, or those of a preset with its own
    teacher, else all that there are."""
    groups: int = 4
    """How many."""
    balance: float = 1.5
    """The largest group has at most so many times the average number of classes, the smallest at least the
    average divided by it; 1 for groups of equal size."""
    images: int = 50
    """Of each class, whose features are averaged."""
    feature_size: int = 128
    """Pixels per side at which the feature network looks, a multiple of 32."""
    out: Path = Path("runs/groups")
    """Folder: it gets groups.json, and the commands train into folders in it."""
    seed: int = 0
    """0 to 2^32 - 1; of the latents and of the clustering."""
    batch_size: int = 64
    """Images at once."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What is grouped."""

    options: GroupOptions
    config: TrainConfig
    spec: str
    """Of the teacher."""
    source: PairDataset | Teacher
    labels: list[int]
    names: list[str]
    """Of every class index."""


def main(arguments: list[str]) -> None:
    """Run the script on `arguments`.

    Raises:
        UserError: anything outside the code that is wrong, in one line.
    """
    options = parse(GroupOptions, arguments, __doc__ or "")
    config = _check(options)
    check_writable(options.out, "--out")
    plan = _open(options, config)
    if not 1 < options.groups <= len(plan.labels):
        count = len(plan.labels)
        raise UserError(f"--groups {options.groups} cannot be made of {count} classes; give 2 to {count}")
    with distributed_world(options.device) as world:
        if world.size > 1:
            raise UserError("groups are found by one process; run it without torchrun")
        network = FeatureNetwork(options.feature_size).to(world.device)
        features = class_features(
            plan.source,
            plan.labels,
            network,
            images=options.images,
            seed=options.seed,
            batch_size=options.batch_size,
            device=world.device,
        )
    found = cluster(features, options.groups, options.balance, options.seed)
    groups = [_describe(plan, found, number) for number in range(options.groups)]
    record = {
        "format": FORMAT,
        "preset": options.preset,
        "teacher": plan.spec,
        "features": f"lite0 at {options.feature_size} px, {options.images} images of each class",
        "balance": options.balance,
        "seed": options.seed,
    }
    write_json(options.out / GROUPS_FILE, {**record, "groups": groups})
    _say(groups, options.out)


def _check(options: GroupOptions) -> TrainConfig:
    if options.preset not in PRESETS:
        raise UserError(f"--preset {options.preset!r} is unknown{did_you_mean(options.preset, PRESETS)}")
    check_ranges(options, at_least(1, "images", "batch_size") | {"seed": (0, 2**32 - 1)})
    if not options.balance >= 1:
        raise UserError(f"--balance {options.balance} is below 1; give 1 for equal groups, or more")
    _, config = PRESETS[options.preset]
    if not (options.teacher or config.data.teacher):
        raise UserError(f"--preset {options.preset} has no teacher; give one with --teacher, or another preset")
    return config


def _open(options: GroupOptions, config: TrainConfig) -> _Plan:
    spec = options.teacher or config.data.teacher
    if spec.startswith(_PAIRS):
        source = PairDataset(Path(spec.removeprefix(_PAIRS)))
        names, present = source.settings.names, sorted(source.classes)
    else:
        check_stored_first(spec, "--teacher")
        source = open_teacher(spec, config.data.truncation)
        names, present = source.names, list(range(source.num_classes))
    known = TINY_IMAGENET_ANIMALS if spec == "animals" else config.data.classes if not options.teacher else ""
    chosen = options.classes or known
    labels = parse_classes(chosen, source.num_classes) if chosen else present
    return _Plan(options, config, spec, source, labels, names or class_names(source.num_classes))


def _describe(plan: _Plan, found: Clustering, number: int) -> dict[str, Any]:
    """Return a group as plain values: its name, its classes, and the command that trains its student."""
    labels = [plan.labels[position] for position in found.members[number]]
    middle = plan.names[plan.labels[found.middles[number]]]
    words = re.findall(r"[a-z0-9]+", first_synonym(middle).lower())
    name = "-".join([str(number), *words])[:_NAME_LENGTH].rstrip("-")
    return {
        "name": name,
        "like": middle,
        "classes": labels,
        "names": [plan.names[label] for label in labels],
        "data_classes": classes_text(labels),
        "similarity": round(found.similarity[number], 3),
        "similarity_to_the_next": round(found.next_similarity[number], 3),
        "command": _command(plan, plan.options.out / name, classes_text(labels)),
    }


def _command(plan: _Plan, run: Path, classes: str) -> str:
    """Return the command line that trains the student of some classes."""
    flags: list[object] = [plan.options.preset, "--run", run]
    if plan.spec != plan.config.data.teacher:
        flags += ["--data.teacher", plan.spec]
    flags += ["--data.classes", classes]
    reads_sizes = plan.config.sizes_from_data and isinstance(plan.source, PairDataset)
    if plan.config.sizes_from_data and not reads_sizes:
        flags += ["--no-sizes-from-data"]
    for name in () if reads_sizes else ("image_size", "z_dim", "num_classes"):
        if (value := getattr(plan.source, name)) != getattr(plan.config.generator, name):
            flags += [f"--generator.{name.replace('_', '-')}", value]
    return typed("train/main.py", *flags)


def _say(groups: list[dict[str, Any]], out: Path) -> None:
    for group in groups:
        own, following = group["similarity"], group["similarity_to_the_next"]
        listed = ", ".join(map(short_name, group["classes"], group["names"]))
        print(
            f"{group['name']}: {len(group['classes'])} classes, similarity {own:.2f}, to the next group "
            f"{following:.2f}\n  {listed}"
        )
    print(f"written to {out / GROUPS_FILE}; train a student of each group:")
    for group in groups:
        print(group["command"])
    folders = [out / group["name"] / "artifacts" for group in groups]
    bundle = typed("deploy/bundle.py", *folders, "--out", out / "bundle")
    print(f"quantize and export each as any run; then all go into one app: {bundle}")


if __name__ == "__main__":
    run_script(main)
