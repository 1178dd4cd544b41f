"""The mean features of every class, of a teacher's images."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from tqdm import tqdm

from train.errors import UserError
from train.images import from_bytes
from train.pairs import PairDataset, pair_settings, taught
from train.precision import without_tf32
from train.teacher import Teacher

Positions = Callable[[int], np.ndarray]  # class → which images, int64 [N]
Draw = Callable[[np.ndarray], torch.Tensor]  # which images → uint8 [N, H, W, 3]


@torch.no_grad()
@without_tf32()
def class_features(
    source: PairDataset | Teacher,
    classes: Sequence[int],
    network: torch.nn.Module,
    *,
    images: int,
    seed: int,
    batch_size: int,
    device: torch.device,
) -> np.ndarray:
    """Return the mean features of the images of each class, float64 [C, D].

    Args:
        source: stored pairs, of which the first of each class are taken, or a teacher, which draws.
        classes: indices, each once.
        network: images [N, 3, H, W] in [-1, 1] → features [N, D], on `device`.
        images: of each class; of stored pairs as many as there are, where they are fewer.
        seed: of the latents that a teacher draws from.
        batch_size: images at once.
        device: that computes.

    Raises:
        UserError: stored pairs have no images of a class, or the teacher's images are not what they should be.
    """
    if isinstance(source, PairDataset):
        positions, draw = _stored(source, images)
    else:
        positions, draw = _new(source.to(device), classes, images, seed, device)
    means = []
    for label in tqdm(classes, desc="features", unit=" classes"):
        found = positions(label)
        parts = [draw(found[start : start + batch_size]) for start in range(0, len(found), batch_size)]
        means.append(
            torch.cat([network(from_bytes(part.to(device))).double().cpu() for part in parts]).mean(dim=0)
        )
    return torch.stack(means).numpy()


def _stored(pairs: PairDataset, images: int) -> tuple[Positions, Draw]:
    def positions(label: int) -> np.ndarray:
        found = pairs.first_of(label, images) if label in pairs.classes else []
        if not found:
            raise UserError(f"{pairs.folder} has no images of class {label}; leave it out with --classes")
        return np.array(found)

    return positions, lambda chosen: pairs.gather(chosen)[2]


def _new(
    teacher: Teacher, classes: Sequence[int], images: int, seed: int, device: torch.device
) -> tuple[Positions, Draw]:
    settings = pair_settings(teacher, classes, per_class=images, seed=seed)
    z, y = settings.latents_and_classes(range(settings.count))

    def draw(chosen: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(taught(teacher, z[chosen], y[chosen], device))

    return lambda label: np.flatnonzero(y == label), draw
