"""Where a quantized graph rounds its values."""

from collections.abc import Callable

import torch
from torch import nn


class Point(nn.Module):
    """A place where the int8 graph rounds its values. Here they pass unchanged.

    Args:
        fixed: the range of the values where it is known beforehand.
        through: the function that the values go through next, in which their errors are to be judged.
    """

    def __init__(
        self,
        fixed: tuple[float, float] | None = None,
        through: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.fixed = fixed
        self.through = through

    def forward(self, x: torch.Tensor, observe: bool = True, averaged: bool = False) -> torch.Tensor:
        """Return x.

        Args:
            x: the values.
            observe: False where they are a rearrangement of what this point saw.
            averaged: they are averages of it, by a doubling of the resolution.
        """
        del observe, averaged
        return x

    def fork(self, x: torch.Tensor, consumers: int, observe: bool = True) -> list[torch.Tensor]:
        """Return x once for each consumer: a phone's graph needs a dequantize operation for each."""
        return [self(x, observe)] * consumers


class Layer(nn.Module):
    """A convolution or Linear and the point directly after it."""

    def __init__(self, operation: nn.Conv2d | nn.Linear, through: Callable | None = None) -> None:
        super().__init__()
        self.operation = operation
        self.output = Point(through=through)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the operation."""
        return self.output(self.operation(x))
