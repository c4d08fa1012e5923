"""Kernels that move values: reshape, transpose, slice, gather, broadcast, upsample, pad, concat."""

from math import prod

import numpy as np

from ....graph import Grid, Node, Tensor
from ....graph.arrays import Ints
from ....graph.ops import Broadcast, Concat, Gather, Pad, Reshape, Slice, Transpose, Upsample, mover, pad_value
from ....graph.tensor import grids
from ..kernel import Kernel, is_constant, kernel_rule, refuse
from .common import Config, affine, channels, factors_of, integers, operands, places, zero_of
from .linear import centred

HEADER = "gw_shape.h"
CONCAT = "gw_concat.h"
MAX_JOINED = 8


@kernel_rule(Reshape)
def reshape(node: Node) -> Kernel:
    """The same order; streams change the size of their packs."""
    return Kernel("reshape", HEADER, operands(node), node)


@kernel_rule(Transpose, Slice, Gather, Broadcast, Upsample)
def move(node: Node) -> Kernel:
    """Take each element from a place that is an affine function of its own, or else from a list of places."""
    x = node.inputs[0]
    where = np.asarray(mover(node.op)(places(x.shape)))
    found = affine(_by_factor(where, node.op.factors) if isinstance(node.op, Upsample) else where)
    config: Config = {"c_out": channels(node.shape), **(found.config("x") if found else {})}
    table = {} if found else {"places": integers(node, where.ravel())}
    if (kept := _kept_packs(where, x.shape)) is not None:
        return Kernel("keep_packs", HEADER, operands(node), node, config, {"keep": integers(node, kept), **table})
    return Kernel("move" if found else "gather", HEADER, operands(node), node, config, table)


def _by_factor(where: Ints, factors: tuple[int, ...]) -> Ints:
    """Split each axis of an upsampled tensor into the one before and its repetitions: then it is affine."""
    return where.reshape([n for size, f in zip(where.shape, factors, strict=True) for n in (size // f, f)])


def _kept_packs(where: Ints, shape: tuple[int, ...]) -> Ints | None:
    """Say which packs of the operand are packs of the result, where those are whole and in the same order."""
    size = channels(shape)
    if where.shape[-1:] != shape[-1:]:
        return None
    packs = where.reshape(-1, size)
    first = packs[:, 0]
    whole = bool((first % size == 0).all()) and np.array_equal(packs, first[:, None] + np.arange(size))
    if not whole or bool((np.diff(first) <= 0).any()):
        return None
    kept = np.zeros(prod(shape) // size, np.int64)
    kept[first // size] = 1
    return kept


@kernel_rule(Pad)
def pad(node: Node) -> Kernel:
    """A constant around up to four axes."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Pad)
    axes = _four_axes(node, op, x.shape)
    config: Config = {}
    for i, (length, (before, after)) in enumerate(axes):
        config |= {f"in{i}": length, f"out{i}": before + length + after, f"pad{i}": before}
    return Kernel("pad", HEADER, operands(node), node, config | _padding(node, op, x.type))


def _padding(node: Node, op: Pad, x: Tensor) -> Config:
    """Give the padding's stored integer, and what brings the operand into the result's unit."""
    value, zero = pad_value(x, op.value) or 0, zero_of(node, x)
    if not grids(x.format) or node.type.format == x.format:  # nothing is padded: the type stays
        return {"value": value + zero, "x_zero": 0}
    return {"value": value, "x_zero": zero}  # the elements' scales stay, their zero points go


def _one_factor(node: Node, x: Tensor) -> int:
    if isinstance(node.type.quantized.scale, Grid):
        return 1  # each element keeps its scale
    factor = factors_of(node, x, node.type.quantized.scale)
    if factor.ndim:
        raise refuse(node, "scales that differ by channel here", "quantize to one scale before it")
    return int(factor)


def _four_axes(node: Node, op: Pad, shape: tuple[int, ...]) -> list[tuple[int, tuple[int, int]]]:
    """Give (length, padding) of four axes; the last one stays, others without padding join the axis after them."""
    *lead, last = zip(shape, op.padding, strict=True)
    joined: list[tuple[int, tuple[int, int]]] = []
    for length, pair in lead:
        if joined and joined[-1][1] == pair == (0, 0):
            joined[-1] = (joined[-1][0] * length, (0, 0))
        else:
            joined.append((length, pair))
    if len(joined) > 3:
        raise refuse(node, f"padding of {len(joined) + 1} axes", "pad at most three axes and the channels")
    return [(1, (0, 0))] * (3 - len(joined)) + [*joined, last]


@kernel_rule(Concat)
def concat(node: Node) -> Kernel:
    """Two to eight tensors, or a tensor and a constant, joined along any axis in the result's unit."""
    op = node.op
    assert isinstance(op, Concat)
    tensors, constants = operands(node), [i for i in node.inputs if is_constant(i)]
    outer = prod(node.shape[: op.axis])
    config: Config = {"outer": outer, "by_channel": op.axis == len(node.shape) - 1}
    for k, i in enumerate(tensors):
        config |= {
            f"block{k}": i.type.size // outer,
            f"zero{k}": zero_of(node, i.type),
            f"factor{k}": _one_factor(node, i.type),
        }
    if not constants and 2 <= len(tensors) <= MAX_JOINED:
        return Kernel(f"concat{len(tensors)}", CONCAT, tensors, node, config)
    if len(constants) == len(tensors) == 1:
        return _concat_constant(node, config, constants[0], outer)
    raise refuse(
        node,
        f"joining {len(tensors)} tensors and {len(constants)} constants",
        f"join at most {MAX_JOINED}, or one of each, at once",
    )


def _concat_constant(node: Node, config: Config, constant: Node, outer: int) -> Kernel:
    values = centred(constant.type) * _one_factor(node, constant.type)
    config |= {"first": node.inputs[0] is constant, "block1": constant.type.size // outer}
    return Kernel("concat_constant", CONCAT, operands(node), node, config, {"constant": integers(node, values.ravel())})
