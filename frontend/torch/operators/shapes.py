"""What operators that change shapes have in common: where the batch goes."""

from collections.abc import Sequence
from math import prod

from ....graph import Node
from ....graph.ops import Reshape
from ..registry import Call
from ..values import Flow, Place, Shape, placed


def dropped(x: Flow, node: Node, gone: Sequence[int]) -> Flow:
    """Give ``node``, which is ``x`` without some axes of the source."""
    if x.place is None:
        return Flow(node, None, x.dtype)
    axis = x.place.axis - sum(a < x.place.axis for a in gone)
    return Flow(node, Place(axis, x.place.outer, x.place.inner), x.dtype)


def reshaped(call: Call, x: Flow, shapes: Sequence[Shape]) -> Flow:
    """Reshape to full shapes, one for each length of the batch that is tried. The batch is found again in them.

    Raises UnsupportedError where it is torn across axes.
    """
    if x.place is None:
        return Flow(call.reshape(x.node, shapes[0]), None, x.dtype)
    length = call.batch.lengths[0]
    old = x.shape(length)
    outer = prod(old[: x.place.axis]) * x.place.outer
    inner = x.place.inner * prod(old[x.place.axis + 1 :])
    place = placed(shapes, call.batch, outer, inner, x.place.axis)
    if place is None and call.free(x):  # any axis of length 1 is the batch of one sample
        ones = [i for i, n in enumerate(shapes[0]) if n == 1]
        place = Place(ones[0]) if ones else Place(0, 1, shapes[0][0]) if shapes[0] else None
    if place is None:
        shown = ["batch" if n == length and call.batch.is_open else n for n in shapes[0]]
        hint = "keep axis 0: view(x.shape[0], -1), flatten(1), view(-1, n) with n the size of a sample"
        raise call.refuse(f"it turns {call.shape(x)} into {shown}: the batch does not stay together", hint)
    one = list(shapes[0])
    one[place.axis] = place.outer * place.inner
    shape = tuple(n for i, n in enumerate(one) if not (place.pure and i == place.axis))
    if any(
        s[: place.axis] + s[place.axis + 1 :] != shapes[0][: place.axis] + shapes[0][place.axis + 1 :] for s in shapes
    ):
        raise call.refuse("the shape depends on the length of the batch", "export with a fixed batch of 1")
    return Flow(call.reshape(x.node, shape), place, x.dtype)


def reshaped_to(call: Call, x: Flow, keep: int, rest: Shape) -> Flow:
    """Keep the first axes of the source, the batch among them, and reshape the others."""
    if x.place is None:
        return Flow(call.reshape(x.node, (*x.node.shape[:keep], *rest)), None, x.dtype)
    if x.place.axis >= keep:
        raise call.refuse(
            "it sums over the batch, or joins it with another axis", "keep the batch an axis of the result"
        )
    return Flow(call.reshape(x.node, (*x.node.shape[: keep - x.place.pure], *rest)), x.place, x.dtype)


def expanded(call: Call, x: Flow, axis: int) -> Flow:
    """Put an axis of length 1 where ``axis`` says, counted in the result of the source."""
    at = axis
    if x.place is None:
        return Flow(call.node(Reshape((*x.node.shape[:at], 1, *x.node.shape[at:])), x.node), None, x.dtype)
    inside = at - (x.place.pure and at > x.place.axis)
    node = call.node(Reshape((*x.node.shape[:inside], 1, *x.node.shape[inside:])), x.node)
    return Flow(node, Place(x.place.axis + (at <= x.place.axis), x.place.outer, x.place.inner), x.dtype)
