"""Students and their packages, each converted once."""

import copy
import dataclasses
import gc
from pathlib import Path

import pytest
import torch
from stand_ins import trained_like_student

from compress.deploy_form import DeployGenerator, ImageForm, deploy_form, one_hot
from compress.fake_quant import QuantGenerator
from compress.one_class import specialise
from compress.quant_config import QuantConfig
from deploy.ios.coreml import convert_float, convert_quantized
from deploy.ios.package_info import PackageInfo
from train.generator import GeneratorConfig

CONFIG = GeneratorConfig("dw", channels=4, image_size=32, num_classes=3, z_dim=8, class_embedding_dim=6)
INFO = PackageInfo("TinyGAN", "Draws tests.", "A. Author", "Apache-2.0", "1.2", {0: "zero", 2: "two"}, 0.5)


@dataclasses.dataclass
class Models:
    """Live students, calibrated; forms of one class have a third of the operations."""

    deploy: DeployGenerator

    def __post_init__(self) -> None:
        self.one_class = specialise(self.deploy, 1)

    def inputs(self, form: ImageForm, count: int, seed: int) -> tuple[torch.Tensor, ...]:
        random = torch.Generator().manual_seed(seed)
        z = torch.randn(count, CONFIG.z_dim, generator=random).clamp(-2, 2)
        if not isinstance(form, DeployGenerator):
            return (z,)
        return z, one_hot(torch.arange(count) % CONFIG.num_classes, CONFIG.num_classes)

    def quantized(self, form: ImageForm, **config) -> QuantGenerator:
        student = QuantGenerator(form, QuantConfig(**config)).eval()
        student.calibrate([self.inputs(form, 16, seed) for seed in range(2)])
        student.freeze_ranges()
        return student


@pytest.fixture(scope="session", autouse=True)
def _little_to_collect():
    """Every conversion collects garbage, which takes half a second among all that coremltools imports."""
    pytest.importorskip("coremltools")
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def models() -> Models:
    return Models(deploy_form(trained_like_student(CONFIG)))


@pytest.fixture(scope="session")
def converted(tmp_path_factory):
    """(converter, live model, options) → package; the live model must stay as it is."""

    def convert(function, model, **options) -> Path:
        path = tmp_path_factory.mktemp("packages") / "model.mlpackage"
        before = copy.deepcopy(model.state_dict())
        function(model, path, INFO, **options)
        after = model.state_dict()
        assert all(torch.equal(tensor, after[key]) for key, tensor in before.items())
        return path

    return convert


@pytest.fixture(scope="session")
def float_package(models, converted) -> Path:
    """Of the float student of all classes: fp32 values."""
    return converted(convert_float, models.deploy, compute="fp32", output="values")


@pytest.fixture(scope="session")
def int4_student(models) -> QuantGenerator:
    return models.quantized(models.one_class, weight_bits=4)


@pytest.fixture(scope="session")
def int4_package(int4_student, converted) -> Path:
    """Of `int4_student`: fp32 values."""
    return converted(convert_quantized, int4_student, compute="fp32", output="values")
