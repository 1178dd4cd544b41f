"""How a deploy form is quantized, in plain values."""

import dataclasses
import fnmatch
from typing import Literal

from compress.ranges import RangeMethod
from train.errors import UserError

MOST_WEIGHT_BITS, MOST_ACTIVATION_BITS = 8, 16
_FLOAT_CLASS_PATH = ("class_weights", "class_embedding.*", "class_affine.embedding", "class_affine.linear.*")


@dataclasses.dataclass(frozen=True)
class QuantConfig:
    """Everything that fixes how a deploy form is quantized."""

    weight_bits: int | None = 8
    """Bits of the weights, 2 to 8, symmetric, one scale per output channel; None: float."""
    activation_bits: int | None = 8
    """Bits of the activations, 2 to 16, affine, one scale per tensor; None: float."""
    class_path: Literal["slices", "shared", "float"] = "slices"
    """How gains and biases are made. slices: each gain and bias vector has its own Linear and range. shared:
    one Linear, one range for all. float: one float Linear, and a range for each vector that meets the image."""
    range_method: RangeMethod = "image"
    """How calibration chooses activation ranges."""
    percentile: float = 99.99
    """Where the percentile method cuts both tails, in per cent."""
    weight_range: Literal["max", "mse"] = "mse"
    """Whether a channel's largest weight sets its scale, or the smallest squared error does."""
    int8_image: bool = False
    """Round the image to the 256 levels that tanh has on phones; else it is float."""
    exceptions: tuple[tuple[str, int | None], ...] = ()
    """(pattern of quantizer names, bits or None for float); the first that matches counts."""

    def __post_init__(self) -> None:
        _check_bits("weight_bits", self.weight_bits, MOST_WEIGHT_BITS)
        _check_bits("activation_bits", self.activation_bits, MOST_ACTIVATION_BITS)
        for pattern, bits in self.exceptions:
            most = MOST_WEIGHT_BITS if pattern.endswith("weight") else MOST_ACTIVATION_BITS
            _check_bits(f"the exception {pattern}", bits, most)
        if not 50 < self.percentile <= 100:
            raise UserError(f"percentile {self.percentile} is not in (50, 100]; 99.99 is usual")

    def bits_of(self, name: str) -> int | None:
        """Return the bits of the quantizer `name`, None for float."""
        for pattern, bits in self.exceptions:
            if fnmatch.fnmatchcase(name, pattern):
                return bits
        implied: tuple[str, ...] = () if self.int8_image else ("image",)
        if self.class_path == "float":
            implied += (*_FLOAT_CLASS_PATH, "class_affine.rows")
        elif self.class_path == "shared":
            implied += ("class_affine.slices.*",)
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in implied):
            return None
        return self.weight_bits if name.endswith(".weight") else self.activation_bits


def _check_bits(what: str, bits: int | None, most: int) -> None:
    if bits is not None and not 2 <= bits <= most:
        raise UserError(f"{what} = {bits} is not between 2 and {most}; leave it out for float")
