"""Rewriting a .tflite file: float inputs and outputs, float16 weights."""

from typing import Any

import numpy as np

from deploy.android.tflite_file import WEIGHTED, schema
from train.errors import UserError


def with_float_interface(data: bytes) -> bytes:
    """Return the file with float32 inputs and outputs where they were int8.

    litert-torch takes the operations that round an input, or give back a rounded output, off the graph, and an
    app would have to know the scales. Here they are put back.
    """
    library = schema()
    model = library.ModelT.InitFromPackedBuf(data, 0)
    (graph,) = model.subgraphs
    graph.inputs, graph.outputs = list(graph.inputs), list(graph.outputs)
    for indices, code in ((graph.inputs, "QUANTIZE"), (graph.outputs, "DEQUANTIZE")):
        for position, index in enumerate(indices):
            if graph.tensors[index].type != library.TensorType.INT8:
                continue
            indices[position] = _add_float_tensor(library, graph, index)
            ends = (index, indices[position])
            if code == "QUANTIZE":
                graph.operators.insert(0, _operator(library, model, code, *reversed(ends)))
            else:
                graph.operators.append(_operator(library, model, code, *ends))
            for signature in model.signatureDefs:
                for entry in (*signature.inputs, *signature.outputs):
                    if entry.tensorIndex == index:
                        entry.tensorIndex = indices[position]
    return pack(model)


def with_half_weights(data: bytes) -> bytes:
    """Return the file with its float32 weights as float16 behind DEQUANTIZE operations; biases stay float32.

    Raises:
        UserError: a weight is beyond what float16 holds.
    """
    library = schema()
    model = library.ModelT.InitFromPackedBuf(data, 0)
    (graph,) = model.subgraphs
    weighted = {getattr(library.BuiltinOperator, name) for name in WEIGHTED}
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    weights = {o.inputs[1] for o in graph.operators if codes[o.opcodeIndex] in weighted}
    for index in sorted(weights):
        tensor = graph.tensors[index]
        content = model.buffers[tensor.buffer].data
        if tensor.type != library.TensorType.FLOAT32 or content is None:
            continue
        with np.errstate(over="ignore"):  # told below
            half = np.frombuffer(bytes(content), np.float32).astype(np.float16)
        if not np.isfinite(half).all():
            raise UserError(f"{tensor.name.decode()} has weights beyond ±65504, the range of float16; export fp32")
        source = _add_half_tensor(library, model, graph, tensor, half)
        graph.operators.insert(0, _operator(library, model, "DEQUANTIZE", source, index))
    return pack(model)


def pack(model: Any) -> bytes:
    """Return the bytes of a `ModelT`; the constants lie at multiples of 16 bytes, as the schema asks."""
    import flatbuffers

    class AlignedBuilder(flatbuffers.Builder):
        """The generated Python code drops the schema's `force_align: 16`."""

        def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803 (theirs)
            return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)

    _drop_unused_buffers(model)
    builder = AlignedBuilder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _drop_unused_buffers(model: Any) -> None:
    """Empty the buffers that no tensor has any more."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {metadata.buffer for metadata in model.metadata or []}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None


def _add_float_tensor(library: Any, graph: Any, index: int) -> int:
    """Add a float tensor that takes over the name of the int8 one; return its index."""
    quantized = graph.tensors[index]
    tensor = library.TensorT()
    tensor.name, tensor.shape, tensor.type = quantized.name, quantized.shape, library.TensorType.FLOAT32
    tensor.shapeSignature, tensor.hasRank = quantized.shapeSignature, quantized.hasRank
    quantized.name = quantized.name + b"_int8"
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _add_half_tensor(library: Any, model: Any, graph: Any, weight: Any, values: np.ndarray) -> int:
    """Add a constant that `weight` is computed from; return its index."""
    buffer, tensor = library.BufferT(), library.TensorT()
    buffer.data = values.view(np.uint8)
    model.buffers.append(buffer)
    tensor.name, tensor.shape, tensor.type = weight.name + b"_float16", weight.shape, library.TensorType.FLOAT16
    tensor.hasRank, tensor.buffer, weight.buffer = weight.hasRank, len(model.buffers) - 1, 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator(library: Any, model: Any, name: str, source: int, result: int) -> Any:
    value = getattr(library.BuiltinOperator, name)
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    if value not in codes:
        code = library.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = value
        # Of QUANTIZE, 1 is float32 to int8; of DEQUANTIZE, 2 is int8 and 3 float16.
        code.version = 3 if name == "DEQUANTIZE" else 1
        model.operatorCodes.append(code)
        codes.append(value)
    operator = library.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = codes.index(value), [source], [result]
    return operator
