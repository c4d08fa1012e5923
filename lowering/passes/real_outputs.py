"""Give the outputs of a graph that keeps its floats as real numbers."""

import numpy as np

from ...graph import Array, Graph, Node
from ...graph.ops import Constant, Mul, Output
from ..rewrite import again, rebuild


def real_outputs(graph: Graph) -> Graph:
    """Let a graph that is not all integers end in floating point: its source hands real numbers in and out. So do
    states that are read in floating point.

    %5 = output(%4) : 10 int32(scale=0.01)     ->     %5 = output(mul(%4, 1.0)) : 10 float32
    """
    if graph.is_integer:
        return graph
    kept = {s.next for s in graph.states if s.entry.type.is_integer}
    return rebuild(graph, lambda old, inputs: again(old, inputs) if old in kept else _real(again(old, inputs)))


def _real(node: Node) -> Node:
    if not isinstance(node.op, Output) or not node.type.is_integer:
        return node
    one = Node(Constant(Array(np.float32(1.0))), (), node.where)
    (x,) = node.inputs
    return Node(node.op, (Node(Mul(), (x, one), x.where),), node.where)
