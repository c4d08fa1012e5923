"""Kernels of windows and reductions."""

import numpy as np

from ....graph import Node
from ....graph.ops import AvgPool, MaxPool, Reduce, Reduction
from ..kernel import Kernel, kernel_rule, refuse
from .common import Config, affine_or_refuse, channels, operands, places, zero_of
from .linear import window_config

HEADER = "gw_pool.h"
KINDS = (Reduction.SUM, Reduction.MAX, Reduction.MIN)
"""Numbered as in the templates; a mean is a sum whose divisor stands in the scale."""


@kernel_rule(MaxPool)
def max_pool(node: Node) -> Kernel:
    """The greatest of each window; what is stored keeps its zero point where the format stays."""
    op = node.op
    assert isinstance(op, MaxPool)
    x = node.inputs[0].type
    zero = 0 if node.type.format == x.format else zero_of(node, x)
    config = window_config(node, op.window, op.strides, op.padding, op.dilation)
    return _pool(node, config | {"kind": KINDS.index(Reduction.MAX), "x_zero": zero})


@kernel_rule(AvgPool)
def avg_pool(node: Node) -> Kernel:
    """The sum of each window; the count is part of the result's scale."""
    op = node.op
    assert isinstance(op, AvgPool)
    config = window_config(node, op.window, op.strides, op.padding, op.dilation)
    return _pool(node, config | {"kind": KINDS.index(Reduction.SUM), "x_zero": zero_of(node, node.inputs[0].type)})


def _pool(node: Node, config: Config) -> Kernel:
    return Kernel("pool", HEADER, operands(node), node, config)


@kernel_rule(Reduce)
def reduce(node: Node) -> Kernel:
    """Sum, mean, greatest or least over some axes."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Reduce)
    if op.kind is Reduction.PROD:
        raise refuse(node, "a product of all elements", "integers have no narrow result for it")
    kind = Reduction.SUM if op.kind is Reduction.MEAN else op.kind
    config: Config = {"kind": KINDS.index(kind), "x_zero": zero_of(node, x.type), "c_out": channels(node.shape)}
    rank = len(x.shape)
    if rank > 1 and op.axes == tuple(range(rank - 1)):
        return Kernel("reduce_all", HEADER, operands(node), node, config | {"c_out": x.shape[-1]})
    where = places(x.shape)
    starts = where[tuple(slice(0, 1) if a in op.axes else slice(None) for a in range(rank))]
    others = where[tuple(slice(None) if a in op.axes else 0 for a in range(rank))]
    config |= affine_or_refuse(node, starts).config("x") | affine_or_refuse(node, np.asarray(others)).config("y")
    return Kernel("reduce", HEADER, operands(node), node, config | {"count": others.size})
