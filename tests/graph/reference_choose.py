"""The slow meaning, in fractions, of comparisons, choices, whole division, and places that are computed."""

from collections.abc import Callable
from fractions import Fraction
from math import floor, trunc
from typing import Any

import numpy as np

from gatewright.graph import Op, Rounding
from gatewright.graph.ops import (
    ArgMax,
    Compare,
    Comparison,
    GatherND,
    Quotient,
    Reduction,
    Remainder,
    ScatterND,
    Select,
    Take,
    TakeAlong,
    TopK,
)

Cells = np.ndarray[Any, np.dtype[np.object_]]


def filled(shape: tuple[int, ...], fn: Callable[[tuple[int, ...]], Any]) -> Cells:
    out = np.empty(shape, object)
    for index in np.ndindex(*shape):
        out[index] = fn(index)
    return out


def compare(op: Compare, shape: tuple[int, ...], x: Cells, y: Cells) -> Cells:
    x, y = np.broadcast_arrays(x, y)
    asks = {
        Comparison.EQUAL: lambda a, b: a == b, Comparison.LESS: lambda a, b: a < b,
        Comparison.LESS_EQUAL: lambda a, b: a <= b,
    }  # fmt: skip
    return filled(shape, lambda i: Fraction(int(asks[op.kind](x[i], y[i]))))


def select(op: Select, shape: tuple[int, ...], c: Cells, x: Cells, y: Cells) -> Cells:
    c, x, y = np.broadcast_arrays(c, x, y)
    return filled(shape, lambda i: x[i] if c[i] else y[i])


def ordered(values: list[Fraction], *, largest: bool) -> list[int]:
    """The indices in order; Python's sort keeps equal ones as they came."""
    return sorted(range(len(values)), key=lambda i: -values[i] if largest else values[i])


def arg_max(op: ArgMax, shape: tuple[int, ...], x: Cells) -> Cells:
    def find(i: tuple[int, ...]) -> Fraction:
        rest = i[op.axis + 1 :] if op.keep else i[op.axis :]
        row = list(x[(*i[: op.axis], slice(None), *rest)])
        best = min(row) if op.minimum else max(row)
        places = [j for j, v in enumerate(row) if v == best]
        return Fraction(places[-1] if op.last else places[0])

    return filled(shape, find)


def top_k(op: TopK, shape: tuple[int, ...], x: Cells) -> Cells:
    def find(i: tuple[int, ...]) -> Fraction:
        row = list(x[(*i[: op.axis], slice(None), *i[op.axis + 1 :])])
        at = ordered(row, largest=op.largest)[i[op.axis]]
        return Fraction(at) if op.indices else row[at]

    return filled(shape, find)


def divide(op: Quotient | Remainder, shape: tuple[int, ...], x: Cells, y: Cells) -> Cells:
    x, y = np.broadcast_arrays(x, y)
    rounded = floor if op.rounding is Rounding.TRN else trunc

    def each(i: tuple[int, ...]) -> Fraction:
        q = Fraction(rounded(x[i] / y[i]))
        return q if isinstance(op, Quotient) else x[i] - y[i] * q

    return filled(shape, each)


def take(op: Take, shape: tuple[int, ...], x: Cells, at: Cells) -> Cells:
    end = op.axis + at.ndim
    return filled(shape, lambda i: x[(*i[: op.axis], int(at[i[op.axis : end]]), *i[end:])])


def take_along(op: TakeAlong, shape: tuple[int, ...], x: Cells, at: Cells) -> Cells:
    return filled(shape, lambda i: x[(*i[: op.axis], int(at[i]), *i[op.axis + 1 :])])


def gather_nd(op: GatherND, shape: tuple[int, ...], x: Cells, at: Cells) -> Cells:
    b, end = op.batch_axes, at.ndim - 1
    return filled(shape, lambda i: x[(*i[:b], *(int(c) for c in at[i[:end]]), *i[end:])])


def scatter_nd(op: ScatterND, shape: tuple[int, ...], x: Cells, at: Cells, updates: Cells) -> Cells:
    out, end = x.copy(), at.ndim - 1
    joins: dict[Reduction | None, Callable[[Fraction, Fraction], Fraction]] = {
        None: lambda a, b: b, Reduction.SUM: lambda a, b: a + b, Reduction.PROD: lambda a, b: a * b,
        Reduction.MAX: max, Reduction.MIN: min,
    }  # fmt: skip
    for i in np.ndindex(*updates.shape):
        cell = (*(int(c) for c in at[i[:end]]), *i[end:])
        out[cell] = joins[op.reduction](out[cell], updates[i])
    return out


RULES: dict[type[Op], Callable[..., Cells]] = {
    Compare: compare, Select: select, ArgMax: arg_max, TopK: top_k, Quotient: divide, Remainder: divide,
    Take: take, TakeAlong: take_along, GatherND: gather_nd, ScatterND: scatter_nd,
}  # fmt: skip
