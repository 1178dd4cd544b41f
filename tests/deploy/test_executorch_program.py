import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from exported_files import run_program
from torch import nn

from deploy import executorch_program
from deploy.executorch_program import load_program, lower, read_contents
from deploy.quiet import quiet, without_chatter
from train.commands import process_environment
from train.errors import UserError


def partitioner():
    with quiet():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    return XnnpackPartitioner()


class Scaled(nn.Module):
    def __init__(self, last=nn.Identity):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 4)
        self.last = last()

    def forward(self, x, y):
        return self.last(torch.relu(self.linear(x)) * y)


class RunningSum(nn.Module):
    """Nothing that XNNPACK has."""

    def forward(self, x):
        return torch.cumsum(x, 1)


INPUTS = (torch.randn(1, 3), torch.randn(1, 4))


@pytest.fixture(scope="module")
def lowered():
    return lower(Scaled(), INPUTS, [partitioner()])


def test_a_program_says_what_is_in_its_delegate_and_computes_the_same(lowered, tmp_path):
    assert lowered.delegates == ("XnnpackBackend",)
    contents = read_contents(lowered.buffer)
    assert contents.delegates == lowered.delegates and contents.kernels == {}
    assert contents.input_shapes == ((1, 3), (1, 4))
    weight = Scaled().linear.weight.detach().numpy().tobytes()
    assert any(data.startswith(weight) for data in contents.named_data.values())
    path = tmp_path / "scaled.pte"
    path.write_bytes(lowered.buffer)
    inputs = torch.randn(5, 3), torch.randn(5, 4)
    images = run_program(path, *inputs)
    assert images.dtype == np.float32 and images.shape == (5, 4)
    np.testing.assert_allclose(images, Scaled()(*inputs).detach(), atol=1e-6)


def test_the_native_chatter_is_dropped_and_its_errors_are_not(lowered, tmp_path, capfd):
    path = tmp_path / "scaled.pte"
    path.write_bytes(lowered.buffer)
    run = load_program(path, threads=2)
    run(*(x.numpy() for x in INPUTS))
    assert capfd.readouterr().err == ""
    with without_chatter(), pytest.raises(RuntimeError):
        run(np.zeros((1, 7), np.float32), INPUTS[1].numpy())
    assert "received (1, 7)" in capfd.readouterr().err


def test_what_is_outside_is_an_error():
    with pytest.raises(UserError, match=r"outside the delegate are 1 × aten\.cumsum\.default; rewrite them"):
        lower(Scaled(RunningSum), INPUTS, [partitioner()])


def test_a_converter_that_changes_the_live_model_is_caught():
    module = Scaled().train()

    def vandalise(*arguments, **options):
        with torch.no_grad():
            module.linear.bias[1] += 1e-3
        return real(*arguments, **options)

    stock = partitioner()
    real, stock.partition = stock.partition, vandalise
    with pytest.raises(RuntimeError, match=r"changed linear\.bias of the model"):
        lower(module, INPUTS, [stock])
    assert module.training


def test_what_is_no_program_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no file at .*missing\.pte"):
        read_contents(tmp_path / "missing.pte")
    (tmp_path / "text.pte").write_text("hello, this is no program at all")
    with pytest.raises(UserError, match=r"text\.pte is no ExecuTorch program"):
        run_program(tmp_path / "text.pte", *INPUTS)


def test_a_backend_that_is_not_here_is_named(lowered, tmp_path, monkeypatch):
    path = tmp_path / "gpu.pte"
    path.write_bytes(lowered.buffer)
    contents = executorch_program.Contents((), ("VulkanBackend",), {}, (b"",), {})
    monkeypatch.setattr(executorch_program, "read_contents", lambda _: contents)
    runtime = executorch_program._runtime()

    def refuse(path):
        raise RuntimeError("loading method failed with error 0x20")

    monkeypatch.setattr(
        executorch_program, "_runtime", lambda: SimpleNamespace(load=refuse, native=runtime.native)
    )
    with pytest.raises(UserError, match=r"gpu\.pte needs VulkanBackend, .* here has .*XnnpackBackend"):
        run_program(path, *INPUTS)


def test_a_missing_executorch_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "executorch.exir", None)
    with pytest.raises(UserError, match=r"pip install --editable \S*\[android\]"):
        lower(Scaled(), INPUTS, [])


def test_to_run_a_program_imports_no_compiler_which_is_there_all_the_same_when_it_is_asked_for():
    code = (
        "import sys\n"
        "from deploy import executorch_program\n"
        "backends = executorch_program._runtime().native._get_registered_backend_names\n"
        "assert 'XnnpackBackend' in backends()\n"
        "assert not {'executorch.exir', 'torch._dynamo'} & set(sys.modules)\n"
        "executorch_program._executorch()\n"
        "assert backends()\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env=process_environment())
