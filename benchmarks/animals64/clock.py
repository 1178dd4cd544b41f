"""A limit of time that ends a run as SIGTERM does, between two steps and saved."""

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

from train.loop import Interrupted


class Clock:
    """Knows how much of the time is left.

    Args:
        minutes: from now on; None is without end.
        reserve: minutes of them at the end, in which no stage runs.
    """

    def __init__(self, minutes: float | None, reserve: float = 0.0) -> None:
        self.minutes, self.reserve = minutes, reserve
        self.is_up = False
        self._begun = time.monotonic()

    def seconds_left(self) -> float:
        """Return what is left for stages; infinite without a limit."""
        if self.minutes is None:
            return float("inf")
        return max(0.0, (self.minutes - self.reserve) * 60 - (time.monotonic() - self._begun))

    def is_short(self) -> bool:
        """Return whether no stage should begin: it may have to compile first, which nothing interrupts."""
        return self.is_up or self.seconds_left() < self.reserve * 60

    def left(self) -> str:
        """Return what is left in words."""
        if self.minutes is None:
            return "no limit of time"
        return f"{self.seconds_left() / 60:.1f} of {self.minutes:g} min left"

    def ring(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signal API)
        """Remember that the time is up and stop whatever runs: `train.loop.fit` saves, then raises."""
        self.is_up = True
        signal.raise_signal(signal.SIGTERM)


@contextlib.contextmanager
def limited(clock: Clock) -> Iterator[None]:
    """Send SIGTERM to this process when the time is up. Call it from the main thread.

    Raises:
        Interrupted: SIGTERM came, from the clock or from outside, while no `fit` was there to save first. All
            files are written whole or not at all, so the same command goes on then too.
    """

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signal API)
        raise Interrupted(number)

    previous = {signal.SIGTERM: signal.signal(signal.SIGTERM, stop)}
    previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, clock.ring)
    if clock.minutes is not None:
        signal.setitimer(signal.ITIMER_REAL, max(clock.seconds_left(), 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)
