import numpy as np
import pytest
import torch

from compress.deploy_form import ImageForm
from deploy.executorch_program import read_contents
from deploy.ios.coreml_delegate import BACKEND, export_delegate, extract_package
from deploy.ios.coreml_weights import first_difference
from deploy.ios.mil_program import load_program
from train.errors import UserError

pytest.importorskip("coremltools")
pytest.importorskip("executorch")


def images(models, package, model):
    program = load_program(package)
    (output,) = program.outputs
    (z,) = models.inputs(models.one_class, 3, seed=9)
    drawn = np.concatenate([program.run({"z": row[None].numpy()})[output] for row in z])
    with torch.no_grad():
        return torch.from_numpy(drawn).float(), model(z)


@pytest.mark.slow
def test_the_package_in_an_int8_delegate_is_the_student_exactly(models, tmp_path):
    path, student = tmp_path / "int8.pte", models.quantized(models.one_class)
    lowered = export_delegate(student, path, compute="fp32")
    assert lowered.delegates == (BACKEND,)
    package = extract_package(path, tmp_path)
    drawn, expected = images(models, package, student)
    assert torch.equal(drawn, expected)
    assert first_difference(package, student) is None
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError):
        extract_package(path, tmp_path)


class Broadcast(ImageForm):
    """A function of the first three latents as an image."""

    def __init__(self, config, operation):
        torch.nn.Module.__init__(self)
        self.config, self.operation, self.nhwc = config, operation, False

    def forward(self, z):
        return self.operation(z)[:, :3, None, None] * torch.ones(1, 1, 4, 4)


def test_the_package_in_a_program_has_fp16_outputs_and_no_debug_maps(models, tmp_path):
    path = tmp_path / "fp16.pte"
    form = Broadcast(models.deploy.config, lambda z: z * 2)
    lowered = export_delegate(form, path)
    assert lowered.delegates == (BACKEND,) and read_contents(path).input_shapes == ((1, 8),)
    (payload,) = read_contents(path).payloads
    assert b'"debugSymbolToHandles": {}' in payload
    program = load_program(extract_package(path, tmp_path))
    ((output, stated),) = program.outputs.items()
    assert str(stated) == "fp16 [1, 3, 4, 4]"
    z = np.linspace(-1, 1, 8, dtype=np.float32)[None]
    assert np.abs(program.run({"z": z})[output][0, :, 0, 0] - 2 * z[0, :3]).max() < 2e-3
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError):
        extract_package(path, tmp_path)


def test_what_core_ml_cannot_compute_is_named(models, tmp_path):
    path = tmp_path / "no.pte"
    with pytest.raises(UserError, match=r"outside .*asinh"):
        export_delegate(Broadcast(models.deploy.config, torch.asinh), path)
    assert not path.exists()
