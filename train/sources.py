"""Opens what a configuration names: the teacher's pairs, the real images, the classes."""

import dataclasses
from pathlib import Path

import numpy as np
import torch

from train import digits
from train.classes import first_synonym, parse_classes
from train.commands import typed
from train.config import DataConfig, TrainConfig
from train.distributed import World
from train.errors import UserError, listed
from train.files import short_name
from train.generator import IMAGE_SIZES
from train.naming import Naming, named, numbered
from train.noise import SAMPLER, consecutive_seeds, truncated_normal
from train.pair_folder import read_index
from train.pairs import PairDataset, collect_pairs
from train.photo_sets import classes_in, naming_of
from train.places import beside
from train.progress import Reference
from train.reals import RealImages, open_reals
from train.teacher import is_function, open_teacher

_GRID_CLASSES, _GRID_ROWS = 10, 4


@dataclasses.dataclass(frozen=True)
class Sources:
    """What a run learns from."""

    pairs: PairDataset | None
    reals: RealImages | None
    classes: list[int]
    names: list[str]
    """Of every class index."""
    truncation: float
    """Of the latents."""
    sampler: str = SAMPLER
    """Of the latents."""
    teacher_classes: dict[int, int] = dataclasses.field(default_factory=dict)
    """Class index → the teacher's number, where the student counts classes anew."""

    def describe(self) -> str:
        """Return one line for records."""
        parts = [f"teacher {self.pairs.teacher}"] if self.pairs else []
        # By name: where it lies is no matter of the weights that are learned, and nobody else's.
        parts += [f"real images {Path(self.reals.source).name}"] if self.reals else []
        return ", ".join(parts)


def open_sources(config: TrainConfig, folder: Path, world: World) -> Sources:
    """Open the data of `config`, collecting the teacher's pairs first where they are not stored yet.

    Pairs and decoded real images are kept beside the run folder, or in runtime.shared, so that runs share them.

    Raises:
        UserError: something is missing or does not fit, with the command that makes it.
    """
    if not (config.data.teacher or config.data.reals):
        raise UserError("nothing to learn from: give --data.teacher, --data.reals or both")
    _check_needs(config)
    if config.data.reals not in ("", "digits") and not config.data.teacher.startswith("pairs:"):
        _path_of_reals(config.data)  # before a teacher draws for minutes
    pairs = _open_pairs(config, folder, world) if config.data.teacher else None
    naming = _naming(config, pairs)
    classes = _classes(config, pairs, naming)
    reals = _open_reals(config, classes, naming, folder, world) if config.data.reals else None
    if pairs is None:
        return Sources(pairs, reals, classes, list(naming.names), config.data.truncation)
    numbers = dict(enumerate(naming.numbers))
    return Sources(pairs, reals, classes, list(naming.names), pairs.truncation, pairs.settings.sampler, numbers)


def _naming(config: TrainConfig, pairs: PairDataset | None) -> Naming:
    """Return what the classes are called: as the teacher's pairs say, else as the photos do, else by number."""
    count = config.generator.num_classes
    if pairs is not None and pairs.settings.names:
        return named(pairs.settings.names, pairs.settings.teacher_classes)
    if config.data.reals in ("", "digits"):
        return numbered(count)
    naming = naming_of(_path_of_reals(config.data), numbered(count))
    if naming.own and pairs is not None:
        taken = ", ".join(f"{index} is {name}" for index, name in enumerate(naming.names[:10]))
        print(f"the teacher does not name its classes; by the photos' folders {taken}", flush=True)
    return naming


def shared_folder(config: TrainConfig, run: Path, name: str) -> Path:
    """Return where the collections of pairs, or the decoded photos, are that a run shares with others."""
    return Path(config.runtime.shared) / name if config.runtime.shared else beside(run, name)


def _open_pairs(config: TrainConfig, folder: Path, world: World) -> PairDataset:
    data = config.data
    if data.teacher.startswith("pairs:"):
        path = Path(data.teacher.removeprefix("pairs:"))
        if not path.is_dir():
            raise UserError(_no_pairs(config, path))
    else:
        check_stored_first(data.teacher)
        teacher = world.main_first(lambda: open_teacher(data.teacher, data.truncation))
        _check_shape(config, data.teacher, teacher.image_size, teacher.z_dim, teacher.num_classes)
        classes = parse_classes(data.classes or f"0-{teacher.num_classes - 1}", teacher.num_classes)
        key = f"{teacher.name}-{teacher.fingerprint[:8]}-t{data.truncation}-{data.per_class}-s{config.seed}"
        path = shared_folder(config, folder, "pairs") / short_name(
            f"{key}-{data.classes}" if data.classes else key
        )
        collect_pairs(
            teacher.to(world.device), path, classes, per_class=data.per_class, seed=config.seed, world=world
        )
    found, _ = read_index(path)
    _check_shape(config, str(path), found.image_size, found.z_dim, found.num_classes)
    chosen = parse_classes(data.classes, found.num_classes) if data.classes else None
    # Of a teacher that is at hand others can be drawn to judge on.
    return PairDataset(path, held_out=data.held_out if data.teacher.startswith("pairs:") else 0, classes=chosen)


def check_stored_first(teacher: str, flag: str = "--data.teacher") -> None:
    """Refuse teachers that say themselves how their latents are drawn: --data.truncation is not for them.

    Args:
        teacher: what `flag` names.
        flag: for the message.

    Raises:
        UserError: it is such a teacher; with the command that stores its images.
    """
    if is_function(teacher) or teacher.startswith(("onnx:", "saved_model:")):
        pairs = Path("data") / "pairs"
        command = typed("train/collect.py", "--teacher", teacher, "--out", pairs)
        raise UserError(f"store the images of {teacher} first: {command}; then pass {flag} pairs:{pairs}")


def with_sizes_of_data(config: TrainConfig) -> TrainConfig:
    """Return a configuration that asks for it with image size, latents and classes of its stored pairs.

    Raises:
        UserError: there are no stored pairs.
    """
    if not config.sizes_from_data:
        return config
    kind, _, place = config.data.teacher.partition(":")
    if kind != "pairs":
        raise UserError(
            f"--sizes-from-data reads stored pairs, and --data.teacher is {config.data.teacher!r}; store its "
            "images with train/collect.py and pass --data.teacher pairs:DIR"
        )
    if not Path(place).is_dir():
        raise UserError(_no_pairs(config, Path(place)))
    found, _ = read_index(Path(place))
    sizes = {"image_size": found.image_size, "z_dim": found.z_dim, "num_classes": found.num_classes}
    print(
        f"{place}: {found.image_size} px, {found.num_classes} classes, latents of {found.z_dim} numbers",
        flush=True,
    )
    return dataclasses.replace(config, generator=dataclasses.replace(config.generator, **sizes))


def _no_pairs(config: TrainConfig, path: Path) -> str:
    """Return what to do about pairs that are not there."""
    if config.sizes_from_data:
        command = typed("train/collect.py", "--teacher", "FILE.py:function", "--out", path)
        return f"no teacher's images at {path}; store your generator's with: {command}"
    size, classes = config.generator.image_size, config.data.classes
    teacher = {32: "digits", 64: "animals", 128: "biggan-deep-128"}[size]
    flags = ("--per-class", config.data.per_class, *(("--classes", classes) if classes else ()))
    command = typed("train/collect.py", "--teacher", teacher, "--out", path, *flags)
    return f"no teacher's images at {path}; make them with: {command}"


def _check_shape(config: TrainConfig, source: str, image_size: int, z_dim: int, num_classes: int) -> None:
    if image_size not in IMAGE_SIZES:
        sizes = ", ".join(map(str, IMAGE_SIZES))
        raise UserError(f"{source} has images of {image_size} px, and a student has {sizes}; take another teacher")
    wanted = config.generator
    differences = {
        flag: (ours, theirs)
        for flag, ours, theirs in (
            ("image-size", wanted.image_size, image_size),
            ("z-dim", wanted.z_dim, z_dim),
            ("num-classes", wanted.num_classes, num_classes),
        )
        if ours != theirs
    }
    if differences:
        has = ", ".join(f"{flag} {theirs}, the student has {ours}" for flag, (ours, theirs) in differences.items())
        remedy = " ".join(f"--generator.{flag} {theirs}" for flag, (_, theirs) in differences.items())
        if config.data.reals == "digits" and (image_size, num_classes) != (digits.SIZE, digits.CLASSES):
            remedy += " and, as the real digits do not fit it, photos with --data.reals, or no real images with"
            remedy += " --data.reals '' --loss.real-generator 0 --loss.real-discriminator 0"
        raise UserError(f"{source} has {has}; pass {remedy}")


def _classes(config: TrainConfig, pairs: PairDataset | None, naming: Naming) -> list[int]:
    if config.data.classes:
        return parse_classes(config.data.classes, config.generator.num_classes)
    if pairs is not None:
        return list(pairs.classes)
    if config.data.reals == "digits":
        return list(range(digits.CLASSES))
    path, count = _path_of_reals(config.data), config.generator.num_classes
    found = classes_in(path, naming)
    if missing := sorted(set(range(count)) - set(found)):
        without = f"the run goes without {listed(missing, 10)}"
        print(f"{path} has images of {len(found)} of the {count} classes; {without}", flush=True)
    return found


def _open_reals(config: TrainConfig, classes: list[int], naming: Naming, folder: Path, world: World) -> RealImages:
    generator, cache = config.generator, shared_folder(config, folder, "cache")
    source = "digits" if config.data.reals == "digits" else str(_path_of_reals(config.data))
    return world.main_first(
        lambda: open_reals(
            source,
            generator.image_size,
            classes,
            generator.num_classes,
            cache,
            naming=naming,
            damaged=config.data.damaged,
            remedy=", or leave them out with --data.damaged {count}",
        )
    )


def _path_of_reals(data: DataConfig) -> Path:
    path = Path(data.reals)
    if not path.exists():
        raise UserError(
            f"no real images at {path}; pass --data.reals with a folder of class folders (such as ImageNet's "
            "train) or an image pack, or --data.reals '' with --loss.real-generator 0 --loss.real-discriminator 0"
        )
    return path


def _check_needs(config: TrainConfig) -> None:
    """Refuse weights whose data is not there, instead of leaving their terms out."""
    teacher, reals = bool(config.data.teacher), bool(config.data.reals)
    needs = {
        "feature": teacher,
        "pixel": teacher,
        "distillation_discriminator": teacher,
        "distillation_generator": teacher,
        "real_discriminator": reals,
        "real_generator": reals,
        "mode_seeking": reals,
    }
    lacking = [name for name, there in needs.items() if getattr(config.loss, name) and not there]
    if lacking:
        places = {"--data.teacher": teacher, "--data.reals": reals}
        missing = " and ".join(flag for flag, there in places.items() if not there)
        flags = {name: f"--loss.{name.replace('_', '-')}" for name in lacking}
        weights = ", ".join(f"{flag} is {getattr(config.loss, name)}" for name, flag in flags.items())
        remedy = " ".join(f"{flag} 0" for flag in flags.values())
        raise UserError(f"{weights}, but there is no {missing}; give it or pass {remedy}")


def initial_class_embedding(config: TrainConfig) -> torch.Tensor | None:
    """Read `data.class_embedding`, float32 [num_classes, class_embedding_dim].

    Raises:
        UserError: no such file, or another shape.
    """
    if not config.data.class_embedding:
        return None
    path = Path(config.data.class_embedding)
    try:
        table = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a readable .npy file ({error})") from None
    expected = (config.generator.num_classes, config.generator.class_embedding_dim)
    if not isinstance(table, np.ndarray) or table.shape != expected or table.dtype.kind != "f":
        raise UserError(f"{path} does not hold a float array of shape {list(expected)}")
    return torch.from_numpy(table.astype(np.float32))


def grid_reference(sources: Sources, z_dim: int, seed: int) -> Reference:
    """Choose what the sample grids show: up to ten classes side by side, four images of each."""
    classes = sources.classes[:_GRID_CLASSES]
    y = np.array(classes * _GRID_ROWS)
    names = [first_synonym(sources.names[label]) for label in classes]
    if sources.pairs is not None:
        columns = [sources.pairs.first_of(label, _GRID_ROWS) for label in classes]
        indices = [column[row] for row in range(min(map(len, columns))) for column in columns]
        z, labels, images = sources.pairs.gather(np.array(indices))
        return Reference(z, labels, images.numpy(), len(classes), names)
    assert sources.reals is not None
    chosen, seen = [], dict.fromkeys(classes, 0)
    for label in y:
        of_class = sources.reals.by_class[int(label)]
        chosen.append(of_class[seen[int(label)] % len(of_class)])
        seen[int(label)] += 1
    z = truncated_normal(consecutive_seeds(2**62 + seed, len(y)), z_dim, 0.5)
    images = np.ascontiguousarray(sources.reals.images[chosen])
    return Reference(torch.from_numpy(z), torch.from_numpy(y), images, len(classes), names)
