"""Reductions over axes of a sample."""

from collections.abc import Sequence

import numpy as np

from ....graph.ops import Activation, Add, Maximum, Minimum, Mul, Reduce, Reduction, Reshape, Sub
from ..registry import ANY, REAL, Build, Call, Results, operator
from ..values import Flow
from .activations import scaled
from .pointwise import binary, to_the
from .shapes import dropped


def read(call: Call, key: str = "dim", of: Sequence[str] = REAL) -> tuple[Flow, tuple[int, ...], bool]:
    """Give the tensor, the axes of the source and whether they stay."""
    x = call.flow(of=of)
    keep = call.arguments.boolean("keepdim", False)
    given = call.arguments.take(key, None)
    items = [given] if isinstance(given, int) else given
    if not items:  # all axes
        items = list(range(x.rank))
    return x, tuple(sorted({call.position(int(a), x.rank) for a in items})), keep


def reduced(call: Call, kind: Reduction, x: Flow, axes: tuple[int, ...], keep: bool) -> Flow:
    """Reduce over axes of the source."""
    inside = tuple(sorted(call.axis(x, a) for a in axes))
    node = call.node(Reduce(kind, inside, keep), x.node) if inside else x.node
    return x.on(node) if keep else dropped(x, node, axes)


def _typed(call: Call) -> None:
    call.arguments.ignore("dtype", why="the result's type is the one that the program gives, which is checked")


def _plain(kind: Reduction) -> Build:
    def build(call: Call) -> Results:
        _typed(call)
        return reduced(call, kind, *read(call, of=REAL if kind is Reduction.MEAN else ANY))

    return build


for _name, _kind in {
    "sum": Reduction.SUM,
    "mean": Reduction.MEAN,
    "amax": Reduction.MAX,
    "amin": Reduction.MIN,
    "prod": Reduction.PROD,
}.items():
    operator(_name)(_plain(_kind))


def _extreme(kind: Reduction) -> Build:
    def build(call: Call) -> Results:
        if call.overload == "other":
            op = Maximum() if kind is Reduction.MAX else Minimum()
            return binary(call, op, call.value("self"), call.value("other"))
        if call.overload == "dim":
            from .logic import extreme

            return extreme(call, kind)
        return reduced(call, kind, *read(call, of=ANY))

    return build


operator("max")(_extreme(Reduction.MAX))
operator("min")(_extreme(Reduction.MIN))


@operator("var", "std", "var_mean", "std_mean")
def variance(call: Call) -> Results:
    """The variance (or its root), with ``n - correction`` below the sum of squares; and the mean."""
    x, axes, keep = read(call)
    unbiased = call.arguments.boolean("unbiased", True)
    correction = call.arguments.take("correction", None)
    less = float(unbiased) if correction is None else float(correction)
    inside = tuple(sorted(call.axis(x, a) for a in axes))
    count = int(np.prod([x.node.shape[a] for a in inside], dtype=np.int64))
    if count - less <= 0:
        raise call.refuse(
            f"the variance of {count} values with a correction of {less:g}", "take more values, or correction=0"
        )
    mean = call.node(Reduce(Reduction.MEAN, inside, keep=True), x.node)
    centred = call.node(Sub(), x.node, mean)
    total = reduced(call, Reduction.SUM, x.on(call.node(Mul(), centred, centred)), axes, keep)
    result = total.on(scaled(call, total.node, 1.0 / (count - less)))
    if call.op.startswith("std"):
        result = result.on(call.node(Activation("sqrt"), result.node))
    return [result, reduced(call, Reduction.MEAN, x, axes, keep)] if call.op.endswith("_mean") else result


@operator("logsumexp")
def logsumexp(call: Call) -> Results:
    """``max + log(sum(exp(x - max)))``, which does not overflow."""
    x, axes, keep = read(call)
    top = reduced(call, Reduction.MAX, x, axes, True)
    below = x.on(call.node(Activation("exp"), call.node(Sub(), x.node, top.node)))
    total = reduced(call, Reduction.SUM, below, axes, True)
    result = x.on(call.node(Add(), top.node, call.node(Activation("log"), total.node)))
    return result if keep else _without(call, result, axes)


def _without(call: Call, x: Flow, axes: tuple[int, ...]) -> Flow:
    inside = {call.axis(x, a) for a in axes}
    shape = tuple(n for i, n in enumerate(x.node.shape) if i not in inside)
    return dropped(x, call.node(Reshape(shape), x.node), axes)


@operator("norm", "linalg_vector_norm")
def norm(call: Call) -> Results:
    """The p-norm over axes: 0, 1, 2, any power, and the greatest or least magnitude."""
    _typed(call)
    key = "ord" if call.op == "linalg_vector_norm" else "p"
    p = call.arguments.take(key, 2)
    p = 2.0 if p is None else float(p)
    x, axes, keep = read(call)
    size = call.node(Activation("abs"), x.node)
    if np.isinf(p):
        return reduced(call, Reduction.MAX if p > 0 else Reduction.MIN, x.on(size), axes, keep)
    if p <= 0 or np.isnan(p):
        raise call.arguments.refusal(key, p, "give a power above 0, or infinity")
    if p == 1.0:
        return reduced(call, Reduction.SUM, x.on(size), axes, keep)
    power = call.node(Mul(), x.node, x.node) if p == 2.0 else to_the(call, size, p)
    total = reduced(call, Reduction.SUM, x.on(power), axes, keep)
    return total.on(to_the(call, total.node, 1.0 / p))


__all__ = ["read", "reduced"]
