"""What a found student may cost at most: multiply-accumulates, milliseconds or bytes."""

import dataclasses
import re
from collections.abc import Callable
from typing import Literal

from compress.width_space import Genes, WidthSpace
from train.errors import UserError

Flag = Literal["macs", "ms", "bytes"]

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([kMG%]?)")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_EXAMPLES = {"macs": "160M, 0.16G, 800k or 50%", "ms": "2.5 or 50%", "bytes": "300k, 1.5M or 50%"}


@dataclasses.dataclass(frozen=True)
class Cost:
    """One measure of what a student costs."""

    flag: Flag
    """Of the command line."""
    of: Callable[[Genes], float]

    @property
    def unit(self) -> str:
        """What is counted."""
        return {"macs": "multiply-accumulates", "ms": "ms", "bytes": "bytes"}[self.flag]

    def shown(self, value: float) -> str:
        """Return a value as text, such as 4.32M, 0.173 or 471k."""
        if self.flag == "ms":
            return f"{value:.3g}"
        return f"{value / 1e6:.4g}M" if value >= 1e6 or self.flag == "macs" else f"{value / 1e3:.4g}k"

    def reach(self, space: WidthSpace) -> tuple[float, float]:
        """Return what the narrowest and the full student cost."""
        return self.of(space.smallest), self.of(space.largest)

    def describe(self, space: WidthSpace) -> str:
        """Return a sentence on the budgets that can be reached."""
        fewest, most = map(self.shown, self.reach(space))
        return f"budgets from {fewest} to {most} {self.unit}"

    def budget(self, text: str, space: WidthSpace) -> "Budget":
        """Return the budget that a text such as 160M, 2.5 or 50% stands for; 50% is of the full student's cost.

        Raises:
            UserError: it is not written so, no student is within it, or every one is.
        """
        match = _NUMBER.fullmatch(text)
        if match is None or (self.flag == "ms" and match[2] not in ("", "%")):
            raise UserError(f"--{self.flag} {text!r} is not written like {_EXAMPLES[self.flag]}")
        fewest, most = self.reach(space)
        limit = float(match[1]) * (most / 100 if match[2] == "%" else _UNITS[match[2]])
        if not fewest <= limit < most:
            raise UserError(
                f"--{self.flag} {text} cannot be searched: this student's widths reach from {self.shown(fewest)} "
                f"to {self.shown(most)} {self.unit}, which is the whole of it; give a budget between them"
            )
        return Budget(self, text, limit)


@dataclasses.dataclass(frozen=True)
class Budget:
    """The most that a student may cost."""

    cost: Cost
    text: str
    """As it was given."""
    limit: float

    @property
    def folder(self) -> str:
        """Name of the found student's run folder: 160M, 50%, 2.5ms, 300kB."""
        return self.text + {"macs": "", "ms": "ms", "bytes": "B"}[self.cost.flag]

    def fits(self, genes: Genes) -> bool:
        """Return whether a student of these widths is within it."""
        return self.cost.of(genes) <= self.limit


def in_millions(count: float) -> str:
    """Return a count as text such as 4.32M."""
    return f"{count / 1e6:.4g}M"
