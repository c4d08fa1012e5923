"""Operators that move values: reshapes, permutations, joins, repeats."""

from collections.abc import Sequence
from math import prod

import numpy as np

from ....graph import NDArray, Node
from ....graph.ops import Broadcast, Concat, Gather, Mul, Reshape, Transpose
from ..broadcast import sample
from ..registry import ANY, Call, Results, operator
from ..values import MAX_ELEMENTS, Flow, Known, Place, Shape
from .linear import permuted
from .shapes import dropped, expanded, reshaped


@operator("view", "reshape", "_unsafe_view", "view_copy", "_reshape_copy")
def view(call: Call) -> Results:
    """Reshape to a shape in which -1 is what is left."""
    x = _any(call)
    if call.overload == "dtype":
        raise call.refuse("it reads the bits of one type as another", "use x.to(dtype)")
    sizes = call.sizes("size" if "size" in call.arguments else "shape")
    return reshaped(call, x, [_resolved(call, x, s, n) for s, n in zip(sizes, call.batch.lengths, strict=True)])


def _any(call: Call, key: str = "self") -> Flow:
    return call.flow(key, of=ANY)


def _resolved(call: Call, x: Flow, wanted: Shape, length: int) -> Shape:
    """Fill in -1. Raises ShapeError where the sizes do not fit."""
    total = prod(x.shape(length))
    rest = prod(n for n in wanted if n != -1)
    good = rest > 0 and (total % rest == 0 if wanted.count(-1) == 1 else total == rest) and wanted.count(-1) < 2
    if not good or any(n < -1 for n in wanted):
        raise call.misfit(f"cannot reshape {call.shape(x)} to {list(wanted)}")
    return tuple(total // rest if n == -1 else n for n in wanted)


@operator("view_as", "reshape_as")
def view_as(call: Call) -> Results:
    """Reshape to the shape of another tensor."""
    x, other = _any(call), call.value("other")
    shapes = [
        other.shape(n) if isinstance(other, Flow) else other.at(i).shape for i, n in enumerate(call.batch.lengths)
    ]
    return reshaped(call, x, shapes)


@operator("flatten")
def flatten(call: Call) -> Results:
    """Join consecutive axes."""
    x = _any(call)
    a, b = (call.position(call.integer(k, v), x.rank) for k, v in (("start_dim", 0), ("end_dim", -1)))
    full = [x.shape(n) for n in call.batch.lengths]
    return reshaped(call, x, [(*s[:a], prod(s[a : b + 1]), *s[b + 1 :]) for s in full])


@operator("unflatten")
def unflatten(call: Call) -> Results:
    """Split an axis."""
    x = _any(call)
    at, sizes = call.position(call.integer("dim"), x.rank), call.sizes("sizes")
    shapes = []
    for wanted, n in zip(sizes, call.batch.lengths, strict=True):
        full = x.shape(n)
        shapes.append(_resolved(call, x, (*full[:at], *wanted, *full[at + 1 :]), n))
    return reshaped(call, x, shapes)


@operator("squeeze")
def squeeze(call: Call) -> Results:
    """Drop axes of length 1; those that are longer stay, as in PyTorch."""
    x = _any(call)
    dims = call.arguments.take("dim", None)
    full = [x.shape(n) for n in call.batch.lengths]
    wanted = range(x.rank) if dims is None else [dims] if isinstance(dims, int) else dims
    axes = {call.position(a, x.rank) for a in wanted}
    gone = sorted(a for a in axes if all(s[a] == 1 for s in full))
    if x.place is not None and (x.place.axis in gone or (dims is None and call.batch.is_one)):
        raise call.refuse("it drops the batch, whose length is 1 here", "name the axis: squeeze(dim)")
    shape = tuple(n for i, n in enumerate(full[0]) if i not in gone)
    if x.place is None:
        return Flow(call.reshape(x.node, shape), None)
    place = Place(x.place.axis - sum(a < x.place.axis for a in gone), x.place.outer, x.place.inner)
    inside = {call.axis(x, a) for a in gone}
    return Flow(call.reshape(x.node, tuple(n for i, n in enumerate(x.node.shape) if i not in inside)), place)


@operator("unsqueeze")
def unsqueeze(call: Call) -> Results:
    """Put an axis of length 1 where ``dim`` says, counted in the result."""
    x = _any(call)
    return expanded(call, x, call.position(call.integer("dim"), x.rank + 1))


@operator("permute")
def permute(call: Call) -> Results:
    """Put the axes in another order."""
    x = _any(call)
    dims = tuple(call.position(d, x.rank) for d in call.numbers("dims", x.rank))
    if sorted(dims) != list(range(x.rank)):
        raise call.misfit(f"dims {dims} are no order of {x.rank} axes")
    return permuted(call, x, dims)


@operator("transpose", "swapaxes", "swapdims")
def transpose(call: Call) -> Results:
    """Exchange two axes."""
    x = _any(call)
    keys = ("dim0", "dim1") if "dim0" in call.arguments else ("axis0", "axis1")
    a, b = (call.position(call.integer(k), x.rank) for k in keys)
    dims = list(range(x.rank))
    dims[a], dims[b] = dims[b], dims[a]
    return permuted(call, x, tuple(dims))


@operator("t", "numpy_T", "mT", "adjoint")
def t(call: Call) -> Results:
    """Exchange two axes, or reverse all."""
    x = _any(call)
    dims = list(range(x.rank))
    dims = dims[::-1] if call.op in ("t", "numpy_T") else [*dims[:-2], dims[-1], dims[-2]]
    return permuted(call, x, tuple(dims))


@operator("movedim", "moveaxis")
def movedim(call: Call) -> Results:
    """Move axes to other places; the others keep their order."""
    x = _any(call)
    ends = [call.arguments.take(k) for k in ("source", "destination")]
    source, target = ([call.position(d, x.rank) for d in ([e] if isinstance(e, int) else e)] for e in ends)
    order: list[int | None] = [None] * x.rank
    for s, d in zip(source, target, strict=True):
        order[d] = s
    rest = iter(i for i in range(x.rank) if i not in source)
    return permuted(call, x, tuple(next(rest) if s is None else s for s in order))


@operator("expand", "broadcast_to", "expand_as")
def expand(call: Call) -> Results:
    """Repeat axes of length 1 up to a shape; -1 keeps an axis."""
    x = _any(call)
    call.arguments.ignore("implicit", why="it says who asked for it")
    if call.op == "expand_as":
        other = call.value("other")
        sizes = [
            other.shape(n) if isinstance(other, Flow) else other.at(i).shape for i, n in enumerate(call.batch.lengths)
        ]
    else:
        sizes = call.sizes("size")
    lead = len(sizes[0]) - x.rank
    for wanted, n in zip(sizes, call.batch.lengths, strict=True):
        full = (1,) * lead + x.shape(n)
        if lead < 0 or any(w not in (-1, f) and f != 1 for w, f in zip(wanted, full, strict=True)):
            raise call.misfit(f"{call.shape(x)} does not expand to {list(wanted)}")
    return _expanded(call, x, sizes, lead)


def _expanded(call: Call, x: Flow, sizes: Sequence[Shape], lead: int) -> Flow:
    wanted = list(sizes[0])
    if x.place is None:
        plain = tuple(f if w == -1 else w for w, f in zip(wanted, (1,) * lead + x.node.shape, strict=True))
        return Flow(_broadcast(call, x.node, plain), None)
    at = x.place.axis + lead
    own = x.place.axis
    if any(s[at] not in (-1, x.shape(n)[own]) for s, n in zip(sizes, call.batch.lengths, strict=True)):
        raise call.refuse("it repeats samples", "expand other axes")
    others = {tuple(v for i, v in enumerate(s) if i != at) for s in sizes}
    if len(others) > 1:
        raise call.refuse("a length depends on that of the batch", "export with a fixed batch of 1")
    wanted[at] = -1
    inside = [w for i, w in enumerate(wanted) if not (x.place.pure and i == at)]
    full = (1,) * (len(inside) - len(x.node.shape)) + x.node.shape
    shape = tuple(f if w == -1 else w for w, f in zip(inside, full, strict=True))
    return Flow(_broadcast(call, x.node, shape), Place(at, x.place.outer, x.place.inner), x.dtype)


def _broadcast(call: Call, x: Node, shape: Shape) -> Node:
    return x if x.shape == shape else call.node(Broadcast(shape), x)


@operator("repeat", "tile")
def repeat(call: Call) -> Results:
    """Repeat a sample along its axes; more repeats than axes put axes in front."""
    x, key = call.flow(of=ANY), "repeats" if call.op == "repeat" else "dims"
    sizes = call.sizes(key)
    times = list(sizes[0])
    if len(set(sizes)) > 1:
        raise call.refuse("it repeats as often as there are samples", "samples are independent")
    if len(times) < x.rank and call.op == "tile":
        times = [1] * (x.rank - len(times)) + times
    lead = len(times) - x.rank
    if lead < 0 or any(n < 1 for n in times):
        raise call.misfit(f"repeats {times} for {call.shape(x)}")
    if prod(times) * x.node.type.size > MAX_ELEMENTS:
        raise call.misfit(f"repeats {times} of {call.shape(x)}")
    for _ in range(lead):
        x = expanded(call, x, 0)
    for axis, count in enumerate(times):
        if count > 1:
            inside = call.axis(x, axis)
            x = x.on(call.node(Concat(inside), *[x.node] * count))
    return x


@operator("repeat_interleave")
def repeat_interleave(call: Call) -> Results:
    """Repeat each element along an axis."""
    x, dim = call.flow(), call.arguments.take("dim", None)
    call.arguments.ignore("output_size", why="it says how long the result is")
    if dim is None:
        raise call.refuse("it flattens the batch", "give dim")
    axis = call.axis(x, int(dim))
    repeats = call.whole_array("repeats").reshape(-1)
    n = x.node.shape[axis]
    counts = np.broadcast_to(repeats, (n,)) if repeats.size in (1, n) else None
    if counts is None or (counts < 0).any() or not 0 < int(counts.sum()) <= MAX_ELEMENTS:
        raise call.misfit(f"repeats {repeats.tolist()[:8]} of an axis of length {n}")
    return x.on(taken(call, x.node, axis, np.repeat(np.arange(n), counts).tolist()))


@operator("cat", "concat", "concatenate")
def cat(call: Call) -> Results:
    """Join tensors along an axis of a sample; empty ones of one axis count as nothing."""
    tensors = [t for t in call.tensors("tensors") if isinstance(t, Flow) or t.at(0).shape != (0,)]
    return joined(call, tensors, call.integer("dim", 0))


def joined(call: Call, tensors: Sequence[Flow | Known], dim: int) -> Flow:
    """Join tensors along an axis of the source."""
    model = next(t for t in tensors if isinstance(t, Flow))
    call.main = model
    flows = [t for t in tensors if isinstance(t, Flow) and t.place == model.place and t.rank == model.rank]
    if model.place == Place(call.position(dim, model.rank)) and len(flows) == len(tensors) > 1:
        return _in_turn(call, flows, model.place.axis)
    axis = call.axis(model, dim)
    nodes = []
    for value in tensors:
        if isinstance(value, Flow):
            if value.place != model.place or value.rank != model.rank:
                raise call.refuse(
                    f"it joins {call.shape(model)} and {call.shape(value)}", "keep the batch axis 0 in both"
                )
            nodes.append(value.node)
        else:
            assert model.place is not None
            nodes.append(call.constant(_part(call, value, model.place, model.rank)))
    return model if len(nodes) == 1 else model.on(call.node(Concat(axis), *nodes))


def _in_turn(call: Call, flows: Sequence[Flow], axis: int) -> Flow:
    """Join whole batches along the batch: a new axis before it, folded with it."""
    wide = [call.node(Reshape((*f.node.shape[:axis], 1, *f.node.shape[axis:])), f.node) for f in flows]
    return Flow(call.node(Concat(axis), *wide), Place(axis, len(flows)), flows[0].dtype)


def _part(call: Call, value: Known, place: Place, rank: int) -> NDArray:
    if value.at(0).ndim != rank:
        raise call.misfit(f"a constant of {value.at(0).ndim} axes is joined to tensors of {rank}")
    for i, n in enumerate(call.batch.lengths):
        if value.at(i).shape[place.axis] != n * place.outer * place.inner:
            raise call.misfit("a constant is joined that has another batch")
    return sample(call, value, place, rank)


@operator("stack")
def stack(call: Call) -> Results:
    """Join tensors along a new axis."""
    tensors = call.tensors("tensors")
    model = next(t for t in tensors if isinstance(t, Flow))
    at = call.position(call.integer("dim", 0), model.rank + 1)
    wide: list[Flow | Known] = []
    for value in tensors:
        if isinstance(value, Flow):
            wide.append(expanded(call, value, at))
        else:
            wide.append(Known.of([np.expand_dims(v, at) for v in value.variants], value.dtype))
    return joined(call, wide, at)


def taken(call: Call, x: Node, axis: int, indices: Sequence[int]) -> Node:
    """Pick indices along an axis of a sample; nothing to do where they are all of them in order."""
    picks = tuple(int(i) for i in indices)
    return x if picks == tuple(range(x.shape[axis])) else call.node(Gather(axis, picks), x)


@operator("flip")
def flip(call: Call) -> Results:
    """Reverse axes."""
    x = call.flow(of=ANY)
    node = x.node
    for dim in call.arguments.take("dims"):
        axis = call.axis(x, dim)
        node = taken(call, node, axis, list(range(node.shape[axis]))[::-1])
    return x.on(node)


@operator("roll")
def roll(call: Call) -> Results:
    """Move elements along axes; what leaves at one end comes back at the other."""
    x, dims = call.flow(of=ANY), call.arguments.take("dims", [])
    if not dims:
        raise call.refuse("it rolls over all elements, the batch among them", "give dims")
    shifts = call.numbers("shifts", len(dims))
    node = x.node
    for dim, shift in zip(dims, shifts, strict=True):
        axis = call.axis(x, dim)
        node = taken(call, node, axis, np.roll(np.arange(node.shape[axis]), shift).tolist())
    return x.on(node)


@operator("rot90")
def rot90(call: Call) -> Results:
    """Turn by quarters in a plane of two axes."""
    x, k, dims = call.flow(), call.integer("k", 1) % 4, call.numbers("dims", 2, (0, 1))
    a, b = (call.axis(x, d) for d in dims)
    node = x.node
    order = list(range(len(node.shape)))
    order[a], order[b] = b, a
    if k in (1, 2):
        node = taken(call, node, b if k == 1 else a, list(range(node.shape[b if k == 1 else a]))[::-1])
    if k == 2:
        node = taken(call, node, b, list(range(node.shape[b]))[::-1])
    if k in (1, 3):
        node = call.node(Transpose(tuple(order)), node)
    if k == 3:
        node = taken(call, node, b, list(range(node.shape[b]))[::-1])
    return x.on(node)


@operator("pixel_shuffle")
def pixel_shuffle(call: Call) -> Results:
    """Spread channels over blocks of pixels."""
    x, r = call.front(call.flow()), call.integer("upscale_factor")
    *lead, c, h, w = _pixels(call, x, r)
    if c % (r * r):
        raise call.misfit(f"{c} channels do not fill blocks of {r} x {r}")
    k = len(lead)
    split = call.node(Reshape((*lead, c // (r * r), r, r, h, w)), x.node)
    moved = call.node(Transpose((*range(k), k, k + 3, k + 1, k + 4, k + 2)), split)
    return x.on(call.node(Reshape((*lead, c // (r * r), h * r, w * r)), moved))


@operator("pixel_unshuffle")
def pixel_unshuffle(call: Call) -> Results:
    """Gather blocks of pixels into channels."""
    x, r = call.front(call.flow()), call.integer("downscale_factor")
    *lead, c, h, w = _pixels(call, x, r)
    if h % r or w % r:
        raise call.misfit(f"{h} x {w} pixels do not divide into blocks of {r} x {r}")
    k = len(lead)
    split = call.node(Reshape((*lead, c, h // r, r, w // r, r)), x.node)
    moved = call.node(Transpose((*range(k), k, k + 2, k + 4, k + 1, k + 3)), split)
    return x.on(call.node(Reshape((*lead, c * r * r, h // r, w // r)), moved))


def _pixels(call: Call, x: Flow, r: int) -> Shape:
    if len(x.node.shape) < 3 or r < 1:
        raise call.misfit(f"reads [batch, channels, height, width], got {call.shape(x)}")
    return x.node.shape


@operator("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(call: Call) -> Results:
    """Deal the channels of groups out in turn."""
    x, groups = call.front(call.flow()), call.integer("groups")
    c = x.node.shape[0] if x.node.shape else 0
    if groups < 1 or c % groups:
        raise call.misfit(f"{c} channels in {groups} groups")
    return x.on(taken(call, x.node, 0, np.arange(c).reshape(groups, -1).T.ravel().tolist()))


@operator("tril", "triu")
def triangle(call: Call) -> Results:
    """Set one triangle of each matrix to zero: a product with a constant mask."""
    x, k = call.flow(), call.integer("diagonal", 0)
    if len(x.node.shape) < 2:
        raise call.refuse("the batch is one of the matrix axes", "give the input an axis for the batch")
    call.axis(x, -1)
    call.axis(x, -2)
    mask = (np.tril if call.op == "tril" else np.triu)(np.ones(x.node.shape[-2:], np.float32), k)
    return x.on(call.node(Mul(), x.node, call.constant(mask, "mask")))


__all__ = ["dropped", "joined", "taken"]
