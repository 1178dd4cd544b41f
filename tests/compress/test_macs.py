"""The formula and the count are one number, for widths of all kinds."""

import random

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from compress.deploy_form import DeployGenerator
from compress.macs import multiply_accumulates
from train.generator import GeneratorConfig, Widths


def counted(config: GeneratorConfig) -> int:
    with torch.device("meta"):
        form = DeployGenerator(config)
        inputs = torch.zeros(1, config.z_dim), torch.zeros(1, config.num_classes)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        form(*inputs)
    return counter.get_total_flops() // 2


def test_the_papers_student_has_the_published_count():
    config = GeneratorConfig("dw", 32, 128, 1000)
    assert multiply_accumulates(config) == counted(config)
    halved = GeneratorConfig(widths=Widths(mids=tuple(mid // 2 for mid in config.resolved_widths.mids)))
    assert multiply_accumulates(halved) / 1e6 == pytest.approx(193.5, abs=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_the_formula_is_the_count_for_random_widths(seed):
    draw = random.Random(seed)
    size = draw.choice([32, 64, 128])
    plain = GeneratorConfig(draw.choice(["dw", "std"]), 4, size, draw.randint(1, 50), draw.randint(1, 40), 6)
    stages, mids = (
        tuple(draw.randint(1, 70) for _ in range(count)) for count in (plain.doublings + 1, plain.doublings)
    )
    fields = {name: value for name, value in vars(plain).items() if name != "widths"}
    config = GeneratorConfig(**fields, widths=Widths(stages, mids))
    assert multiply_accumulates(config) == counted(config)
