"""Read a Core ML `.mlpackage`: its program, its types and its constants."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.ios.coreml import coremltools
from deploy.ios.mil_values import Constant, TensorType, ValueReader, read_type
from train.errors import UserError


@dataclasses.dataclass(frozen=True)
class ImageType:
    """An RGB image output."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"RGB image {self.height}×{self.width}"


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of the program, other than a plain constant."""

    type: str
    """MIL's name: conv, linear, quantize …"""
    inputs: dict[str, list[str | Constant]]
    """MIL's name of the input → names of values, or values that are written in place."""
    outputs: dict[str, TensorType]

    @property
    def name(self) -> str:
        """Name of the first output."""
        return next(iter(self.outputs))


@dataclasses.dataclass(frozen=True)
class Package:
    """What an `.mlpackage` holds."""

    opset: str
    """CoreML6 for iOS 16, CoreML7 for iOS 17, CoreML8 for iOS 18."""
    inputs: dict[str, TensorType]
    outputs: dict[str, TensorType | ImageType]
    constants: dict[str, Constant]
    """The plain constants by name."""
    operations: list[Operation]
    """All others, in the order of their computation."""


def read_package(path: Path) -> Package:
    """Read an `.mlpackage` folder.

    Raises:
        UserError: it is no ML Program, it is damaged, it has flexible shapes, states or image inputs, or
            coremltools, which reads the file formats, is not installed.
    """
    coremltools()
    from coremltools.proto import Model_pb2

    model_path = _model_file(Path(path))
    model: Any = Model_pb2.Model()  # type: ignore[attr-defined]
    try:
        model.ParseFromString(model_path.read_bytes())
    except Exception as error:  # protobuf's DecodeError, which has moved between its versions
        raise UserError(f"{path} is damaged ({error}); convert the model again") from None
    if model.WhichOneof("Type") != "mlProgram":
        raise UserError(f"{path} is a {model.WhichOneof('Type')}, not an ML Program; convert to mlprogram")
    name = model.description.defaultFunctionName or "main"
    if name not in model.mlProgram.functions:
        raise UserError(f"{path} is damaged: it has no function {name}; convert the model again")
    function = model.mlProgram.functions[name]
    return _read_function(function, model.description, ValueReader(model_path.parent))


def _model_file(package: Path) -> Path:
    try:
        manifest = json.loads((package / "Manifest.json").read_text(encoding="utf-8"))
        entry = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]
        path = package / "Data" / entry["path"]
    except FileNotFoundError:
        raise UserError(f"{package} is no .mlpackage folder; give one that the exporter wrote") from None
    except (ValueError, KeyError, TypeError, NotADirectoryError) as error:
        raise UserError(f"{package} has a damaged Manifest.json ({error!r}); convert the model again") from None
    if not path.is_file():
        raise UserError(f"{package} is damaged: it misses {entry['path']}; convert the model again")
    return path


def _read_function(function: Any, description: Any, reader: ValueReader) -> Package:
    block = function.block_specializations[function.opset]
    constants: dict[str, Constant] = {}
    operations = []
    for operation in block.operations:
        outputs = {o.name: read_type(o.type, f"the value {o.name}") for o in operation.outputs}
        if operation.type == "const":
            (name,) = outputs
            constants[name] = reader.read(operation.attributes["val"], f"the constant {name}")
        elif operation.blocks:
            raise UserError(
                f"the operation {operation.type} has blocks, which are not evaluated; avoid control flow"
            )
        else:
            operations.append(Operation(operation.type, _read_inputs(operation, reader), outputs))
    inputs = {i.name: read_type(i.type, f"the input {i.name}") for i in function.inputs}
    for feature in description.input:
        _described(feature, inputs, "input")
    values = inputs | {name: stated for operation in operations for name, stated in operation.outputs.items()}
    outputs = {feature.name: _described(feature, values, "output") for feature in description.output}
    for name, stated in inputs.items():
        if isinstance(stated, ImageType) or stated.dtype not in ("fp16", "fp32", "int32"):
            raise UserError(f"the input {name} is {stated}, which is not evaluated; convert with tensor inputs")
    return Package(function.opset, inputs, outputs, constants, operations)


def _read_inputs(operation: Any, reader: ValueReader) -> dict[str, list[str | Constant]]:
    what = f"an input of {operation.outputs[0].name}"
    inputs: dict[str, list[str | Constant]] = {
        key: [
            binding.name if binding.WhichOneof("binding") == "name" else reader.read(binding.value, what)
            for binding in argument.arguments
        ]
        for key, argument in operation.inputs.items()
    }
    # The constexpr operations of iOS 16 and 17 keep their inputs among the attributes.
    for key, value in operation.attributes.items():
        if key != "name":
            inputs[key] = [reader.read(value, what)]
    return inputs


def _described(feature: Any, values: Mapping[str, TensorType], kind: str) -> TensorType | ImageType:
    """Compare what the model's description says about an input or output with what the program does."""
    what = f"the {kind} {feature.name}"
    if feature.name not in values:
        raise UserError(f"{what} is not in the program; convert the model again")
    stated = values[feature.name]
    form = feature.type.WhichOneof("Type")
    if form == "multiArrayType":
        array = feature.type.multiArrayType
        names = {array.FLOAT32: "fp32", array.FLOAT16: "fp16", array.INT32: "int32"}
        described = TensorType(names.get(array.dataType, f"type {array.dataType}"), tuple(array.shape))
        if array.WhichOneof("ShapeFlexibility") or described != stated:
            raise UserError(f"{what} is described as {described} and is {stated}; convert with fixed shapes")
        return stated
    image = feature.type.imageType
    if form != "imageType" or kind == "input" or image.colorSpace != image.RGB:
        raise UserError(f"{what} is no tensor or RGB image output, which is not evaluated; convert it so")
    if image.WhichOneof("SizeFlexibility") or stated.shape != (1, 3, image.height, image.width):
        raise UserError(f"{what}, an image of {image.height}×{image.width}, is made of {stated}; convert it again")
    return ImageType(image.height, image.width)
