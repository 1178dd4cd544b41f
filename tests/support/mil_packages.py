"""Small Core ML packages, and ways to spoil them."""

import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn


def convert(
    module: nn.Module,
    inputs: dict[str, torch.Tensor],
    target: str = "iOS16",
    precision: str = "FLOAT32",
    **options,
) -> Any:
    """Convert a torch module to an `MLModel` whose output is `y`."""
    import coremltools as ct

    pipeline = ct.PassPipeline.DEFAULT
    pipeline.remove_passes({"common::distributive_quantized_binary_op_scale_normalization"})
    program = torch.export.export(copy.deepcopy(module).eval(), tuple(inputs.values())).run_decompositions({})
    options.setdefault("outputs", [ct.TensorType(name="y", dtype=np.float32)])
    return _convert(
        program,
        inputs=[ct.TensorType(name, x.shape, np.float32) for name, x in inputs.items()],
        minimum_deployment_target=getattr(ct.target, target),
        compute_precision=getattr(ct.precision, precision),
        pass_pipeline=pipeline,
        **options,
    )


def build(function: Callable[..., Any], *shapes: tuple[int, ...], target: str = "iOS18", **options: Any) -> Any:
    """Make an `MLModel` of `function(mb, x, …)`, MIL operations that no pass rewrites."""
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb  # noqa: N813

    opset = getattr(ct.target, target)
    names = ["a", "b", "c"][: len(shapes)]
    body = eval(f"lambda {', '.join(names)}: function(mb, {', '.join(names)})", {"function": function, "mb": mb})
    program = mb.program(input_specs=[mb.TensorSpec(shape=shape) for shape in shapes], opset_version=opset)(body)
    return _convert(
        program,
        minimum_deployment_target=opset,
        compute_precision=ct.precision.FLOAT32,
        pass_pipeline=ct.PassPipeline.EMPTY,
        **options,
    )


def _convert(program: Any, **options: Any) -> Any:
    import coremltools as ct

    with quiet():
        return ct.convert(program, convert_to="mlprogram", skip_model_load=True, **options)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back coremltools' progress bars, and the warnings of its own deprecated and unclosed things."""
    logging.disable(logging.WARNING)
    try:
        with redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def save(model: Any, folder: Path) -> Path:
    path = folder / "model.mlpackage"
    model.save(str(path))
    return path


def edit(path: Path, change: Callable[[Any], None]) -> Path:
    """Apply `change` to the protobuf of a package."""
    from coremltools.proto import Model_pb2

    (file,) = path.rglob("*.mlmodel")
    model: Any = Model_pb2.Model()  # type: ignore[attr-defined]
    model.ParseFromString(file.read_bytes())
    change(model)
    file.write_bytes(model.SerializeToString())
    return path


def operation(model: Any, op_type: str) -> Any:
    """Return the first operation of a type in a package's protobuf."""
    function = model.mlProgram.functions["main"]
    operations = function.block_specializations[function.opset].operations
    return next(op for op in operations if op.type == op_type)
