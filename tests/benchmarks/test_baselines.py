"""The paper's other networks come to the numbers of its Table 1."""

import pytest
import torch

from benchmarks.baselines import Discriminator, Generator, baselines
from benchmarks.cost import published_rows


@pytest.mark.parametrize("name", ["SNGAN-projection", "SAGAN"])
def test_counts_are_the_printed_ones(name):
    counted, printed = baselines()[name], published_rows()[name]
    millions = counted.generator.parameters / 1e6
    assert round(millions) == printed["parameters"] / 1e6
    total = counted.generator.parameters + counted.discriminator_parameters
    assert round(total / 1e6, 1) == printed["parameters_with_discriminator"] / 1e6
    of_attention = 32 * 32 * 16 * 16 * (32 + 128) if name == "SAGAN" else 0
    operations = counted.generator.multiply_accumulates - of_attention
    assert operations / 1e9 == pytest.approx(printed["multiply_accumulates"] / 1e9, abs=0.015)


@pytest.mark.parametrize("attention", [False, True])
def test_they_run_and_the_class_decides(attention):
    torch.manual_seed(0)
    generator, discriminator = Generator(attention=attention).eval(), Discriminator(attention=attention).eval()
    if attention:
        torch.nn.init.ones_(generator.attention.share)
    with torch.no_grad():
        images = generator(torch.randn(1, 128).expand(2, -1), torch.tensor([3, 7]))
        assert images.shape == (2, 3, 128, 128)
        assert not torch.equal(*images)
        one, other = (discriminator(images[:1], torch.tensor([label])) for label in (3, 7))
    assert one.shape == (1,) and one != other
