"""How much work and how many numbers a graph holds."""

from functools import singledispatch

import numpy as np

from .node import Graph, Node, Op
from .ops import Constant, Conv, ConvTranspose, Dense, Lookup, MatMul, Maximum, Minimum, Step


@singledispatch
def _macs(op: Op, node: Node) -> int:
    return 0


@_macs.register(Dense)
def _(op: Dense, node: Node) -> int:
    return node.type.size * node.inputs[1].shape[0]


@_macs.register(Conv)
def _(op: Conv, node: Node) -> int:
    return node.type.size * int(np.prod(node.inputs[1].shape[:-1]))


@_macs.register(ConvTranspose)
def _(op: ConvTranspose, node: Node) -> int:
    return node.inputs[0].type.size * int(np.prod(node.inputs[1].shape[:-1]))


@_macs.register(MatMul)
def _(op: MatMul, node: Node) -> int:
    return node.type.size * node.inputs[0].shape[-1]


def macs(node: Node) -> int:
    """Multiply-accumulates of one node per inference: products that a dense, convolution or matrix product sums."""
    return _macs(node.op, node)


NO_PARAMETERS = (Lookup, Step, Maximum, Minimum)
"""Operations whose constants were not trained: tables, thresholds, bounds."""


def parameters(graph: Graph) -> int:
    """Elements of the constants that are operands; tables, thresholds and bounds are not parameters."""
    return sum(node.type.size for node in graph.nodes if isinstance(node.op, Constant) and _trained(graph.users[node]))


def _trained(users: tuple[Node, ...]) -> bool:
    return any(not isinstance(u.op, NO_PARAMETERS) for u in users)


def parameters_of(node: Node) -> int:
    """Elements of the constants that one node reads as operands."""
    constants = (i for i in node.inputs if isinstance(i.op, Constant))
    return 0 if isinstance(node.op, NO_PARAMETERS) else sum(c.type.size for c in constants)
