"""How the operands of pointwise operators and products meet: the batch has to meet the batch, nothing else."""

import numpy as np

from ...graph import NDArray, Node
from .registry import REAL, Call
from .values import Flow, Known, Place


def operands(call: Call, *values: Flow | Known, mixed: bool = False) -> tuple[list[Node], Place | None]:
    """Give the samples of values that broadcast against each other, and where the batch is in the result.

    Constants are real numbers where one of the values is, unless the types are ``mixed`` on purpose.
    Raises UnsupportedError where the batch of one would meet another axis.
    """
    if not mixed and any(v.dtype in REAL for v in values):
        values = tuple(v if isinstance(v, Flow) else Known.of([call.real(a) for a in v.variants]) for v in values)
    flows = [v for v in values if isinstance(v, Flow) and v.place is not None]
    rank = max(v.rank if isinstance(v, Flow) else v.at(0).ndim for v in values)
    if not flows:
        return [v.node if isinstance(v, Flow) else call.constant(v.at(0)) for v in values], None
    first = flows[0]
    assert first.place is not None
    for other in flows[1:]:
        assert other.place is not None
        same = (other.from_right, other.place.outer, other.place.inner) == (
            first.from_right, first.place.outer, first.place.inner,
        )  # fmt: skip
        if not same and not (call.free(first) and call.free(other)):
            what = f"the batch of {call.shape(first)} would meet another axis of {call.shape(other)}"
            raise call.refuse(what, "give both the batch as axis 0 and as many axes")
    place = Place(rank - first.from_right, first.place.outer, first.place.inner)
    return [v.node if isinstance(v, Flow) else call.constant(sample(call, v, place, rank)) for v in values], place


def sample(call: Call, value: Known, place: Place, rank: int, what: str = "a constant") -> NDArray:
    """Give the part of a constant that meets one sample, where it broadcasts to ``rank`` axes."""
    parts = []
    for i, length in enumerate(call.batch.lengths):
        array = value.at(i)
        axis = place.axis - (rank - array.ndim)
        parts.append(array if axis < 0 else _at(call, array, axis, length, place, what))
    if any(p.shape != parts[0].shape or not np.array_equal(p, parts[0]) for p in parts[1:]):
        raise call.refuse(f"{what} depends on the length of the batch", "export the model with a fixed batch of 1")
    return parts[0]


def _at(call: Call, array: NDArray, axis: int, length: int, place: Place, what: str) -> NDArray:
    """Take the batch out of an axis of a constant, which has to be the same for every sample."""
    if place.pure and array.shape[axis] == 1:
        return array.squeeze(axis)
    if array.shape[axis] == 1:
        return array
    if array.shape[axis] != place.outer * length * place.inner:
        raise call.misfit(f"{what} of shape {array.shape} does not fit")
    shape = (*array.shape[:axis], place.outer, length, place.inner, *array.shape[axis + 1 :])
    if array.strides[axis]:
        split = array.reshape(shape)
    else:  # repeated without a copy
        ones = (*array.shape[:axis], 1, 1, 1, *array.shape[axis + 1 :])
        split = np.broadcast_to(array.take([0], axis).reshape(ones), shape)
    one = split.take([0], axis + 1)
    if split.strides[axis + 1] and not bool((split == one).all()):
        hint = "samples are independent: give the constant an axis of length 1 where the batch is"
        raise call.refuse(f"{what} of shape {array.shape} differs between samples", hint)
    joined = one.reshape((*array.shape[:axis], place.outer * place.inner, *array.shape[axis + 1 :]))
    return joined.squeeze(axis) if place.pure else joined
