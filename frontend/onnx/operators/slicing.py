"""Slice, Split, Gather."""

import numpy as np

from ....graph import Node
from ....graph.ops import Gather, Reshape, Slice
from ..registry import Call, Flow, Known, Value, operator


@operator("Slice")
def slice_(call: Call) -> Node:
    """Cut by constant bounds: attributes before opset 10, inputs from then on."""
    x = call.flow()
    rank = len(x.shape) + call.lead
    cuts: dict[int, slice] = {}
    for axis, cut in _cuts(call, rank):
        if axis < call.lead:
            _check_batch(call, cut)
        elif axis - call.lead in cuts:
            raise call.misfit(f"axis {axis} is cut twice")
        else:
            cuts[axis - call.lead] = cut
    return sliced(call, x, cuts)


def _cuts(call: Call, rank: int) -> list[tuple[int, slice]]:
    """Read the cut of each axis, as Python means it (ONNX means the same)."""
    if call.opset < 10:
        starts, ends = (tuple(call.attributes.take(key)) for key in ("starts", "ends"))
        given, steps = call.attributes.take("axes", None), None
    else:
        starts, ends, given, steps = call.integers(1) or (), call.integers(2) or (), call.integers(3), call.integers(4)
    axes = tuple(range(len(starts))) if given is None else tuple(given)
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or len(starts) > rank or 0 in steps:
        raise call.misfit(f"starts {starts}, ends {ends}, axes {axes}, steps {steps} of a tensor of {rank} axes")
    return [(call.axis(a, rank), slice(*cut)) for a, *cut in zip(axes, starts, ends, steps, strict=True)]


def _check_batch(call: Call, cut: slice) -> None:
    if any(range(n)[cut] != range(n) for n in call.batch.lengths):
        raise call.refuse("it cuts axis 0, the batch", "samples are independent; cut other axes")


def sliced(call: Call, x: Node, cuts: dict[int, slice]) -> Node:
    """Cut axes of a sample."""
    bounds = []
    for axis, n in enumerate(x.shape):
        start, stop, step = cuts.get(axis, slice(None)).indices(n)
        if not range(start, stop, step):
            raise call.refuse(f"nothing is left of axis {axis + 1}", "an empty tensor has no use here")
        bounds.append((start, None if stop < 0 else stop, step))
    if all(b == (0, n, 1) for b, n in zip(bounds, x.shape, strict=True)):
        return x
    starts, stops, steps = zip(*bounds, strict=True)
    return call.node(Slice(starts, stops, steps), x)


@operator("Split")
def split(call: Call) -> list[Node | Value]:
    """Cut an axis of a sample into consecutive parts, of given lengths or equal ones."""
    x = call.flow()
    axis = call.sample_axis(call.attributes.integer("axis", 0), len(x.shape) + call.lead)
    lengths = _lengths(call, x.shape[axis])
    if sum(lengths) != x.shape[axis] or min(lengths) < 0 or len(lengths) < call.outputs:
        raise call.misfit(f"parts of {lengths} of an axis of length {x.shape[axis]}")
    ends = np.cumsum(lengths).tolist()
    return [
        sliced(call, x, {axis: slice(end - n, end)}) if n else _nothing(call, x, axis)
        for n, end in zip(lengths, ends, strict=True)
    ]


def _nothing(call: Call, x: Node, axis: int) -> Known:
    """Give a part of no elements, which only a Concat reads."""
    return Known(tuple(np.zeros(s, np.float32) for s in call.full((*x.shape[:axis], 0, *x.shape[axis + 1 :]))))


def _lengths(call: Call, length: int) -> tuple[int, ...]:
    """Read the lengths: the attribute ``split`` before opset 13, then an input; equal ones where they are left out."""
    if call.opset < 13:
        given = call.attributes.take("split", None)
        given = None if given is None else call.attributes.integers("split", len(given))
    else:
        given = call.integers(1)
    count = call.attributes.integer("num_outputs", call.outputs, low=1) if call.opset >= 18 else call.outputs
    if given:
        return given
    if call.opset < 18 and length % count:
        raise call.misfit(f"an axis of length {length} does not split into {count} equal parts")
    part = -(-length // count)  # from opset 18 on the last part may be smaller
    return (*[part] * (count - 1), length - part * (count - 1))


@operator("Gather")
def gather(call: Call) -> Node:
    """Pick indices along an axis of a sample; their shape replaces the axis."""
    from .indexing import gather_computed

    if isinstance(call.value(1), Flow):
        return gather_computed(call)
    x, indices = call.flow(0), call.known(1)
    if indices is None or indices.dtype.kind not in "iu":
        raise call.misfit("indices have to be whole numbers")
    axis = call.sample_axis(call.attributes.integer("axis", 0), len(x.shape) + call.lead)
    n = x.shape[axis]
    if not indices.size or int(indices.min()) < -n or int(indices.max()) >= n:
        raise call.misfit(f"indices {indices.ravel()[:8].tolist()} of an axis of length {n}")
    picked = call.node(Gather(axis, tuple(int(i) % n for i in indices.ravel())), x)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return picked if shape == picked.shape else call.node(Reshape(shape), picked)
