"""Types and stored values of a Core ML ML Program: protobuf and weight file → tensors."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from train.errors import UserError

# MIL's name → the torch type that holds it; types of less than a byte are held one element to a byte.
TORCH_DTYPES = {
    "fp16": torch.float16,
    "fp32": torch.float32,
    "bool": torch.bool,
    "int4": torch.int8,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "uint1": torch.uint8,
    "uint2": torch.uint8,
    "uint3": torch.uint8,
    "uint4": torch.uint8,
    "uint6": torch.uint8,
    "uint8": torch.uint8,
    "uint16": torch.uint16,
    "uint32": torch.uint32,
}
_PROTO_NAMES = {"FLOAT16": "fp16", "FLOAT32": "fp32", "STRING": "string"}
_NUMPY_DTYPES = {torch.float16: np.float16, torch.float32: np.float32, torch.bool: np.bool_} | {
    dtype: np.dtype(str(dtype).removeprefix("torch."))
    for dtype in (torch.int8, torch.int16, torch.int32, torch.uint8, torch.uint16, torch.uint32)
}
_SUB_BYTE_BITS = {"int4": 4, "uint1": 1, "uint2": 2, "uint3": 3, "uint4": 4, "uint6": 6}
ADD_IT = "add it to deploy/ios/mil_ops.py"


@dataclasses.dataclass(frozen=True)
class TensorType:
    """What the program states about a tensor."""

    dtype: str
    """MIL's name: fp16, fp32, bool, int4, int8, int16, int32, uint1 … uint32, or string."""
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


@dataclasses.dataclass(frozen=True)
class Constant:
    """A stored value and its type."""

    type: TensorType
    value: torch.Tensor | str


def read_type(value_type: Any, what: str) -> TensorType:
    """Return the type in a protobuf `ValueType`; `what` names it in errors.

    Raises:
        UserError: it is no tensor, its shape is not static, or its elements have a type that is not implemented.
    """
    from coremltools.proto import MIL_pb2

    kind = value_type.WhichOneof("type")
    if kind != "tensorType":
        raise UserError(f"{what} is a {kind}, not a tensor; convert a model without states and lists")
    tensor = value_type.tensorType
    name = MIL_pb2.DataType.Name(tensor.dataType)
    dtype = _PROTO_NAMES.get(name, name.lower())
    if dtype not in TORCH_DTYPES and dtype != "string":
        raise UserError(f"{what} has the type {name}, which is not evaluated; add it to deploy/ios/mil_values.py")
    if any(dimension.WhichOneof("dimension") != "constant" for dimension in tensor.dimensions):
        raise UserError(f"the shape of {what} is not static; convert with fixed input shapes")
    shape = tuple(int(dimension.constant.size) for dimension in tensor.dimensions)
    if tensor.rank != len(shape):
        raise UserError(f"{what} is damaged: rank {tensor.rank}, but {len(shape)} dimensions; convert it again")
    return TensorType(dtype, shape)


class ValueReader:
    """Reads constants, those in the weight files beside the model too.

    Args:
        folder: of the model file, which "@model_path" in the program stands for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, Any] = {}

    def read(self, value: Any, what: str) -> Constant:
        """Return the constant in a protobuf `Value`; `what` names it in errors.

        Raises:
            UserError: its weight file is missing, or it does not fit its type.
        """
        stated = read_type(value.type, what)
        if value.WhichOneof("value") == "blobFileValue":
            array = self._read_file(value.blobFileValue, stated, what)
        else:
            tensor = value.immediateValue.tensor
            field = tensor.WhichOneof("value")
            if stated.dtype == "string":
                return Constant(stated, _single_string(tensor, stated, what))
            if field == "bytes":
                array = _from_bytes(tensor.bytes.values, stated)
            elif field is None:
                raise UserError(f"{what} is damaged: it has no value; convert the model again")
            else:
                array = np.array(getattr(tensor, field).values)
        if array.size != math.prod(stated.shape):
            raise UserError(f"{what} is damaged: {array.size} elements for {stated}; convert the model again")
        numpy_dtype = _NUMPY_DTYPES[TORCH_DTYPES[stated.dtype]]
        return Constant(stated, torch.from_numpy(array.reshape(stated.shape).astype(numpy_dtype)))

    def _read_file(self, blob: Any, stated: TensorType, what: str) -> np.ndarray:
        from coremltools.libmilstoragepython import _BlobStorageReader  # type: ignore[import-not-found]

        path = self.folder / blob.fileName.removeprefix("@model_path/")
        if not path.is_file():
            raise UserError(f"{what} is in {path}, which does not exist; convert the model again")
        reader = self._files.setdefault(blob.fileName, _BlobStorageReader(str(path)))
        name = "float" if stated.dtype == "fp32" else stated.dtype
        try:
            array = np.asarray(getattr(reader, f"read_{name}_data")(blob.offset))
        except (AttributeError, RuntimeError, ValueError) as error:
            raise UserError(f"{what} is no {stated.dtype} in {path} ({error}); convert the model again") from None
        return array.view(np.float16) if stated.dtype == "fp16" else array


def _single_string(tensor: Any, stated: TensorType, what: str) -> str:
    if stated.shape or len(tensor.strings.values) != 1:
        raise UserError(f"{what} is a list of strings, which is not evaluated; add it to deploy/ios/mil_values.py")
    return tensor.strings.values[0]


def _from_bytes(data: bytes, stated: TensorType) -> np.ndarray:
    """Read little-endian elements; those of less than a byte are packed from the lowest bit on."""
    bits = _SUB_BYTE_BITS.get(stated.dtype)
    if bits is None:
        return np.frombuffer(data, np.dtype(_NUMPY_DTYPES[TORCH_DTYPES[stated.dtype]]).newbyteorder("<"))
    levels = unpack(np.frombuffer(data, np.uint8), bits, math.prod(stated.shape))
    if stated.dtype.startswith("u"):
        return levels
    return ((levels.astype(np.int16) ^ (1 << (bits - 1))) - (1 << (bits - 1))).astype(np.int8)


def unpack(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Return the first `count` fields of `bits` bits in bytes that are filled from the lowest bit on, as uint8."""
    fields = np.unpackbits(packed, bitorder="little")[: count * bits]
    fields = fields[: len(fields) // bits * bits].reshape(-1, bits)
    return (fields << np.arange(bits, dtype=np.uint8)).sum(1, dtype=np.uint8)


def ints(x: torch.Tensor) -> list[int]:
    """Return all elements as Python numbers."""
    return [int(value) for value in x.flatten().tolist()]


def refuse(name: str, value: object, known: str) -> UserError:
    """Return the error for an input whose value no function here knows."""
    return UserError(f"its {name} is {value!r}, and only {known} is implemented; {ADD_IT}")
