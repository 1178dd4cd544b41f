import dataclasses
import json

import pytest
import torch

from train.errors import UserError
from train.generator import Generator, GeneratorConfig, Widths, build_generator, upsample, upsample_by_slices


def parameters(generator: Generator) -> int:
    return sum(p.numel() for p in generator.parameters())


def test_dw32_has_the_paper_size():
    generator = Generator(GeneratorConfig("dw", 32))
    assert parameters(generator) == 3_070_659


@pytest.mark.parametrize("architecture", ["dw", "std"])
@pytest.mark.parametrize("size", [32, 64, 128])
def test_images_have_the_right_shape_and_range(architecture, size):
    generator = Generator(GeneratorConfig(architecture, 4, size, num_classes=5, z_dim=16, class_embedding_dim=8))
    images = generator(torch.randn(3, 16), torch.tensor([0, 4, 2]))
    assert images.shape == (3, 3, size, size)
    assert images.abs().max() <= 1


def test_gains_start_at_one_and_biases_at_zero_for_every_class():
    generator = Generator(GeneratorConfig(channels=4, image_size=32, num_classes=7))
    gain, bias = generator.blocks[0].norm1.gain_bias(generator.class_embedding.weight).chunk(2, dim=1)
    assert torch.equal(gain, torch.ones_like(gain))
    assert torch.equal(bias, torch.zeros_like(bias))


def test_every_weight_gets_a_gradient_after_the_first_update():
    torch.manual_seed(0)
    generator = Generator(
        GeneratorConfig(channels=4, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=8)
    )
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    z, y = torch.randn(6, 8), torch.arange(6) % 3
    for _ in range(2):  # gain weights start at zero, so that the embedding learns from the second update on
        optimizer.zero_grad()
        generator(z, y).square().mean().backward()
        optimizer.step()
    dead = [n for n, p in generator.named_parameters() if p.grad is None or not p.grad.any()]
    # A bias before a norm that subtracts the mean cannot matter.
    assert all(name.endswith("bias") for name in dead)


def test_a_class_embedding_may_be_mixed():
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(channels=4, image_size=32, num_classes=2)).eval()
    for block in generator.blocks:
        torch.nn.init.normal_(block.norm1.gain_bias.weight)
    z, table = torch.randn(1, 128), generator.class_embedding.weight
    ends = generator(z.repeat(2, 1), torch.tensor([0, 1]))
    middle = generator.synthesize(z, table.mean(dim=0, keepdim=True))
    assert torch.allclose(generator.synthesize(z, table[:1]), ends[:1], atol=1e-5)
    assert (middle - ends[0]).abs().max() > 1e-3


@pytest.mark.parametrize(("field", "value"), [("image_size", 48), ("channels", 0), ("num_classes", 0)])
def test_impossible_architectures_are_refused(field, value):
    with pytest.raises(UserError, match=str(value)):
        GeneratorConfig(**{field: value})


def test_a_teachers_architecture_is_no_student():
    with pytest.raises(UserError, match="take dw or std"):
        build_generator(GeneratorConfig("biggan", 8, 32, 10))


def test_an_upsample_by_slices_is_the_interpolation_and_so_is_its_gradient():
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    results = [double(x) for double in (upsample, upsample_by_slices)]
    assert torch.allclose(*results, atol=1e-12)
    weights = torch.randn_like(results[0])
    gradients = [torch.autograd.grad((result * weights).sum(), x)[0] for result in results]
    assert torch.allclose(*gradients, atol=1e-12)


def test_the_default_widths_are_the_papers_rule():
    assert GeneratorConfig("dw", 32).resolved_widths == Widths(
        (512, 512, 256, 128, 64, 32), (512, 256, 128, 64, 32)
    )
    config = GeneratorConfig("std", 4, 32, num_classes=3)
    named = dataclasses.replace(config, widths=Widths((32, 16, 8, 4), (16, 8, 4)))
    torch.manual_seed(0)
    default = Generator(config).state_dict()
    torch.manual_seed(0)
    explicit = Generator(named).state_dict()
    assert list(default) == list(explicit)
    assert all(torch.equal(default[name], explicit[name]) for name in default)


@pytest.mark.parametrize("architecture", ["dw", "std"])
def test_every_layer_may_have_a_width_of_its_own(architecture):
    widths = Widths((7, 5, 9, 6), (4, 11, 3))
    generator = Generator(GeneratorConfig(architecture, image_size=32, num_classes=3, z_dim=8, widths=widths))
    norms = [(b.norm1.norm.num_features, b.norm2.norm.num_features) for b in generator.blocks]
    assert norms == [(7, 4), (5, 11), (9, 3)] and generator.output_norm.num_features == 6
    assert generator(torch.randn(2, 8), torch.tensor([0, 2])).shape == (2, 3, 32, 32)


def test_widths_go_through_files_and_files_without_them_are_read():
    config = GeneratorConfig(image_size=32, widths=Widths((7, 5, 9, 6), (4, 11, 3)))
    assert GeneratorConfig.from_record(json.loads(json.dumps(config.record()))) == config
    plain = GeneratorConfig("dw", 4, 32, 10)
    assert "widths" not in plain.record()  # a run of the default goes on from states of before
    assert GeneratorConfig.from_record(plain.record()) == plain


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        (Widths((8, 8)), r"widths.stages 8 8 must be 4 numbers of at least 1 for images of 32 px"),
        (Widths(mids=(8, 8, 0)), r"widths.mids 8 8 0 must be 3 numbers"),
    ],
)
def test_impossible_widths_are_refused(widths, message):
    with pytest.raises(UserError, match=message):
        GeneratorConfig(image_size=32, widths=widths)
    with pytest.raises(UserError, match="leave them out for a biggan"):
        GeneratorConfig("biggan", 8, 32, 10, widths=widths)
