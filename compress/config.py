"""What quantization-aware training can be told, and the short notation of bit widths."""

import dataclasses
import re
from pathlib import Path
from typing import Any, Literal

from compress.quant_config import QuantConfig
from compress.ranges import RangeMethod
from train.config import LossConfig, OptimizerConfig, TrainConfig
from train.errors import UserError, at_least, check_ranges
from train.presets import PIXEL_ONLY

INT8_FILE = "student_int8.safetensors"
QAT_FOLDER = Path("qat")
# What compress/qat.py leaves in a run folder by default, by the name that exports and benchmarks know it by.
INT8_STUDENTS: dict[Literal["float", "int8", "int4"], Path] = {
    "int8": QAT_FOLDER / INT8_FILE,
    "int4": QAT_FOLDER / "W4A8" / INT8_FILE,
}

_BITS = re.compile(r"(?:W(\d+))?(?:A(\d+))?")


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the run's data is now, if neither where it was nor moved together with the run."""

    teacher: str | None = None
    """As in train/main.py."""
    reals: str | None = None
    """As in train/main.py."""
    damaged: int | None = None
    """As in train/main.py."""


@dataclasses.dataclass(frozen=True)
class QatConfig:
    """One fine-tuning of a float student on the grids that phones compute on."""

    run: Path = Path("runs/digits")
    """Run folder of the float student."""
    out: Path | None = None
    """Where the result goes; by default <run>/qat, and for other bits than W8A8 <run>/qat/<bits>."""
    bits: str = "W8A8"
    """Bits of weights and activations, such as W8A8 or W4A8; W8: float activations; float: no rounding."""
    exceptions: tuple[str, ...] = ()
    """Layers with other bits, such as to_rgb.weight=float or blocks.0.*=6; compress/sensitivity.py names them."""
    class_path: Literal["slices", "shared", "float"] = "slices"
    """How gains and biases are made; see compress.quant_config.QuantConfig."""
    range_method: RangeMethod = "image"
    """How calibration chooses activation ranges."""
    equalise: Literal["auto", "on", "off"] = "auto"
    """Bring the channels towards one range first: exact, and good for all but weights of few bits (auto)."""
    reconstruct: bool = True
    """Fit the rounded weights and biases of convolutions to the float form's outputs."""
    images: int = 12_800
    """Length of the fine-tuning in images."""
    losses: Literal["distillation", "student"] = "distillation"
    """distillation: the float run's terms, all of them; student: only L1 to the float student, a baseline."""
    pixel_share: float = 1.0
    """Constant weight of L_KD_pix, as a share of the float run's first one."""
    learning_rate_share: float = 0.3
    """Learning rates at the beginning, as a share of the float run's; they end at 0."""
    decay_start: float = 0.3
    """Fraction of the fine-tuning after which the learning rates fall."""
    ema_decay: float = 0.8
    """Of the averaged weights and ranges that are the result. A long average leaves weights between two levels of
    a coarse grid: with four bits 0.98 costs more L1 to the teacher than this."""
    freeze_at: float = 0.9
    """Fraction of the fine-tuning after which the activation ranges stand still."""
    calibration_batches: int = 16
    """Batches that the first ranges are chosen from."""
    fresh_discriminator: bool = False
    """Go on without the trained discriminator, at the cost of diversity."""
    data: Places = Places()
    device: str = "auto"
    """auto, cpu or cuda."""
    checkpoint_minutes: float = 5.0
    """Minutes between two saves of the training state."""

    def __post_init__(self) -> None:
        parse_bits(self.bits)
        check_ranges(self, at_least(1, "images", "calibration_batches"))
        check_ranges(self, dict.fromkeys(("decay_start", "freeze_at", "ema_decay"), (0, 1)))
        check_ranges(self, at_least(0, "pixel_share", "learning_rate_share"))

    @property
    def folder(self) -> Path:
        """Where the result goes."""
        default = self.run / QAT_FOLDER
        return self.out or (default if self.bits == "W8A8" else default / self.bits)

    @property
    def equalises(self) -> bool:
        """Whether channels are equalised; pointwise weights of few bits lose more by it than is won."""
        if self.equalise == "auto":
            weight_bits, _ = parse_bits(self.bits)
            return weight_bits is None or weight_bits >= 8
        return self.equalise == "on"

    def quantization(self) -> QuantConfig:
        """Return how the deploy form is quantized."""
        weight_bits, activation_bits = parse_bits(self.bits)
        everything_float = weight_bits is None and activation_bits is None
        return QuantConfig(
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            class_path="shared" if everything_float else self.class_path,
            range_method=self.range_method,
            exceptions=tuple(parse_exception(text) for text in self.exceptions),
        )

    def float_settings(self, run: TrainConfig) -> TrainConfig:
        """Return the settings of the float run with this fine-tuning's length, losses and learning rates.

        Raises:
            UserError: the fine-tuning is shorter than one of the run's batches.
        """
        check_length("--images", self.images, run)
        share = self.learning_rate_share
        optimizer: OptimizerConfig = dataclasses.replace(
            run.optimizer,
            images=self.images,
            generator_lr=run.optimizer.generator_lr * share,
            discriminator_lr=run.optimizer.discriminator_lr * share,
            decay_start=self.decay_start,
            ema_decay=self.ema_decay,
        )
        loss: LossConfig = dataclasses.replace(
            run.loss, pixel=run.loss.pixel * self.pixel_share, pixel_decay_end=0.0
        )
        if self.losses == "student":
            # On the scale of the run's own pixel term, so that the two can be compared.
            loss = dataclasses.replace(PIXEL_ONLY, pixel=run.loss.pixel * self.pixel_share or 1.0)
        data = dataclasses.replace(run.data, **{k: v for k, v in vars(self.data).items() if v is not None})
        return dataclasses.replace(run, optimizer=optimizer, loss=loss, data=data)

    def learned(self) -> dict[str, Any]:
        """Return what decides the result, as plain values."""
        values = dataclasses.asdict(self)
        for name in ("run", "out", "data", "device", "checkpoint_minutes"):
            del values[name]
        return values


def check_length(flag: str, images: int, run: TrainConfig) -> None:
    """Raise a UserError unless `images`, given by `flag`, are at least one of the run's batches."""
    batch_size = run.optimizer.batch_size
    if images < batch_size:
        raise UserError(f"{flag} {images} is less than one of the run's batches; give {batch_size} or more")


def parse_bits(text: str) -> tuple[int | None, int | None]:
    """Return the bits of weights and of activations, None for float.

    Raises:
        UserError: it is not written like W8A8.
    """
    if text.lower() == "float":
        return None, None
    match = _BITS.fullmatch(text.upper())
    if not text or match is None:
        raise UserError(f"--bits {text!r} is not written like W8A8, W8 (float activations), A8 or float")
    weight, activation = (None if bits is None else int(bits) for bits in match.groups())
    return weight, activation


def parse_exception(text: str) -> tuple[str, int | None]:
    """Return the pattern and the bits of an exception such as to_rgb.*=float.

    Raises:
        UserError: it is not written so.
    """
    pattern, _, bits = text.rpartition("=")
    if not pattern or not (bits == "float" or bits.isdecimal()):
        raise UserError(f"--exceptions {text!r} is not written like to_rgb.weight=float or blocks.0.*=6")
    return pattern, None if bits == "float" else int(bits)
