"""fit(): schedule, averaged weights, checkpoints, exact resume. Quantization-aware training calls the same."""

import dataclasses
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
import torch.distributed
from torch import nn

from train.batches import Batch
from train.config import LossConfig, OptimizerConfig, ScheduleConfig
from train.distributed import World
from train.errors import UserError, first_line
from train.files import load_torch_file, save_torch
from train.step import Players, StepWeights, set_learning_rate, train_step, unwrap, weights_at

STATE_FILE = "state.pt"
_STOP_CHECK_STEPS = 10  # steps between two rounds in which several processes agree to stop


class Interrupted(Exception):  # noqa: N818 (not an error)
    """The run was told to stop; its state is saved and the same command goes on."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_status = 128 + signal_number


class Batches(Protocol):
    """Where batches come from."""

    def at(self, step: int) -> Batch:
        """Return this process's share of a step's batch, on its device."""
        ...


class Observer:
    """Who watches a run; called on every process, between steps. By itself it does nothing."""

    def start(self, step: int) -> None:
        """Prepare for a run that begins, or goes on, at `step`."""

    def after_step(self, step: int, terms: dict[str, torch.Tensor]) -> None:
        """Take the terms of the last of `step` steps, still on the device; may raise to stop the run."""

    def after_save(self, step: int) -> None:
        """Learn that the state after `step` steps is on disk."""


StepFunction = Callable[[Players, Batch, StepWeights], dict[str, torch.Tensor]]
"""Does what `train.step.train_step` does."""


class WeightAverage:
    """An exponential moving average of a generator's parameters and norm statistics: the result of a run.

    Args:
        module: the same architecture as `trained`; never trained itself.
        trained: the generator, on its device. From here on, buffers of both may change in place only.
        decay: in [0, 1].
    """

    def __init__(self, module: nn.Module, trained: nn.Module, decay: float) -> None:
        self.module, self.decay = module, decay
        # Listed once: collecting hundreds of tensors takes as long as averaging them.
        averaged, current = (network.state_dict(keep_vars=True) for network in (module, unwrap(trained)))
        moving = {name for name in averaged if _is_averaged(name, averaged[name])}
        self._averaged, self._copied = (
            ([averaged[n] for n in names], [current[n] for n in names])
            for names in (sorted(moving), sorted(averaged.keys() - moving))
        )

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Move towards the trained generator after its `updates`-th update; the first ones count for more."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        torch._foreach_lerp_(*self._averaged, 1 - decay)
        if self._copied[0]:
            torch._foreach_copy_(*self._copied)


def _is_averaged(name: str, tensor: torch.Tensor) -> bool:
    """Everything but counters and the vectors of spectral norms, whose average would mean nothing."""
    return tensor.is_floating_point() and not name.endswith(("weight_u", "weight_v"))


def load_state(path: Path) -> dict[str, Any]:
    """Read a training state onto the CPU.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    return load_torch_file(path, "training state")


@dataclasses.dataclass
class Training:
    """All that changes while a run trains, and the settings that it follows."""

    players: Players
    average: WeightAverage
    loss: LossConfig
    schedule: ScheduleConfig
    optimizer: OptimizerConfig
    steps: int
    fingerprint: dict[str, Any]
    """What must be equal for a state to be resumed."""
    do_step: StepFunction = train_step

    def state(self, step: int) -> dict[str, Any]:
        """Return all that resuming after `step` steps needs."""
        players = self.players
        return {
            "step": step,
            "fingerprint": json.dumps(self.fingerprint, sort_keys=True, default=str),
            "generator": unwrap(players.generator).state_dict(),
            "discriminator": unwrap(players.discriminator).state_dict(),
            "average": self.average.module.state_dict(),
            "generator_optimizer": players.generator_optimizer.state_dict(),
            "discriminator_optimizer": players.discriminator_optimizer.state_dict(),
        }

    def resume(self, path: Path) -> int:
        """Load a state if there is one; return the number of steps that are done.

        Raises:
            UserError: the state is damaged, or belongs to other settings.
        """
        if not path.exists():
            return 0
        state = load_state(path)
        try:
            if state["fingerprint"] != json.dumps(self.fingerprint, sort_keys=True, default=str):
                raise UserError(f"{path} was made with other settings; use another run folder or delete it")
            players = self.players
            unwrap(players.generator).load_state_dict(state["generator"])
            unwrap(players.discriminator).load_state_dict(state["discriminator"])
            self.average.module.load_state_dict(state["average"])
            _load_moments(players.generator_optimizer, state["generator_optimizer"])
            _load_moments(players.discriminator_optimizer, state["discriminator_optimizer"])
            return int(state["step"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise UserError(
                f"{path} is no state of this run ({first_line(error)}); delete it to start anew"
            ) from None

    def learning_rate_factor(self, step: int) -> float:
        """Return 1 until `decay_start`, then a line down to 0 at the end of the run."""
        start = self.optimizer.decay_start * self.steps
        return 1.0 if step < start else (self.steps - step) / (self.steps - start)


def _load_moments(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load what an optimizer has learned, and leave its learning rates where they are, on whichever device."""
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


class StopSignal:
    """Remembers SIGTERM or Ctrl-C so that the loop can stop between two steps."""

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> "StopSignal":
        self._previous = {n: signal.signal(n, self._remember) for n in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signal API)
        self.number = number

    def agreed(self, world: World, step: int) -> int:
        """Return the signal that any process received, or 0; all processes get the same answer."""
        if world.size == 1:
            return self.number
        if step % _STOP_CHECK_STEPS:
            return 0
        number = torch.tensor(self.number, device=world.device)
        torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
        return int(number)


def fit(
    training: Training,
    batches: Batches,
    folder: Path,
    world: World,
    *,
    observers: list[Observer],
    checkpoint_minutes: float,
) -> None:
    """Train to the end, resuming from `folder`/state.pt if it is there, and leave the final state there.

    On the CPU a resumed run gives the same bits as one that was never stopped.

    Raises:
        UserError: a term of the loss, or a weight, is no longer finite; the last good state is kept. Or the
            processes do not find the same state.
        Interrupted: SIGTERM or Ctrl-C; the state is saved.
    """
    path = folder / STATE_FILE
    done = training.resume(path)
    _check_agreed(world, done, folder)
    for observer in observers:
        observer.start(done)
    saved, saved_at = done, time.monotonic()
    with StopSignal() as stop:
        for step in range(done, training.steps):
            terms = one_step(training, batches.at(step), step)
            for observer in observers:
                observer.after_step(step + 1, terms)
            number = stop.agreed(world, step)
            due = time.monotonic() - saved_at > checkpoint_minutes * 60
            if number or step + 1 == training.steps or (due and world.size == 1) or _agreed_due(world, step, due):
                _check_finite(training, saved, path)
                if world.is_main:
                    save_torch(path, training.state(step + 1))
                for observer in observers:
                    observer.after_save(step + 1)
                saved, saved_at = step + 1, time.monotonic()
            if number:
                break
        else:
            number = stop.agreed(world, 0)  # it may have come during the last save
    world.barrier()  # torchrun ends the others as soon as the first one has ended
    if number:
        raise Interrupted(number)


def _check_agreed(world: World, done: int, folder: Path) -> None:
    """Raise a UserError unless all processes go on from the same step: machines may not share a disk."""
    if world.size == 1:
        return
    ends = torch.tensor([done, -done], device=world.device)
    torch.distributed.all_reduce(ends, torch.distributed.ReduceOp.MAX)
    most, least = int(ends[0]), -int(ends[1])
    if most != least:
        raise UserError(
            f"one process finds {most} steps done in {folder} and another {least}; let all of them see one folder"
        )


def _agreed_due(world: World, step: int, due: bool) -> bool:
    """Let the main process decide for all when a save is due; clocks differ between machines."""
    if world.size == 1 or step % _STOP_CHECK_STEPS:
        return False
    answer = torch.tensor(due and world.is_main, dtype=torch.int32, device=world.device)
    torch.distributed.all_reduce(answer, torch.distributed.ReduceOp.MAX)
    return bool(answer)


def one_step(training: Training, batch: Batch, step: int) -> dict[str, torch.Tensor]:
    """Do step `step`, in [0, training.steps), of a run, the averaged weights included.

    Returns:
        See `train.step.train_step`.
    """
    players, factor = training.players, training.learning_rate_factor(step)
    for optimizer, rate in (
        (players.generator_optimizer, training.optimizer.generator_lr),
        (players.discriminator_optimizer, training.optimizer.discriminator_lr),
    ):
        set_learning_rate(optimizer, rate * factor)
    weights = weights_at(training.loss, training.schedule, step, training.steps)
    terms = training.do_step(players, batch, weights)
    if weights.trains_generator:
        turns = training.schedule.every if training.schedule.kind == "paper" else 1
        training.average.update(step // turns)
    return terms


def _check_finite(training: Training, saved: int, path: Path) -> None:
    """Refuse to save a state that cannot be trained on."""
    players = training.players
    for name, module in (("generator", players.generator), ("discriminator", players.discriminator)):
        if not all(bool(torch.isfinite(p).all()) for p in module.parameters()):
            raise not_finite(f"a weight of the {name}", saved, path)


def not_finite(what: str, saved: int, path: Path) -> UserError:
    """Return the error for a run that has blown up."""
    kept = f"the state after {saved} steps is kept in {path}" if saved else "no state was saved yet"
    return UserError(
        f"{what} is no longer finite; {kept}; lower the learning rates or use --runtime.precision float32"
    )
