"""The widths that a search may choose from, and what they cost."""

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np

from compress.macs import multiply_accumulates
from train.generator import GeneratorConfig, Widths

SHARES = tuple(eighths / 8 for eighths in range(2, 9))
"""Of a full width."""
_NARROW = 64
_UNIFORM_STEPS = 64

Genes = tuple[int, ...]
"""Widths of all stages, then of all mids."""

Fits = Callable[[Genes], bool]
"""Whether a student is within a budget."""


def multiple_of(width: int) -> int:
    """Return the number of which narrower widths than this full one are multiples.

    Kernels on phones compute eight channels at a time or more; in a layer of few channels steps of eight would
    leave little to choose.
    """
    return 8 if width >= _NARROW else 4


@dataclasses.dataclass(frozen=True)
class WidthSpace:
    """Every layer of a student at one of the `SHARES` of its width, rounded up to a multiple."""

    config: GeneratorConfig
    """Of the full student."""

    @functools.cached_property
    def choices(self) -> tuple[Genes, ...]:
        """For every gene the widths that it may have, ascending; the last is the full one."""
        full = self.config.resolved_widths
        return tuple(
            tuple(sorted({min(width, step * math.ceil(share * width / step)) for share in SHARES}))
            for width, step in ((width, multiple_of(width)) for width in (*full.stages, *full.mids))
        )

    @property
    def smallest(self) -> Genes:
        """The narrowest student."""
        return tuple(widths[0] for widths in self.choices)

    @property
    def largest(self) -> Genes:
        """The full student."""
        return tuple(widths[-1] for widths in self.choices)

    def widths(self, genes: Genes) -> Widths:
        """Return what genes stand for."""
        stages = self.config.doublings + 1
        return Widths(genes[:stages], genes[stages:])

    def student(self, genes: Genes) -> GeneratorConfig:
        """Return the configuration of a student of these widths."""
        return dataclasses.replace(self.config, widths=self.widths(genes))

    def macs(self, genes: Genes) -> int:
        """Return the multiply-accumulates of the deploy form, for one image."""
        return multiply_accumulates(self.student(genes))

    def draw(self, random: np.random.Generator) -> Genes:
        """Return genes that are chosen independently and uniformly."""
        return tuple(int(random.choice(widths)) for widths in self.choices)

    def fitted(self, genes: Genes, fits: Fits, random: np.random.Generator) -> Genes:
        """Return genes within a budget: random ones of them are lowered, a step at a time, until they fit.

        It ends where the smallest student fits.
        """
        chosen = list(genes)
        while not fits(tuple(chosen)):
            lowered = int(random.choice([i for i, width in enumerate(chosen) if width > self.choices[i][0]]))
            chosen[lowered] = max(choice for choice in self.choices[lowered] if choice < chosen[lowered])
        return tuple(chosen)

    def uniform(self, fits: Fits) -> Genes:
        """Return the widest student within a budget whose layers all have about the same share of their width.

        In steps half as wide as those of the choices: what a search is compared with must come near the budget.
        """
        shares = (step / _UNIFORM_STEPS for step in range(_UNIFORM_STEPS, 0, -1))
        return next(filter(fits, (self._at_share(share) for share in shares)), self.smallest)

    def _at_share(self, share: float) -> Genes:
        steps = (multiple_of(width) // 2 for width in self.largest)
        rounded = (step * round(share * width / step) for width, step in zip(self.largest, steps, strict=True))
        ends = zip(self.smallest, rounded, self.largest, strict=True)
        return tuple(min(max(low, width), full) for low, width, full in ends)
