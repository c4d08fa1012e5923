"""Operators that move numbers and compute none: slices, joins, picks, repeats.

Each works on the axes of the source. Where axis 0, the batch, plays no part, the node leaves it out; else the batch has
to be 1. The kernels copy the stored numbers, so a result with another scale than its operand's means something else:
``copied`` keeps it so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Broadcast, Concat, Gather, GatherND, Slice, Take
from ..arithmetic import recast, stored_as
from ..registry import Call, Known, Result, operator

Axes = tuple[int, ...]


def copied(call: Call, x: Node, i: int, k: int = 0) -> Node:
    """Give a node made of input ``i`` the shape and the meaning that the file gives to output ``k``."""
    return meant(call, call.fitted(x, k), i, k)


def meant(call: Call, x: Node, i: int, k: int = 0) -> Node:
    """Give stored numbers of input ``i`` the meaning that the file gives to output ``k``."""
    given, info = call.info(i), call.results[k]
    if info.type != given.type:
        raise call.misfit(f"it copies {given.type} to {info.type}")
    return recast(call, x, info.format) if x.type.is_integer else x  # type: ignore[arg-type]


@dataclass(frozen=True)
class Inside:
    """An input with all of its axes, or without the batch: ``lead`` is how many the node leaves out in front."""

    node: Node
    lead: int

    def axis(self, axis: int) -> int:
        """Give an axis of the source as one of the node's."""
        return axis - self.lead

    def rest(self, values: Sequence[int]) -> Axes:
        """Give numbers for the axes of the source as those for the node's."""
        return tuple(values[self.lead :])


def inside(call: Call, i: int, axes: Iterable[int]) -> Inside:
    """Give input ``i`` for an operation along ``axes`` of the source: without the batch where that is none of them."""
    info = call.info(i)
    touched = [call.inside_axis(a, info) for a in axes]
    if None in touched:
        return Inside(call.whole(i), 0)
    node = call.operand(i)
    return Inside(node, len(info.shape) - len(node.shape))


# ---- slices


def sliced(call: Call, i: int, cuts: Sequence[slice], k: int = 0) -> Node:
    """Cut input ``i``, by one slice an axis of the source."""
    shape = call.info(i).shape
    found = [c.indices(n) for c, n in zip(cuts, shape, strict=True)]
    for (start, stop, step), n in zip(found, shape, strict=True):
        if not len(range(start, stop, step)):
            raise call.refuse(f"it leaves nothing of an axis of {n}", "empty tensors are not supported")
    whole = [f == (0, n, 1) for f, n in zip(found, shape, strict=True)]
    x = inside(call, i, [a for a, same in enumerate(whole) if not same])
    starts: Axes
    stops: Axes
    steps: Axes
    starts, stops, steps = zip(*found[x.lead :], strict=True) if found[x.lead :] else ((), (), ())
    if all(whole):
        return copied(call, x.node, i, k)
    ends = tuple(None if step < 0 and stop < 0 else stop for stop, step in zip(stops, steps, strict=True))
    return copied(call, call.node(Slice(starts, ends, steps), x.node), i, k)


@operator("SLICE", versions=7)
def slice_of(call: Call) -> Node:
    """From ``begin``, ``size`` numbers an axis; -1 for all that are left."""
    shape, begin, size = call.info(0).shape, call.integers(1), call.integers(2)
    if not len(shape) == len(begin) == len(size):
        raise call.misfit(f"begin {begin} and size {size} for shape {shape}")
    cuts = []
    for n, b, s in zip(shape, begin, size, strict=True):
        if s < -1 or b < 0 or b + max(s, 0) > n:
            raise call.misfit(f"{s} numbers from {b} of an axis of {n}")
        cuts.append(slice(b, n if s == -1 else b + s))
    return sliced(call, 0, cuts)


@operator("STRIDED_SLICE", versions=8)
def strided_slice(call: Call) -> Node:
    """Slices with steps; bits of the masks say which ends are open, which axes appear, vanish or stand for others."""
    begin, end, strides = (call.integers(i) for i in (1, 2, 3))
    if not len(begin) == len(end) == len(strides):
        raise call.misfit(f"begin {begin}, end {end} and strides {strides}")
    masks = {
        name: call.attributes.integer(f"{name}_mask", 0)
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    if call.attributes.boolean("offset", False):
        end = tuple(b + e for b, e in zip(begin, end, strict=True))
    return sliced(call, 0, _cuts(call, (begin, end, strides), masks))


def _cuts(call: Call, spec: tuple[Axes, Axes, Axes], masks: dict[str, int]) -> list[slice]:
    """One slice an axis of the source; new axes only change the shape, which the file says."""
    shape, count = call.info(0).shape, len(spec[0])
    masked = {name: [bool(bits >> k & 1) for k in range(count)] for name, bits in masks.items()}
    if sum(masked["ellipsis"]) > 1:
        raise call.misfit("two ellipses")
    new = [n and not e for n, e in zip(masked["new_axis"], masked["ellipsis"], strict=True)]
    used = sum(not n and not e for n, e in zip(new, masked["ellipsis"], strict=True))
    if used > len(shape):
        raise call.misfit(f"{used} slices for {len(shape)} axes")
    if any(masked["ellipsis"]) and used == len(shape):
        raise call.refuse("an ellipsis that stands for no axis", "the kernel then reads other slices; leave it out")
    cuts: list[slice] = []
    for k in range(count):
        if masked["ellipsis"][k]:
            cuts += [slice(None)] * (len(shape) - used)
        elif not new[k]:
            ends = tuple(v[k] for v in spec)
            opened = masked["begin"][k], masked["end"][k]
            cuts.append(_cut(call, shape[len(cuts)], ends, opened, masked["shrink_axis"][k]))
    return cuts + [slice(None)] * (len(shape) - len(cuts))


def _cut(call: Call, n: int, ends: Axes, opened: tuple[bool, bool], shrink: bool) -> slice:
    begin, end, stride = ends
    if stride == 0:
        raise call.misfit("a stride of 0")
    if shrink:
        at = begin + n if begin < 0 else begin
        if not 0 <= at < n or stride < 0:
            raise call.misfit(f"index {begin} of an axis of {n}, stride {stride}")
        return slice(at, at + 1)
    return slice(None if opened[0] else begin, None if opened[1] else end, stride)


@operator("SPLIT", versions=4)
def split(call: Call) -> list[Result]:
    """Equal parts along the axis of input 0."""
    count = call.attributes.integer("num_splits", low=1)
    shape = call.info(1).shape
    axis = call.axis(one_number(call, 0), len(shape))
    if shape[axis] % count or len(call.results) != count:
        raise call.misfit(f"{count} parts of an axis of {shape[axis]}, {len(call.results)} outputs")
    return _parts(call, 1, axis, [shape[axis] // count] * count)


@operator("SPLIT_V", versions=2)
def split_v(call: Call) -> list[Result]:
    """Parts of given lengths, of which one may be -1, along the axis of input 2."""
    count = call.attributes.integer("num_splits", low=1)
    shape, sizes = call.info(0).shape, list(call.integers(1))
    axis = call.axis(one_number(call, 2), len(shape))
    if len(sizes) != count or len(call.results) != count or sizes.count(-1) > 1:
        raise call.misfit(f"parts of {sizes}, {len(call.results)} outputs, num_splits {count}")
    left = shape[axis] - sum(s for s in sizes if s != -1)
    sizes = [left if s == -1 else s for s in sizes]
    if sum(sizes) != shape[axis] or min(sizes) < 0:
        raise call.misfit(f"parts of {sizes} of an axis of {shape[axis]}")
    return _parts(call, 0, axis, sizes)


def _parts(call: Call, i: int, axis: int, sizes: list[int]) -> list[Result]:
    starts = np.cumsum([0, *sizes]).tolist()
    rank = len(call.info(i).shape)
    return [
        sliced(call, i, [slice(start, start + size) if a == axis else slice(None) for a in range(rank)], k)
        for k, (start, size) in enumerate(zip(starts, sizes, strict=False))
    ]


def one_number(call: Call, i: int) -> int:
    """Read a constant input of one whole number."""
    values = call.integers(i)
    if len(values) != 1:
        raise call.misfit(f"input {i} should be one number, it is {values}")
    return values[0]


@operator("UNPACK", versions=4)
def unpack(call: Call) -> list[Result]:
    """One output for each place of an axis, without the axis."""
    shape = call.info(0).shape
    axis = call.axis(call.attributes.integer("axis", 0), len(shape))
    count = call.attributes.integer("num", low=1)
    if count != shape[axis] or len(call.results) != count:
        raise call.misfit(f"{count} outputs of an axis of {shape[axis]}")
    return _parts(call, 0, axis, [1] * count)


@operator("REVERSE_V2", versions=3)
def reverse(call: Call) -> Node:
    """The other way round along the axes of input 1."""
    shape = call.info(0).shape
    axes = {call.axis(a, len(shape)) for a in call.integers(1)}
    return sliced(call, 0, [slice(None, None, -1) if a in axes and n > 1 else slice(None) for a, n in enumerate(shape)])


# ---- joins and repeats


@operator("PACK", versions=4)
def pack(call: Call) -> Node:
    """Tensors of one shape joined along a new axis."""
    shape, count = call.info(0).shape, call.attributes.integer("values_count", low=1)
    axis = call.axis(call.attributes.integer("axis", 0), len(shape) + 1)
    if len(call.inputs) != count or any(call.info(i).shape != shape for i in range(count)):
        raise call.misfit(f"{len(call.inputs)} inputs of shapes {[call.info(i).shape for i in range(count)]}")
    longer = (*shape[:axis], 1, *shape[axis:])
    if call.batch == 1:
        parts = [call.reshaped(call.whole(i), longer) for i in range(count)]
    elif axis == 0:
        raise call.refuse(f"it joins along a new axis before the batch of {call.batch}", "convert with a batch of 1")
    else:
        parts = [call.reshaped(call.flow(i), longer[1:]) for i in range(count)]
    parts = [_meant(call, part, i) for i, part in enumerate(parts)]
    at = axis if call.batch == 1 else axis - 1
    return stored(call, call.fitted(call.node(Concat(at), *parts) if count > 1 else parts[0]))


def _meant(call: Call, x: Node, i: int) -> Node:
    """Give the stored numbers of a part in the result's format."""
    if call.info(i).type != call.result.type:
        raise call.misfit(f"it copies {call.info(i).type} to {call.result.type}")
    return recast(call, x, call.result.format) if x.type.is_integer else x  # type: ignore[arg-type]


def stored(call: Call, x: Node) -> Node:
    """Write values of the result's scale in its format."""
    return stored_as(call, x, call.result.format) if x.type.is_integer else x  # type: ignore[arg-type]


@operator("TILE", versions=3)
def tile(call: Call) -> Node:
    """Each axis repeated as a whole."""
    shape, times = call.info(0).shape, call.integers(1)
    if len(times) != len(shape) or any(t < 1 for t in times):
        raise call.misfit(f"repeats {times} of shape {shape}", "each axis is repeated at least once")
    x = inside(call, 0, [a for a, t in enumerate(times) if t != 1])
    node = x.node
    for axis, (n, t) in enumerate(zip(shape, times, strict=True)):
        if t != 1:
            node = call.node(Gather(x.axis(axis), tuple(range(n)) * t), node)
    return copied(call, node, 0)


@operator("BROADCAST_TO", versions=3)
def broadcast_to(call: Call) -> Node:
    """Axes of length 1, and new ones in front, repeated."""
    shape, target = call.info(0).shape, call.integers(1)
    longer = (1,) * (len(target) - len(shape)) + shape
    if len(shape) > len(target) or any(n not in (1, t) for n, t in zip(longer, target, strict=True)):
        raise call.misfit(f"shape {shape} does not broadcast to {target}")
    if call.batch != 1:
        if shape[:1] != (call.batch,) or len(shape) != len(target):
            raise call.refuse(f"shape {shape} to {target} mixes the batch of {call.batch}", "convert with a batch of 1")
        return copied(call, call.node(Broadcast(target[1:]), call.flow(0)), 0)
    return copied(call, call.node(Broadcast(target), call.reshaped(call.whole(0), longer)), 0)


@operator("SQUEEZE", versions=2)
def squeeze(call: Call) -> Node:
    """Axes of length 1 left out: those that the option names, else all."""
    shape = call.info(0).shape
    named = call.attributes.take("squeeze_dims", None)
    axes = [call.axis(int(a), len(shape)) for a in (named if named is not None else ())]
    axes = axes or [a for a, n in enumerate(shape) if n == 1]
    if any(shape[a] != 1 for a in axes):
        raise call.misfit(f"axes {axes} of shape {shape} are not all of length 1")
    return _same_elements(call, tuple(n for a, n in enumerate(shape) if a not in axes))


@operator("EXPAND_DIMS", versions=1)
def expand_dims(call: Call) -> Node:
    """A new axis of length 1."""
    shape = call.info(0).shape
    axis = call.axis(one_number(call, 1), len(shape) + 1)
    return _same_elements(call, (*shape[:axis], 1, *shape[axis:]))


def _same_elements(call: Call, made: Axes) -> Node:
    given = call.info(0).shape
    if call.batch != 1 and given[:1] != made[:1]:
        raise call.refuse(f"{given} to {made} moves the batch of {call.batch}", "convert with a batch of 1")
    return meant(call, call.reshaped(call.operand(0), call.inside(made)), 0)


# ---- picks


@operator("GATHER", versions=7)
def gather(call: Call) -> Node:
    """What ``indices`` say along an axis; the first ``batch_dims`` axes go together."""
    shape, info = call.info(0).shape, call.info(1)
    axis = call.axis(call.attributes.integer("axis", 0), len(shape))
    together = call.attributes.integer("batch_dims", 0)
    together = together + len(info.shape) if together < 0 else together
    if isinstance(call.inputs[1], Known) and not together:
        return _gather_known(call, axis, call.array(1))
    if together == 1 and shape[:1] == info.shape[:1] == (call.batch,) and axis >= 1:
        x, indices = call.flow(0), call.flow(1)
        return copied(call, call.node(Take(axis - 1), x, indices), 0)
    if together:
        raise call.refuse(f"batch_dims of {together}", "only the batch itself can go together")
    if isinstance(call.inputs[0], Known) and info.shape[:1] == (call.batch,) and axis == 0:
        table = call.reshaped(call.operand(0), shape)
        return copied(call, call.node(Take(0), table, call.flow(1)), 0)
    return copied(call, call.node(Take(axis), call.whole(0), call.whole(1)), 0)


def _gather_known(call: Call, axis: int, indices: NDArray) -> Node:
    n = call.info(0).shape[axis]
    if indices.size and (indices.min() < 0 or indices.max() >= n):
        raise call.misfit(f"indices up to {indices.max()} of an axis of {n}")
    x = inside(call, 0, [axis])
    at = x.axis(axis)
    node = call.node(Gather(at, tuple(int(i) for i in indices.ravel())), x.node)
    return copied(call, call.reshaped(node, (*node.shape[:at], *indices.shape, *node.shape[at + 1 :])), 0)


@operator("GATHER_ND", versions=5)
def gather_nd(call: Call) -> Node:
    """The parts that coordinates name."""
    info = call.info(1)
    if isinstance(call.inputs[0], Known) and len(info.shape) > 1 and info.shape[0] == call.batch:
        table = call.reshaped(call.operand(0), call.info(0).shape)
        return copied(call, call.node(GatherND(), table, call.flow(1)), 0)
    return copied(call, call.node(GatherND(), call.whole(0), call.whole(1)), 0)
