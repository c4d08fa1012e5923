"""Networks with narrower weights than they were trained with: for what they take, not for what they say."""

from dataclasses import replace

import numpy as np

from gatewright.graph import Affine, Array, Graph, Node
from gatewright.graph.ops import Constant, Conv, Dense, MultiplyShift


def narrowed(graph: Graph, bits: int) -> Graph:
    """Round the weights of a network of 8-bit integers to ``bits`` bits; changes of scale make up for it, so that the
    numbers between the layers stay what they were, but for rounding.
    """
    less, new = 8 - bits, dict[Node, Node]()
    for node in graph.nodes:
        inputs = tuple(new[i] for i in node.inputs)
        op = node.op
        match op:
            case Conv() | Dense():
                x, w, *bias = inputs
                inputs = (x, _rounded(w, less, bits), *(_rounded(b, less, None) for b in bias))
            case MultiplyShift() if isinstance(node.inputs[0].op, Conv | Dense):
                op = replace(op, shift=tuple(s + less for s in op.shift))
        new[node] = replace(node, op=op, inputs=inputs)
    return Graph(tuple(new[n] for n in graph.inputs), tuple(new[n] for n in graph.outputs), f"{graph.name}_{bits}")


def _rounded(node: Node, less: int, bits: int | None) -> Node:
    """Give a constant of integers without its last ``less`` bits; ``bits``: of its format, None: those it has."""
    op = node.op
    assert isinstance(op, Constant)
    format = node.type.quantized
    assert isinstance(format, Affine)
    data = np.rint(op.value.data / (1 << less)).astype(np.int64)
    if bits is not None:
        data, format = np.clip(data, -(1 << bits - 1), (1 << bits - 1) - 1), replace(format, width=bits)
    return replace(node, op=Constant(Array(data), format))
