"""Folds along an axis: sums, means, extremes of a row, by vectors."""

import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..code import Code, Index, Memory, Value, const, index, lanes_from, maximum, select
from ..scope import Scope
from .frame import vectors

CHAINS = 4
"""Folds of a row that do not wait for each other."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Numbers of ``dtype`` are joined, from ``start`` on; ``again``: the same number twice changes nothing."""

    dtype: str
    start: float | int
    join: Callable[[Value, Value], Value]
    again: bool = False


SUM = Fold("float32", 0.0, operator.add)
MAXIMUM = Fold("float32", float("-inf"), maximum, again=True)


def fold_along(scope: Scope, length: int, lanes: int, fold: Fold, value: Callable[[Index], Value]) -> Value:
    """Fold what ``value`` gives for the places of an axis, each vector of which is asked for once, in order."""
    code, (width, full, rest) = scope.code, vectors(length, lanes)
    chains = 1 if scope.machine.bare or width == 1 else min(CHAINS, full)
    totals = [code.local(fold.dtype, width, "total") for _ in range(chains)]
    for total in totals:
        code.store(total, 0, const(fold.start, fold.dtype, width))

    def add(chain: int, k: Value, mask: Value | None = None) -> None:
        v = value(lanes_from(k, width))
        v = v if mask is None else select(mask, v, const(fold.start, fold.dtype, width))
        code.store(totals[chain], 0, fold.join(totals[chain].load(0, width), v))

    turns = full // chains
    with code.loop(turns) as i:
        for c in range(chains):
            add(c, (i * chains + c) * width)
    for k in range(turns * chains, full):
        add(k % chains, index(k * width))
    for begin in rest:  # elements of the last vector that were counted are left out
        add(full % chains, index(begin), None if fold.again else fresh_lanes(scope, full, begin, width))
    while len(totals) > 1:
        half = len(totals) // 2
        for a, b in zip(totals[:half], totals[-half:], strict=True):
            code.store(a, 0, fold.join(a.load(0, width), b.load(0, width)))
        totals = totals[: len(totals) - half]
    return folded(code, totals[0], width, fold.join)


def fresh_lanes(scope: Scope, full: int, begin: int, width: int) -> Value:
    """Say which lanes of a vector that begins before the end of ``full`` others are in none of these."""
    fresh = [int(begin + i >= full * width) for i in range(width)]
    return scope.table(np.array(fresh, np.int64), "int32").load(0, width).differs(0)


def folded(code: Code, memory: Memory, width: int, join: Callable[[Value, Value], Value]) -> Value:
    """Fold the lanes of a vector: its halves, until one is left."""
    value = code.let(memory.load(0, width))
    while width > 1:
        width //= 2
        half = code.local(memory.dtype, 2 * width, "half")
        code.store(half, 0, value)
        value = code.let(join(half.load(0, width), half.load(width, width)))
    return value
