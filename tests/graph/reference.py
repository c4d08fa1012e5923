"""A slow interpreter of graphs of integers, in fractions: what every operation means, element by element."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import floor
from typing import Any

import numpy as np

from gatewright.graph import Affine, Fixed, Graph, Node, Op, Rounding
from gatewright.graph.ops import (
    Add,
    AvgPool,
    Broadcast,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Gather,
    Lookup,
    MatMul,
    Maximum,
    MaxPool,
    Minimum,
    Mul,
    MultiplyShift,
    Output,
    Pad,
    Quantize,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Scaling,
    Scan,
    Slice,
    Step,
    Sub,
    Transpose,
    Upsample,
)

from . import oracle, reference_choose

Cells = np.ndarray[Any, np.dtype[np.object_]]
ZERO = Fraction(0)


def interpret(graph: Graph, stored: list[np.ndarray]) -> dict[Node, Cells]:
    """The exact value of every element of every node, for one sample of stored integers an input."""
    return meaning(graph, [values(node, one) for node, one in zip(graph.inputs, stored, strict=True)])


def recurrence(op: Scan, operands: list[Cells]) -> Cells:
    """Step by step."""
    now, emitted = list(operands), {}
    last = 0
    for last in reversed(range(op.steps)) if op.reverse else range(op.steps):
        fed = [v[last] if i < op.sequences else v for i, v in enumerate(now)]
        done = meaning(op.body, [np.asarray(v, object) for v in fed])
        *states, emission = (done[o] for o in op.body.outputs)
        now[op.sequences : op.sequences + op.states] = states
        emitted[last] = emission
    return emitted[last] if op.last else np.stack([emitted[i] for i in range(op.steps)])


def meaning(graph: Graph, entering: list[Cells]) -> dict[Node, Cells]:
    """The exact value of every element of every node, from those of the inputs."""
    entries = dict(zip(graph.inputs, entering, strict=True))
    done: dict[Node, Cells] = {}
    for node in graph.nodes:
        if node in entries:
            done[node] = entries[node]
        elif isinstance(node.op, Constant):
            done[node] = values(node, node.op.value.data)
        else:
            done[node] = compute(node, [done[i] for i in node.inputs])
        assert done[node].shape == node.shape, node.op
    return done


def values(node: Node, stored: np.ndarray) -> Cells:
    """What stored integers mean."""
    out = np.empty(node.shape, object)
    for index in np.ndindex(*node.shape):
        out[index] = oracle.value(int(stored[index]), node.type.quantized, index, node.shape)
    return out


def twice_rounded(op: MultiplyShift, channel: int, units: Fraction) -> int:
    """The product's upper half, halves up, and that divided by a power of two, halves away from zero."""
    shift = op.shift[channel]
    high = floor(units * 2 ** max(shift, 0) * op.multiplier[channel] / Fraction(2**31) + Fraction(1, 2))
    return oracle.round_to_integer(Fraction(high, 2 ** max(-shift, 0)), Rounding.RND_INF)


def reduced(op: MultiplyShift, channel: int, units: Fraction) -> int:
    """By the upper 16 bits of the multiplier, halves up."""
    multiplier = min((op.multiplier[channel] + 2**15) // 2**16, 2**15 - 1)
    return floor(units * multiplier * Fraction(2) ** (op.shift[channel] - 15) + Fraction(1, 2))


def really(op: MultiplyShift, channel: int, units: Fraction) -> int:
    """The product in Python's floats, halves away from zero."""
    product = float(units) * (op.multiplier[channel] * 2.0 ** (op.shift[channel] - 31))
    return oracle.round_to_integer(Fraction(product), Rounding.RND_INF)


SCALINGS = {Scaling.DOUBLE: twice_rounded, Scaling.REDUCED: reduced, Scaling.REAL: really}


def rescaled(op: MultiplyShift, format: Fixed | Affine, x: Cells) -> Cells:
    """Multiply and round in the way that the operation says."""
    out = np.empty(x.shape, object)
    for index in np.ndindex(*x.shape):
        channel = index[-1] if index and len(op.multiplier) > 1 else 0
        units = x[index] / Fraction(oracle.at(format.scale, index, x.shape))
        stored = min(max(SCALINGS[op.scaling](op, channel, units) + op.format.zero, op.low), op.high)
        out[index] = oracle.value(stored, op.format, index, x.shape)
    return out


def of_stored(node: Node, xs: list[Cells]) -> Cells:
    """Operations that read integers and not what they mean."""
    op, x, format = node.op, xs[0], node.inputs[0].type.quantized
    if isinstance(op, MultiplyShift):
        return rescaled(op, format, x)
    out = np.empty(x.shape, object)
    for index in np.ndindex(*x.shape):
        _, _, scale, zero = oracle.parts(format, index, x.shape)
        stored = x[index] / scale + zero
        assert stored.denominator == 1
        out[index] = xs[1][int(stored) - op.offset]
    return out


def compute(node: Node, xs: list[Cells]) -> Cells:
    op, x = node.op, xs[0]
    if type(op) in reference_choose.RULES:
        return reference_choose.RULES[type(op)](op, node.shape, *xs)
    match op:
        case Output():
            return x
        case Scan():
            return recurrence(op, xs)
        case Quantize():
            out = np.empty(x.shape, object)
            for index in np.ndindex(*x.shape):
                q = oracle.quantized(x[index], op.format, op.rounding, op.overflow, index, x.shape)
                out[index] = oracle.value(q, op.format, index, x.shape)
            return out
        case Lookup() | MultiplyShift():
            return of_stored(node, xs)
        case Step():
            return each(lambda v: xs[2][sum(bool(v >= t) for t in xs[1])], x)
        case Relu():
            return each(lambda v: max(v, ZERO), x)
        case Add() | Sub() | Mul() | Maximum() | Minimum():
            return pointwise(op, x, xs[1])
        case MaxPool() | AvgPool():
            return pool(op, node.shape, x)
        case Reduce():
            return reduced(op, node.shape, x)
    return products(op, node.shape, xs) if type(op) in PRODUCTS else moved(op, node.shape, xs)


def each(fn: Any, x: Cells) -> Cells:
    out = np.empty(x.shape, object)
    for index in np.ndindex(*x.shape):
        out[index] = fn(x[index])
    return out


def pointwise(op: Any, x: Cells, y: Cells) -> Cells:
    fn = {
        Add: lambda a, b: a + b, Sub: lambda a, b: a - b, Mul: lambda a, b: a * b, Maximum: max, Minimum: min,
    }[type(op)]  # fmt: skip
    x, y = np.broadcast_arrays(x, y)
    out = np.empty(x.shape, object)
    for index in np.ndindex(*x.shape):
        out[index] = fn(x[index], y[index])
    return out


def zeros(shape: tuple[int, ...]) -> Cells:
    out = np.empty(shape, object)
    out[...] = ZERO
    return out


def products(op: Any, shape: tuple[int, ...], xs: list[Cells]) -> Cells:
    made = PRODUCTS[type(op)](op, shape, xs[0], xs[1])
    return pointwise(Add(), made, xs[2]) if len(xs) == 3 else made


def dense(op: Dense, shape: tuple[int, ...], x: Cells, w: Cells) -> Cells:
    out = zeros(shape)
    for index in np.ndindex(*shape):
        out[index] = sum((x[(*index[:-1], k)] * w[k, index[-1]] for k in range(len(w))), ZERO)
    return out


def matmul(op: MatMul, shape: tuple[int, ...], x: Cells, y: Cells) -> Cells:
    out = zeros(shape)
    u, v = (np.broadcast_to(a, (*shape[:-2], *a.shape[-2:])) for a in (x, y))
    for *b, i, j in np.ndindex(*shape):
        out[(*b, i, j)] = sum((u[(*b, i, k)] * v[(*b, k, j)] for k in range(x.shape[-1])), ZERO)
    return out


def cell_of(at: list[int], tap: Sequence[int], op: Any, pads: Any) -> tuple[int, ...]:
    """Where a tap of a window lies."""
    rows = zip(at, op.strides, tap, op.dilation, pads, strict=True)
    return tuple(a * s + t * d - p[0] for a, s, t, d, p in rows)


def within(cell: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return all(0 <= i < n for i, n in zip(cell, shape, strict=False))


def convolution(op: Conv, shape: tuple[int, ...], x: Cells, w: Cells) -> Cells:
    out = zeros(shape)
    per, units = w.shape[-2], w.shape[-1] // op.groups
    for *at, f in np.ndindex(*shape):
        for *tap, c in np.ndindex(*w.shape[:-1]):
            cell = cell_of(at, tap, op, op.padding)
            if within(cell, x.shape):
                out[(*at, f)] += x[(*cell, f // units * per + c)] * w[(*tap, c, f)]
    return out


def transposed(op: ConvTranspose, shape: tuple[int, ...], x: Cells, w: Cells) -> Cells:
    out = zeros(shape)
    per, units = x.shape[-1] // op.groups, w.shape[-2]
    for *at, c in np.ndindex(*x.shape):
        for *tap, f in np.ndindex(*w.shape[:-1]):
            cell = cell_of(at, tap, op, op.crop)
            if within(cell, shape):
                out[(*cell, c // per * units + f)] += x[(*at, c)] * w[(*tap, f, c)]
    return out


PRODUCTS: dict[type[Op], Any] = {Dense: dense, MatMul: matmul, Conv: convolution, ConvTranspose: transposed}


def pool(op: MaxPool | AvgPool, shape: tuple[int, ...], x: Cells) -> Cells:
    out = np.empty(shape, object)
    counts_padding, clipped = getattr(op, "count_padding", False), getattr(op, "clipped", ())
    ends = [n + p[1] - k for n, p, k in zip(x.shape, op.padding, clipped or (0,) * len(op.window), strict=False)]
    for *at, c in np.ndindex(*shape):
        cells = [cell_of(at, tap, op, op.padding) for tap in np.ndindex(*op.window)]
        found = [x[(*cell, c)] for cell in cells if within(cell, x.shape)]
        counted = (
            sum(all(i < e for i, e in zip(cell, ends, strict=True)) for cell in cells) if counts_padding else len(found)
        )
        out[(*at, c)] = max(found) if isinstance(op, MaxPool) else sum(found, ZERO) / counted
    return out


def reduced(op: Reduce, shape: tuple[int, ...], x: Cells) -> Cells:
    groups: dict[tuple[int, ...], list[Fraction]] = {}
    for index in np.ndindex(*x.shape):
        key = tuple(0 if a in op.axes else i for a, i in enumerate(index) if op.keep or a not in op.axes)
        groups.setdefault(key, []).append(x[index])
    fold = {
        Reduction.SUM: sum, Reduction.MAX: max, Reduction.MIN: min, Reduction.MEAN: lambda v: sum(v, ZERO) / len(v),
    }[op.kind]  # fmt: skip
    out = np.empty(shape, object)
    for key, found in groups.items():
        out[key] = fold(found)
    return out


def moved(op: Any, shape: tuple[int, ...], xs: list[Cells]) -> Cells:
    x = xs[0]
    out = np.empty(shape, object)
    for number, index in enumerate(product(*map(range, shape))):
        match op:
            case Reshape():
                out[index] = x.ravel()[number]
            case Transpose(axes=axes):
                out[index] = x[tuple(index[axes.index(a)] for a in range(x.ndim))]
            case Slice():
                steps = (
                    range(n)[slice(*cut)][i]
                    for n, i, *cut in zip(x.shape, index, op.starts, op.stops, op.steps, strict=False)
                )
                out[index] = x[tuple(steps)]
            case Gather(axis=axis, indices=indices):
                out[index] = x[(*index[:axis], indices[index[axis]], *index[axis + 1 :])]
            case Broadcast():
                out[index] = x[
                    tuple(0 if n == 1 else i for i, n in zip(index[len(index) - x.ndim :], x.shape, strict=False))
                ]
            case Upsample(factors=factors):
                out[index] = x[tuple(i // f for i, f in zip(index, factors, strict=False))]
            case Pad():
                cell = tuple(i - p[0] for i, p in zip(index, op.padding, strict=False))
                inside = all(0 <= i < n for i, n in zip(cell, x.shape, strict=False))
                out[index] = x[cell] if inside else Fraction(op.value)
            case Concat(axis=axis):
                at, which = index[axis], 0
                while at >= xs[which].shape[axis]:
                    at, which = at - xs[which].shape[axis], which + 1
                out[index] = xs[which][(*index[:axis], at, *index[axis + 1 :])]
            case _:
                raise AssertionError(f"no reference for {op}")
    return out
