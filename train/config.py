"""A run's whole configuration as frozen dataclasses, and the presets."""

import dataclasses
from pathlib import Path
from typing import Literal

from train.discriminator import DiscriminatorConfig
from train.errors import UserError
from train.generator import GeneratorConfig


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What the student learns from."""

    teacher: str = "digits"
    """digits, biggan-deep-128, a folder in the library's format, snapshot:FILE, pairs:DIR, or empty for none."""
    truncation: float = 0.5
    """Truncation of the teacher's latents, in (0, 1]."""
    per_class: int = 3000
    """Teacher images per class, made once and stored; ignored with pairs:DIR."""
    classes: str = ""
    """Classes to learn, such as 0-397; empty means all that the teacher or the real images have."""
    reals: str = "digits"
    """Real images: digits, an image pack (.npz), a folder of class folders, or empty for none."""
    class_embedding: str = ""
    """A .npy file, float [num_classes, class_embedding_dim], that initialises the class embedding."""


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """Weights of the objective's terms (equations 6 and 7); 0 switches a term off."""

    feature: float = 1.0
    """Of L_KD_feat in the generator's loss; 1 in equation 6."""
    pixel: float = 0.2
    """λ1, of L_KD_pix, at the first step."""
    pixel_decay_end: float = 2 / 3
    """Fraction of the run at which λ1 has fallen, linearly, to zero; 0 keeps it constant."""
    distillation_generator: float = 0.01
    """λ2, of L_KD_S."""
    real_generator: float = 0.002
    """λ3, of L_GAN_S."""
    distillation_discriminator: float = 1.0
    """Of L_KD_D in the discriminator's loss; 1 in equation 7."""
    real_discriminator: float = 0.2
    """λ4, of L_GAN_D."""
    mode_seeking: float = 0.0
    """Of the mode-seeking term, an addition of ours for training from scratch without a teacher."""


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
    """When the generator is updated: the paper's text and the released code differ."""

    kind: Literal["released", "paper"] = "released"
    """released: every step on features and pixels, the adversarial terms join every `every`-th step;
    paper: one update with all terms after `every` discriminator updates."""
    every: int = 5
    """5 in the released code, 10 in the paper's text."""


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Adam and its schedule (Section 5.4)."""

    batch_size: int = 32
    """Images per step over all processes."""
    images: int = 35_819_520
    """Length of the run in images, which is steps × batch size."""
    generator_lr: float = 2e-4
    discriminator_lr: float = 2e-4
    beta1: float = 0.0
    beta2: float = 0.9
    decay_start: float = 0.268
    """Fraction of the run after which both learning rates fall linearly to zero."""
    ema_decay: float = 0.999
    """Of the averaged weights that are the result."""


@dataclasses.dataclass(frozen=True)
class RuntimeConfig:
    """How to run; nothing here changes what is learned, but for rounding."""

    device: str = "auto"
    """auto, cpu or cuda."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of convolutions and linears; auto is bfloat16 on CUDA."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile both networks; auto does on CUDA."""
    log_every: int = 50
    """Steps between two entries of stats.jsonl."""
    grids: int = 10
    """Sample grids over the whole run."""
    checkpoint_minutes: float = 5.0
    """Minutes between two saves of the training state."""


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything that makes a run."""

    run: Path | None = None
    """Run folder; runs/PRESET by default."""
    seed: int = 0
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    augment: float = 0.0
    """Probability of shift and cutout on the discriminator's inputs, for training from scratch."""
    dry_run: bool = False
    """Print the resolved configuration and stop."""

    def __post_init__(self) -> None:
        positive = {
            "optimizer.batch-size": self.optimizer.batch_size,
            "optimizer.images": self.optimizer.images,
            "schedule.every": self.schedule.every,
            "data.per-class": self.data.per_class,
            "runtime.log-every": self.runtime.log_every,
        }
        for flag, value in positive.items():
            if value < 1:
                raise UserError(f"--{flag} must be at least 1, not {value}")
        if not 0 < self.data.truncation <= 1:
            raise UserError(f"--data.truncation must be in (0, 1], not {self.data.truncation}")
        if self.optimizer.images < self.optimizer.batch_size:
            raise UserError(
                f"--optimizer.images {self.optimizer.images} is less than one batch of {self.optimizer.batch_size}"
            )

    @property
    def steps(self) -> int:
        """Length of the run in steps."""
        return self.optimizer.images // self.optimizer.batch_size

    def learned(self) -> dict:
        """Return what decides the result, as plain values: all but where and how the run is executed."""
        values = dataclasses.asdict(self)
        for name in ("run", "runtime", "dry_run"):
            del values[name]
        return values


PIXEL_ONLY = LossConfig(
    feature=0.0,
    pixel=1.0,
    pixel_decay_end=0.0,
    distillation_generator=0.0,
    real_generator=0.0,
    distillation_discriminator=0.0,
    real_discriminator=0.0,
)


def ablations(base: TrainConfig) -> dict[str, TrainConfig]:
    """Return the rows of the paper's Table 2: `base` without a term each."""
    weights = dataclasses.replace
    losses = {
        "no-feature": weights(base.loss, feature=0.0),
        "no-real": weights(base.loss, real_generator=0.0, real_discriminator=0.0),
        "no-adversarial": weights(base.loss, distillation_generator=0.0, distillation_discriminator=0.0),
        "pixel-only": PIXEL_ONLY,
    }
    return {name: dataclasses.replace(base, loss=loss) for name, loss in losses.items()}


def from_scratch(base: TrainConfig) -> TrainConfig:
    """Return the paper's baseline of `base`: the same student trained by L_GAN alone, without a teacher."""
    loss = LossConfig(
        feature=0.0,
        pixel=0.0,
        distillation_generator=0.0,
        real_generator=1.0,
        distillation_discriminator=0.0,
        real_discriminator=1.0,
    )
    return dataclasses.replace(
        base,
        loss=loss,
        schedule=ScheduleConfig("paper", every=1),
        data=dataclasses.replace(base.data, teacher=""),
    )


DIGITS = TrainConfig(
    generator=GeneratorConfig(channels=16, image_size=32, num_classes=10),
    data=DataConfig(per_class=1200),
    loss=LossConfig(
        feature=5.0,
        pixel=10.0,
        pixel_decay_end=1.0,
        distillation_generator=0.2,
        real_generator=0.2,
        real_discriminator=0.2,
    ),
    schedule=ScheduleConfig("released", every=1),
    optimizer=OptimizerConfig(
        images=28_800,
        generator_lr=3e-3,
        discriminator_lr=2e-3,
        beta1=0.5,
        beta2=0.99,
        decay_start=0.6,
        ema_decay=0.995,
    ),
)

ANIMALS64 = TrainConfig(
    generator=GeneratorConfig(image_size=64),
    data=DataConfig(
        teacher="pairs:data/animals64-pairs", reals="data/tiny_imagenet_animals64_train.npz", classes=""
    ),
    optimizer=OptimizerConfig(images=6_400_000, batch_size=64, ema_decay=0.9995),
)

PAPER = TrainConfig(
    data=DataConfig(teacher="pairs:data/biggan-deep-128-pairs", reals="data/imagenet/train", classes="0-397")
)


def _scratch_teacher(base: TrainConfig, generator: GeneratorConfig, optimizer: OptimizerConfig) -> TrainConfig:
    """From-scratch training of a BigGAN that will be somebody's teacher: augmented, and kept from collapse."""
    scratch = from_scratch(base)
    return dataclasses.replace(
        scratch,
        generator=generator,
        loss=dataclasses.replace(scratch.loss, mode_seeking=1.0),
        optimizer=optimizer,
        augment=0.6,
    )


def _presets() -> dict[str, tuple[str, TrainConfig]]:
    paper = {
        "paper-dw32": ("the paper's main run: TinyGAN-dw, 398 animals, 128 px", PAPER),
        "paper-std32": (
            "the paper's TinyGAN-std",
            dataclasses.replace(PAPER, generator=GeneratorConfig("std", 32)),
        ),
        "paper-std16": (
            "the paper's small TinyGAN-std",
            dataclasses.replace(PAPER, generator=GeneratorConfig("std", 16)),
        ),
    }
    bases = {
        "digits": ("embedded teacher and digits, minutes on two CPU cores (the default)", DIGITS),
        "animals64": ("photographs of animals at 64 px, teacher of choice", ANIMALS64),
        **paper,
    }
    presets = dict(bases)
    for name, (_, base) in bases.items():
        for suffix, config in ablations(base).items():
            presets[f"{name}-{suffix}"] = (f"{name} without a term (Table 2): {suffix}", config)
    for name in ("digits", "animals64", *paper):
        student = "" if name in paper else "-student"
        presets[f"scratch-{name}{student}"] = (
            f"the student of {name} by L_GAN alone, no teacher",
            from_scratch(bases[name][1]),
        )
    presets["scratch-digits"] = (
        "how the embedded digits teacher was made: a small BigGAN from scratch",
        _scratch_teacher(
            DIGITS,
            GeneratorConfig("biggan", 8, 32, 10, class_embedding_dim=128),
            OptimizerConfig(
                images=96_000,
                generator_lr=5e-4,
                discriminator_lr=1e-3,
                beta1=0.0,
                beta2=0.99,
                decay_start=2 / 3,
            ),
        ),
    )
    presets["scratch-animals64"] = (
        "a teacher for animals64: BigGAN-deep from scratch on the real photographs",
        _scratch_teacher(
            ANIMALS64,
            GeneratorConfig("biggan", 48, 64, 1000),
            OptimizerConfig(images=6_400_000, batch_size=256, generator_lr=2e-4, discriminator_lr=4e-4),
        ),
    )
    return presets


PRESETS = _presets()
DEFAULT_PRESET = "digits"
