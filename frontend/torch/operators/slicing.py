"""Parts of tensors: slices, splits, constant indices."""

from collections.abc import Sequence

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Reshape, Slice, Transpose
from ..registry import ANY, Call, Results, operator
from ..values import Flow, Known, Place
from .moves import taken
from .shapes import dropped

Ints = NDArray


def sliced(call: Call, x: Node, axis: int, cut: slice) -> Node:
    """Cut an axis of a sample. Raises UnsupportedError where nothing is left."""
    n = x.shape[axis]
    start, stop, step = cut.indices(n)
    if not range(start, stop, step):
        raise call.refuse("nothing is left of an axis", "an empty tensor has no use here")
    if (start, stop, step) == (0, n, 1):
        return x
    starts = tuple(start if i == axis else 0 for i in range(len(x.shape)))
    stops = tuple(stop if i == axis else m for i, m in enumerate(x.shape))
    steps = tuple(step if i == axis else 1 for i in range(len(x.shape)))
    return call.node(Slice(starts, stops, steps), x)


@operator("slice", "slice_copy")
def slice_(call: Call) -> Results:
    """``x[start:end:step]`` along an axis; of the batch only all of it."""
    x, dim, step = call.flow(of=ANY), call.integer("dim", 0), call.integer("step", 1)
    starts, ends = call.count("start", None), call.count("end", None)
    if step < 1:
        raise call.arguments.refusal("step", step, "at least 1")
    at = call.position(dim, x.rank)
    if x.place is not None and at == x.place.axis:
        whole = [range(n * x.place.outer * x.place.inner) for n in call.batch.lengths]
        if any(w[slice(s, e, step)] != w for w, s, e in zip(whole, starts, ends, strict=True)):
            raise call.refuse("it cuts the batch", "samples are independent; cut other axes")
        return x
    if len(set(starts)) > 1 or len(set(ends)) > 1:
        raise call.refuse("where it cuts depends on the length of the batch", "export with a fixed batch of 1")
    return x.on(sliced(call, x.node, call.axis(x, dim), slice(starts[0], ends[0], step)))


@operator("narrow")
def narrow(call: Call) -> Results:
    """``x[start : start + length]`` along an axis."""
    x, dim, start, length = call.flow(of=ANY), call.integer("dim"), call.integer("start"), call.integer("length")
    axis = call.axis(x, dim)
    n = x.node.shape[axis]
    start = start + n if start < 0 else start
    if not 0 <= start <= start + length <= n:
        raise call.misfit(f"{length} elements from {start} on of an axis of length {n}")
    return x.on(sliced(call, x.node, axis, slice(start, start + length)))


@operator("select", "select_copy")
def select(call: Call) -> Results:
    """``x[index]`` along an axis, which goes."""
    x, dim, index = call.flow(of=ANY), call.integer("dim"), call.integer("index")
    return selected(call, x, dim, index)


def selected(call: Call, x: Flow, dim: int, index: int) -> Flow:
    """Take one index of an axis of the source, and drop the axis."""
    axis, at = call.axis(x, dim), call.position(dim, x.rank)
    n = x.node.shape[axis]
    if not -n <= index < n:
        raise call.misfit(f"index {index} of an axis of length {n}")
    one = sliced(call, x.node, axis, slice(index % n, index % n + 1))
    shape = (*x.node.shape[:axis], *x.node.shape[axis + 1 :])
    return dropped(x, call.node(Reshape(shape), one), (at,))


@operator("unbind", "unbind_copy")
def unbind(call: Call) -> Results:
    """Every index of an axis, each as a tensor."""
    x, dim = call.flow(of=ANY), call.integer("dim", 0)
    return [selected(call, x, dim, i) for i in range(x.node.shape[call.axis(x, dim)])]


@operator("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes", "split_copy", "split_with_sizes_copy")
def split(call: Call) -> Results:
    """Cut an axis into consecutive parts."""
    x, dim = call.flow(of=ANY), call.integer("dim", 0)
    axis = call.axis(x, dim)
    key = next(k for k in ("split_size", "split_sizes", "split_size_or_sections") if k in call.arguments)
    given = call.arguments.take(key)
    n = x.node.shape[axis]
    if isinstance(given, list):
        return _parts(call, x, axis, [int(g) for g in given])
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise call.arguments.refusal(key, given, "give a length")
    return _parts(call, x, axis, [min(given, n - i) for i in range(0, n, given)])


@operator("chunk", "unsafe_chunk")
def chunk(call: Call) -> Results:
    """Cut an axis into at most so many parts of equal length, the last one shorter."""
    x, dim, count = call.flow(of=ANY), call.integer("dim", 0), call.integer("chunks")
    axis = call.axis(x, dim)
    n = x.node.shape[axis]
    if count < 1:
        raise call.arguments.refusal("chunks", count, "at least 1")
    length = -(-n // count)
    return _parts(call, x, axis, [min(length, n - i) for i in range(0, n, length)])


@operator("tensor_split", "hsplit", "vsplit")
def tensor_split(call: Call) -> Results:
    """Cut an axis into so many parts, the first ones longer by one, or at indices."""
    x, dim = call.flow(of=ANY), call.integer("dim", 0)
    axis = call.axis(x, dim)
    n = x.node.shape[axis]
    if "indices" in call.arguments:
        edges = [0, *(min(max(i + n if i < 0 else i, 0), n) for i in call.arguments.take("indices")), n]
        return _parts(call, x, axis, np.diff(edges).tolist())
    count = call.integer("sections")
    return _parts(call, x, axis, [n // count + (i < n % count) for i in range(count)])


def _parts(call: Call, x: Flow, axis: int, lengths: Sequence[int]) -> list[Flow]:
    if sum(lengths) != x.node.shape[axis] or min(lengths, default=0) < 1:
        raise call.misfit(f"parts of {list(lengths)} of an axis of length {x.node.shape[axis]}", "no part may be empty")
    ends = np.cumsum(lengths).tolist()
    return [x.on(sliced(call, x.node, axis, slice(end - n, end))) for n, end in zip(lengths, ends, strict=True)]


def picked(call: Call, x: Node, axis: int, indices: Ints) -> Node:
    """Pick indices, negative ones from the end; their shape replaces the axis."""
    n = x.shape[axis]
    if not indices.size or int(indices.min()) < -n or int(indices.max()) >= n:
        raise call.misfit(f"indices {indices.ravel()[:8].tolist()} of an axis of length {n}")
    node = taken(call, x, axis, (indices.ravel() % n).tolist())
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return node if shape == node.shape else call.node(Reshape(shape), node)


@operator("index", "_unsafe_index")
def index(call: Call) -> Results:
    """``x[:, i, j]`` with constant indices, which broadcast against each other: one pick along the axes joined."""
    x = call.flow(of=ANY)
    items = [None if i is None else call.tensor(i, "indices") for i in call.arguments.take("indices")]
    if any(isinstance(i, Flow) for i in items):
        raise call.refuse("an index is computed at run time", "pick by constants; choose by where()")
    arrays = {a: _indices(call, i, x, a) for a, i in enumerate(items) if isinstance(i, Known)}
    axes = sorted(arrays)
    if not axes:
        return x
    inside = [call.axis(x, a) for a in axes]
    if axes != list(range(axes[0], axes[-1] + 1)):
        raise call.refuse("indices stand apart from each other", "index one axis after the other")
    lengths = [x.node.shape[a] for a in inside]
    try:
        several = np.broadcast_arrays(*(arrays[a] for a in axes))
    except ValueError:
        raise call.misfit("the indices do not broadcast") from None
    flat = np.ravel_multi_index([i % n for i, n in zip(several, lengths, strict=True)], tuple(lengths))
    shape = x.node.shape
    joined = (*shape[: inside[0]], int(np.prod(lengths)), *shape[inside[-1] + 1 :])
    node = picked(call, call.reshape(x.node, joined), inside[0], np.asarray(flat))
    moved = several[0].ndim - len(axes)
    if x.place is not None and x.place.axis > axes[-1]:
        return Flow(node, Place(x.place.axis + moved, x.place.outer, x.place.inner))
    return x.on(node)


def _indices(call: Call, value: Known, x: Flow, axis: int) -> Ints:
    array = call.fixed(value, "an index")
    n = x.node.shape[call.axis(x, axis)]
    if array.dtype.kind == "b":
        if array.shape != (n,):
            raise call.refuse(f"a mask of shape {array.shape}", "index one axis by a mask")
        return np.flatnonzero(array)
    if array.dtype.kind not in "iu" or (array.size and (array.min() < -n or array.max() >= n)):
        raise call.misfit(f"indices of an axis of length {n}")
    return array.astype(np.int64)


@operator("unfold")
def unfold(call: Call) -> Results:
    """Windows along an axis, as a new last axis."""
    x, dim = call.flow(), call.integer("dimension")
    size, step = call.integer("size"), call.integer("step")
    axis = call.axis(x, dim)
    n = x.node.shape[axis]
    if not 1 <= size <= n or step < 1:
        raise call.misfit(f"windows of {size} by steps of {step} over an axis of length {n}")
    starts = np.arange(0, n - size + 1, step)
    node = picked(call, x.node, axis, starts[:, None] + np.arange(size))
    order = [i for i in range(len(node.shape)) if i != axis + 1] + [axis + 1]
    moved = node if order == sorted(order) else call.node(Transpose(tuple(order)), node)
    return x.on(moved)
