"""Comparisons, choices, whole division and computed places, drawn at random for ``drawn.Draw``."""

from typing import TYPE_CHECKING

import numpy as np

from gatewright.graph import Array, Fixed, Node, Rounding
from gatewright.graph.ops import (
    Add,
    ArgMax,
    Compare,
    Comparison,
    Concat,
    Constant,
    GatherND,
    Maximum,
    Minimum,
    Quantize,
    Quotient,
    Reduction,
    Remainder,
    Reshape,
    ScatterND,
    Select,
    Take,
    TakeAlong,
    TopK,
)

if TYPE_CHECKING:
    from .drawn import Draw


def whole(value: object) -> Node:
    array = np.asarray(value, np.int64)
    return Node(Constant(Array(array), Fixed(16, 16)))


def indices(draw: "Draw", x: Node, length: int) -> Node:
    """Any tensor as indices of an axis of ``length``: whole numbers, cut off at both ends."""
    q = Node(Quantize(Fixed(4, 4, bool(draw.upto(0, 1)))), (x,))
    return Node(Minimum(), (Node(Maximum(), (q, whole(0))), whole(length - 1)))


def flat(draw: "Draw", x: Node) -> Node:
    """One scale for the whole tensor."""
    return Node(Quantize(draw.flat_format()), (x,))


def compare(draw: "Draw", x: Node) -> Node:
    y = draw.constant(x.shape, draw.flat_format())
    asked = Node(Compare(draw.pick(list(Comparison))), (x, y) if draw.upto(0, 1) else (y, x))
    return Node(Select(), (asked, *((x, y) if draw.upto(0, 1) else (y, x)))) if draw.upto(0, 2) else asked


def order(draw: "Draw", x: Node) -> Node:
    axis, largest = draw.upto(0, len(x.shape) - 1), bool(draw.upto(0, 1))
    x = x if isinstance(x.type.format, Fixed) else flat(draw, x)
    if draw.upto(0, 1):
        return Node(TopK(draw.upto(1, x.shape[axis]), axis, largest, bool(draw.upto(0, 1))), (x,))
    return Node(ArgMax(axis, True, bool(draw.upto(0, 1)), largest), (x,))


def divide(draw: "Draw", x: Node) -> Node:
    """By a divisor that is never 0: a constant, or computed."""
    rounding = draw.pick((Rounding.TRN, Rounding.TRN_ZERO))
    op = draw.pick((Quotient(rounding), Remainder(rounding)))
    if draw.upto(0, 1):
        format = draw.flat_format()
        stored = draw.stored(x.shape, format)
        stored = np.where(stored == format.zero, format.bounds[0] if format.bounds[0] != 0 else 1, stored)
        return Node(op, (x, Node(Constant(Array(stored), format))))
    y = Node(Add(), (Node(Maximum(), (x, whole(0))), whole(draw.upto(1, 3))))
    return Node(op, (x, y))


def take(draw: "Draw", x: Node) -> Node:
    x = flat(draw, x) if draw.upto(0, 1) else x
    axis = draw.upto(0, len(x.shape) - 1)
    at = indices(draw, x, x.shape[axis])
    if draw.upto(0, 1):
        return Node(TakeAlong(axis), (x, at))
    return Node(Take(axis), (x, Node(Reshape((at.type.size,)), (at,))))


def coordinates(draw: "Draw", x: Node, depth: int, axes: int) -> Node:
    """[elements, depth] for the axes of ``x`` from ``axes`` on."""
    columns = [Node(Reshape((x.type.size, 1)), (indices(draw, x, n),)) for n in x.shape[axes : axes + depth]]
    return columns[0] if depth == 1 else Node(Concat(1), tuple(columns))


def gather_nd(draw: "Draw", x: Node) -> Node:
    x = flat(draw, x)
    b = draw.upto(0, len(x.shape) - 1)
    depth = draw.upto(1, len(x.shape) - b)
    at = coordinates(draw, x, depth, b)
    common = x.shape[:b]
    per = at.shape[0] // int(np.prod(common))
    return Node(GatherND(b), (x, Node(Reshape((*common, per, depth)), (at,))))


def scatter_nd(draw: "Draw", x: Node) -> Node:
    depth = draw.upto(1, len(x.shape))
    at = coordinates(draw, x, depth, 0)
    updates = draw.constant((at.shape[0], *x.shape[depth:]), draw.flat_format())
    kinds = (None, Reduction.SUM, Reduction.MAX, Reduction.MIN, Reduction.PROD)
    return Node(ScatterND(draw.pick(kinds)), (x, at, updates))
