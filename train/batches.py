"""Batches as a pure function of the seed and the step, so that resuming needs no sampler state."""

import dataclasses
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch

from train.augment import RANDOM_NUMBERS
from train.distributed import World
from train.errors import UserError
from train.images import from_bytes
from train.noise import SAMPLER, consecutive_seeds, draw_latents, random_words
from train.reals import RealImages

MODE_SEEKING_TRUNCATIONS = (0.5, 1.0)  # one is drawn per batch, so that a teacher learns to serve both
MODE_SEEKING_TARGETS = (0.8, 1.0)  # at each truncation, as a share of the real images' distance

_AHEAD = 4  # batches under way; a step may be shorter than a batch takes to gather

_SHUFFLE, _REALS, _LATENTS, _AUGMENT = range(4)  # independent streams of random numbers


@dataclasses.dataclass(frozen=True)
class Batch:
    """One process's share of a step, on its device; images are float32 [N, 3, H, W] in [-1, 1]."""

    z: torch.Tensor
    """[N, z_dim], truncation included."""
    y: torch.Tensor
    """int64 [N]; the class of the latent, of the teacher's image and of the real image."""
    teacher: torch.Tensor | None
    """The teacher's images of (z, y); None from scratch."""
    real: torch.Tensor | None
    """Real images of the classes y, or of `fresh_y`; None without real images."""
    augment: torch.Tensor | None
    """Uniform numbers [2N, RANDOM_NUMBERS] for augmentation: real images' first, then generated ones'."""
    diversity_target: float | torch.Tensor
    """Mode-seeking target, a scalar; of meaning from scratch only."""
    fresh_z: torch.Tensor | None = None
    """Latents of the student's images that real ones are judged against, [N, z_dim]; None where those are of z."""
    fresh_y: torch.Tensor | None = None
    """int64 [N]; the classes of `fresh_z`, and of the real images then."""


@dataclasses.dataclass(frozen=True)
class ScratchLatents:
    """How latents are drawn that no pair has."""

    classes: list[int]
    z_dim: int
    truncation: float
    paired: bool
    """For the mode-seeking term: elements k and k + N/2 share a class, and `truncation` gives way to
    `MODE_SEEKING_TRUNCATIONS`."""
    sampler: str = SAMPLER
    """Their law, one of `train.noise.SAMPLERS`."""


class Pairs(Protocol):
    """Stored pairs, as train.pairs.PairDataset gives them."""

    def __len__(self) -> int: ...

    def gather(self, indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return z, y and uint8 images of some pairs."""
        ...


class ClassBalancedReals:
    """Real images to be drawn for given classes.

    Drawing them for the pairs' own classes makes the class distributions of equations 3 and 5 equal, so
    that both share one batch of the student's images.
    """

    def __init__(self, reals: RealImages, *, mirror: bool = False) -> None:
        self.reals, self.mirror = reals, mirror
        self.order = np.concatenate(list(reals.by_class.values()))
        self.counts = np.bincount(reals.labels)
        self.starts = np.cumsum(self.counts) - self.counts

    def draw(self, y: np.ndarray, uniform: np.ndarray) -> torch.Tensor:
        """Return one image per class in y [N], chosen by uniform [N] in [0, 1): uint8 [N, H, W, 3].

        With `mirror` every image comes as often mirrored, left and right exchanged.
        """
        position, remainder = np.divmod(uniform * self.counts[y], 1.0)
        return self._at(self.starts[y] + position.astype(np.int64), remainder)

    def draw_any(self, uniform: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images chosen by uniform [N] in [0, 1), each as likely as any other, and their classes, int64."""
        position, remainder = np.divmod(uniform * len(self.order), 1.0)
        places = position.astype(np.int64)
        return self._at(places, remainder), torch.from_numpy(self.reals.labels[self.order[places]])

    def _at(self, places: np.ndarray, remainder: np.ndarray) -> torch.Tensor:
        images = self.reals.images[self.order[places]]
        if self.mirror:
            images[remainder < 0.5] = images[remainder < 0.5, :, ::-1]
        return torch.from_numpy(images)


class BatchSource:
    """Produces this process's share of each step's global batch, a few steps ahead in threads.

    The global batch depends on the seed and the step only; process r of R takes elements r, r + R, ….
    """

    def __init__(
        self,
        *,
        batch_size: int,
        seed: int,
        world: World,
        pairs: Pairs | None,
        reals: ClassBalancedReals | None,
        scratch: ScratchLatents | None,
        augment: bool,
        fresh: ScratchLatents | None = None,
    ) -> None:
        share = 2 * world.size if scratch and scratch.paired else world.size
        if batch_size % share:
            raise UserError(f"--optimizer.batch-size {batch_size} is no multiple of {share}, which this run needs")
        if pairs is not None and len(pairs) < batch_size:
            raise UserError(
                f"there are {len(pairs)} stored pairs, fewer than --optimizer.batch-size {batch_size}; "
                "lower it or raise --data.per-class"
            )
        self.batch_size, self.seed, self.world = batch_size, seed, world
        self.pairs, self.reals = pairs, reals
        self.scratch, self.augment, self.fresh = scratch, augment, fresh
        self._permutation: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=np.int64))
        self._threads = ThreadPoolExecutor(max_workers=_AHEAD if world.device.type == "cuda" else 1)
        self._ahead: deque[tuple[int, Future[Batch]]] = deque()

    def at(self, step: int) -> Batch:
        """Return the batch of `step`; steps in ascending order are prepared ahead."""
        if not self._ahead or self._ahead[0][0] != step:
            self._drop_ahead()
            self._submit(step)
        batch = self._ahead.popleft()[1].result()
        for following in range(step + 1 + len(self._ahead), step + 1 + _AHEAD):
            self._submit(following)
        return self._to_device(batch)

    def _submit(self, step: int) -> None:
        self._ahead.append((step, self._threads.submit(self._prepare, step)))

    def _drop_ahead(self) -> None:
        while self._ahead:
            self._ahead.popleft()[1].cancel()

    def _random(self, stream: int, index: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, stream, index]))

    def _prepare(self, step: int) -> Batch:
        teacher, target = None, 0.0
        if self.pairs is not None:
            z, y, teacher = self.pairs.gather(self._share(self._pair_indices(step)))
        else:
            z, y, target = self._latents(step)
        real = augment = fresh_z = fresh_y = None
        if self.reals is not None:
            uniform = self._share(self._random(_REALS, step).random(self.batch_size))
            if self.fresh is None:
                real = self.reals.draw(y.numpy(), uniform)
            else:
                real, fresh_y = self.reals.draw_any(uniform)
                fresh_z = self._drawn(self.fresh, self.fresh.truncation, step, stream=1)
        if self.augment:
            numbers = self._random(_AUGMENT, step).random((self.batch_size, 2, RANDOM_NUMBERS), dtype=np.float32)
            augment = torch.from_numpy(self._share(numbers)).transpose(0, 1).flatten(0, 1).contiguous()
        batch = Batch(z, y, teacher, real, augment, target, fresh_z, fresh_y)
        return _pinned(batch) if self.world.device.type == "cuda" else batch

    def _share(self, values: np.ndarray) -> np.ndarray:
        return values[self.world.rank :: self.world.size]

    def _pair_indices(self, step: int) -> np.ndarray:
        """Return the pairs of a step: every epoch is a new permutation, its incomplete last batch left out."""
        assert self.pairs is not None
        epoch, position = divmod(step, len(self.pairs) // self.batch_size)
        known, permutation = self._permutation  # looked at once: another thread may be in the next epoch
        if known != epoch:
            permutation = self._random(_SHUFFLE, epoch).permutation(len(self.pairs))
            self._permutation = (epoch, permutation)
        start = position * self.batch_size
        return permutation[start : start + self.batch_size]

    def _latents(self, step: int) -> tuple[torch.Tensor, torch.Tensor, float]:
        """Draw latents without a teacher, uniform over the classes; return z, y and the mode-seeking target."""
        scratch = self.scratch
        assert scratch is not None, "without pairs, latents must be drawn"
        random = self._random(_LATENTS, step)
        truncation, target = scratch.truncation, 0.0
        if scratch.paired:
            choice = int(random.integers(len(MODE_SEEKING_TRUNCATIONS)))
            truncation, target = MODE_SEEKING_TRUNCATIONS[choice], MODE_SEEKING_TARGETS[choice]
            half = self._share(random.choice(scratch.classes, self.batch_size // 2))
            y = np.concatenate([half, half])
        else:
            y = self._share(random.choice(scratch.classes, self.batch_size))
        return self._drawn(scratch, truncation, step, stream=0), torch.from_numpy(y), target

    def _drawn(self, latents: ScratchLatents, truncation: float, step: int, *, stream: int) -> torch.Tensor:
        words = random_words(consecutive_seeds(self.seed, 1), stream + 1)
        seeds = consecutive_seeds(int(words[0, stream]) + step * self.batch_size, self.batch_size)
        return torch.from_numpy(self._share(draw_latents(latents.sampler, seeds, latents.z_dim, truncation)))

    def _to_device(self, batch: Batch) -> Batch:
        def move(tensor: torch.Tensor | None) -> torch.Tensor | None:
            # Only from pinned memory may the copy still be under way when the batch is used.
            return None if tensor is None else tensor.to(self.world.device, non_blocking=tensor.is_pinned())

        def image(tensor: torch.Tensor | None) -> torch.Tensor | None:
            moved = move(tensor)
            return None if moved is None else from_bytes(moved)  # a view in channels-last order

        z, y = move(batch.z), move(batch.y)
        assert z is not None and y is not None
        return Batch(
            z,
            y,
            image(batch.teacher),
            image(batch.real),
            move(batch.augment),
            batch.diversity_target,
            move(batch.fresh_z),
            move(batch.fresh_y),
        )


def _pinned(batch: Batch) -> Batch:
    """Return the batch in memory that a GPU can copy from while it computes."""
    tensors = {name: value for name, value in vars(batch).items() if isinstance(value, torch.Tensor)}
    pinned: dict[str, Any] = {name: tensor.pin_memory() for name, tensor in tensors.items()}
    return dataclasses.replace(batch, **pinned)
