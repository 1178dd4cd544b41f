"""A training loop that can be visited, timed and left again; see `benchmarks.latency.interleave`."""

import time
from collections.abc import Callable

import torch

from benchmarks.throughput.counts import Work, count, synchronize
from train.loop import Training


class Loop:
    """One configuration's loop; a visit goes on where the last one ended.

    Args:
        advance: does a step, in [0, training.steps), and returns its terms on the device.
        training: the networks and settings that `advance` trains with.
        turn: steps after which the schedule repeats; a visit measures whole turns.
        log_every: steps between two reads of the terms.
        sums_terms: add up all terms between two reads, as our trainer's report does; else the last ones are read.
        seconds: of a visit without its warm-up, at least.
        device: of the networks.
    """

    def __init__(
        self,
        advance: Callable[[int], dict[str, torch.Tensor]],
        *,
        training: Training,
        turn: int,
        log_every: int,
        sums_terms: bool,
        seconds: float,
        device: torch.device,
    ) -> None:
        self.advance, self.training, self.turn = advance, training, turn
        self.log_every, self.sums_terms = log_every, sums_terms
        self.seconds, self.device = seconds, device
        self.timed_iterations = 0
        self.read_values: dict[str, float] = {}
        """The terms at the last read."""
        self._done = 0
        self._sums: dict[str, torch.Tensor] = {}

    def run(self, iterations: int) -> None:
        """Do so many steps; a run's schedule begins anew after its last one."""
        for _ in range(iterations):
            terms = self.advance(self._done % self.training.steps)
            self._done += 1
            self._log(terms)

    def _log(self, terms: dict[str, torch.Tensor]) -> None:
        if self.sums_terms:
            for name, term in terms.items():
                self._sums[name] = self._sums[name] + term if name in self._sums else term.clone()
        else:
            self._sums |= terms
        if self._done % self.log_every == 0:
            self.read_values = {name: value.item() for name, value in self._sums.items()}
            self._sums = {}

    def time(self, warmup: int, iterations: int) -> list[float]:
        """Run untimed, then timed, `iterations` at a time until the seconds are over.

        Returns:
            One value, the mean milliseconds of an iteration: the device is waited for at the end only.
        """
        self.run(warmup)
        synchronize(self.device)
        start, done = time.perf_counter(), 0
        while done == 0 or time.perf_counter() - start < self.seconds:
            self.run(iterations)
            done += iterations
        synchronize(self.device)
        elapsed = time.perf_counter() - start
        self.timed_iterations += done
        return [1000 * elapsed / done]

    def count(self) -> Work:
        """Count a turn's mean iteration; of the steps before the turn's last one, all alike, one is run."""
        last = count(lambda: self.advance(self.turn - 1))
        if self.turn == 1:
            return last
        first = count(lambda: self.advance(0))
        others = self.turn - 1
        return Work(
            (others * first.flops + last.flops) / self.turn,
            (others * first.moved_bytes + last.moved_bytes) / self.turn,
        )
