"""Which of several teachers draws a class: whose images lie nearest to the photos, or whom a user names."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from tqdm import tqdm

from train.classes import class_names, parse_classes, short_name
from train.errors import UserError
from train.feature_network import LITE0_SIZE, FeatureNetwork
from train.frechet import GaussianStatistics, frechet_distance, gaussian_statistics
from train.images import from_bytes
from train.noise import consecutive_seeds, draw_latents, law_of
from train.pair_format import PairSettings
from train.pairs import taught
from train.precision import without_tf32
from train.reals import RealImages
from train.teacher import Teacher

FEWEST_IMAGES = 10  # of a class, by which a choice says anything
_FIRST_SEED = 2**63 + 2**58  # latents that neither pairs nor judges have: see train.judging
_BATCH = 64


def check_alike(teachers: Sequence[Teacher]) -> None:
    """Check that teachers take the same latents and know the same classes.

    Raises:
        UserError: two of them do not, or are one and the same.
    """
    first = teachers[0]
    for other in teachers[1:]:
        kinds = [
            (f"latents of {first.z_dim} numbers", f"of {other.z_dim}"),
            (f"latents by the law {law_of(first.sampler)}", law_of(other.sampler)),
            (f"truncation {first.truncation}", f"{other.truncation}; pass --truncation"),
            (f"{first.num_classes} classes", f"{other.num_classes}"),
        ]
        values = [(t.z_dim, t.sampler, t.truncation, t.num_classes) for t in (first, other)]
        for (ours, theirs), one, two in zip(kinds, *values, strict=True):
            if one != two:
                raise UserError(f"{first.name} has {ours}, {other.name} {theirs}; several teachers have to agree")
        names = [teacher.names or class_names(teacher.num_classes) for teacher in (first, other)]
        for index, (one, two) in enumerate(zip(*names, strict=True)):
            if one != two:
                raise UserError(
                    f"class {index} is {one!r} of {first.name} and {two!r} of {other.name}; several teachers have "
                    "to agree"
                )
    prints = [teacher.fingerprint for teacher in teachers]
    if len(set(prints)) < len(prints):
        raise UserError(f"{teachers[-1].name} is given twice; give each --teacher once")


def given_choice(texts: Sequence[str], teachers: Sequence[Teacher]) -> dict[int, int]:
    """Return class → position of its teacher, as a user gives it: the classes of each, in their order.

    Raises:
        UserError: there are not as many texts as teachers, one is wrong, or a class has two teachers.
    """
    if len(texts) != len(teachers):
        raise UserError(
            f"--teacher-classes is given {len(texts)} times for {len(teachers)} teachers; give it once for each, "
            "in their order"
        )
    chosen: dict[int, int] = {}
    for position, text in enumerate(texts):
        for label in parse_classes(text, teachers[position].num_classes):
            if label in chosen:
                raise UserError(f"--teacher-classes gives class {label} to two teachers; give it to one")
            chosen[label] = position
    return chosen


def recorded_choice(settings: PairSettings | None, teachers: Sequence[Teacher]) -> dict[int, int] | None:
    """Return class → position of its teacher, as a collection of these teachers says; None where none does."""
    if settings is None or not settings.teachers:
        return None
    if [part["fingerprint"] for part in settings.teachers] != [teacher.fingerprint for teacher in teachers]:
        return None
    return {label: position for position, part in enumerate(settings.teachers) for label in part["classes"]}


def chosen_by_photos(
    teachers: Sequence[Teacher], reals: RealImages, classes: Sequence[int], count: int, device: torch.device
) -> dict[int, int]:
    """Return class → position of the teacher that draws it best, and print a table of the distances.

    A distance is Fréchet's within a class on EfficientNet-lite0's pooled features, of `count` images to the first
    `count` photos, so that it is high by the small number, and alike so for all teachers. A teacher that was
    trained against that network, as ours of photographs, is flattered by it.

    Args:
        teachers: on `device`, alike (`check_alike`), of one image size.
        reals: photos of that size, of all `classes`.
        classes: indices.
        count: images of each class, at least FEWEST_IMAGES.
        device: that computes.

    Raises:
        UserError: a class has too few photos, or a teacher's images are not what they should be.
    """
    few = [label for label in classes if len(reals.by_class[label]) < FEWEST_IMAGES]
    if few or count < FEWEST_IMAGES:
        what = f"class {few[0]} has {len(reals.by_class[few[0]])} photos" if few else f"--choice-images is {count}"
        remedy = "add some, or give the classes of each teacher with --teacher-classes" if few else "give 300"
        raise UserError(f"{what}, and a choice needs {FEWEST_IMAGES}; {remedy}")
    network = FeatureNetwork(LITE0_SIZE).to(device, memory_format=torch.channels_last)  # pyright: ignore
    distances: dict[int, list[float]] = {}
    for position, label in enumerate(tqdm(classes, desc="choose teachers", unit="class")):
        photos = _statistics(network, reals.images[reals.by_class[label][:count]], device)
        seeds = consecutive_seeds(_FIRST_SEED + position * count, count)
        z = draw_latents(teachers[0].sampler, seeds, teachers[0].z_dim, teachers[0].truncation)
        y = np.full(count, label, dtype=np.int64)
        distances[label] = [
            frechet_distance(_statistics(network, _images(teacher, z, y, device), device), photos)
            for teacher in teachers
        ]
    chosen = {label: int(np.argmin(found)) for label, found in distances.items()}
    names = teachers[0].names or class_names(teachers[0].num_classes)
    print(_table(teachers, distances, {label: short_name(label, names[label]) for label in classes}, count))
    return chosen


def _images(teacher: Teacher, z: np.ndarray, y: np.ndarray, device: torch.device) -> np.ndarray:
    starts = range(0, len(y), _BATCH)
    return np.concatenate([taught(teacher, z[s : s + _BATCH], y[s : s + _BATCH], device) for s in starts])


@torch.no_grad()
@without_tf32()
def _statistics(network: FeatureNetwork, images: np.ndarray, device: torch.device) -> GaussianStatistics:
    parts = torch.from_numpy(np.array(images)).split(_BATCH)
    return gaussian_statistics(torch.cat([network(from_bytes(part.to(device))).cpu() for part in parts]).numpy())


def _table(
    teachers: Sequence[Teacher], distances: Mapping[int, Sequence[float]], names: Mapping[int, str], count: int
) -> str:
    """Return a line for each class, its nearest teacher marked, and how many classes each has."""
    width = max(map(len, names.values()))
    heads = [teacher.name for teacher in teachers]
    lines = [f"Fréchet distance of each class to its photos, EfficientNet-lite0, {count} images; * draws it"]
    lines.append("  ".join([" " * width, *(f"{head:>10}" for head in heads)]))
    for label, found in distances.items():
        best = int(np.argmin(found))
        cells = [f"{f'{value:.4g}' + '* '[k != best]:>{max(10, len(heads[k]))}}" for k, value in enumerate(found)]
        lines.append("  ".join([f"{names[label]:<{width}}", *cells]))
    counts = [sum(int(np.argmin(found)) == k for found in distances.values()) for k in range(len(heads))]
    lines.append(", ".join(f"{head} draws {number}" for head, number in zip(heads, counts, strict=True)))
    return "\n".join(lines)
