"""Counting, on networks whose costs are known."""

import pytest
import torch
from stand_ins import trained_like_student
from torch import nn

from benchmarks.cost import biggan_deep_128, measure_cost, published_rows
from benchmarks.torch_forms import AuthorsOrder, use_authors_order
from compress.deploy_form import deploy_form
from train.generator import Generator, GeneratorConfig


def test_a_network_that_can_be_counted_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 2))
    cost = measure_cost(network, torch.zeros(1, 3, 4, 4))
    assert cost.parameters == 3 * 8 * 9 + 8 + 8 * 16 * 2 + 2
    assert cost.multiply_accumulates == 3 * 8 * 9 * 16 + 8 * 16 * 2
    # The convolution's output beside its rectified copy; the flat view is no third.
    assert cost.peak_activation_elements == 2 * 8 * 16
    row = cost.row(4)
    assert row["flops"] == 2 * row["multiply_accumulates"]
    assert row["peak_activation_bytes"] == 4 * 256
    assert "peak_activation_bytes" not in cost.row(None)


def test_memory_that_is_freed_is_not_counted():
    chain = nn.Sequential(*(nn.ReLU() for _ in range(10)))
    assert measure_cost(chain, torch.zeros(1, 100)).peak_activation_elements == 200


def test_the_students_sizes_are_the_papers():
    config = GeneratorConfig("dw", 32, 128, 1000)
    student = Generator(config).eval()
    z, y = torch.zeros(1, 128), torch.zeros(1, dtype=torch.long)
    trained = measure_cost(student, z, y).multiply_accumulates
    # 128,000 more turn class weights into an embedding.
    assert measure_cost(deploy_form(student), z, torch.zeros(1, 1000)).multiply_accumulates - 128_000 == trained
    assert trained < 316e6
    authors = measure_cost(use_authors_order(student), z, y)
    assert authors.parameters == 3_070_659
    assert authors.multiply_accumulates == 428_843_008


@pytest.mark.parametrize(("channels", "of_paper"), [(32, (9.3e6, 2.29e9)), (16, (2.9e6, 0.58e9))])
def test_standard_convolutions_land_on_table_1(channels, of_paper):
    """The paper's counter is unknown; its figures have two or three digits."""
    student = use_authors_order(Generator(GeneratorConfig("std", channels)).eval())
    cost = measure_cost(student, torch.zeros(1, 128), torch.zeros(1, dtype=torch.long))
    assert cost.parameters == pytest.approx(of_paper[0], rel=0.02)
    assert cost.multiply_accumulates == pytest.approx(of_paper[1], rel=0.011)


def test_biggan_has_the_published_number_of_parameters():
    cost = biggan_deep_128()
    (published,) = (row for name, row in published_rows().items() if name == "BigGAN-deep")
    assert abs(cost.parameters / published["parameters"] - 1) < 0.01
    assert 8.9e9 < cost.multiply_accumulates < 9.0e9


def test_published_rows_are_marked():
    rows = published_rows()
    assert set(rows) >= {"SNGAN-projection", "SAGAN", "BigGAN-deep", "TinyGAN-dw, 32 channels"}
    assert all("as published" in row["published"] for row in rows.values())
    assert "fid" not in rows["SAGAN"]


def test_the_authors_order_gives_the_students_images():
    student = trained_like_student(GeneratorConfig("dw", 4, 32, 3, 8, 6))
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    z, y = torch.randn(5, 8), torch.tensor([0, 1, 2, 0, 1])
    with torch.no_grad():
        images = AuthorsOrder(student).eval()(z, torch.eye(3)[y])
        assert (images - student(z, y)).abs().max() < 1e-5
    assert all(torch.equal(before[name], tensor) for name, tensor in student.state_dict().items())
