"""Elements of what moves values: an index of the result is one of the operand."""

import numpy as np

from ....graph import Grid, Node
from ....graph.arrays import as_array
from ....graph.ops import Broadcast, Concat, Gather, Pad, Reshape, Slice, Transpose, Upsample, pad_value
from ..code import Index, Lanes, Value, const, index, select
from ..layout import centred_ends, row_major
from ..numbers import centred, fitted, in_units, real
from ..scope import Place, ScalarsOnly, Scope, aligned, element, plus, scalar


@element.register
def _(op: Transpose, scope: Scope, node: Node, at: Place) -> Value:
    own: list[Index] = [index(0)] * len(at)
    for i, axis in zip(at, op.axes, strict=True):
        own[axis] = i
    return scope.at(node.inputs[0], tuple(own))


@element.register
def _(op: Slice, scope: Scope, node: Node, at: Place) -> Value:
    x = node.inputs[0]
    own: list[Index] = []
    for i, n, *cut in zip(at, x.shape, op.starts, op.stops, op.steps, strict=True):
        start, _, step = slice(*cut).indices(n)
        own.append(i * step + start if step != 1 or start else i)
    return scope.at(x, tuple(own))


@element.register
def _(op: Broadcast, scope: Scope, node: Node, at: Place) -> Value:
    return scope.at(node.inputs[0], aligned(at, node.inputs[0].shape))


@element.register
def _(op: Upsample, scope: Scope, node: Node, at: Place) -> Value:
    own = tuple(i if f == 1 else scalar(i) // f for i, f in zip(at, op.factors, strict=True))
    return scope.at(node.inputs[0], own)


@element.register
def _(op: Gather, scope: Scope, node: Node, at: Place) -> Value:
    place = scope.table(np.array(op.indices, np.int64), "int32").load(scalar(at[op.axis]))
    return scope.at(node.inputs[0], (*at[: op.axis], scope.code.let(place), *at[op.axis + 1 :]))


@element.register
def _(op: Reshape, scope: Scope, node: Node, at: Place) -> Value:
    x = node.inputs[0]
    return scope.at(x, reshaped(at, node.shape, x.shape))


def reshaped(at: Place, shape: tuple[int, ...], other: tuple[int, ...]) -> Place:
    """Give the place in ``other`` of a place in ``shape``; both have the same elements in row-major order.

    Axes are taken in groups of equal size from the left, so that what does not change needs no division.
    """
    result: list[Index] = []
    i = j = 0
    while i < len(shape) or j < len(other):
        a, b, m, n = i, j, 1, 1
        if i < len(shape):
            m, i = shape[i], i + 1
        if j < len(other):
            n, j = other[j], j + 1
        while m != n:
            if m < n:
                m, i = m * shape[i], i + 1
            else:
                n, j = n * other[j], j + 1
        result += _group(at[a:i], shape[a:i], other[b:j])
    return tuple(result)


def _group(at: Place, shape: tuple[int, ...], other: tuple[int, ...]) -> list[Index]:
    long_a = [k for k, n in enumerate(shape) if n > 1]
    long_b = [k for k, n in enumerate(other) if n > 1]
    own: list[Index] = [index(0)] * len(other)
    if not long_b:
        return own
    if len(long_a) == len(long_b) == 1:
        own[long_b[0]] = at[long_a[0]]
        return own
    flat: Index = index(0)
    for i, stride, n in zip(at, row_major(shape), shape, strict=True):
        if n > 1:
            flat = plus(i * stride, flat)
    if len(long_b) == 1:
        own[long_b[0]] = flat
        return own
    return _split(flat, other)


def _split(flat: Index, other: tuple[int, ...]) -> list[Index]:
    """Give the indices of a flat place. Several lanes have to stay within the last axis."""
    if isinstance(flat, Lanes):
        raise ScalarsOnly
    own: list[Index] = []
    for stride, n in zip(row_major(other), other, strict=True):
        own.append(index(0) if n == 1 else (flat // stride) % n if own else flat // stride)
    return own


@element.register
def _(op: Pad, scope: Scope, node: Node, at: Place) -> Value:
    x = node.inputs[0]
    code = scope.code
    own: list[Index] = []
    inside: Value | None = None
    for i, (before, after), n in zip(at, op.padding, x.shape, strict=True):
        if not before and not after:
            own.append(i)
            continue
        place = scalar(i) - before
        fits = (place >= 0) & (place < n)
        inside = fits if inside is None else inside & fits
        own.append(code.let(select(place < 0, const(0), select(place >= n, const(n - 1), place))))
    value, padding = _padded(scope, node, x, tuple(own), op)
    return value if inside is None else select(inside, value, padding)


def _padded(scope: Scope, node: Node, x: Node, own: Place, op: Pad) -> tuple[Value, Value]:
    if not node.type.is_integer:
        value = real(scope, x, own)
        return value, const(float(op.value), "float32")
    centre = pad_value(x.type, op.value) or 0
    if node.type.format == x.type.format:
        value = scope.at(x, own)
        return value, const(centre + int(as_array(x.type.quantized.zero)), value.dtype)
    value = fitted(centred(scope, x, own), *centred_ends(node))
    return value, const(centre, value.dtype)


@element.register
def _(op: Concat, scope: Scope, node: Node, at: Place) -> Value:
    raise ScalarsOnly  # written part by part


def joined(scope: Scope, node: Node, x: Node, at: Place) -> Value:
    """Give one element of an operand of a concatenation, in the result's arithmetic."""
    if not node.type.is_integer:
        return real(scope, x, at)
    low, high = centred_ends(node)
    if isinstance(node.type.quantized.scale, Grid):
        return fitted(centred(scope, x, at), low, high)
    return fitted(in_units(scope, x, at, node.type.quantized.scale), low, high)
