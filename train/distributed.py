"""The little that torchrun needs: who this process is, where it computes, how it works with the others."""

import contextlib
import dataclasses
import datetime
import inspect
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from train.errors import UserError

Made = TypeVar("Made")

# A process that is done waits for the slowest one, which may have a long shard or an evaluation to finish.
# When a process dies torchrun ends the others, so nothing is won by giving up earlier.
_PATIENCE = datetime.timedelta(hours=12)


@dataclasses.dataclass(frozen=True)
class World:
    """One process among `size`; a single process is `World(0, 1, device)`."""

    rank: int
    """0 ≤ rank < size."""
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this is the process that prints and that writes what is shared."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until every process is here; return at once without a process group.

        Raises:
            UserError: another process stopped.
        """
        if torch.distributed.is_initialized():
            self._together(torch.distributed.barrier)

    def told_by_main(self, make: Callable[[], Made]) -> Made:
        """Return `make()` of the main process, which alone calls it; what it makes can be pickled.

        Raises:
            UserError: another process stopped.
        """
        made = [make() if self.is_main else None]
        if torch.distributed.is_initialized():
            self._together(lambda: torch.distributed.broadcast_object_list(made, src=0))
        return made[0]  # type: ignore[return-value]

    def _together(self, wait: Callable[[], object]) -> None:
        try:
            wait()
        except RuntimeError:
            raise UserError(
                f"process {self.rank} of {self.size} stops because another one did; "
                "see that one's message, then run the same command again"
            ) from None

    def main_first(self, make: Callable[[], Made]) -> Made:
        """Return `make()`, called by the main process before all others, which find its files then."""
        if not self.is_main:
            self.barrier()
        made = make()
        if self.is_main:
            self.barrier()
        return made


@contextlib.contextmanager
def distributed_world(device: str) -> Iterator[World]:
    """Join the processes that torchrun started, and leave them at the end.

    Args:
        device: "auto" (this process's GPU, or the CPU where there is none), "cpu", "cuda", "cuda:1", "mps".

    Raises:
        UserError: no such device, fewer GPUs than processes, or torchrun's variables are incomplete.
    """
    size, rank, local_rank = (_variable(name, default) for name, default in _TORCHRUN_NUMBERS.items())
    if size < 1 or not 0 <= rank < size or local_rank < 0:
        raise UserError(
            f"RANK={rank}, LOCAL_RANK={local_rank} and WORLD_SIZE={size} do not fit together; "
            "unset them or start with torchrun"
        )
    chosen = _choose_device(device, local_rank, size)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
        torch.backends.cudnn.benchmark = True  # the shapes of a run never change
    if size == 1:
        yield World(0, 1, chosen)
        return
    missing = [name for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise UserError(f"WORLD_SIZE is {size} but {missing[0]} is not set; start with torchrun")
    torch.distributed.init_process_group(
        "nccl" if chosen.type == "cuda" else "gloo",
        timeout=_PATIENCE,
        device_id=chosen if chosen.type == "cuda" else None,
    )
    try:
        yield World(rank, size, chosen)
    finally:
        torch.distributed.destroy_process_group()


_TORCHRUN_NUMBERS = {"WORLD_SIZE": 1, "RANK": 0, "LOCAL_RANK": 0}


def distribute(module: nn.Module, world: World, *, sync_buffers: bool = False) -> nn.Module:
    """Wrap a network so that gradients are averaged over all processes; in one process return it as it is.

    Args:
        module: the network, on the world's device.
        world: this process among those that train.
        sync_buffers: give every process the main one's buffers before each forward pass. Norm statistics and
            spectral vectors, which every process computes alike, do not need it.
    """
    if world.size == 1:
        return module
    # The option has a new name since torch 2.14.
    options = inspect.signature(DistributedDataParallel).parameters
    option = "forward_sync_buffers" if "forward_sync_buffers" in options else "broadcast_buffers"
    keep_buffers: dict[str, Any] = {option: sync_buffers}
    devices = [world.device.index] if world.device.type == "cuda" else None
    return DistributedDataParallel(module, device_ids=devices, **keep_buffers)


def _variable(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise UserError(
            f"the environment variable {name} is {text!r}, no number; unset it or start with torchrun"
        ) from None


def _choose_device(name: str, local_rank: int, size: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"unknown device {name!r}; give auto, cpu, cuda, cuda:N or mps") from None
    if device.type not in ("cpu", "cuda", "mps"):
        raise UserError(f"unsupported device {name!r}; give auto, cpu, cuda, cuda:N or mps")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"device {name!r} needs a Mac with Metal, which PyTorch does not find; give auto or cpu")
    if device.type == "cpu":
        return torch.device("cpu")
    if size > 1 and (device.type == "mps" or device.index is not None):
        raise UserError(f"device {name!r} is one device for {size} processes; give auto, cuda or cpu")
    return device if device.type == "mps" else _choose_gpu(name, device.index, local_rank)


def _choose_gpu(name: str, index: int | None, local_rank: int) -> torch.device:
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus == 0:
        raise UserError(f"device {name!r} needs a GPU, and PyTorch finds none; give auto or cpu")
    wanted = local_rank if index is None else index
    if wanted >= gpus:
        remedy = "give a lower number" if index is not None else f"start torchrun with --nproc-per-node {gpus}"
        raise UserError(f"there is no cuda:{wanted}, only {gpus} GPU(s) here; {remedy}")
    return torch.device("cuda", wanted)
