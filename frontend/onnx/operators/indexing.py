"""Reads and writes at places that may be computed: Gather, Scatter and their kin."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from ....graph import Node
from ....graph.ops import (
    Add,
    Compare,
    Comparison,
    Concat,
    GatherND,
    Maximum,
    Reduction,
    Remainder,
    Reshape,
    ScatterND,
    Select,
    Sub,
    Take,
    TakeAlong,
    Transpose,
)
from ...rearrange import inverse
from ..registry import Call, Flow, Known, operator
from ..samples import per_sample
from ..types import WHOLE
from .slicing import sliced

REDUCTIONS = {"none": None, "add": Reduction.SUM, "mul": Reduction.PROD, "max": Reduction.MAX, "min": Reduction.MIN}
MOST = 1 << 24
"""Elements of a tensor of constant coordinates."""


def whole(value: object) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Give numbers as int64."""
    return np.asarray(value, np.int64)


def counted(call: Call, x: Node, length: int) -> Node:
    """Give indices counted from the start: those below 0 count from the end."""
    if not x.type.is_integer:
        raise call.misfit("indices have to be whole numbers")
    if int(x.type.interval[0].min()) >= 0:
        return x
    below = call.node(Compare(Comparison.LESS), x, call.constant(whole(0)))
    from_start = call.node(Maximum(), x, call.constant(whole(0)))
    from_end = call.node(Add(), _capped(call, x), call.constant(whole(length)))
    return call.node(Select(), below, from_end, from_start)


def _capped(call: Call, x: Node) -> Node:
    """Bound indices from below, far out of any range, so that sums of them stay within 63 bits."""
    return call.node(Maximum(), x, call.constant(whole(-(2**40))))


def gather_computed(call: Call) -> Node:
    """Pick computed indices along an axis, from a tensor that is the same for every sample."""
    data, indices = call.value(0), call.flow(1)
    if call.lead and isinstance(data, Flow):
        raise call.refuse("computed indices pick from every sample for every sample", "use GatherElements or GatherND")
    x = data.node if isinstance(data, Flow) else call.constant(call.sample(data, data.variants[0].ndim + 1, "input 0"))
    axis = call.axis(call.attributes.integer("axis", 0), len(x.shape))
    if call.lead and axis:
        raise call.refuse("axis 0 of the result is not the batch", "give axis = 0")
    return call.node(Take(axis), x, counted(call, indices, x.shape[axis]))


def _own(call: Call, i: int, rank: int) -> Node:
    """Give an operand whose axis 0 is the batch, element by element."""
    value = call.value(i)
    if isinstance(value, Known) and call.lead and value.variants[0].shape[:1] != call.batch.lengths:
        raise call.refuse(f"input {i} is a constant without the batch", "export the model with a fixed batch")
    node = call.operand(i, rank)
    if len(node.shape) + call.lead != rank:
        raise call.misfit(f"input {i} has {len(node.shape) + call.lead} axes, expected {rank}")
    return node


@operator("GatherElements")
def gather_elements(call: Call) -> Node:
    """For each place of the indices its own element along an axis."""
    rank = call.rank(0, 1)
    x, indices = _own(call, 0, rank), _own(call, 1, rank)
    axis = call.sample_axis(call.attributes.integer("axis", 0), rank)
    if any(n > m for a, (n, m) in enumerate(zip(indices.shape, x.shape, strict=True)) if a != axis):
        raise call.misfit(f"indices of shape {indices.shape} into {x.shape}")
    cut = {a: slice(0, n) for a, n in enumerate(indices.shape) if a != axis}
    return call.node(TakeAlong(axis), sliced(call, x, cut), counted(call, indices, x.shape[axis]))


def columns(call: Call, coordinates: Node, lengths: Sequence[int]) -> Node:
    """Count coordinates [..., len(lengths)] from the start, each along its own axis."""
    if not coordinates.type.is_integer:
        raise call.misfit("coordinates have to be whole numbers")
    if int(coordinates.type.interval[0].min()) >= 0:
        return coordinates
    parts = []
    for i, n in enumerate(lengths):
        part = sliced(call, coordinates, {len(coordinates.shape) - 1: slice(i, i + 1)})
        parts.append(counted(call, part, n))
    return parts[0] if len(parts) == 1 else call.node(Concat(len(coordinates.shape) - 1), *parts)


@operator("GatherND")
def gather_nd(call: Call) -> Node:
    """Pick the parts that coordinates name; the first ``batch_dims`` axes go together."""
    data, common = call.value(0), call.attributes.integer("batch_dims", 0, low=0)
    if call.lead and isinstance(data, Known) and common == 0:  # the same for every sample
        x = call.constant(call.sample(data, data.variants[0].ndim + 1, "input 0"))
    elif call.lead and common == 0:
        raise call.refuse("its coordinates name samples", "use batch_dims = 1")
    else:
        x, common = _own(call, 0, call.rank(0)), common - call.lead
    indices = call.operand(1, call.rank(1))
    if not indices.shape or len(indices.shape) + call.lead != call.rank(1):
        raise call.misfit(f"coordinates of shape {indices.shape}")
    lengths = x.shape[common : common + indices.shape[-1]]
    return call.node(GatherND(common), x, columns(call, indices, lengths))


@operator("ScatterElements", "Scatter")
def scatter_elements(call: Call) -> Node:
    """Write each update at its place, moved along an axis by its index."""
    kind = call.attributes.choice("reduction", *REDUCTIONS, default="none") if call.op == "ScatterElements" else "none"
    rank = call.rank(0, 1, 2)
    x, indices, updates = (_own(call, i, rank) for i in range(3))
    axis = call.sample_axis(call.attributes.integer("axis", 0), rank)
    shape = indices.shape
    if updates.shape != shape or any(n > m for a, (n, m) in enumerate(zip(shape, x.shape, strict=True)) if a != axis):
        raise call.misfit(f"updates of shape {updates.shape} at indices of shape {shape} of a tensor of {x.shape}")
    if indices.type.size * len(shape) > MOST:
        raise call.refuse(f"{indices.type.size:,} updates", f"at most {MOST // len(shape):,}")
    places = np.indices(shape)[..., None]
    own = call.node(Reshape((*shape, 1)), counted(call, indices, x.shape[axis]))
    parts = [own if a == axis else call.constant(places[a]) for a in range(len(shape))]
    at = parts[0] if len(parts) == 1 else call.node(Concat(len(shape)), *parts)
    return call.node(ScatterND(REDUCTIONS[kind]), x, at, updates)


@operator("ScatterND")
def scatter_nd(call: Call) -> Node:
    """Write updates at the parts that coordinates name."""
    if call.lead:
        raise call.refuse("its coordinates name samples", "use ScatterElements, or fix the shapes of the model")
    kind = call.attributes.choice("reduction", *REDUCTIONS, default="none")
    x, at, updates = (call.operand(i, call.rank(i)) for i in range(3))
    if not at.shape:
        raise call.misfit("its coordinates are one number")
    return call.node(ScatterND(REDUCTIONS[kind]), x, columns(call, at, x.shape[: at.shape[-1]]), updates)


@operator("TensorScatter")
@per_sample(0, 1, 2)
def tensor_scatter(call: Call) -> Node:
    """Write a run of rows into a cache, from a place on that may be computed; around its end for ``circular``."""
    x, update = call.flow(0), call.operand(1, call.rank(0))
    axis = call.sample_axis(call.attributes.integer("axis", -2), len(x.shape) + 1)
    circular = call.attributes.choice("mode", "linear", "circular", default="linear") == "circular"
    start = call.constant(whole(0)) if call.optional(2) is None else call.operand(2, 1)
    order = (axis, *(a for a in range(len(x.shape)) if a != axis))
    rows = call.node(Add(), call.constant(np.arange(update.shape[axis])[:, None]), start)
    rows = call.node(Remainder(), rows, call.constant(whole(x.shape[axis]))) if circular else rows
    cache, new = (call.node(Transpose(order), v) for v in (x, update))
    return call.node(Transpose(inverse(order)), call.node(ScatterND(), cache, rows, new))


@operator("OneHot")
def one_hot(call: Call) -> Node:
    """The second of two values where an index points, the first elsewhere; indices out of range point nowhere."""
    indices, depths = call.flow(0), call.known(1)
    if depths is None or depths.size != 1 or int(depths.ravel()[0]) < 1:
        raise call.misfit("the depth is one whole number")
    depth, rank = int(depths.ravel()[0]), len(indices.shape) + call.lead + 1
    axis = call.sample_axis(call.attributes.integer("axis", -1), rank)
    if call.type() not in WHOLE:
        raise call.refuse(f"indices of type {call.type()}", "cast them to int64")
    column = call.node(Reshape((*indices.shape[:axis], 1, *indices.shape[axis:])), indices)
    row = np.arange(depth).reshape((-1,) + (1,) * (len(column.shape) - 1 - axis))
    hits = [call.node(Compare(Comparison.EQUAL), column, call.constant(v)) for v in (row, row - depth)]
    hit = reduce(lambda a, b: call.node(Maximum(), a, b), hits if int(indices.type.interval[0].min()) < 0 else hits[:1])
    off, on = _two(call)
    return call.node(Select(), hit, on, off)


def _two(call: Call) -> tuple[Node, Node]:
    """Give the two values, off and on."""
    value = call.value(2)
    if isinstance(value, Known):
        if value.variants[0].shape != (2,):
            raise call.misfit(f"values of shape {value.variants[0].shape}")
        return call.constant(value.variants[0][0]), call.constant(value.variants[0][1])
    if value.lead or value.node.shape != (2,):
        raise call.refuse("the two values differ by sample", "make them constants")
    parts = [sliced(call, value.node, {0: slice(i, i + 1)}) for i in (0, 1)]
    return call.node(Reshape(()), parts[0]), call.node(Reshape(()), parts[1])


@operator("ReverseSequence")
def reverse_sequence(call: Call) -> Node:
    """Turn around the first ``sequence_lens`` elements of each sequence, leave the rest."""
    x, rank = call.flow(), len(call.flow().shape) + call.lead
    time, batch = (call.axis(call.attributes.integer(k, d), rank) for k, d in (("time_axis", 0), ("batch_axis", 1)))
    if sorted((time, batch)) != [0, 1]:
        raise call.misfit(f"time axis {time}, batch axis {batch}")
    if call.lead and time == 0:
        raise call.refuse("it turns around the batch", "give batch_axis = 0")
    lengths = call.operand(1, 1)
    if call.lead:
        place, along = 0, lengths
    else:
        place = time
        along = call.node(Reshape(tuple(x.shape[a] if a == batch else 1 for a in range(rank))), lengths)
    index = call.constant(np.arange(x.shape[place]).reshape((-1,) + (1,) * (len(x.shape) - 1 - place)))
    inside = call.node(Compare(Comparison.LESS), index, along)
    mirrored = call.node(Sub(), call.node(Sub(), along, call.constant(whole(1))), index)
    at = call.node(Select(), inside, mirrored, index)
    return call.node(TakeAlong(place), x, _grown(call, at, x.shape))


def _grown(call: Call, x: Node, shape: tuple[int, ...]) -> Node:
    """Repeat indices to a whole shape."""
    return call.node(Add(), x, call.constant(np.zeros(shape, np.int64)))
