"""One measured number with what a table needs to show it."""

import dataclasses
from typing import Literal

Better = Literal["higher", "lower"] | None


@dataclasses.dataclass(frozen=True)
class Figure:
    """A metric's value for one model."""

    key: str
    """Name in results.json, protocol and number of images included."""
    value: float
    title: str
    """For the head of a table's column."""
    better: Better
    """Which direction is better; None where neither is, as for an error of measurement."""
    how: str
    """How it was measured, a sentence without a full stop."""

    @property
    def rounded(self) -> float:
        """Return the value with six significant digits."""
        return float(f"{self.value:.6g}")
