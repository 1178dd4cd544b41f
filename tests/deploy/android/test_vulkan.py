import copy
import logging

import pytest
import torch
from stand_ins import trained_like_student

from compress.deploy_form import deploy_form
from compress.one_class import specialise
from deploy.android.vulkan import check_weights, lower_vulkan, read_graph
from deploy.executorch_program import installed_backends, run_program
from train.errors import UserError
from train.generator import GeneratorConfig


@pytest.fixture(scope="module")
def form():
    config = GeneratorConfig("dw", 4, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=16)
    return specialise(deploy_form(trained_like_student(config)).eval(), 1).eval()


@pytest.fixture(scope="module")
def lowered(form):
    level = logging.getLogger().level
    lowered = lower_vulkan(form, (torch.zeros(1, 8),))
    assert logging.getLogger().level == level  # which the import of the partitioner changes
    return lowered


def test_everything_is_in_one_delegate_and_in_half_precision(lowered):
    assert lowered.delegates == ("VulkanBackend",) and lowered.outside == {}
    graph = read_graph(lowered.buffer)
    assert graph.operations["aten.upsample_bilinear2d.vec"] == 6 and graph.operations["aten.tanh.default"] == 1
    assert set(graph.tensor_types) == {"float16"} and graph.interface_types == {"float32"}


def test_the_weights_are_those_of_the_student(lowered, form):
    check_weights(lowered.buffer, form)
    other = copy.deepcopy(form)
    other.to_rgb.operation.weight.data[1, 2, 0, 1] *= 1.002
    with pytest.raises(UserError, match=r"to_rgb\.operation\.weight is not in the file"):
        check_weights(lowered.buffer, other)
    del other.to_rgb
    with pytest.raises(UserError, match="2 constants that the student has not"):
        check_weights(lowered.buffer, other)


def test_the_runtime_here_cannot_run_it_and_says_so(lowered, tmp_path):
    assert "VulkanBackend" not in installed_backends()
    path = tmp_path / "student.pte"
    path.write_bytes(lowered.buffer)
    with pytest.raises(UserError, match="needs VulkanBackend"):
        run_program(path, torch.zeros(1, 8))
