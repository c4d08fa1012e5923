"""Operators on tensors whose batch is not axis 0, as recurrent layers have them: [time, batch, channels].

Inside they have their batch in front all the same: an operator sees [batch, *others], with its axes renumbered, and
what it gives has the batch back in its place.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ...graph import NDArray, Node
from ...graph.ops import Reshape
from ..attributes import Attributes
from .registry import Build, Call, Flow, Known, Moved, Value, listed

POINTWISE = {
    "Abs", "Add", "BatchNormalization", "Cast", "Ceil", "Clip", "Div", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu",
    "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Min", "Mish", "Mul", "Neg", "Pow",
    "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish",
    "Tanh",
}  # fmt: skip
ALONG = {"Concat", "Gather", "LogSoftmax", "Softmax", "Split"}
"""With one attribute ``axis``."""
OVER = {"ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Squeeze"}
"""With several axes, an attribute or input 1, which may leave."""

OWN = {
    "BatchNormalization", "GRU", "LSTM", "RNN", "Scan", "SequenceConstruct", "SequenceInsert", "SplitToSequence",
    "Transpose",
}  # fmt: skip
"""Which know of such tensors themselves."""

Axis = Callable[[int], int]


def takes_moved(call: Call) -> bool:
    """Whether an operator reads a tensor with the batch elsewhere, and does not know of such itself."""
    return call.op not in OWN and any(isinstance(v, Moved) for v in call.inputs)


def run_moved(call: Call, build: Build) -> list[Node | Value]:
    """Run an operator on such tensors. Raises UnsupportedError where the batch would not stay one axis."""
    moved = [v for v in call.inputs if isinstance(v, Moved)]
    first = moved[0]
    if any((m.axis, m.rank) != (first.axis, first.rank) for m in moved):
        raise call.refuse("the batch is another axis of each operand", "transpose them to [batch, ...] first")
    if call.op in ("Shape", "Reshape", "Unsqueeze"):
        return [{"Shape": _shape, "Reshape": _reshape, "Unsqueeze": _unsqueeze}[call.op](call, first)]
    if call.op not in POINTWISE | ALONG | OVER | {"Slice", "MatMul"}:
        raise call.refuse("axis 0 of its input is not the batch: a Transpose has moved it", "transpose it back first")
    if any(isinstance(v, Flow) for v in call.inputs):
        raise call.refuse("the batch is axis 0 of one operand and not of another", "transpose one of them")
    if call.op == "MatMul":
        _check_product(call, first)
    call.inputs = [_view(call, v, first) for v in call.inputs]
    place = _prepare(call, first)
    return [_back(r, first.type, place) for r in listed(build(call))]


def _renumbered(moved: Moved, call: Call) -> Axis:
    """Give where an axis of the source stands with the batch in front."""

    def new(axis: int) -> int:
        a = call.axis(axis, moved.rank)
        return 0 if a == moved.axis else a + (a < moved.axis)

    return new


def _view(call: Call, value: Value | None, first: Moved) -> Value | None:
    if isinstance(value, Moved):
        return Flow(value.node, value.type, 1)
    if isinstance(value, Known) and call.op in POINTWISE | {"Concat"}:
        return Known(tuple(_turned(v, first) for v in value.variants))
    return value


def _check_product(call: Call, first: Moved) -> None:
    """Refuse a product in which the batch is not an axis of rows of the left operand, or one before the matrices."""
    left, right = call.inputs
    rows = isinstance(left, Moved) and not isinstance(right, Moved)
    if first.axis >= first.rank - (1 if rows else 2):
        raise call.refuse("the batch is one of the matrix axes", "transpose it to [batch, ...] first")
    if any(isinstance(v, Known) and v.variants[0].ndim > 2 for v in (left, right)):
        raise call.refuse(
            "a constant of several matrices meets the batch elsewhere", "transpose it to [batch, ...] first"
        )


def _turned(value: NDArray, first: Moved) -> NDArray:
    """Bring a constant that meets the batch into the new order of axes."""
    if value.ndim < first.rank - first.axis:
        return value
    return np.moveaxis(value.reshape((1,) * (first.rank - value.ndim) + value.shape), first.axis, 0)


def _prepare(call: Call, first: Moved) -> int:
    """Renumber the axes that an operator names, and tell where the batch is in what it gives."""
    new = _renumbered(first, call)
    if call.op in ALONG:
        given = call.attributes.peek("axis", {"Concat": None, "Gather": 0, "Split": 0}.get(call.op, -1))
        axis = call.axis(int(given), first.rank)
        _set(call, "axis", new(axis))
        gone = call.op == "Gather" and axis < first.axis
        return first.axis + (_rank_of(call, 1) - 1 if gone else 0)
    if call.op in OVER:
        axes = _axes(call)
        if axes is None:
            raise call.refuse("it works over all axes, the batch among them", "give axes")
        _set_axes(call, [new(a) for a in axes])
        keep = call.op != "Squeeze" and call.attributes.peek("keepdims", 1)
        return first.axis - (0 if keep else sum(call.axis(a, first.rank) < first.axis for a in axes))
    if call.op == "Slice":
        _slice_axes(call, new)
    return first.axis


def _rank_of(call: Call, i: int) -> int:
    value = call.value(i)
    if not isinstance(value, Known):
        raise call.refuse("its indices are computed", "transpose it to [batch, ...] first")
    return value.variants[0].ndim


def _set(call: Call, key: str, value: Any) -> None:
    values = {k: call.attributes.peek(k) for k in call.attributes.unread}
    call.attributes = Attributes({**values, key: value}, where=call.attributes.where)


def _axes(call: Call) -> list[int] | None:
    given = call.attributes.peek("axes")
    if given is None and len(call.inputs) > 1 and isinstance(call.inputs[1], Known):
        given = call.whole(call.inputs[1].variants[0])
    return None if not given else [int(a) for a in given]


def _set_axes(call: Call, axes: Sequence[int]) -> None:
    if call.attributes.peek("axes") is not None:
        _set(call, "axes", list(axes))
    else:
        call.inputs = [call.inputs[0], Known((np.array(axes, np.int64),)), *call.inputs[2:]]


def _slice_axes(call: Call, new: Axis) -> None:
    if call.opset < 10:
        axes = call.attributes.peek("axes") or range(len(call.attributes.peek("starts", [])))
        _set(call, "axes", [new(int(a)) for a in axes])
        return
    starts, given = call.integers(1) or (), call.integers(3)
    axes = range(len(starts)) if given is None else given
    inputs = [*call.inputs, None, None, None][:5]
    inputs[3] = Known((np.array([new(int(a)) for a in axes], np.int64),))
    call.inputs = inputs


def _back(result: Node | Value, kind: str, place: int) -> Node | Value:
    """Put the batch back in its place."""
    if isinstance(result, Flow):
        kind, result = result.type, result.node
    if not isinstance(result, Node):
        return result
    return Moved(result, kind, place) if place else result


def _full(call: Call, moved: Moved) -> list[tuple[int, ...]]:
    shape, b = moved.node.shape, moved.axis
    return [(*shape[:b], n, *shape[b:]) for n in call.batch.lengths]


def _shape(call: Call, moved: Moved) -> Known:
    call.inputs = [Known((np.zeros(()),))]
    call.optional(0)
    start, end = call.attributes.integer("start", 0), call.attributes.take("end", None)
    return Known.of(*(np.array(s[start:end], np.int64) for s in _full(call, moved)))


def _unsqueeze(call: Call, moved: Moved) -> Node | Value:
    axes = _axes(call)
    call.inputs = [None, *call.inputs[1:]]
    call.optional(1)
    call.attributes.take("axes", None)
    if not axes:
        raise call.misfit("axes are missing")
    rank = moved.rank + len(axes)
    new = {call.axis(a, rank) for a in axes}
    old = [i for i in range(rank) if i not in new]
    place = old[moved.axis]
    lengths = iter(moved.node.shape)
    shape = tuple(1 if i in new else next(lengths) for i in range(rank) if i != place)
    return _back(call.node(Reshape(shape), moved.node), moved.type, place)


def _reshape(call: Call, moved: Moved) -> Node | Value:
    """Reshape around the batch: what stands before it and what after it stay on their sides."""
    from .operators.moves import resolved

    target = call.value(1)
    call.inputs = [None, target]
    allow_zero = call.attributes.boolean("allowzero", 0)
    if not isinstance(target, Known):
        raise call.refuse("the shape is computed from values", "make it a constant where the model is exported")
    before = prod(moved.node.shape[: moved.axis])
    found = []
    for i, full in enumerate(_full(call, moved)):
        shape = resolved(call, full, call.whole(target.variants[i % len(target.variants)]), allow_zero=allow_zero)
        places = [k for k, n in enumerate(shape or ()) if n == full[moved.axis] and prod((shape or ())[:k]) == before]
        found.append(() if shape is None or not places else (places[0], *shape[: places[0]], *shape[places[0] + 1 :]))
    if any(f != found[0] for f in found) or not found[0]:
        raise call.refuse("it joins the batch with another axis", "transpose it to [batch, ...] first")
    place, *rest = found[0]
    return _back(call.node(Reshape(tuple(rest)), moved.node), moved.type, place)
