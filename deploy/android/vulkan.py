"""Students as ExecuTorch programs for Vulkan, in half precision.

The runtime that pip installs has no Vulkan backend, so that these files run on a phone only. Here is checked what
can be: everything is in one Vulkan delegate, and the file's weights are the student's.
"""

import dataclasses
from collections import Counter
from pathlib import Path

import torch
from torch import nn

from deploy.executorch_program import Lowered, lower, missing, read_contents
from deploy.flatbuffer import packaged_schema, read_header
from deploy.quiet import quiet
from train.errors import UserError

BACKEND = "VulkanBackend"
_SCHEMA = "executorch.backends.vulkan.serialization"
_FLOAT16, _FLOAT32 = 4, 5  # VkDataType
_IN_NAMED_DATA = 2**64 - 1


@dataclasses.dataclass(frozen=True)
class VulkanGraph:
    """The delegate of a file."""

    operations: Counter[str]
    """Operation → count, such as aten.tanh.default."""
    tensor_types: Counter[str]
    """float16 or another type → how many tensors the GPU holds in it."""
    interface_types: set[str]
    """The types in which inputs and outputs are handed over."""
    constants: list[bytes]
    """The stored weights."""


def lower_vulkan(module: nn.Module, example_inputs: tuple[torch.Tensor, ...]) -> Lowered:
    """Compile a float deploy form for Vulkan; inputs and image stay float32, the GPU computes in float16.

    Args:
        module: `DeployGenerator` or `OneClassGenerator`; it stays as it is.
        example_inputs: of batch 1.

    Raises:
        UserError: an operation is outside the delegate, or executorch is not installed.
    """
    with quiet():
        try:
            from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner
        except ImportError:
            raise missing() from None
        partitioner = VulkanPartitioner({"force_fp16": True})
    return lower(module, example_inputs, [partitioner])


def read_graph(source: Path | bytes) -> VulkanGraph:
    """Read the one Vulkan delegate of a .pte file, given as a path or as its bytes.

    Raises:
        UserError: it is no ExecuTorch program, or not with one Vulkan delegate.
    """
    contents = read_contents(source)
    payload = contents.only_payload(BACKEND)
    start, size, bytes_start = read_header(payload, "Vulkan", b"VH00", "III")
    graph = packaged_schema(_SCHEMA).read(payload[start : start + size])
    tensors = [v["value"] for v in graph["values"] if v["value"] and v["value"]["type"] == "VkTensor"]
    interface = {*(graph["input_ids"] or ()), *(graph["output_ids"] or ())}
    return VulkanGraph(
        operations=Counter(call["name"] for call in graph["chain"]),
        tensor_types=Counter(_type_name(tensor["datatype"]) for tensor in tensors),
        interface_types={_type_name(graph["values"][i]["value"]["staging_datatype"]) for i in interface},
        constants=[
            contents.named_data[constant["named_key"]][: constant["length"]]
            if constant["offset"] == _IN_NAMED_DATA
            else payload[bytes_start + constant["offset"] :][: constant["length"]]
            for constant in graph["constants"] or ()
        ],
    )


def check_weights(source: Path | bytes, form: nn.Module) -> None:
    """Prove that a .pte file holds the weights of a float form, rounded to float16, and nothing else.

    Raises:
        UserError: a weight differs, the GPU would hold a tensor in another type, or inputs and image are not
            float32.
    """
    graph = read_graph(source)
    if set(graph.tensor_types) != {"float16"} or graph.interface_types != {"float32"}:
        held = ", ".join(sorted(graph.tensor_types))
        raise UserError(f"the GPU holds {held} and exchanges {', '.join(sorted(graph.interface_types))}")
    left = Counter(graph.constants)
    for name, weight in form.state_dict().items():
        data = weight.detach().half().contiguous().cpu().numpy().tobytes()
        if not left[data]:
            raise UserError(f"{name} is not in the file; export the student again")
        left[data] -= 1
    if extra := sum(left.values()):
        raise UserError(f"the file has {extra} constants that the student has not; export the student again")


def _type_name(code: int) -> str:
    return {_FLOAT16: "float16", _FLOAT32: "float32"}.get(code, f"VkDataType {code}")
