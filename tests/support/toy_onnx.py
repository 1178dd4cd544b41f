"""Small ONNX generators, node by node."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_onnx(
    path: Path,
    *,
    kind: str = "one-hot",
    classes: int | None = 5,
    batch: int | None = None,
    channels_last: bool = False,
    names: tuple[str, str] = ("noise", "label"),
) -> None:
    """Write tanh(W z + V onehot(y)) as 48 px images; the class input is one-hot or int64."""
    z_dim, size = 6, 48
    random = np.random.default_rng(0)
    constants = {
        "w": random.normal(0, 0.3, (z_dim, 3 * size * size)).astype(np.float32),
        "v": random.normal(0, 0.3, (5, 3 * size * size)).astype(np.float32),
        "shape": np.array([-1, size, size, 3] if channels_last else [-1, 3, size, size], np.int64),
    }
    nodes = [helper.make_node("MatMul", [names[0], "w"], ["from_z"])]
    if kind == "one-hot":
        nodes.append(helper.make_node("MatMul", [names[1], "v"], ["from_y"]))
        y_input = helper.make_tensor_value_info(names[1], TensorProto.FLOAT, [batch or "N", classes or "C"])
    else:
        nodes.append(helper.make_node("Gather", ["v", names[1]], ["from_y"]))
        y_input = helper.make_tensor_value_info(names[1], TensorProto.INT64, [batch or "N"])
    nodes += [
        helper.make_node("Add", ["from_z", "from_y"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["image"]),
    ]
    z_input = helper.make_tensor_value_info(names[0], TensorProto.FLOAT, [batch or "N", z_dim])
    output = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, None, None, None])
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "toy", [y_input, z_input], [output], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
