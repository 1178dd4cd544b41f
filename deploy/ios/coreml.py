"""Core ML packages (.mlpackage) of the deploy forms, converted on any machine.

Inputs are `z`, float32 [1, z_dim], and `class_weights`, float32 [1, num_classes]; a form of one class has `z`
alone. The output `image` is an RGB picture, or float32 [1, 3, H, W] in [-1, 1] for comparisons.
"""

import contextlib
import copy
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from compress.deploy_form import DeployGenerator, ImageForm
from compress.fake_quant import QuantGenerator
from compress.one_class import OneClassGenerator
from deploy.ios.package_info import PackageInfo, describe
from deploy.package_files import tidy_package
from deploy.quiet import quiet
from train.commands import to_install
from train.errors import UserError
from train.files import write_folder_atomically

Compute = Literal["fp16", "fp32"]
Output = Literal["image", "values"]
FloatForm = DeployGenerator | OneClassGenerator

SUFFIX = ".mlpackage"
# It gives the operands of a quantized sum or product one common scale, which is not the student's.
RESCALING_PASS = "common::distributive_quantized_binary_op_scale_normalization"


class Pixels(nn.Module):
    """A form whose image is in whole levels, 0 to 255, by the rule of `train.images.to_bytes`.

    What rounding remains between a float and a byte is the phone's own, and it has nothing left to round.
    """

    def __init__(self, form: nn.Module) -> None:
        super().__init__()
        self.form = form

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return [1, 3, H, W] in {0, …, 255}."""
        return (self.form(*inputs) * 127.5 + 128.0).clamp(0, 255).floor()


def convert_float(
    form: FloatForm, path: Path, info: PackageInfo, *, compute: Compute = "fp16", output: Output = "image"
) -> None:
    """Write a float form as a package for iOS 16 and later.

    Args:
        form: it is converted as it is in eval mode, and stays as it is.
        path: of the package, a folder that ends in .mlpackage; an old one is replaced.
        info: its description.
        compute: of weights and activations. An image's last step, from [-1, 1] to levels, is always fp32.
        output: a picture, or its values in [-1, 1] as float32.

    Raises:
        UserError: coremltools is not installed, or the form or the path is of the wrong kind.
        RuntimeError: the conversion has changed the live form.
    """
    model = convert(form, form, target="iOS16", compute=compute, output=output)
    write_package(model, path, info, form, f"{compute} weights and activations")


def convert_quantized(
    student: QuantGenerator, path: Path, info: PackageInfo, *, compute: Compute = "fp16", output: Output = "image"
) -> None:
    """Write a quantized student, on its own grids, as a package.

    It runs on iOS 17 and later; on iOS 18 and later where weights have four bits or fewer, which are stored as
    four. Five to eight are stored as eight.

    Args:
        student: calibrated, with 8-bit or float activations; it stays as it is.
        path: of the package, a folder that ends in .mlpackage; an old one is replaced.
        info: its description.
        compute: what is between two grids, biases and the scales themselves. In fp32 the images are the
            student's, exactly, if the runtime rounds as it does. In fp16, which phones want, values near the
            middle of two levels fall on the other one: judge a package by its fp32 twin and by
            `deploy.ios.coreml_weights.first_difference`.
        output: a picture, or its values in [-1, 1] as float32.

    Raises:
        UserError: as `convert_float`, or the student's grids are none that Core ML has, or not set.
        RuntimeError: the conversion has changed the live student.
    """
    check_activations(student)
    target = oldest_system(student)
    model = convert(student.export_form(), student, target=target, compute=compute, output=output)
    bits = sorted({stored_bits(operation.bits) for operation in student.operations().values()})
    weights = " and ".join(f"int{b}" for b in bits) or compute
    activations = "int8" if student.points() else compute
    write_package(model, path, info, student, f"{weights} weights, {activations} activations, {compute} between")


def check_activations(student: QuantGenerator) -> None:
    """Look whether Core ML has the grids of a student's activations.

    Raises:
        UserError: it has not.
    """
    for name, point in student.points().items():
        if point.bits != 8:
            raise UserError(
                f"{name} has {point.bits} bits, and Core ML's activations 8; quantize with A8 or float"
            )


def stored_bits(bits: int) -> int:
    """Return the bits that a weight of `bits` bits is stored with."""
    return 4 if bits <= 4 else 8


def oldest_system(student: QuantGenerator) -> str:
    """Return the oldest system that can load a student's package: weights of four bits came with iOS 18."""
    four = any(stored_bits(operation.bits) == 4 for operation in student.operations().values())
    return "iOS18" if four else "iOS17"


def convert(
    module: nn.Module,
    live: FloatForm | QuantGenerator,
    *,
    target: str,
    compute: Compute,
    output: Output,
) -> Any:
    """Return `module` as an `MLModel` that is not written yet.

    Args:
        module: computes `live`'s image from its inputs.
        live: must not change.
        target: the oldest system that can load it, such as "iOS16".
        compute: see `convert_quantized`.
        output: see `convert_quantized`.

    Raises:
        UserError: coremltools is not installed, or the form computes NHWC.
        RuntimeError: the conversion has changed `live`.
    """
    form = live.form if isinstance(live, QuantGenerator) else live
    if not isinstance(form, ImageForm) or form.nhwc:
        raise UserError("Core ML images are NCHW; convert the form before to_nhwc()")
    ct = coremltools()
    before = {name: tensor.clone() for name, tensor in live.state_dict().items()}
    module = copy.deepcopy(module).requires_grad_(False)
    if output == "image":
        module = Pixels(module)
        outputs = [ct.ImageType(name="image", color_layout=ct.colorlayout.RGB)]
    else:
        outputs = [ct.TensorType(name="image", dtype=np.float32)]
    inputs = example_inputs(form)
    pipeline = ct.PassPipeline.DEFAULT
    pipeline.remove_passes({RESCALING_PASS})
    precision = ct.precision.FLOAT32
    if compute == "fp16":
        precision = ct.transform.FP16ComputePrecision(op_selector=lambda op: not _makes_levels(op))
    with quiet():
        program = torch.export.export(module.eval(), tuple(inputs.values())).run_decompositions({})
        model = ct.convert(
            program,
            convert_to="mlprogram",
            inputs=[ct.TensorType(name, x.shape, np.float32) for name, x in inputs.items()],
            outputs=outputs,
            minimum_deployment_target=getattr(ct.target, target),
            compute_precision=precision,
            pass_pipeline=pipeline,
            skip_model_load=True,
        )
    check_unchanged(live, before)
    return model


def example_inputs(form: ImageForm) -> dict[str, torch.Tensor]:
    """Return the inputs of a package of this form, by name, all 0."""
    inputs = {"z": torch.zeros(1, form.config.z_dim)}
    if isinstance(form, DeployGenerator):
        inputs["class_weights"] = torch.zeros(1, form.config.num_classes)
    return inputs


def check_unchanged(live: nn.Module, before: dict[str, torch.Tensor]) -> None:
    """Compare a module with its state before a conversion: coremltools negates a bias in place.

    Raises:
        RuntimeError: a tensor is another.
    """
    after = live.state_dict()
    for name, tensor in before.items():
        if not torch.equal(tensor.nan_to_num(), after[name].nan_to_num()):
            raise RuntimeError(f"the conversion has changed {name} of the live model")


def write_package(
    model: Any, path: Path, info: PackageInfo, live: FloatForm | QuantGenerator, precision: str
) -> None:
    """Describe a converted model and write it; `path` holds the old package or the whole new one.

    Raises:
        UserError: `path` does not end in .mlpackage or is a file.
    """
    if path.suffix != SUFFIX or path.is_file():
        raise UserError(f"{path} is no place for a Core ML package; give a folder that ends in {SUFFIX}")
    describe(model, info, live.config, precision)

    def write(temporary: Path) -> None:
        with quiet():
            model.save(str(temporary))
        tidy_package(temporary)

    write_folder_atomically(path, write)


def coremltools() -> Any:
    """Import coremltools.

    Raises:
        UserError: it is not installed, or tensorflow is in this process, with which it crashes.
    """
    if sys.modules.get("tensorflow") is not None:
        raise UserError("tensorflow and coremltools crash in one process; convert in a process of its own")
    with quiet(), _without_tensorflow():
        try:
            import coremltools as ct
        except ImportError:
            raise UserError(f"coremltools is not installed; {to_install('ios')}") from None
    if importlib.util.find_spec("coremltools.libmilstoragepython") is None:  # it imports all the same
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise UserError(
            f"coremltools {ct.__version__} has no native part for Python {here} on this machine and cannot write "
            "packages; use a Python that its wheels are made for, such as 3.12"
        )
    return ct


@contextlib.contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Hide tensorflow from an import: coremltools looks for it, and the two crash each other."""
    if "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["tensorflow"]


def _makes_levels(op: Any) -> bool:
    """Whether a MIL operation is one of `Pixels`, after tanh: in fp16 one in some thousand levels is another."""
    while op.op_type in ("mul", "add", "clip") and len(op.outputs[0].child_ops) == 1:
        op = op.outputs[0].child_ops[0]
    return op.op_type == "floor"
