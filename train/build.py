"""What a configuration names → a network."""

from torch import nn

from train.discriminator import Discriminator, DiscriminatorConfig
from train.generator import GeneratorConfig, build_generator


def build_network(config: GeneratorConfig) -> nn.Module:
    """Build the generator that `config` names, freshly initialised: (z, y) → images in [-1, 1]."""
    if config.architecture == "biggan":
        from train.biggan import TrainableBigGAN

        return TrainableBigGAN(config)
    return build_generator(config)


def build_discriminator(config: DiscriminatorConfig, generator: GeneratorConfig) -> nn.Module:
    """Build the discriminator of a generator's images, freshly initialised: (x, y) → scores and features.

    Raises:
        UserError: the projected kind's packages are missing, or a size does not fit it.
    """
    if config.kind == "projected":
        from train.projected import ProjectedDiscriminator

        return ProjectedDiscriminator(config, generator.num_classes)
    return Discriminator(config.channels, generator.image_size, generator.num_classes)
