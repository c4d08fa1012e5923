"""Models for one sample: where axis 0 is fixed to 1, the batch may go anywhere and come back.

Attention over windows folds the batch into the windows and takes it out afterwards. Of one sample, [1, ...] and [...]
are the same numbers, so that the axis can be left out or put back at any place. An operator that does not keep axis 0
as the batch sees all axes of the source instead; what it gives is a batch again where axis 0 is of length 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import overload

from ...graph import GatewrightError, Node, UnsupportedError
from ...graph.arrays import Grid
from ...graph.ops import Reshape
from .values import NO_BATCH, Batch, Coded, Flow, Many, Moved, Value

Apply = Callable[[list[Value | None], Batch], list[Value]]


def has_all_axes(value: Value | None) -> bool:
    """Whether a tensor (or one of a sequence) is computed and has every axis of the source; a number has none."""
    if isinstance(value, Many):
        return any(has_all_axes(v) for v in value.items)
    return isinstance(value, Flow | Coded) and not value.lead and value.rank > 0


def one_sample(
    apply: Apply, inputs: Sequence[Value | None], batch: Batch, notes: list[str], where: str, *, whole: bool = False
) -> list[Value]:
    """Apply an operator to samples, or, where it does not keep their axis 0 (or for ``whole``), to all axes.

    Raises what the first attempt raises where the second fails too.
    """
    first: GatewrightError | None = None
    count = len(notes)
    if not whole and not any(has_all_axes(v) for v in inputs):
        try:
            return apply(list(inputs), batch)
        except GatewrightError as error:
            first = error
    del notes[count:]
    try:
        results = apply([all_axes(v, where) for v in inputs], NO_BATCH)
    except GatewrightError as error:
        raise (first or error) from None
    return [one_batch(r, where) for r in results]


@overload
def all_axes(value: Value, where: str) -> Value: ...
@overload
def all_axes(value: Value | None, where: str) -> Value | None: ...
def all_axes(value: Value | None, where: str) -> Value | None:
    """Give a tensor of one sample with all axes of the source.

    Raises UnsupportedError for integers of several scales.
    """
    if isinstance(value, Many):
        return Many(tuple(all_axes(v, where) for v in value.items))
    if isinstance(value, Moved):
        shape = value.node.shape
        return Flow(_reshaped(value.node, (*shape[: value.axis], 1, *shape[value.axis :]), where), value.type, 0)
    if not isinstance(value, Flow | Coded) or not value.lead:
        return value
    if isinstance(value, Coded) and (isinstance(value.scale, Grid) or isinstance(value.zero, Grid)):
        raise UnsupportedError("it reads integers with several scales", hint="put a DequantizeLinear before it")
    return replace(value, node=_reshaped(value.node, (1, *value.node.shape), where), lead=0)


def one_batch(value: Value, where: str) -> Value:
    """Give a tensor with all axes as the sample that it is, where its axis 0 can be the batch: it has length 1."""
    if isinstance(value, Many):
        return Many(tuple(one_batch(v, where) for v in value.items))
    if not isinstance(value, Flow | Coded) or value.lead or value.node.shape[:1] != (1,):
        return value
    if isinstance(value, Coded) and (isinstance(value.scale, Grid) or isinstance(value.zero, Grid)):
        return value
    return replace(value, node=_reshaped(value.node, value.node.shape[1:], where), lead=1)


def _reshaped(x: Node, shape: tuple[int, ...], where: str) -> Node:
    """Reshape; what only undoes the Reshape before it is left out."""
    before = x.inputs[0] if isinstance(x.op, Reshape) else None
    return before if before is not None and before.shape == shape else Node(Reshape(shape), (x,), where)
