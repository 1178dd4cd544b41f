"""Reading and running .tflite files."""

import collections
import dataclasses
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from deploy.quiet import quiet
from train.commands import to_install
from train.errors import UserError, first_line

Precision = Literal["fp32", "fp16", "int8"]
Kernels = Literal["xnnpack", "builtin", "reference"]

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""The operations with weights."""
INPUTS, OUTPUT = ("z", "class_weights"), "image"

_DTYPES = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT8": np.int8, "INT32": np.int32}
_READING_ERRORS = (struct.error, IndexError, KeyError, TypeError, ValueError, AttributeError, UnicodeDecodeError)


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the graph."""

    name: str
    dtype: str
    """As the schema calls it: FLOAT32, INT8, …"""
    shape: tuple[int, ...]
    values: np.ndarray | None
    """Of a constant."""
    scales: np.ndarray
    """float32; empty: not quantized; one, or one per channel."""
    zero_points: np.ndarray

    @property
    def grid(self) -> tuple[float, int] | None:
        """Scale and zero point of an int8 activation, None for anything else."""
        if self.dtype != "INT8" or len(self.scales) != 1:
            return None
        return float(self.scales[0]), int(self.zero_points[0])


@dataclasses.dataclass(frozen=True, eq=False)
class Operation:
    """A node of the graph."""

    name: str
    """As the schema calls it: CONV_2D, …"""
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Any
    """The library's object of that operation, None if there is none."""

    @property
    def activations(self) -> tuple[Tensor, ...]:
        """Inputs that are no constants."""
        return tuple(tensor for tensor in self.inputs if tensor is not None and tensor.values is None)


@dataclasses.dataclass(frozen=True, eq=False)
class TfliteFile:
    """The graph of a file with one signature."""

    operations: tuple[Operation, ...]
    inputs: Mapping[str, Tensor]
    """By the signature's name, in the order of the graph's inputs."""
    outputs: Mapping[str, Tensor]

    def counts(self) -> dict[str, int]:
        """Return how many there are of each operation, by name."""
        return dict(sorted(collections.Counter(operation.name for operation in self.operations).items()))


def schema() -> Any:
    """Return the library's classes of the file format.

    Raises:
        UserError: ai-edge-litert is not installed.
    """
    try:
        from ai_edge_litert import schema_py_generated
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    return schema_py_generated


def read_tflite(source: Path | bytes) -> TfliteFile:
    """Read a file or its content.

    Raises:
        UserError: there is no such file, it is damaged, or it has not one graph and one signature.
    """
    library = schema()
    path = source if isinstance(source, Path) else None
    if path is not None and not path.is_file():
        raise UserError(f"no TFLite file at {path}")
    data = source if isinstance(source, bytes) else source.read_bytes()
    what = path or "the TFLite file"
    if data[4:8] != b"TFL3":
        raise UserError(f"{what} is no TFLite file: it lacks the mark TFL3")
    try:
        model = library.ModelT.InitFromPackedBuf(data, 0)
        (graph,), (signature,) = model.subgraphs, model.signatureDefs
        tensors = [_tensor(library, _content(model, data, tensor), tensor) for tensor in graph.tensors]
        names = {entry.tensorIndex: entry.name.decode() for entry in (*signature.inputs, *signature.outputs)}
        return TfliteFile(
            tuple(_operation(library, model, tensors, operator) for operator in graph.operators),
            {names[index]: tensors[index] for index in graph.inputs},
            {names[index]: tensors[index] for index in graph.outputs},
        )
    except _READING_ERRORS as error:
        raise UserError(f"{what} is damaged ({error!r}); export it again") from None


def check_structure(file: TfliteFile, precision: Precision) -> None:
    """See that the graph is what a phone runs fast.

    Asked for: the names, types and shapes of inputs and output; no TRANSPOSE; half-pixel centres of every resize;
    float16 weights (fp16), or integer arithmetic from the rounding of the inputs to the tanh (int8).

    The image is float by design, the same in every file. An int8 tanh, in steps of 1/128, would cost little:
    42.06 dB to the float student in place of 42.13 (trained digits student of width 16, calibrated on 256 latents;
    64 golden images by ai-edge-litert 2.3.0).

    Raises:
        UserError: the first operation that is not so, by name.
    """
    _check_interface(file)
    for operation in file.operations:
        where = f"{operation.name} (→ {operation.outputs[0].name})"
        if operation.name == "TRANSPOSE":
            raise UserError(f"the file has a {where}; the form must be in NHWC order")
        if operation.name.startswith("RESIZE") and not getattr(operation.options, "halfPixelCenters", False):
            raise UserError(f"{where} has no half-pixel centres; its images are not the student's")
        rounding = operation.name in ("QUANTIZE", "DEQUANTIZE")
        if rounding and not _is_justified(file, operation, precision):
            raise UserError(
                f"the {precision} file has a {where} that no rule allows; a grid must be missing there"
            )
        if precision == "int8" and not rounding:
            _check_integer(operation, where)
        if precision == "fp16" and operation.name in WEIGHTED:
            weight = operation.inputs[1]
            if weight is None or weight.values is not None:
                raise UserError(f"the weight of {where} is not float16")


def prepare_tflite(
    path: Path, kernels: Kernels = "xnnpack", threads: int = 1
) -> Callable[[], Callable[..., np.ndarray]]:
    """Check a file and get ai-edge-litert ready for it.

    Args:
        path: of the file.
        kernels: xnnpack: the default delegate; builtin: the optimised kernels without it; reference: plain ones.
        threads: for the kernels that use several.

    Returns:
        What loads it, to be timed; that gives a function of the file's inputs in order, each float32 [1, length],
        to its image, float32 [1, 3, H, W].

    Raises:
        UserError: ai-edge-litert is not installed, or (when it loads) it refuses the file.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    names = tuple(read_tflite(path).inputs)
    resolver = {
        "xnnpack": OpResolverType.AUTO,
        "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "reference": OpResolverType.BUILTIN_REF,
    }[kernels]

    def load() -> Callable[..., np.ndarray]:
        try:
            interpreter = Interpreter(str(path), num_threads=threads, experimental_op_resolver_type=resolver)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise UserError(f"ai-edge-litert refuses {path} ({first_line(error)}); export it again") from None
        runner = interpreter.get_signature_runner()

        def run(*inputs: np.ndarray) -> np.ndarray:
            # The interpreter's own memory is used again by the next call.
            image = runner(**dict(zip(names, inputs, strict=True)))[OUTPUT]
            return np.ascontiguousarray(image.transpose(0, 3, 1, 2))

        return run

    return load


def load_tflite(path: Path, kernels: Kernels = "xnnpack") -> Callable[..., np.ndarray]:
    """Load a file into ai-edge-litert, as `prepare_tflite` says."""
    load = prepare_tflite(path, kernels)
    with quiet():
        return load()


def _content(model: Any, data: bytes, stored: Any) -> bytes:
    """Return what a tensor holds; some writers put it behind the flatbuffer."""
    buffer = model.buffers[stored.buffer]
    if buffer.data is not None:
        return bytes(buffer.data)
    return data[buffer.offset : buffer.offset + buffer.size] if buffer.offset > 1 else b""


def _tensor(library: Any, content: bytes, stored: Any) -> Tensor:
    dtype = _name_of(library.TensorType, stored.type)
    shape = tuple(int(length) for length in ([] if stored.shape is None else stored.shape))
    values = None
    if content:
        values = np.frombuffer(content, _DTYPES.get(dtype, np.uint8))
        values = values.reshape(shape) if dtype in _DTYPES else values
    grid = stored.quantization
    scales = np.empty(0, np.float32) if grid is None or grid.scale is None else np.asarray(grid.scale, np.float32)
    zeros = np.zeros(len(scales), np.int64)
    if grid is not None and grid.zeroPoint is not None:
        zeros = np.asarray(grid.zeroPoint, np.int64)
    return Tensor(stored.name.decode(), dtype, shape, values, scales, zeros)


def _operation(library: Any, model: Any, tensors: list[Tensor], operator: Any) -> Operation:
    code = model.operatorCodes[operator.opcodeIndex]
    # Files older than the wider field have it in the narrow one.
    name = _name_of(library.BuiltinOperator, max(code.builtinCode, code.deprecatedBuiltinCode))
    inputs = tuple(tensors[index] if index >= 0 else None for index in operator.inputs)
    return Operation(name, inputs, tuple(tensors[index] for index in operator.outputs), operator.builtinOptions)


def _name_of(enumeration: Any, value: int) -> str:
    return next(name for name, number in vars(enumeration).items() if number == value and not name.startswith("_"))


def _check_interface(file: TfliteFile) -> None:
    if tuple(file.inputs) not in (INPUTS, INPUTS[:1]) or tuple(file.outputs) != (OUTPUT,):
        raise UserError(f"the file's inputs are {list(file.inputs)} and its outputs {list(file.outputs)}")
    for name, tensor in {**file.inputs, **file.outputs}.items():
        if tensor.dtype != "FLOAT32":
            raise UserError(f"the file's {name} is {tensor.dtype}, not FLOAT32")
    image = file.outputs[OUTPUT].shape
    if len(image) != 4 or image[-1] != 3:
        raise UserError(f"the file's image has the shape {list(image)}, not [1, H, W, 3]")


def _is_justified(file: TfliteFile, operation: Operation, precision: Precision) -> bool:
    (source,), (result,) = operation.inputs, operation.outputs
    if precision == "fp16" and operation.name == "DEQUANTIZE":
        return source is not None and source.dtype == "FLOAT16" and source.values is not None
    if precision != "int8":
        return False
    if operation.name == "QUANTIZE":
        return any(source is tensor for tensor in file.inputs.values())
    consumers = [o for o in file.operations if any(t is result for t in o.inputs)]
    return result is file.outputs[OUTPUT] or [o.name for o in consumers] == ["TANH"]


def _check_integer(operation: Operation, where: str) -> None:
    tensors = (*operation.activations, *operation.outputs)
    if operation.name != "TANH" and any(tensor.dtype != "INT8" for tensor in tensors):
        types = sorted({tensor.dtype for tensor in tensors} - {"INT8"})
        raise UserError(f"{where} computes in {', '.join(types)}; quantize that layer of the student")


def _missing(error: ModuleNotFoundError) -> UserError:
    return UserError(f"no {error.name}, which reads TFLite files; install it with: {to_install('android')}")
