"""Tensors without memory that lie on a GPU: what mixes devices is found on machines that have none."""

from types import SimpleNamespace

import pytest
import torch
from stand_ins import tiny_run
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from compress import equalise as equalising
from compress import pt2e
from compress.config import QatConfig
from compress.deploy_form import DeployGenerator, one_hot
from compress.elastic import ElasticGenerator
from compress.equalise import Reach, equalise
from compress.fake_quant import QuantGenerator
from compress.points import Point
from train.generator import GeneratorConfig, Widths
from train.sources import Sources

CLASSES, Z_DIM = 5, 8


def move(module: nn.Module, device: torch.device | str) -> nn.Module:
    """Stands in for Module.to, which cannot exchange fake tensors."""
    for child in module.modules():
        for name, parameter in child._parameters.items():
            if parameter is not None:
                child._parameters[name] = nn.Parameter(parameter.detach().to(device))
        for name, buffer in child._buffers.items():
            if buffer is not None:
                child._buffers[name] = buffer.to(device)
    return module


def deepcopy(tensor: torch.Tensor, memo: dict) -> torch.Tensor:
    """Stands in for Tensor.__deepcopy__, which would copy the mode too."""
    twin = tensor.detach().clone()
    return nn.Parameter(twin, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else twin


@pytest.fixture
def gpu(monkeypatch):
    """From here on tensors are fake; those made on this device would lie on a GPU."""
    monkeypatch.setattr(nn.Module, "to", move)
    monkeypatch.setattr(FakeTensor, "__deepcopy__", deepcopy, raising=False)
    with FakeTensorMode():
        yield torch.device("cuda", 0)


@pytest.fixture
def form(gpu) -> DeployGenerator:
    return DeployGenerator(GeneratorConfig("dw", 4, 32, CLASSES, Z_DIM, 16)).to(gpu)


@pytest.fixture
def inputs(gpu):
    return torch.randn(4, Z_DIM, device=gpu), one_hot(torch.zeros(4, dtype=torch.int64, device=gpu), CLASSES)


def reaches(form, batches):
    """A reach of the right size for every point; the real ones are read back from the device."""
    found, hooks = {}, []
    for name, point in form.named_modules():

        def note(module, args, output, name=name):
            found[name] = Reach(*(torch.ones(output.shape[1], dtype=torch.float64, device=output.device),) * 3)

        if isinstance(point, Point):
            hooks.append(point.register_forward_hook(note))
    form(*batches[0])
    for hook in hooks:
        hook.remove()
    return found


def test_the_forms_forward(form, inputs, gpu):
    assert form(*inputs).device == gpu


def test_equalising(form, inputs, gpu, monkeypatch):
    monkeypatch.setattr(equalising, "measure_reaches", reaches)
    monkeypatch.setattr(equalising, "factors", lambda reaches, strength: torch.ones_like(reaches[0].low).float())
    equalise(form, [inputs])
    assert form(*inputs).device == gpu


@pytest.mark.parametrize("frozen", [False, True])
def test_the_quantized_forward_reads_nothing_back(form, inputs, gpu, frozen, monkeypatch):
    student = QuantGenerator(form)
    monkeypatch.setattr(student, "check_ranges", lambda: None)  # reads values
    student.mode = "quantize"
    assert student.eval()(*inputs).device == gpu
    student.freeze_ranges(frozen)
    assert student.train()(*inputs).device == gpu


@pytest.mark.parametrize("training", [False, True])
def test_narrow_widths_forward(gpu, training):
    student = move(ElasticGenerator(GeneratorConfig("dw", 4, 32, CLASSES, Z_DIM, 16)), gpu).train(training)
    z, y = torch.randn(4, Z_DIM, device=gpu), torch.zeros(4, dtype=torch.int64, device=gpu)
    assert student(z, y, Widths((24, 9, 8, 3), (5, 8, 2))).device == gpu


def test_torchaos_flow_takes_everything_to_the_cpu(form, inputs, monkeypatch, tmp_path):
    """It trains there, wherever the form and the batches lie."""
    seen = []

    class CalibratedError(Exception):
        pass

    def stop(*args):
        raise CalibratedError

    flow = SimpleNamespace(
        quantizer=None,
        prepare=lambda graph, quantizer: graph,
        allow_train_eval=lambda graph: seen.extend(graph.parameters()),
    )
    monkeypatch.setattr(pt2e, "_torchao", lambda: flow)
    monkeypatch.setattr(pt2e, "_export", lambda form, run: form)
    monkeypatch.setattr(pt2e, "training_of", stop)
    with pytest.raises(CalibratedError):
        pt2e.finetune_pt2e(
            form,
            settings=QatConfig(images=64),
            run=SimpleNamespace(config=tiny_run(grids=1)),
            sources=Sources(None, None, [], [], 0.5),
            batches=[inputs],
            folder=tmp_path,
        )
    assert {parameter.device.type for parameter in seen} == {"cpu"}
    assert {parameter.device.type for parameter in form.parameters()} == {"cuda"}  # the caller's stays
