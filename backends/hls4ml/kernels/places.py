"""Kernels of computed places with coordinates, of writes at them, of sorting and of whole division."""

from math import prod

import numpy as np

from ....graph import Node, Rounding
from ....graph.numerics import common_scale
from ....graph.ops import GatherND, Quotient, Reduction, Remainder, ScatterND, TopK
from ..kernel import Kernel, is_constant, kernel_rule, numbers, refuse
from .choose import stride_of
from .common import (
    Config,
    Constants,
    affine_or_refuse,
    aligned,
    channels,
    index_config,
    integers,
    one_factor,
    operands,
    places,
)
from .linear import centred

HEADER = "gw_places.h"
SCATTERED = (None, Reduction.SUM, Reduction.MAX, Reduction.MIN)
"""Numbered as in the templates."""


def _coordinates(node: Node, shape: tuple[int, ...], inner: int) -> tuple[Config, Constants]:
    """Give lengths and strides of the axes that coordinates count; ``inner`` elements stand behind the last."""
    strides = [prod(shape[k + 1 :]) * inner for k in range(len(shape))]
    tables = {"lengths": integers(node, np.array(shape)), "strides": integers(node, np.array(strides))}
    return {"depth": len(shape)}, tables


@kernel_rule(GatherND)
def gather_nd(node: Node) -> Kernel:
    """A memory addressed by coordinates."""
    op, (x, indices) = node.op, node.inputs
    assert isinstance(op, GatherND)
    shared, depth = op.batch_axes, indices.shape[-1]
    rest = x.shape[shared + depth :]
    config, tables = _coordinates(node, x.shape[shared : shared + depth], prod(rest))
    starts = places(x.shape)[(slice(None),) * shared + (0,) * depth]  # [*shared, *rest]
    between = indices.shape[shared:-1]
    starts = starts.reshape(*x.shape[:shared], *(1,) * len(between), *rest)
    first = places(indices.shape)[..., 0].reshape(*indices.shape[:-1], *(1,) * len(rest))
    config |= {
        "c_out": channels(node.shape), **index_config(node, indices),
        **affine_or_refuse(node, np.broadcast_to(starts, node.shape)).config("x"),
        **affine_or_refuse(node, np.broadcast_to(first, node.shape)).config("y"),
    }  # fmt: skip
    if is_constant(x):
        return Kernel("gather_nd_constant", HEADER, (indices,), node, config, {"table": numbers(x), **tables})
    return Kernel("gather_nd", HEADER, (x, indices), node, config, tables)


@kernel_rule(ScatterND)
def scatter_nd(node: Node) -> Kernel:
    """Copy the tensor, then write one part after the other."""
    op, (x, indices, updates) = node.op, node.inputs
    assert isinstance(op, ScatterND)
    if op.reduction not in SCATTERED or is_constant(x) or is_constant(updates):
        raise refuse(node, "writes of constants, or a product of what is written", "let a computed tensor be written")
    depth = indices.shape[-1]
    config, tables = _coordinates(node, x.shape[:depth], prod(x.shape[depth:]))
    config |= {
        "kind": SCATTERED.index(op.reduction), "count": prod(indices.shape[:-1]), "rest": prod(x.shape[depth:]),
        **index_config(node, indices), **aligned(node, (x, updates), node.type.quantized.scale),
    }  # fmt: skip
    return Kernel("scatter_nd", HEADER, (x, indices, updates), node, config, tables, is_loop=True)


@kernel_rule(TopK)
def top_k(node: Node) -> Kernel:
    """Rank by comparing everything with everything."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, TopK)
    where, axis = places(x.shape), op.axis
    wanted = np.arange(op.k).reshape((-1,) + (1,) * (len(x.shape) - axis - 1))
    config: Config = {
        "c_out": channels(node.shape), "length": x.shape[axis], "stride": stride_of(where, axis),
        "largest": op.largest, "indices": op.indices,
        **affine_or_refuse(node, np.broadcast_to(where.take([0], axis=axis), node.shape)).config("x"),
        **affine_or_refuse(node, np.broadcast_to(wanted, node.shape)).config("y"),
    }  # fmt: skip
    return Kernel("top_k", HEADER, operands(node), node, config)


@kernel_rule(Quotient, Remainder)
def division(node: Node) -> Kernel:
    """A divider for each element, where the divisor is proved not to be 0."""
    op, (x, y) = node.op, node.inputs
    assert isinstance(op, (Quotient, Remainder))
    low, high = y.type.interval
    if ((low <= 0) & (high >= 0)).any():
        raise refuse(node, "a division by what may be 0", "keep 0 out: a maximum with 1, or a constant divisor")
    scale = common_scale(x.type.quantized.scale, y.type.quantized.scale)
    config: Config = {
        "c_out": channels(node.shape), "remainder": isinstance(op, Remainder), "down": op.rounding is Rounding.TRN,
        **aligned(node, (x, y), scale),
    }  # fmt: skip
    constants: Constants = {}
    for name, operand in zip("xy", (x, y), strict=True):
        config |= affine_or_refuse(node, np.broadcast_to(places(operand.shape), node.shape)).config(name)
        if is_constant(operand):
            table = centred(operand.type) * one_factor(node, operand.type, scale)
            constants[name] = integers(node, table.ravel())
    suffix = f"_{''.join(constants)}" if constants else ""
    return Kernel(f"division{suffix}", HEADER, operands(node), node, config, constants)
