"""Pools over windows and over everything."""

from math import prod

from ....graph import Node
from ....graph.ops import Activation, AvgPool, MaxPool, Mul, Reduce, Reduction, pool_counts
from ..registry import Absent, Call, Results, operator
from ..samples import per_sample
from .pointwise import scaled
from .windows import Pairs, Window, channels_first, channels_last, read_window, spatial


@operator("MaxPool")
@per_sample(0)
def max_pool(call: Call) -> Results:
    """Take the greatest value of each window; the indices are not computed."""
    x = call.flow()
    window = read_window(call, spatial(call, x))
    call.attributes.ignore("storage_order", why="it only changes the indices, which are not computed")
    op = MaxPool(window.kernel, window.strides, _padding(window), window.dilation)
    _check_cover(call, window, x)
    result = channels_first(call, call.node(op, channels_last(call, x)))
    return [result, Absent("the indices of MaxPool")]


@operator("AveragePool")
@per_sample(0)
def average_pool(call: Call) -> Node:
    """Average each window; ``count_include_pad`` counts the padding, never the overhang of ``ceil_mode``."""
    x = call.flow()
    window = read_window(call, spatial(call, x))
    count = call.attributes.boolean("count_include_pad", 0)
    op = AvgPool(
        window.kernel, window.strides, _padding(window), window.dilation, count, window.overhang if count else ()
    )
    _check_cover(call, window, x)
    return channels_first(call, call.node(op, channels_last(call, x)))


def _padding(window: Window) -> Pairs:
    return tuple((low, high + over) for (low, high), over in zip(window.padding, window.overhang, strict=True))


def _check_cover(call: Call, window: Window, x: Node) -> None:
    """Refuse windows with nothing but padding in them: their maximum is minus infinity, their mean 0 / 0."""
    op = AvgPool(window.kernel, window.strides, _padding(window), window.dilation)
    padded = zip(x.shape[1:], op.padding, window.kernel, window.dilation, strict=True)
    if any(n + sum(p) < (k - 1) * d + 1 for n, p, k, d in padded):
        raise call.misfit(f"windows of {window.kernel} do not fit into {x.shape[1:]}", "pad, or use smaller windows")
    if pool_counts(op, x.shape[1:]).min() < 1:
        raise call.refuse("a window lies wholly in the padding", "use less padding")


@operator("GlobalAveragePool")
@per_sample(0)
def global_average_pool(call: Call) -> Node:
    """Average each channel."""
    return _global(call, Reduction.MEAN)


@operator("GlobalMaxPool")
@per_sample(0)
def global_max_pool(call: Call) -> Node:
    """Take the greatest value of each channel."""
    return _global(call, Reduction.MAX)


def _global(call: Call, kind: Reduction) -> Node:
    x = call.flow()
    rank = len(spatial(call, x))
    return call.node(Reduce(kind, tuple(range(1, rank + 1)), keep=True), x)


@operator("LpPool")
@per_sample(0)
def lp_pool(call: Call) -> Node:
    """The p-norm of each window: a mean in which the padding counts, times the cells, under the root."""
    x, p = call.flow(), call.attributes.integer("p", 2, low=1)
    window = read_window(call, spatial(call, x))
    op = AvgPool(window.kernel, window.strides, _padding(window), window.dilation, count_padding=True)
    mean = call.node(op, channels_last(call, _powers(call, x, p)))
    return channels_first(call, _rooted(call, scaled(call, mean, float(prod(window.kernel))), p))


@operator("GlobalLpPool")
@per_sample(0)
def global_lp_pool(call: Call) -> Node:
    """The p-norm of each channel."""
    x, p = call.flow(), call.attributes.integer("p", 2, low=1)
    axes = tuple(range(1, len(spatial(call, x)) + 1))
    return _rooted(call, call.node(Reduce(Reduction.SUM, axes, keep=True), _powers(call, x, p)), p)


def _powers(call: Call, x: Node, p: int) -> Node:
    """``|x| ** p``."""
    if p == 2:
        return call.node(Mul(), x, x)
    size = call.node(Activation("abs"), x)
    return size if p == 1 else call.node(Activation("power", (float(p),)), size)


def _rooted(call: Call, x: Node, p: int) -> Node:
    if p == 1:
        return x
    return call.node(Activation("sqrt") if p == 2 else Activation("power", (1.0 / p,)), x)
