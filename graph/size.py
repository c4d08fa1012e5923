"""How much work and how many numbers a graph holds."""

from functools import singledispatch

import numpy as np

from .node import Graph, Node, Op
from .ops import Constant, Conv, ConvTranspose, Dense, FixedSoftmax, Lookup, MatMul, Maximum, Minimum, Scan, Step


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


@_macs.register(Scan)
def _(op: Scan, node: Node) -> int:
    return op.steps * op.body.macs


def macs(node: Node) -> int:
    """Multiply-accumulates of one node per inference: products that a dense, convolution or matrix product sums."""
    return _macs(node.op, node)


NO_PARAMETERS = (Lookup, Step, Maximum, Minimum, FixedSoftmax)
"""Operations whose constants were not trained: tables, thresholds, bounds."""


def parameters(graph: Graph) -> int:
    """Elements of the constants that are operands; tables, thresholds and bounds are not parameters."""
    own = sum(node.type.size for node in graph.nodes if isinstance(node.op, Constant) and _trained(graph.users[node]))
    return own + sum(parameters(node.op.body) for node in graph.nodes if isinstance(node.op, Scan))


def _trained(users: tuple[Node, ...]) -> bool:
    return any(not isinstance(u.op, NO_PARAMETERS) for u in users)


def parameters_of(node: Node) -> int:
    """Elements of the constants that one node reads as operands."""
    constants = (i for i in node.inputs if isinstance(i.op, Constant))
    inside = parameters(node.op.body) if isinstance(node.op, Scan) else 0
    return 0 if isinstance(node.op, NO_PARAMETERS) else inside + sum(c.type.size for c in constants)
