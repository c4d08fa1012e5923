"""Kernels that choose: select by a condition, the place of the greatest, elements at computed places."""

import numpy as np

from ....graph import Node
from ....graph.arrays import Ints
from ....graph.ops import ArgMax, Select, Take, TakeAlong
from ..kernel import Kernel, is_constant, kernel_rule, numbers, refuse
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
    zero_of,
)
from .linear import centred

HEADER = "gw_choose.h"


@kernel_rule(Select)
def select(node: Node) -> Kernel:
    """A multiplexer for each element; what it chooses between stands in the unit of the result."""
    condition, *choices = node.inputs
    if is_constant(condition):
        raise refuse(node, "a choice by a constant condition", "fold constants before")
    config: Config = {"c_out": channels(node.shape), "c_zero": zero_of(node, condition.type)}
    config |= affine_or_refuse(node, np.broadcast_to(places(condition.shape), node.shape)).config("c")
    scale = node.type.quantized.scale
    config |= aligned(node, (choices[0], choices[1]), scale)
    constants: Constants = {}
    for name, choice in zip("xy", choices, strict=True):
        config |= affine_or_refuse(node, np.broadcast_to(places(choice.shape), node.shape)).config(name)
        if is_constant(choice):
            table = centred(choice.type) * one_factor(node, choice.type, scale)
            constants[name] = integers(node, table.ravel())
    suffix = f"_{''.join(constants)}" if constants else ""
    return Kernel(f"select{suffix}", HEADER, operands(node), node, config, constants)


@kernel_rule(ArgMax)
def arg_max(node: Node) -> Kernel:
    """A chain of comparisons along the axis."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, ArgMax)
    where = places(x.shape)
    config: Config = {
        "c_out": channels(node.shape), "length": x.shape[op.axis], "stride": stride_of(where, op.axis),
        "minimum": op.minimum, "last": op.last,
    }  # fmt: skip
    starts = where.take([0], axis=op.axis)
    return Kernel("arg_max", HEADER, operands(node), node, config | affine_or_refuse(node, starts).config("x"))


def stride_of(where: Ints, axis: int) -> int:
    """Give how far neighbours along an axis are from each other."""
    return int(np.prod(where.shape[axis + 1 :], dtype=np.int64))


@kernel_rule(Take)
def take(node: Node) -> Kernel:
    """A memory addressed by the indices."""
    op, (x, indices) = node.op, node.inputs
    assert isinstance(op, Take)
    rank = len(indices.shape)
    first = places(x.shape).take([0], axis=op.axis)
    shape = (*x.shape[: op.axis], *(1,) * rank, *x.shape[op.axis + 1 :])
    at = places(indices.shape).reshape((1,) * op.axis + indices.shape + (1,) * (len(x.shape) - op.axis - 1))
    return _taken(node, op.axis, first.reshape(shape), at)


@kernel_rule(TakeAlong)
def take_along(node: Node) -> Kernel:
    """A memory addressed by the indices, each along its own row."""
    op = node.op
    assert isinstance(op, TakeAlong)
    return _taken(node, op.axis, places(node.inputs[0].shape).take([0], axis=op.axis), places(node.shape))


def _taken(node: Node, axis: int, starts: Ints, at: Ints) -> Kernel:
    """Pick along ``axis``; ``starts``: where each element would be for index 0, ``at``: where its index is."""
    x, indices = node.inputs
    config: Config = {
        "c_out": channels(node.shape), "length": x.shape[axis], "stride": stride_of(places(x.shape), axis),
        **index_config(node, indices),
        **affine_or_refuse(node, np.broadcast_to(starts, node.shape)).config("x"),
        **affine_or_refuse(node, np.broadcast_to(at, node.shape)).config("y"),
    }  # fmt: skip
    if is_constant(x):
        return Kernel("take_constant", HEADER, (indices,), node, config, {"table": numbers(x)})
    return Kernel("take", HEADER, (x, indices), node, config)
