import torch

from train.build import build_discriminator, build_network
from train.discriminator import DiscriminatorConfig
from train.generator import Generator, GeneratorConfig


def test_a_network_is_what_the_configuration_names():
    student = build_network(GeneratorConfig("std", 2, 32, 3, z_dim=8, class_embedding_dim=4))
    assert isinstance(student, Generator)
    teacher = build_network(GeneratorConfig("biggan", 8, 32, 10))
    assert teacher(torch.randn(2, 128), torch.tensor([0, 9])).shape == (2, 3, 32, 32)


def test_a_discriminator_judges_its_generators_images():
    config = GeneratorConfig(channels=2, image_size=32, num_classes=3)
    scores, _ = build_discriminator(DiscriminatorConfig(4), config)(
        torch.zeros(2, 3, 32, 32), torch.tensor([0, 2])
    )
    assert scores.shape == (2,)
