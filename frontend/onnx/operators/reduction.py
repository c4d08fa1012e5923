"""Reductions over axes of a sample."""

from ....graph import Node
from ....graph.ops import Activation, Add, Mul, Reduce, Reduction, Reshape, Sub
from ..registry import Build, Call, operator

AXES_AS_INPUT = {"ReduceSum": 13}
"""From which opset on the axes are an input; 18 for the others."""


def read_axes(call: Call) -> tuple[tuple[int, ...], bool]:
    """Read axes (without the batch, ascending) and keepdims. Raises UnsupportedError where the batch is among them."""
    rank = len(call.flow().shape) + call.lead
    keep = call.attributes.boolean("keepdims", 1)
    if call.opset >= AXES_AS_INPUT.get(call.op, 18):
        axes = call.integers(1)
        nothing = call.attributes.boolean("noop_with_empty_axes", 0)
    else:
        axes, nothing = call.attributes.take("axes", None), False
        axes = None if axes is None else call.attributes.integers("axes", len(axes))
    if not axes:
        if nothing:
            return (), keep
        if not call.lead:
            return tuple(range(rank)), keep
        raise call.refuse(
            "it reduces all axes, the batch among them", f"give axes, for instance {list(range(1, rank))}"
        )
    return tuple(sorted({call.sample_axis(a, rank) for a in axes})), keep


def reduced(call: Call, kind: Reduction, x: Node, axes: tuple[int, ...], keep: bool) -> Node:
    """Reduce; nothing to do for no axes."""
    return call.node(Reduce(kind, axes, keep), x) if axes else x


def _plain(kind: Reduction) -> Build:
    return lambda call: reduced(call, kind, call.flow(), *read_axes(call))


for _name, _kind in {
    "ReduceSum": Reduction.SUM,
    "ReduceMean": Reduction.MEAN,
    "ReduceMax": Reduction.MAX,
    "ReduceMin": Reduction.MIN,
    "ReduceProd": Reduction.PROD,
}.items():
    operator(_name)(_plain(_kind))


@operator("ReduceL1")
def reduce_l1(call: Call) -> Node:
    """Sum of magnitudes."""
    return reduced(call, Reduction.SUM, call.node(Activation("abs"), call.flow()), *read_axes(call))


@operator("ReduceSumSquare")
def reduce_sum_square(call: Call) -> Node:
    """Sum of squares."""
    return _sum_of_squares(call)


def _sum_of_squares(call: Call) -> Node:
    return reduced(call, Reduction.SUM, call.node(Mul(), call.flow(), call.flow()), *read_axes(call))


@operator("ReduceL2")
def reduce_l2(call: Call) -> Node:
    """Root of the sum of squares."""
    return call.node(Activation("sqrt"), _sum_of_squares(call))


@operator("ReduceLogSum")
def reduce_log_sum(call: Call) -> Node:
    """Logarithm of the sum."""
    return call.node(Activation("log"), reduced(call, Reduction.SUM, call.flow(), *read_axes(call)))


@operator("ReduceLogSumExp")
def reduce_log_sum_exp(call: Call) -> Node:
    """``max + log(sum(exp(x - max)))``, which does not overflow."""
    x, (axes, keep) = call.flow(), read_axes(call)
    if not axes:
        return x
    top = call.node(Reduce(Reduction.MAX, axes, keep=True), x)
    total = call.node(Reduce(Reduction.SUM, axes, keep=True), call.node(Activation("exp"), call.node(Sub(), x, top)))
    result = call.node(Add(), top, call.node(Activation("log"), total))
    if keep:
        return result
    return call.node(Reshape(tuple(n for i, n in enumerate(x.shape) if i not in axes)), result)
