"""Windows without weights: the greatest value, the sum; and the transposed convolution, gathered by its result."""

from collections.abc import Mapping, Sequence

import numpy as np

from ....graph import Node
from ....graph.arrays import NDArray
from ....graph.numerics import divide, whole
from ....graph.ops import AvgPool, ConvTranspose, MaxPool, pool_counts
from ..code import Index, Lanes, Memory, Value, cast, const, index, maximum, minimum
from ..contract import bias_units, product_scale
from ..layout import Layout, centred_ends, float_type, working_type
from ..machine import Machine
from ..numbers import centred, fitted, in_units, real, real_scale
from ..scope import Place, Scope
from .frame import MOVE, SPLIT_ABOVE, Written, along, axes, put, written


def pool(machine: Machine, layouts: Mapping[Node, Layout], node: Node, end: Node, out: Layout) -> Written:
    """Write a pooling layer with the operations from it up to ``end``."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, MaxPool | AvgPool)

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code, space = scope.code, node.shape[:-1]
        work = node.type.size * int(np.prod(op.window))
        with scope.outer(space[0], split=work * MOVE > SPLIT_ABOVE) as first, axes(code, space[1:]) as others:
            lead = [first, *others]
            for channel in along(code, node.shape[-1], lanes):
                total = _fold(scope, op, node, x, lead, channel)
                scope.given[node] = lambda at, total=total: total  # type: ignore[misc]
                at = (*lead, channel)
                put(scope, memory, out, at, scope.at(end, at))

    return written(machine, layouts, out, build, (99,))


def _fold(scope: Scope, op: "MaxPool | AvgPool", node: Node, x: Node, lead: Sequence[Index], channel: Index) -> Value:
    """Fold the cells of one window that are not padding; a window that is all inside has loops of fixed length."""
    code = scope.code
    greatest = isinstance(op, MaxPool)
    integer = node.type.is_integer
    low, high = centred_ends(node) if integer else (0, 0)
    dtype = working_type(low, high) if integer else "float32"
    lanes = channel.lanes if isinstance(channel, Lanes) else 1
    total = code.local(dtype, lanes, "total")
    least = (low if integer else float("-inf")) if greatest else 0
    code.store(total, 0, const(least, dtype, lanes))
    bounds = []
    for o, k, s, (before, after), d, n in zip(
        lead, op.window, op.strides, op.padding, op.dilation, x.shape[:-1], strict=True
    ):
        assert isinstance(o, Value)
        begin = o * s - before
        if not before and not after:
            bounds.append((begin, index(0), index(k)))
            continue
        lowest = maximum(const(0) - begin + (d - 1), 0) // d
        highest = minimum((const(n - 1) - begin) // d + 1 if d == 1 else _beyond(begin, n, d), k)
        lowest, highest = code.let(lowest), code.let(highest)
        bounds.append((code.let(begin), lowest, highest))

    def visit(axis: int, at: tuple[Index, ...]) -> None:
        if axis == len(bounds):
            value = _value(scope, node, x, (*at, channel))
            held = total.load(0, lanes)
            code.store(total, 0, maximum(held, value) if greatest else held + value)
            return
        begin, first, last = bounds[axis]
        extent = last.known if first.known == 0 and isinstance(last.known, int) else last - first
        with code.loop(extent, first) as k:
            visit(axis + 1, (*at, begin + k * op.dilation[axis]))

    visit(0, ())
    found = code.let(total.load(0, lanes))
    if integer:
        return _restored(node, x, found) if greatest else found
    if not isinstance(op, AvgPool):
        return found
    counts = pool_counts(op, x.shape[:-1]).astype(np.float32)
    return found / scope.constant(np.broadcast_to(counts, (*node.shape[:-1], 1)), (*lead, index(0)), "float32")


def _beyond(begin: Value, length: int, d: int) -> Value:
    """How many taps start before the end of an axis, counted from the first tap's place (which may be negative)."""
    return (const(length - 1 + d * 1024) - begin) // d - 1024 + 1


def _value(scope: Scope, node: Node, x: Node, at: Place) -> Value:
    if not node.type.is_integer:
        return real(scope, x, at)
    low, high = centred_ends(node)
    if isinstance(node.op, AvgPool) or node.type.format == x.type.format:
        return fitted(centred(scope, x, at), low, high)
    return fitted(in_units(scope, x, at, node.type.quantized.scale), low, high)


def _restored(node: Node, x: Node, value: Value) -> Value:
    """Centred -> stored, where the result keeps a format with a zero point."""
    zero = node.type.quantized.zero
    return value + int(zero) if isinstance(zero, int) and zero else value


def transposed(machine: Machine, layouts: Mapping[Node, Layout], node: Node, end: Node, out: Layout) -> Written:
    """Write a transposed convolution: each result sums the taps that reach it."""
    op = node.op
    assert isinstance(op, ConvTranspose)
    x = node.inputs[0]
    kernel = node.inputs[1].shape[: len(op.strides)]
    weights = _matrix(op, node)  # [groups, *kernel, C / groups, F / groups]

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        groups, filters = op.groups, weights.shape[-1]
        space = node.shape[:-1]
        table = scope.table(weights, None if node.type.is_integer else float_type(node.inputs[1]))
        work = node.type.size * int(np.prod(weights.shape[1:-1]))
        with scope.outer(space[0], split=work * MOVE > SPLIT_ABOVE) as first, axes(code, space[1:]) as others:
            lead = [first, *others]
            with code.loop(groups) as g:
                for f in along(code, filters, lanes):
                    total = _gathered(scope, op, node, x, lead, g, f, table, weights.shape)
                    at = (*lead, f + g * filters if groups > 1 else f)
                    given = _with_bias(scope, node, total, at)
                    scope.given[node] = lambda at, given=given: given  # type: ignore[misc]
                    put(scope, memory, out, at, scope.at(end, at))

    del kernel
    return written(machine, layouts, out, build, (99,))


def _matrix(op: ConvTranspose, node: Node) -> NDArray:
    w = node.inputs[1]
    assert w.type.value is not None
    data = w.type.value.data
    if w.type.is_integer:
        data = w.type.quantized.centre(data.astype(np.int64))
        data = data if node.type.is_integer else data * real_scale(w)
    swapped = np.swapaxes(data, -1, -2)  # [*kernel, C, F / groups]
    parts = np.split(swapped, op.groups, axis=-2)
    return np.stack(parts)


def _gathered(
    scope: Scope,
    op: ConvTranspose,
    node: Node,
    x: Node,
    lead: Sequence[Index],
    g: Value,
    f: Index,
    table: Memory,
    shape: tuple[int, ...],
) -> Value:
    code, integer = scope.code, node.type.is_integer
    rank = len(op.strides)
    kernel, depth, filters = shape[1 : 1 + rank], shape[-2], shape[-1]
    dtype = working_type(*_reach(node)) if integer else "float32"
    lanes = f.lanes if isinstance(f, Lanes) else 1
    total = code.local(dtype, lanes, "total")
    code.store(total, 0, const(0, dtype, lanes))
    for tap in np.ndindex(*kernel):
        condition: Value | None = None
        places: list[Index] = []
        for o, k, s, d, (before, _), n in zip(lead, tap, op.strides, op.dilation, op.crop, x.shape[:-1], strict=True):
            assert isinstance(o, Value)
            away = code.let(o + (before - k * d))
            inside = (away >= 0) & (away < n * s)
            if s > 1:
                inside = inside & ((maximum(away, 0) % s).equals(0))
            condition = inside if condition is None else condition & inside
            places.append(maximum(away, 0) // s)
        assert condition is not None
        with code.when(condition), code.loop(depth) as c:
            v = cast(
                _value(scope, node, x, (*places, c + g * depth))
                if not integer
                else centred(scope, x, (*places, c + g * depth)),
                dtype,
            )
            flat = int(np.ravel_multi_index(tap, kernel)) * depth
            row = (g * (int(np.prod(kernel)) * depth) + flat + c) * filters
            where: Index = f + row if isinstance(f, Lanes) else row + f
            code.store(total, 0, total.load(0, lanes) + v * cast(table.load(where), dtype))
    return code.let(total.load(0, lanes))


def _reach(node: Node) -> tuple[int, int]:
    low, high = centred_ends(node)
    bias = bias_units(node)
    reach = max(abs(low), abs(high)) + (0 if bias is None else int(np.abs(bias).max()))
    return -reach, reach


def _with_bias(scope: Scope, node: Node, total: Value, at: Place) -> Value:
    if not node.type.is_integer:
        if len(node.inputs) < 3:
            return total
        b = node.inputs[2]
        assert b.type.value is not None
        data = b.type.value.data
        data = b.type.quantized.centre(data) * real_scale(b) if b.type.is_integer else data
        return total + scope.constant(data.astype(np.float32), at, "float32")
    low, high = centred_ends(node)
    dtype = working_type(*_reach(node))
    factor = whole(divide(product_scale(node), node.type.quantized.scale))
    value = cast(total, dtype) * scope.constant(factor, at, dtype)
    if (bias := bias_units(node)) is not None:
        value = value + scope.constant(bias, at, dtype)
    return fitted(value, low, high)
