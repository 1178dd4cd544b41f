"""The named configurations: the embedded digits, animals, the paper's runs, and their ablations."""

import dataclasses
from typing import Any

from train.config import DataConfig, LossConfig, OptimizerConfig, ScheduleConfig, TrainConfig
from train.discriminator import DiscriminatorConfig
from train.generator import GeneratorConfig

_NO_TERMS = LossConfig(
    feature=0.0,
    pixel=0.0,
    distillation_generator=0.0,
    real_generator=0.0,
    distillation_discriminator=0.0,
    real_discriminator=0.0,
)
PIXEL_ONLY = dataclasses.replace(_NO_TERMS, pixel=1.0, pixel_decay_end=0.0)


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
    return dataclasses.replace(
        base,
        loss=dataclasses.replace(_NO_TERMS, real_generator=1.0, real_discriminator=1.0),
        schedule=ScheduleConfig("paper", every=1),
        data=dataclasses.replace(base.data, teacher=""),
    )


DIGITS = TrainConfig(
    generator=GeneratorConfig(channels=8, image_size=32, num_classes=10, class_embedding_dim=16),
    data=DataConfig(per_class=1200),
    loss=LossConfig(
        feature=5.0,
        pixel=80.0,
        pixel_decay_end=1.0,
        distillation_generator=0.2,
        real_generator=0.2,
        real_discriminator=0.2,
    ),
    schedule=ScheduleConfig("released", every=1),
    optimizer=OptimizerConfig(
        images=72_000,
        generator_lr=3e-3,
        discriminator_lr=2e-3,
        beta1=0.5,
        beta2=0.99,
        decay_start=0.6,
        ema_decay=0.995,
    ),
)

TINY_IMAGENET_ANIMALS = (
    "1,25,30,32,50,61,69,71,75,76,79,99,105,107,109,113,114,115,122,123,128,145,146,149,151,187,207,208,235,267,281,"
    "283,285,286,291,294,301,308,309,311,313,314,315,319,323,325,329,338,341,345,347,349,353,354,365,367,372,386,387"
)
"""The 59 of ImageNet's animals that Tiny-ImageNet-200 has, at 64 px."""

TEN_ANIMALS = "1,107,145,207,283,291,294,301,323,387"
"""Goldfish to lesser panda: ten of them that are easy to tell apart, as many as the embedded student can learn."""

ANIMALS64 = TrainConfig(
    generator=GeneratorConfig(channels=10, image_size=64),
    data=DataConfig(
        teacher="animals",
        per_class=3000,
        reals="data/tiny_imagenet_animals64_train.npz",
        classes=TEN_ANIMALS,
        mirror=True,
    ),
    loss=LossConfig(
        feature=5.0,
        pixel=20.0,
        pixel_decay_end=1.0,
        distillation_generator=0.2,
        real_generator=0.05,
        real_discriminator=0.2,
    ),
    schedule=ScheduleConfig("released", every=1),
    optimizer=OptimizerConfig(
        images=240_000,
        generator_lr=2e-3,
        discriminator_lr=1e-3,
        beta1=0.5,
        beta2=0.99,
        decay_start=0.5,
        ema_decay=0.999,
    ),
)

ANIMALS64_PROJECTED = dataclasses.replace(
    ANIMALS64,
    discriminator=DiscriminatorConfig("projected", 64, 96),
    # Little L1, which blurs: from here on the features say what is alike.
    loss=dataclasses.replace(ANIMALS64.loss, feature=2.0, pixel=5.0),
    optimizer=dataclasses.replace(
        ANIMALS64.optimizer, images=80_000, generator_lr=1e-3, discriminator_lr=2e-4, ema_decay=0.998
    ),
)

PHOTOS = TrainConfig(
    generator=GeneratorConfig(image_size=64, num_classes=10),
    sizes_from_data=True,
    data=DataConfig(teacher="pairs:data/pairs", reals="data/photos.npz", mirror=True),
    optimizer=OptimizerConfig(images=3_200_000, batch_size=64, ema_decay=0.9995),
)

PAPER = TrainConfig(
    data=DataConfig(teacher="pairs:data/biggan-deep-128-pairs", reals="data/imagenet/train", classes="0-397")
)

PAPER_1000 = dataclasses.replace(
    PAPER,
    data=dataclasses.replace(PAPER.data, teacher="pairs:data/biggan-deep-128-1000-pairs", classes="0-999"),
    optimizer=dataclasses.replace(PAPER.optimizer, images=30 * 3000 * 1000),  # 30 epochs, as of the 398
)


def _scratch_teacher(
    base: TrainConfig, generator: GeneratorConfig, optimizer: OptimizerConfig, **changes: Any
) -> TrainConfig:
    """From-scratch training of a BigGAN that will be somebody's teacher: augmented, and kept from collapse."""
    scratch = from_scratch(base)
    return dataclasses.replace(
        scratch,
        generator=generator,
        loss=dataclasses.replace(scratch.loss, mode_seeking=1.0),
        optimizer=optimizer,
        **changes,
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
        "animals64": ("photographs of animals at 64 px, embedded teacher", ANIMALS64),
        **paper,
    }
    presets = {
        **bases,
        "paper-dw32-1000": ("paper-dw32 on all 1,000 classes of ImageNet at once", PAPER_1000),
        "animals64-projected": (
            "animals64 trained on (--initialise) against a critic on pretrained features",
            ANIMALS64_PROJECTED,
        ),
        "photos": ("your own generator and photos (train/YOUR_OWN_GENERATOR.md)", PHOTOS),
    }
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
            GeneratorConfig("biggan", 28, 32, 10, class_embedding_dim=128),
            OptimizerConfig(
                images=80_000,
                generator_lr=3e-4,
                discriminator_lr=8e-4,
                beta1=0.0,
                beta2=0.99,
                decay_start=2 / 3,
            ),
            augment=0.6,
        ),
    )
    presets["scratch-animals64"] = (
        "how the embedded animals teacher was made: BigGAN-deep against a critic on pretrained features",
        _scratch_teacher(
            ANIMALS64,
            GeneratorConfig("biggan", 24, 64, 1000),
            OptimizerConfig(
                images=800_000,
                batch_size=64,
                generator_lr=2e-4,
                discriminator_lr=2e-4,
                beta1=0.0,
                beta2=0.99,
                decay_start=2 / 3,
                ema_decay=0.9989,  # half of it is of the last 40,000 images
            ),
            discriminator=DiscriminatorConfig("projected", 64, 96),
            data=dataclasses.replace(ANIMALS64.data, teacher="", classes=TINY_IMAGENET_ANIMALS),
            augment=0.3,
            augment_photographs=True,
        ),
    )
    return presets


PRESETS = _presets()
DEFAULT_PRESET = "digits"
