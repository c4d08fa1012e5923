"""ExecuTorch programs (.pte) of the float networks, for its XNNPACK delegate; needs the packages torch and executorch.

An ONNX file is run node by node by a PyTorch module, which is exported. There are none of int8: PyTorch's quantizers
choose scales and integers of their own, which are not those of the file.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as F  # noqa: N812

from .inputs import draw

Tensor = torch.Tensor


class Nodes(torch.nn.Module):
    """The nodes of an ONNX graph, one after the other."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        super().__init__()
        self.graph = graph
        self.gelus = dict(gelus(graph))
        self.whole = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.data_type != t.FLOAT}
        for t in graph.initializer:
            if t.name not in self.whole:
                self.register_buffer(t.name, torch.from_numpy(numpy_helper.to_array(t).copy()))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Give the first output."""
        known = dict(zip((i.name for i in self.graph.input), inputs, strict=True))
        inner = {name for parts, _ in self.gelus.values() for name in parts}
        for node in self.graph.node:
            name = node.output[0]
            if name in self.gelus:
                known[name] = F.gelu(known[self.gelus[name][1]])
            elif name not in inner:
                told = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
                operands = [known[i] if i in known else self.stored(i) for i in node.input]
                known[name] = RULES[node.op_type](told, *operands)
        return known[self.graph.output[0].name]

    def stored(self, name: str) -> Any:
        """A constant: whole numbers as a list, or one number; floats as a tensor."""
        return self.whole[name].tolist() if name in self.whole else getattr(self, name)


def gelus(graph: onnx.GraphProto) -> list[tuple[str, tuple[set[str], str]]]:
    """Find GELU as it is written out: the name of each result, of what is on the way to it, and of the operand."""
    made = {n.output[0]: n for n in graph.node}
    users = {i: n for n in graph.node for i in n.input}
    found = []
    for erf in (n for n in graph.node if n.op_type == "Erf"):
        scaled, plus = erf.input[0], users[erf.output[0]].output[0]
        product = users[plus].output[0]
        inner = {scaled, erf.output[0], plus, product}
        found.append((users[product].output[0], (inner, made[scaled].input[0])))
    return found


def conv(told: dict[str, Any], x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Conv of two axes, padded apart where the sides differ."""
    top, left, bottom, right = told["pads"]
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, w, b, told["strides"], (top, left), groups=told["group"])


def slice_of(told: dict[str, Any], x: Tensor, starts: Any, ends: Any, axes: Any) -> Tensor:
    """Slice of one axis."""
    return x.narrow(axes[0], starts[0], min(ends[0], x.shape[axes[0]]) - starts[0])


def pick(told: dict[str, Any], x: Tensor, where: Any) -> Tensor:
    """Gather of one slice, or of the rows that a tensor names."""
    return F.embedding(where, x) if isinstance(where, Tensor) else x.select(told["axis"], where)


RULES: dict[str, Callable[..., Tensor]] = {
    "Add": lambda told, a, b: a + b,
    "Clip": lambda told, x, low, high: F.relu6(x),
    "Concat": lambda told, *parts: torch.cat(parts, told["axis"]),
    "Conv": conv,
    "DepthToSpace": lambda told, x: F.pixel_shuffle(x, told["blocksize"]),
    "Div": lambda told, a, b: a / b,
    "Flatten": lambda told, x: x.flatten(1),
    "Gather": pick,
    "Gemm": lambda told, x, w, b: F.linear(x, w, b),
    "GlobalAveragePool": lambda told, x: x.mean((2, 3), keepdim=True),
    "LayerNormalization": lambda told, x, w, b: F.layer_norm(x, x.shape[-1:], w, b, told["epsilon"]),
    "MatMul": lambda told, a, b: a @ b,
    "Mul": lambda told, a, b: a * b,
    "Relu": lambda told, x: F.relu(x),
    "Reshape": lambda told, x, shape: x.reshape(shape),
    "Slice": slice_of,
    "Softmax": lambda told, x: x.softmax(told["axis"]),
    "Transpose": lambda told, x: x.permute(told["perm"]),
}
"""By the operator's name: attributes, operands."""


def convert(source: Path, target: Path) -> None:
    """Export the network of an ONNX file."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    graph = onnx.load(source).graph
    inputs = []
    for i, told in enumerate(graph.input):
        tensor = told.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        inputs.append(torch.from_numpy(draw([d.dim_value for d in tensor.shape.dim], dtype, i)))
    with torch.no_grad():
        exported = torch.export.export(Nodes(graph).eval(), tuple(inputs))
        program = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()]).to_executorch()
    target.write_bytes(program.buffer)
