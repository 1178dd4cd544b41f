"""The training step as a CUDA graph: thousands of small kernels, started by one call instead of one by one."""

import collections
import dataclasses

import torch

from train.batches import Batch
from train.errors import UserError, first_line
from train.step import Players, StepWeights, train_step

STEPS_UNTIL_RECORDED = 4
"""That a set of terms needs: in all but the last cuDNN chooses its algorithms, Adam and the compiler allocate."""


class RecordedStep:
    """Does what `train.step.train_step` does, by replaying a recording.

    There is a recording for every set of active terms, made after its first steps, which are ordinary ones. What
    changes from step to step (images, latents, weights, learning rates) is read from fixed places on the device.

    Args:
        players: on CUDA, in one process. Their learning rates become scalars on the device.
    """

    def __init__(self, players: Players) -> None:
        device = next(players.generator.parameters()).device
        for optimizer in (players.generator_optimizer, players.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = torch.tensor(float(group["lr"]), device=device)
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._done: collections.Counter[tuple[str, ...]] = collections.Counter()
        self._recordings: dict[tuple[str, ...], _Recording] = {}

    def __call__(self, players: Players, batch: Batch, weights: StepWeights) -> dict[str, torch.Tensor]:
        """Do a step; see `train.step.train_step`.

        Raises:
            UserError: the step cannot be recorded.
        """
        terms = tuple(name for name, weight in weights.values().items() if weight)
        if terms not in self._recordings:
            self._done[terms] += 1
            if self._done[terms] < STEPS_UNTIL_RECORDED:
                return self._ordinary_step(players, batch, weights)
            self._recordings[terms] = _Recording(players, batch, weights, self._stream)
        return self._recordings[terms].replay(batch, weights)

    def _ordinary_step(self, players: Players, batch: Batch, weights: StepWeights) -> dict[str, torch.Tensor]:
        # On the stream that will record: autograd goes on there with what it has begun there.
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            terms = train_step(players, batch, weights)
        current.wait_stream(self._stream)
        return terms


class _Recording:
    """One graph, and the tensors that it reads and writes."""

    def __init__(self, players: Players, batch: Batch, weights: StepWeights, stream: torch.cuda.Stream) -> None:
        device = batch.z.device
        self._batch = _copied(batch)
        self._values = torch.zeros(len(weights.values()), device=device)
        values = dict(zip(weights.values(), self._values.unbind(), strict=True))
        self._graph = torch.cuda.CUDAGraph()
        groups = [
            group
            for optimizer in (players.generator_optimizer, players.discriminator_optimizer)
            for group in optimizer.param_groups
        ]
        try:
            for group in groups:
                group["capturable"] = True  # else Adam refuses; said now, because it warns of ordinary steps
            # Other threads pin the next batches' memory meanwhile: of all threads it would be refused.
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                self._terms = train_step(players, self._batch, weights, values)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise UserError(
                f"the step cannot be recorded ({first_line(error)}); go on with --runtime.cuda-graphs off"
            ) from None
        finally:
            for group in groups:
                group["capturable"] = False

    def replay(self, batch: Batch, weights: StepWeights) -> dict[str, torch.Tensor]:
        """Put a batch and weights where the recording reads them, and do the step."""
        for fixed, new in zip(_tensors(self._batch), _tensors(batch), strict=True):
            fixed.copy_(new)
        target = self._batch.diversity_target
        assert isinstance(target, torch.Tensor)
        target.fill_(batch.diversity_target)
        self._values.copy_(torch.tensor(list(weights.values().values())), non_blocking=True)
        self._graph.replay()
        return {name: term.clone() for name, term in self._terms.items()}  # the next replay overwrites them


def _tensors(batch: Batch) -> list[torch.Tensor]:
    """Return what a replay reads, but for the target, which a batch has as a plain number."""
    fields = {name: value for name, value in vars(batch).items() if name != "diversity_target"}
    return [tensor for tensor in fields.values() if tensor is not None]


def _copied(batch: Batch) -> Batch:
    """Return a batch in memory of its own, its target a scalar on the device."""
    own = {name: value.clone() for name, value in vars(batch).items() if isinstance(value, torch.Tensor)}
    target = torch.tensor(float(batch.diversity_target), device=batch.z.device)
    return dataclasses.replace(batch, **own, diversity_target=target)
