"""Order: TopK, ArgMax, Hardmax; running sums and products; parts chosen by a constant condition."""

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import ArgMax, Compare, Comparison, Concat, Dense, Mul, Reshape, TopK, Transpose
from ...rearrange import inverse
from ..registry import Build, Call, Known, operator
from .moves import taken
from .slicing import sliced

MOST_FACTORS = 256
"""Of a running product, which is written out."""


@operator("TopK")
def top_k(call: Call) -> list[Node]:
    """The greatest (or least) values in order, and where they stand; of equal ones the first comes first."""
    x, rank = call.flow(), len(call.flow().shape) + call.lead
    axis = call.sample_axis(call.attributes.integer("axis", -1), rank)
    count = (call.attributes.integer("k"),) if call.opset < 10 else call.integers(1)
    if count is None or len(count) != 1 or not 1 <= count[0] <= x.shape[axis]:
        raise call.misfit(f"the {count} greatest of {x.shape[axis]} values")
    largest = call.attributes.boolean("largest", 1) if call.opset >= 11 else True
    if call.opset >= 11:
        call.attributes.ignore("sorted", why="without it any order is right, the sorted one too")
    return [call.node(TopK(count[0], axis, largest, indices), x) for indices in (False, True)]


def _extreme(*, minimum: bool) -> Build:
    def build(call: Call) -> Node:
        x = call.flow()
        axis = call.sample_axis(call.attributes.integer("axis", 0), len(x.shape) + call.lead)
        keep = call.attributes.boolean("keepdims", 1)
        last = call.attributes.boolean("select_last_index", 0)
        return call.node(ArgMax(axis, keep, last, minimum), x)

    return build


operator("ArgMax")(_extreme(minimum=False))
operator("ArgMin")(_extreme(minimum=True))


@operator("Hardmax")
def hardmax(call: Call) -> Node:
    """1 at the first greatest value, 0 elsewhere; before opset 13 over all axes from ``axis`` on together."""
    x, rank = call.flow(), len(call.flow().shape) + call.lead
    axis = call.sample_axis(call.attributes.integer("axis", -1 if call.opset >= 13 else 1), rank)
    flat = x
    if call.opset < 13 and axis < len(x.shape) - 1:
        flat = call.node(Reshape((*x.shape[:axis], int(np.prod(x.shape[axis:])))), x)
    best = call.node(ArgMax(axis, keep=True), flat)
    row = np.arange(flat.shape[axis]).reshape((-1,) + (1,) * (len(flat.shape) - 1 - axis))
    hit = call.node(Compare(Comparison.EQUAL), best, call.constant(row))
    return hit if flat is x else call.node(Reshape(x.shape), hit)


def _running_axis(call: Call, x: Node) -> tuple[int, bool, bool]:
    axes = call.integers(1)
    if axes is None or len(axes) != 1:
        raise call.misfit("the axis is one whole number")
    axis = call.sample_axis(axes[0], len(x.shape) + call.lead)
    return axis, call.attributes.boolean("exclusive", 0), call.attributes.boolean("reverse", 0)


@operator("CumSum")
def cum_sum(call: Call) -> Node:
    """Running sums: a product with a triangular matrix of ones."""
    x = call.flow()
    axis, exclusive, backwards = _running_axis(call, x)
    n = x.shape[axis]
    ones = np.triu(np.ones((n, n), np.float32), int(exclusive))
    order = (*(a for a in range(len(x.shape)) if a != axis), axis)
    summed = call.node(Dense(), call.node(Transpose(order), x), call.number(ones.T if backwards else ones))
    return call.node(Transpose(inverse(order)), summed)


@operator("CumProd")
def cum_prod(call: Call) -> Node:
    """Running products, written out."""
    x = call.flow()
    axis, exclusive, backwards = _running_axis(call, x)
    n = x.shape[axis]
    if n > MOST_FACTORS:
        raise call.refuse(f"a running product of {n} factors", f"at most {MOST_FACTORS}")
    parts = [sliced(call, x, {axis: slice(i, i + 1)}) for i in (reversed(range(n)) if backwards else range(n))]
    one = call.number(np.ones(parts[0].shape))
    rows = [one] if exclusive else [parts[0]]
    for part in parts[: n - 1] if exclusive else parts[1:]:
        rows.append(part if rows[-1] is one else call.node(Mul(), rows[-1], part))
    rows = rows[::-1] if backwards else rows
    return rows[0] if n == 1 else call.node(Concat(axis), *rows)


@operator("Compress")
def compress(call: Call) -> Node:
    """Pick where a constant condition holds, along an axis or of all elements in a row."""
    x, condition = call.flow(), call.known(1)
    if condition is None or condition.ndim != 1:
        raise call.misfit("the condition is one row of truth values")
    axis = call.attributes.take("axis", None)
    if axis is None:
        if call.lead:
            raise call.refuse("without axis it picks among all samples", "give an axis")
        x, axis = call.node(Reshape((x.type.size,)), x), 0
    along = call.sample_axis(int(axis), len(x.shape) + call.lead)
    picks = np.flatnonzero(condition)
    if not picks.size or int(picks[-1]) >= x.shape[along]:
        raise call.misfit(f"a condition of {condition.size} truth values for an axis of length {x.shape[along]}")
    return taken(call, x, along, picks.tolist())


@operator("EyeLike")
def eye_like(call: Call) -> Known:
    """Ones on a diagonal, in the shape of a tensor."""
    from ..types import WHOLE, type_name

    shape = call.flow().shape
    if call.lead or len(shape) != 2:
        raise call.refuse("it makes a matrix as long as the batch", "fix the shapes of the model")
    given = call.attributes.take("dtype", None)
    name = call.type() if given is None else type_name(int(given))
    eye: NDArray = np.eye(*shape, k=call.attributes.integer("k", 0))
    return Known((eye.astype(np.dtype(name) if name in WHOLE else np.float32),))
