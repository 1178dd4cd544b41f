"""Students as ExecuTorch programs for XNNPACK: float32, or int8 with the upsample in int8.

Stock lowering computes the bilinear upsample of an int8 graph in float32, between a dequantize and a quantize,
though XNNPACK has an int8 kernel for it. A partitioner config and a node visitor of our own put it in int8, in
effect inside `lower_xnnpack` only; the files run on the stock runtime.

XNNPACK rounds ties of that resize up, and so does the student. Rounded to even, 4 % of the values would be one
level lower.

Gains and biases are broadcast by the kernels that multiply and add. Made as wide as an image row beforehand, by an
int8 resize to [1, C, 1, W], the two and a relu took 1.69 ms in place of 1.30, the float interface included (32
channels, 128 px, one thread, minima of 240 calls in turns on a busy machine).

Weights of four bits gain nothing here: XNNPACK refuses a convolution with four-bit weights when the file is loaded
("Failed to create convolution node"); it takes them in linear layers only. Such a student is stored as int8 on its
own coarse grid: the same images, at the size of the int8 file.
"""

import contextlib
import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from compress.export_points import ExportPoint, use_integer_resize
from deploy.executorch_program import Lowered, lower, missing
from deploy.quiet import quiet
from train.errors import UserError

_RESIZE = "aten.upsample_bilinear2d.vec"


def lower_xnnpack(module: nn.Module, example_inputs: tuple[torch.Tensor, ...]) -> Lowered:
    """Compile a deploy form, or the export form of a quantized one, for XNNPACK.

    Args:
        module: `DeployGenerator`, `OneClassGenerator`, or what `QuantGenerator.export_form(float_weights=False)`
            returns; it stays as it is.
        example_inputs: of batch 1.

    Raises:
        UserError: an activation has other than 8 bits, an operation is outside the delegate, or executorch is not
            installed.
    """
    for name, point in module.named_modules():
        if isinstance(point, ExportPoint) and point.grid[2:] != (-128, 127, torch.int8):
            raise UserError(
                f"the activation {name} has levels {point.grid[2]} to {point.grid[3]}, and XNNPACK has 8 bits "
                "only; quantize with activations of 8 bits, such as --bits W8A8"
            )
    with _int8_resize() as configs:
        partitioner = _xnnpack().XnnpackPartitioner(configs=configs)
        return lower(use_integer_resize(copy.deepcopy(module)), example_inputs, [partitioner])


@contextlib.contextmanager
def _int8_resize() -> Iterator[list[Any]]:
    """Let XNNPACK's graph builder take quantized upsamples; yields the partitioner configs to use."""
    xnnpack = _xnnpack()
    visitors = xnnpack.node_visitor._node_visitor_dict
    stock = visitors[_RESIZE]
    visitors[_RESIZE] = _resize_visitor(xnnpack, stock)
    stock_config = xnnpack.UpsampleBilinear2dConfig
    ours = _resize_config(xnnpack, stock_config)
    try:
        yield [ours if config is stock_config else config for config in xnnpack.configs]
    finally:
        visitors[_RESIZE] = stock


def _resize_config(xnnpack: SimpleNamespace, stock: Any) -> Any:
    class ResizeConfig(stock):
        """Takes an upsample together with the dequantize before and the quantize after it."""

        def supported_precision_types(self) -> list[Any]:
            precision = xnnpack.ConfigPrecisionType
            return [precision.FP32, precision.STATIC_QUANT]

    return ResizeConfig


def _resize_visitor(xnnpack: SimpleNamespace, stock: Any) -> Any:
    class ResizeVisitor(stock):
        """Declares input and output as quantized where they are; the stock visitor then finds them declared."""

        def define_node(self, node: Any, xnn_graph: Any, vals_to_ids: Any, debug_handle: int) -> None:
            source = node.all_input_nodes[0]
            before = xnnpack.QuantParams.from_inputs(source, self.exported_program)
            after = xnnpack.QuantParams.from_outputs(node)
            if (before is None) != (after is None) or (
                before is not None and (before.scale, before.zp) != (after.scale, after.zp)
            ):
                raise RuntimeError(f"the upsample {node} changes the grid of its input, which XNNPACK cannot")
            self.define_tensor(source, xnn_graph, vals_to_ids, convert_to_nhwc=True, quant_params=before)
            self.define_tensor(node, xnn_graph, vals_to_ids, convert_to_nhwc=True, quant_params=after)
            super().define_node(node, xnn_graph, vals_to_ids, debug_handle)

    return ResizeVisitor


def _xnnpack() -> SimpleNamespace:
    try:
        with quiet():
            from executorch.backends.xnnpack.operators import node_visitor
            from executorch.backends.xnnpack.operators.quant_params import QuantParams
            from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
            from executorch.backends.xnnpack.partition.config.generic_node_configs import UpsampleBilinear2dConfig
            from executorch.backends.xnnpack.partition.config.xnnpack_config import ConfigPrecisionType
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    except ImportError:
        raise missing() from None
    return SimpleNamespace(
        node_visitor=node_visitor,
        QuantParams=QuantParams,
        configs=ALL_PARTITIONER_CONFIGS,
        UpsampleBilinear2dConfig=UpsampleBilinear2dConfig,
        ConfigPrecisionType=ConfigPrecisionType,
        XnnpackPartitioner=XnnpackPartitioner,
    )
