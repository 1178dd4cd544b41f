import copy

import pytest
import torch
from exported_files import run_program

from deploy.android.vulkan import check_weights, read_graph
from train.errors import UserError

FILE = "student_vulkan_fp16.pte"


@pytest.fixture
def path(one_class_exports):
    return one_class_exports(FILE)


def test_everything_is_in_one_delegate_and_in_half_precision(path):
    graph = read_graph(path)
    assert graph.operations["aten.upsample_bilinear2d.vec"] == 6 and graph.operations["aten.tanh.default"] == 1
    assert set(graph.tensor_types) == {"float16"} and graph.interface_types == {"float32"}


def test_the_weights_are_those_of_the_student(path, one_class_exports):
    form = one_class_exports.source.form
    check_weights(path, form)
    other = copy.deepcopy(form)
    other.to_rgb.operation.weight.data[1, 2, 0, 1] *= 1.002
    with pytest.raises(UserError, match=r"to_rgb\.operation\.weight is not in the file"):
        check_weights(path, other)
    del other.to_rgb
    with pytest.raises(UserError, match="2 constants that the student has not"):
        check_weights(path, other)


def test_the_runtime_here_cannot_run_it_and_says_so(path):
    with pytest.raises(UserError, match="needs VulkanBackend"):
        run_program(path, torch.zeros(1, 8))
