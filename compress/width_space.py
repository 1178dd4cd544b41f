"""The widths that a search may choose from, and what they cost."""

import dataclasses
import functools
import math
import re

import numpy as np

from compress.macs import multiply_accumulates
from train.errors import UserError
from train.generator import GeneratorConfig, Widths

SHARES = tuple(eighths / 8 for eighths in range(2, 9))
"""Of a full width."""
MULTIPLE = 8
"""Of which widths are multiples: kernels on phones compute eight channels at a time or more."""

Genes = tuple[int, ...]
"""Widths of all stages, then of all mids."""

_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


@dataclasses.dataclass(frozen=True)
class WidthSpace:
    """Every layer of a student at one of the `SHARES` of its width, rounded up to a `MULTIPLE`."""

    config: GeneratorConfig
    """Of the full student."""

    @functools.cached_property
    def choices(self) -> tuple[Genes, ...]:
        """For every gene the widths that it may have, ascending; the last is the full one."""
        full = self.config.resolved_widths
        return tuple(
            tuple(sorted({min(width, MULTIPLE * math.ceil(share * width / MULTIPLE)) for share in SHARES}))
            for width in (*full.stages, *full.mids)
        )

    @property
    def smallest(self) -> Genes:
        """The narrowest student."""
        return tuple(widths[0] for widths in self.choices)

    @property
    def largest(self) -> Genes:
        """The full student."""
        return tuple(widths[-1] for widths in self.choices)

    @property
    def reach(self) -> tuple[int, int]:
        """Fewest and most multiply-accumulates."""
        return self.cost(self.smallest), self.cost(self.largest)

    def widths(self, genes: Genes) -> Widths:
        """Return what genes stand for."""
        stages = self.config.doublings + 1
        return Widths(genes[:stages], genes[stages:])

    def cost(self, genes: Genes) -> int:
        """Return the multiply-accumulates of the deploy form, for one image."""
        return multiply_accumulates(dataclasses.replace(self.config, widths=self.widths(genes)))

    def draw(self, random: np.random.Generator) -> Genes:
        """Return genes that are chosen independently and uniformly."""
        return tuple(int(random.choice(widths)) for widths in self.choices)

    def fitted(self, genes: Genes, budget: int, random: np.random.Generator) -> Genes:
        """Return genes within the budget: random ones of them are lowered, a step at a time, until they fit.

        It ends where the budget is at least the smallest student's cost.
        """
        chosen = list(genes)
        while self.cost(tuple(chosen)) > budget:
            lowered = int(random.choice([i for i, width in enumerate(chosen) if width > self.choices[i][0]]))
            chosen[lowered] = self._below(lowered, chosen[lowered])
        return tuple(chosen)

    def _below(self, gene: int, width: int) -> int:
        return max(choice for choice in self.choices[gene] if choice < width)

    def uniform(self, budget: int) -> Genes:
        """Return the widest student within the budget whose layers all have the same share of their width."""
        fitting = [genes for genes in map(self._at_share, range(len(SHARES))) if self.cost(genes) <= budget]
        return max(fitting, key=self.cost)

    def _at_share(self, index: int) -> Genes:
        rounded = (MULTIPLE * math.ceil(SHARES[index] * width / MULTIPLE) for width in self.largest)
        return tuple(min(width, full) for width, full in zip(rounded, self.largest, strict=True))

    def check(self, budget: int, text: str) -> None:
        """Raise a UserError unless some but not all students are within the budget, which was given as `text`."""
        fewest, most = self.reach
        if not fewest <= budget < most:
            raise UserError(
                f"--macs {text} cannot be searched: this student's widths reach from {in_millions(fewest)} to "
                f"{in_millions(most)}, which is the whole of it; give a budget between them"
            )


def parse_count(text: str) -> int:
    """Return the number that a text such as 160M, 2.5M, 800k or 160000000 stands for.

    Raises:
        UserError: it is not written so.
    """
    match = _COUNT.fullmatch(text)
    if match is None:
        raise UserError(f"--macs {text!r} is not written like 160M, 0.16G, 800k or 160000000")
    return round(float(match[1]) * _UNITS[match[2]])


def in_millions(count: int) -> str:
    """Return a count as text such as 4.32M."""
    return f"{count / 1e6:.4g}M"
