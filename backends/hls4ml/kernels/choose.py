"""Kernels that choose: select by a condition, the place of the greatest, elements at computed places."""

from fractions import Fraction

import numpy as np

from ....graph import Node
from ....graph.arrays import Ints
from ....graph.ops import ArgMax, Select, Take
from ..kernel import Kernel, is_constant, kernel_rule, numbers, refuse
from .common import (
    Config,
    Constants,
    affine_or_refuse,
    aligned,
    channels,
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
    scale = indices.type.quantized.scale
    if is_constant(indices) or not isinstance(scale, Fraction):
        raise refuse(node, "picking at places that are known, or of several formats", "make it a gather")
    where, rank = places(x.shape), len(indices.shape)
    first = where.take([0], axis=op.axis)
    shape = (*x.shape[: op.axis], *(1,) * rank, *x.shape[op.axis + 1 :])
    starts = np.broadcast_to(first.reshape(shape), node.shape)
    at = places(indices.shape).reshape((1,) * op.axis + indices.shape + (1,) * (len(x.shape) - op.axis - 1))
    config: Config = {
        "c_out": channels(node.shape), "length": x.shape[op.axis], "stride": stride_of(where, op.axis),
        "index_zero": zero_of(node, indices.type), "index_factor": int(scale),
        **affine_or_refuse(node, starts).config("x"),
        **affine_or_refuse(node, np.broadcast_to(at, node.shape)).config("y"),
    }  # fmt: skip
    if is_constant(x):
        return Kernel("take_constant", HEADER, (indices,), node, config, {"table": numbers(x)})
    return Kernel("take", HEADER, (x, indices), node, config)
