"""Tensors that are read where others stand: what only moves elements changes strides and where it begins."""

from collections.abc import Mapping
from dataclasses import replace
from math import gcd

import numpy as np

from ...graph import Node
from ...graph.ops import Broadcast, Gather, Reshape, Slice, Transpose
from .layout import Layout
from .widths import WIDTHS

MOVES = (Reshape, Transpose, Slice, Gather, Broadcast)


def root(node: Node, layouts: Mapping[Node, Layout]) -> Node:
    """Give the tensor whose elements a node moves: one that stands in memory, or that is computed."""
    while node not in layouts and isinstance(node.op, MOVES):
        node = node.inputs[0]
    return node


def view(node: Node, layouts: Mapping[Node, Layout]) -> Layout | None:
    """Give where the elements of a node stand in the memory of its ``root``; None where no strides say it."""
    if (held := layouts.get(node)) is not None:
        return held
    if not isinstance(node.op, MOVES) or (x := view(node.inputs[0], layouts)) is None:
        return None
    strides, offset = _moved(node, x)
    return None if strides is None else replace(x, shape=node.shape, strides=strides, offset=offset)


WAY, WAYS = 1 << 16, 4
"""Bytes after which addresses share lines of the second cache (of 512 KiB in eight ways, 1 MiB in sixteen, ...), and
how many rows of one operand may do so.
"""


def crowded(x: Layout, along: int) -> bool:
    """Whether rows of a matrix (the last two axes; ``along`` is the one along rows) stand apart such that they drive
    each other out of the second cache.
    """
    rows = 2 * len(x.shape) - 3 - along
    size = WIDTHS[x.dtype] // 8
    pitch = abs(x.strides[rows]) * size
    return x.shape[rows] > WAYS * (WAY // gcd(pitch, WAY)) and pitch > x.shape[along] * size


def _moved(node: Node, x: Layout) -> tuple[tuple[int, ...] | None, int]:
    match node.op:
        case Transpose(axes=axes):
            return tuple(x.strides[a] for a in axes), x.offset
        case Reshape():
            return _regrouped(x, node.shape), x.offset
        case Broadcast():
            own = tuple(0 if n == 1 else s for n, s in zip(x.shape, x.strides, strict=True))
            return (0,) * (len(node.shape) - len(own)) + own, x.offset
        case Gather(axis=axis, indices=indices):
            steps = np.diff(indices) if len(indices) > 1 else np.zeros(1, np.int64)
            if (steps != steps[0]).any():
                return None, 0
            strides = tuple(s * int(steps[0]) if i == axis else s for i, s in enumerate(x.strides))
            return strides, x.offset + int(indices[0]) * x.strides[axis]
        case Slice() as op:
            cuts = [slice(*c).indices(n) for *c, n in zip(op.starts, op.stops, op.steps, x.shape, strict=True)]
            offset = x.offset + sum(begin * s for (begin, _, _), s in zip(cuts, x.strides, strict=True))
            return tuple(step * s for (_, _, step), s in zip(cuts, x.strides, strict=True)), offset
    raise AssertionError(node.op)


def _regrouped(x: Layout, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Give the strides of the same elements in another shape; None where axes are joined that do not follow."""
    own = [(n, s) for n, s in zip(x.shape, x.strides, strict=True) if n > 1]
    runs: list[tuple[int, int]] = []  # axes that follow each other are one: elements, and the stride of the last
    for n, s in own:
        if runs and runs[-1][1] == n * s:
            runs[-1] = runs[-1][0] * n, s
        else:
            runs.append((n, s))
    strides: list[int] = []
    for n in reversed(shape):
        if n == 1:
            strides.append(0)
            continue
        length, stride = runs.pop()
        if length % n:
            return None
        strides.append(stride)
        if length > n:
            runs.append((length // n, stride * n))
    return tuple(reversed(strides))
