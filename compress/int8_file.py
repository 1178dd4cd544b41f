"""The int8 student as one safetensors file: integer weights, scales, ranges, and how to rebuild the graph."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from compress.biases import round_biases
from compress.by_class import ByClass
from compress.deploy_form import DeployGenerator
from compress.fake_quant import QuantGenerator
from compress.quant_config import QuantConfig
from compress.quantizer import level_dtype
from train.commands import typed
from train.errors import UserError
from train.files import read_tensors, save_tensors
from train.snapshot import SnapshotInfo, info_text, read_info

INT8_FORMAT = "tinygan-edge-int8-student-1"


def save_int8(path: Path, student: QuantGenerator, info: SnapshotInfo) -> None:
    """Write a quantized student; its biases are rounded in place, as integer runtimes round them.

    The file has for each layer `weight` (integers), `weight_scale` and `bias`, for each activation `range`,
    `scale` and `zero_point`, and the weights that the config leaves float.

    Raises:
        UserError: a range is not set, not finite or collapsed, or the student is of one class only.
    """
    if not isinstance(student.form, DeployGenerator):
        raise UserError(f"a {type(student.form).__name__} is not stored; store the student it was made from")
    student.check_ranges()
    round_biases(student)
    metadata = {
        "format": INT8_FORMAT,
        "info": info_text(info),
        "quantization": json.dumps(dataclasses.asdict(student.quantization)),
    }
    save_tensors(path, _tensors(student), metadata)


def load_int8(path: Path) -> tuple[QuantGenerator, SnapshotInfo]:
    """Read a quantized student in eval mode on the CPU, rounding and with frozen ranges, and its description.

    Its images are those of the student that was saved, bit for bit.

    Raises:
        UserError: there is no such file, or it is damaged, or it is not an int8 student of this project.
    """
    run = path.parents[1] if path.parent.name == "qat" else Path("runs/digits")
    remedy = f"make one with: {typed('compress/qat.py', '--run', run)}"
    tensors, metadata = read_tensors(path, "int8 student", remedy)
    if metadata.get("format") != INT8_FORMAT:
        raise UserError(
            f"{path} is no int8 student: its format is {metadata.get('format')!r}, not {INT8_FORMAT!r}"
        )
    info, quantization = read_info(metadata, path), _read_quantization(metadata, path)
    student = QuantGenerator(DeployGenerator(info.generator), quantization).eval()
    _check_tensors(tensors, _tensors(student), path)
    _fill(student, tensors)
    stored_grids = {name: tensor for name, tensor in tensors.items() if name.endswith((".scale", ".zero_point"))}
    rebuilt = _tensors(student)
    for name, tensor in stored_grids.items():
        if not torch.equal(tensor, rebuilt[name]):
            raise UserError(f"{path} is damaged: {name} does not belong to the stored range; make the file again")
    student.freeze_ranges()
    student.mode = "quantize"
    round_biases(student)  # older files have them as they were trained
    return student, info


def load_int8_by_class(path: Path) -> tuple[ByClass, SnapshotInfo]:
    """Read a quantized student as (z, y) → image, for `train.checkpoint.load_student`; see `load_int8`."""
    student, info = load_int8(path)
    return ByClass(student).eval(), info


def _tensors(student: QuantGenerator) -> dict[str, torch.Tensor]:
    """Return everything that a file holds, by name."""
    tensors: dict[str, torch.Tensor] = {}
    for name, point in student.points().items():
        scale, zero_point = point.grid()
        tensors |= {
            f"{name}.range": point.range,
            f"{name}.scale": scale,
            f"{name}.zero_point": zero_point.nan_to_num().to(level_dtype(point.bits)),
        }
    for name, operation in student.operations().items():
        tensors |= {name: operation.levels(), f"{name}_scale": operation.scale()}
        if operation.operation.bias is not None:
            tensors[name.removesuffix("weight") + "bias"] = operation.operation.bias
    return {**tensors, **_float_parameters(student)}


def _float_parameters(student: QuantGenerator) -> dict[str, nn.Parameter]:
    """Return the parameters of layers that are not quantized."""
    quantizers = (*student.operations().values(), *student.points().values())
    quantized = {id(parameter) for quantizer in quantizers for parameter in quantizer.parameters()}
    return {
        name.replace(".operation.", "."): parameter
        for name, parameter in student.form.named_parameters()
        if id(parameter) not in quantized
    }


@torch.no_grad()
def _fill(student: QuantGenerator, tensors: Mapping[str, torch.Tensor]) -> None:
    for name, point in student.points().items():
        point.set_range(*tensors[f"{name}.range"].tolist())
    for name, operation in student.operations().items():
        operation.load_levels(tensors[name], tensors[f"{name}_scale"])
        if operation.operation.bias is not None:
            operation.operation.bias.copy_(tensors[name.removesuffix("weight") + "bias"])
    for name, parameter in _float_parameters(student).items():
        parameter.copy_(tensors[name])


def _check_tensors(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], path: Path) -> None:
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise UserError(f"{path} is damaged: it misses {name}; make the file again")
        if name not in expected:
            raise UserError(f"{path} is damaged: it has the unknown {name}; make the file again")
        have, want = found[name], expected[name]
        if (have.shape, have.dtype) != (want.shape, want.dtype):
            shapes = f"{have.dtype} {list(have.shape)}, not {want.dtype} {list(want.shape)}"
            raise UserError(f"{path} is damaged: {name} is {shapes}; make the file again")


def _read_quantization(metadata: Mapping[str, str], path: Path) -> QuantConfig:
    try:
        chosen = json.loads(metadata["quantization"])
        chosen["exceptions"] = tuple((pattern, bits) for pattern, bits in chosen["exceptions"])
        return QuantConfig(**chosen)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} has a damaged description ({error!r}); make the file again") from None
