"""Pools over windows and adaptive pools."""

from collections.abc import Sequence

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import AvgPool, Concat, MatMul, MaxPool, Mul, Reduce, Reduction, Reshape, Slice, pool_counts
from ..registry import Build, Call, Results, operator
from ..values import Absent, Flow
from .windows import Pairs, channels_last, first, spatial

Sizes = tuple[int, ...]
INDICES = Absent("the indices of a max pool")


def _length(n: int, reach: int, stride: int, padding: int, ceil: bool) -> int:
    """Count the windows; with ``ceil_mode`` the last may hang over, if it starts in the data or the padding before."""
    span = n + 2 * padding - reach
    count = (-(-span // stride) if ceil else span // stride) + 1
    return count - (ceil and (count - 1) * stride >= n + padding)


def _window(call: Call, x: Flow, rank: int) -> tuple[Sizes, Sizes, Sizes, Pairs, Sizes]:
    """Read kernel, strides, dilation, padding and the overhang of the last window beyond the padding."""
    kernel = call.numbers("kernel_size", rank, low=1)
    strides = call.numbers("stride", rank, kernel, low=1)
    padding = call.numbers("padding", rank, 0, low=0)
    dilation = call.numbers("dilation", rank, 1, low=1)
    ceil = call.arguments.boolean("ceil_mode", False)
    if any(2 * p > (k - 1) * d + 1 for p, k, d in zip(padding, kernel, dilation, strict=True)):
        raise call.arguments.refusal("padding", padding, "at most half of the window")
    over = []
    for n, k, s, p, d in zip(x.node.shape[1:], kernel, strides, padding, dilation, strict=True):
        reach = (k - 1) * d + 1
        if n + 2 * p < reach:
            raise call.misfit(f"windows of {kernel} do not fit into {x.node.shape[1:]}", "pad, or use smaller windows")
        over.append(max((_length(n, reach, s, p, ceil) - 1) * s + reach - n - 2 * p, 0))
    return kernel, strides, dilation, tuple((p, p) for p in padding), tuple(over)


def _grown(padding: Pairs, over: Sizes) -> Pairs:
    return tuple((a, b + o) for (a, b), o in zip(padding, over, strict=True))


def _max_pool(rank: int, *, indices: bool) -> Build:
    def build(call: Call) -> Results:
        x = spatial(call, call.flow(), rank)
        kernel, strides, dilation, padding, over = _window(call, x, rank)
        op = MaxPool(kernel, strides, _grown(padding, over), dilation)
        _check_cover(call, AvgPool(kernel, strides, op.padding, dilation), x)
        result = first(call, call.node(op, channels_last(call, x.node)))
        return [result, INDICES] if indices else result

    return build


for _rank in (1, 2, 3):
    operator(f"max_pool{_rank}d")(_max_pool(_rank, indices=False))
    operator(f"max_pool{_rank}d_with_indices")(_max_pool(_rank, indices=True))


def _check_cover(call: Call, op: AvgPool, x: Flow) -> None:
    """Refuse windows with nothing but padding in them: their maximum is minus infinity, their mean 0 / 0."""
    if pool_counts(op, x.node.shape[1:]).min() < 1:
        raise call.refuse("a window lies wholly in the padding", "use less padding")


def _avg_pool(rank: int) -> Build:
    def build(call: Call) -> Results:
        x = spatial(call, call.flow(), rank)
        kernel, strides, dilation, padding, over = _window(call, x, rank)
        count = call.arguments.boolean("count_include_pad", True)
        divisor = call.arguments.take("divisor_override", None)
        grown = _grown(padding, over)
        _check_cover(call, AvgPool(kernel, strides, grown, dilation), x)
        if divisor is None:
            op = AvgPool(kernel, strides, grown, dilation, count, over if count else ())
            return first(call, call.node(op, channels_last(call, x.node)))
        if isinstance(divisor, bool) or not isinstance(divisor, int) or not divisor:
            raise call.arguments.refusal("divisor_override", divisor, "give a whole number that is not 0")
        whole = call.node(AvgPool(kernel, strides, grown, dilation, True), channels_last(call, x.node))
        factor = np.float32(np.prod(kernel) / divisor)
        return first(call, call.node(Mul(), whole, call.constant(factor)))

    return build


for _rank in (1, 2, 3):
    operator(f"avg_pool{_rank}d")(_avg_pool(_rank))


def _bounds(length: int, parts: int) -> list[tuple[int, int]]:
    """Give the windows of an adaptive pool along one axis (aten/src/ATen/native/AdaptivePooling.h)."""
    return [(i * length // parts, -(-(i + 1) * length // parts)) for i in range(parts)]


def _sizes(call: Call, x: Flow, rank: int) -> Sizes:
    space = x.node.shape[1:]
    value = call.arguments.peek("output_size")
    items = value if isinstance(value, list) else [value]
    if any(v is None for v in items):  # None keeps an axis
        call.arguments.take("output_size")
        items = items * rank if len(items) == 1 else items
        return tuple(n if v is None else int(v) for v, n in zip(items, space, strict=True))
    return call.numbers("output_size", rank, low=1)


def _even(space: Sizes, sizes: Sizes) -> bool:
    return all(n % m == 0 for n, m in zip(space, sizes, strict=True))


def _adaptive_avg(rank: int) -> Build:
    def build(call: Call) -> Results:
        x = spatial(call, call.flow(), rank)
        space, sizes = x.node.shape[1:], _sizes(call, x, rank)
        if all(m == 1 for m in sizes):
            return x.on(call.node(Reduce(Reduction.MEAN, tuple(range(1, rank + 1)), keep=True), x.node))
        last = channels_last(call, x.node)
        if _even(space, sizes):
            window = tuple(n // m for n, m in zip(space, sizes, strict=True))
            return first(call, call.node(AvgPool(window, window, ((0, 0),) * rank, (1,) * rank), last))
        for axis, (n, m) in enumerate(zip(space, sizes, strict=True)):
            last = along(call, last, axis, _averages(n, m)) if n != m else last
        return first(call, last)

    return build


def _averages(length: int, parts: int) -> NDArray:
    matrix = np.zeros((parts, length), np.float32)
    for row, (start, end) in zip(matrix, _bounds(length, parts), strict=True):
        row[start:end] = 1.0 / (end - start)
    return matrix


def along(call: Call, x: Node, axis: int, matrix: NDArray) -> Node:
    """Multiply one axis of a sample by a constant matrix [new, old]."""
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    flat = call.reshape(x, (int(np.prod(before)), x.shape[axis], int(np.prod(after))))
    product = call.node(MatMul(), call.constant(matrix, "weight"), flat)
    return call.node(Reshape((*before, len(matrix), *after)), product)


def _adaptive_max(rank: int) -> Build:
    def build(call: Call) -> Results:
        x = spatial(call, call.flow(), rank)
        space, sizes = x.node.shape[1:], _sizes(call, x, rank)
        last = channels_last(call, x.node)
        if _even(space, sizes):
            window = tuple(n // m for n, m in zip(space, sizes, strict=True))
            pooled = call.node(MaxPool(window, window, ((0, 0),) * rank, (1,) * rank), last)
            return [first(call, pooled), INDICES]
        for axis, (n, m) in enumerate(zip(space, sizes, strict=True)):
            last = _greatest(call, last, axis, _bounds(n, m)) if n != m else last
        return [first(call, last), INDICES]

    return build


def _greatest(call: Call, x: Node, axis: int, bounds: Sequence[tuple[int, int]]) -> Node:
    """Take the maximum of each window along one axis, and join them."""
    parts = []
    for start, end in bounds:
        starts = tuple(start if i == axis else 0 for i in range(len(x.shape)))
        stops = tuple(end if i == axis else n for i, n in enumerate(x.shape))
        cut = call.node(Slice(starts, stops, (1,) * len(x.shape)), x)
        parts.append(call.node(Reduce(Reduction.MAX, (axis,), keep=True), cut))
    return parts[0] if len(parts) == 1 else call.node(Concat(axis), *parts)


for _rank in (1, 2, 3):
    operator(*((f"adaptive_avg_pool{_rank}d",) + ((f"_adaptive_avg_pool{_rank}d",) if _rank > 1 else ())))(
        _adaptive_avg(_rank)
    )
    operator(f"adaptive_max_pool{_rank}d")(_adaptive_max(_rank))
