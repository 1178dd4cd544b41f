import numpy as np
import pytest
import torch
from stand_ins import trained_like_student

from compress.deploy_form import deploy_form
from compress.fake_quant import QuantGenerator
from compress.one_class import specialise
from deploy.ios.coreml_delegate import BACKEND, export_delegate, extract_package
from deploy.ios.coreml_weights import first_difference
from deploy.ios.mil_program import load_program
from train.errors import UserError
from train.generator import GeneratorConfig

pytest.importorskip("coremltools")
pytest.importorskip("executorch")

CONFIG = GeneratorConfig("dw", channels=4, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=6)


def latents(count, seed):
    return torch.randn(count, CONFIG.z_dim, generator=torch.Generator().manual_seed(seed)).clamp(-2, 2)


@pytest.fixture(scope="module")
def one_class():
    return specialise(deploy_form(trained_like_student(CONFIG)), 1)


@pytest.fixture(scope="module")
def student(one_class):
    student = QuantGenerator(one_class).eval()
    student.calibrate([(latents(16, seed),) for seed in range(2)])
    student.freeze_ranges()
    return student


def images(package, model):
    program = load_program(package)
    (output,) = program.outputs
    z = latents(3, seed=9)
    drawn = np.concatenate([program.run({"z": row[None].numpy()})[output] for row in z])
    with torch.no_grad():
        return torch.from_numpy(drawn).float(), model(z)


def test_the_package_in_an_int8_delegate_is_the_student_exactly(student, tmp_path):
    path = tmp_path / "int8.pte"
    lowered = export_delegate(student, path, compute="fp32")
    assert lowered.delegates == (BACKEND,) and not lowered.outside
    package = extract_package(path, tmp_path)
    drawn, expected = images(package, student)
    assert torch.equal(drawn, expected)
    assert first_difference(package, student) is None
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError):
        extract_package(path, tmp_path)


def test_the_package_in_an_fp16_delegate_draws_the_form(one_class, tmp_path):
    path = tmp_path / "fp16.pte"
    export_delegate(one_class, path)
    drawn, expected = images(extract_package(path, tmp_path), one_class)
    assert float(10 * torch.log10(4 / (drawn - expected).square().mean())) > 60


def test_what_core_ml_cannot_compute_is_named(one_class, tmp_path, monkeypatch):
    class WithOther(type(one_class)):
        def forward(self, z):
            return super().forward(z) + torch.asinh(z[:, :1, None, None])

    monkeypatch.setattr(one_class, "__class__", WithOther)
    path = tmp_path / "no.pte"
    with pytest.raises(UserError, match=r"outside .*asinh"):
        export_delegate(one_class, path)
    assert not path.exists()
