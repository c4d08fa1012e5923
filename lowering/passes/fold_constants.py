"""Compute what depends on no input."""

import numpy as np

from ...graph import Array, Graph, Node, UnsupportedError
from ...graph.evaluate.kernel import Value, run
from ...graph.ops import Constant, Input, Output
from ..rewrite import again, rebuild


def fold_constants(graph: Graph) -> Graph:
    """Replace every operation on constants by its result.

    %1 = constant() : 3x4 float32
    %2 = transpose[axes=(1, 0)](%1) : 4x3 float32      ->      %1 = constant() : 4x3 float32
    """
    return rebuild(graph, _fold)


def _fold(old: Node, inputs: tuple[Node, ...]) -> Node:
    node = again(old, inputs)
    if (
        not inputs
        or isinstance(node.op, (Input, Output, Constant))
        or not all(isinstance(i.op, Constant) for i in inputs)
    ):
        return node
    operands = [Value(i.type, np.asarray(i.op.value.data)[None]) for i in inputs if isinstance(i.op, Constant)]
    result = run(node.op, node.type, *operands)[0]
    if result.dtype.kind == "f" and np.isinf(result).any():
        hint = "mask with a number such as -100 where the model is made: its exponential is 0 all the same"
        raise UnsupportedError("an infinite constant (a mask?) has no integer form", where=node.where, hint=hint)
    return Node(Constant(Array(result), node.type.format), (), node.where)
