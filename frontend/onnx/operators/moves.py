"""Operators that move values: reshapes, transposes, joins. All of them have to leave axis 0, the batch, alone."""

from collections.abc import Sequence
from math import prod

import numpy as np

from ....graph import Node
from ....graph.ops import Broadcast, Concat, Gather, Mul, Reshape, Transpose
from ..registry import MAX_ELEMENTS, Call, Flow, Known, Moved, operator
from ..samples import per_sample

Shape = tuple[int, ...]


def reshaped(call: Call, x: Node, shapes: Sequence[Shape]) -> Node:
    """Reshape to full shapes, one for each length of the batch that is tried: each must keep the batch as axis 0."""
    if not call.lead:
        return x if shapes[0] == x.shape else call.node(Reshape(shapes[0]), x)
    kept = all(s and s[0] == length for s, length in zip(shapes, call.batch.lengths, strict=True))
    rests = {s[1:] for s in shapes}
    if not kept or len(rests) != 1 or prod(*rests) != prod(x.shape):
        shown = ["batch" if n == call.batch.lengths[0] else n for n in shapes[0]]
        raise call.refuse(
            f"it turns {call.shown(x)} into {shown}: axis 0, the batch, does not stay",
            "keep axis 0: reshape to [0, -1], [-1, n] with n the size of a sample, or [batch, ...]",
        )
    shape = rests.pop()
    return x if shape == x.shape else call.node(Reshape(shape), x)


@operator("Reshape")
def reshape(call: Call) -> Node:
    """Reshape to a constant shape in which 0 copies a length (unless ``allowzero``) and -1 is what is left."""
    x, target = call.flow(), call.value(1)
    allow_zero = call.attributes.boolean("allowzero", 0)
    if isinstance(target, Flow):
        raise call.refuse("the shape is computed from values", "make it a constant where the model is exported")
    count, shapes = len(target.variants), []
    for i, full in enumerate(call.full(x.shape)):
        wanted = call.whole(target.variants[i % count])
        shapes.append(resolved(call, full, wanted, allow_zero=allow_zero))
    if all(s is not None for s in shapes):
        return reshaped(call, x, [s for s in shapes if s is not None])
    fixed = call.whole(target.variants[0])
    if call.batch.is_open and count == 1 and fixed and fixed[0] == 1:  # exported for one sample, opened afterwards
        one = resolved(call, (1, *x.shape), fixed, allow_zero=allow_zero)
        if one is not None and one[0] == 1:
            return reshaped(call, x, [(length, *one[1:]) for length in call.batch.lengths])
    raise call.misfit(f"cannot reshape {call.shown(x)} to {list(fixed)}", "the sizes differ")


def resolved(call: Call, shape: Shape, wanted: Shape, *, allow_zero: bool) -> Shape | None:
    """Give a shape with 0 and -1 filled in; None where the sizes do not fit."""
    if any(n < -1 for n in wanted) or wanted.count(-1) > 1 or (allow_zero and 0 in wanted):
        raise call.misfit(f"cannot reshape to {list(wanted)}")
    if any(n == 0 and i >= len(shape) for i, n in enumerate(wanted)):
        raise call.misfit(f"cannot copy an axis that {list(shape)} does not have")
    filled = [shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    if -1 in filled:
        rest = prod(n for n in filled if n != -1)
        if not rest or prod(shape) % rest:
            return None
        filled[filled.index(-1)] = prod(shape) // rest
    return tuple(filled) if prod(filled) == prod(shape) else None


@operator("Flatten")
def flatten(call: Call) -> Node:
    """Join the axes before ``axis`` and those from it on."""
    x, axis = call.flow(), call.attributes.integer("axis", 1)
    rank = len(x.shape) + call.lead
    if not -rank <= axis <= rank:
        raise call.misfit(f"axis {axis} of a tensor of {rank} axes")
    axis = axis + rank if axis < 0 else axis
    return reshaped(call, x, [(prod(s[:axis]), prod(s[axis:])) for s in call.full(x.shape)])


def axes_of(call: Call, since: int = 13) -> tuple[int, ...] | None:
    """Read ``axes``: an attribute before opset ``since``, then input 1."""
    if call.opset >= since:
        return call.integers(1)
    axes = call.attributes.take("axes", None)
    return None if axes is None else call.attributes.integers("axes", len(axes))


@operator("Squeeze")
def squeeze(call: Call) -> Node:
    """Drop axes of length 1."""
    x, axes = call.flow(), axes_of(call)
    if axes is None:
        if 1 in call.batch.lengths:
            raise call.refuse("it drops every axis of length 1, the batch too", "give the axes")
        axes = tuple(i + call.lead for i, n in enumerate(x.shape) if n == 1)
    dropped = {call.sample_axis(a, len(x.shape) + call.lead) for a in axes}
    if any(x.shape[a] != 1 for a in dropped):
        raise call.misfit(f"axes {axes} of {call.shown(x)} are not all of length 1")
    return call.node(Reshape(tuple(n for i, n in enumerate(x.shape) if i not in dropped)), x) if dropped else x


@operator("Unsqueeze")
def unsqueeze(call: Call) -> Node:
    """Put axes of length 1 where ``axes`` says, counted in the result."""
    x, axes = call.flow(), axes_of(call)
    if not axes:
        raise call.misfit("axes are missing")
    rank = len(x.shape) + call.lead + len(axes)
    new = {call.sample_axis(a, rank) for a in axes}
    if len(new) != len(axes):
        raise call.misfit(f"axes {axes} repeat")
    lengths = iter(x.shape)
    return call.node(Reshape(tuple(1 if i in new else next(lengths) for i in range(rank - call.lead))), x)


@operator("Transpose")
def transpose(call: Call) -> Node | Moved:
    """Permute the axes; the batch may go elsewhere, for operators that have it there, or until it is put back."""
    moved = call.moved(0)
    x, batch = (call.flow(), 0) if moved is None else (moved.node, moved.axis)
    rank = len(x.shape) + call.lead
    axes = call.attributes.integers("perm", rank, list(range(rank))[::-1])
    if sorted(axes) != list(range(rank)):
        raise call.misfit(f"perm {axes} is not an order of {rank} axes")
    if not call.lead:
        return call.node(Transpose(axes), x)
    others = tuple(a - (a > batch) for a in axes if a != batch)
    result = x if others == tuple(range(rank - 1)) else call.node(Transpose(others), x)
    place = axes.index(batch)
    return Moved(result, call.type(), place) if place else result


@operator("Expand")
def expand(call: Call) -> Node:
    """Repeat axes of length 1 up to a constant shape, by numpy's rules."""
    x, target = call.flow(), call.value(1)
    if isinstance(target, Flow):
        raise call.refuse("the shape is computed from values", "make it a constant where the model is exported")
    shapes = []
    for i, full in enumerate(call.full(x.shape)):
        wanted = call.whole(target.variants[i % len(target.variants)])
        try:
            shapes.append(np.broadcast_shapes(full, tuple(max(n, 0) for n in wanted)))
        except ValueError:
            raise call.misfit(f"{call.shown(x)} does not broadcast to {wanted}") from None
    lengths = call.batch.lengths
    if call.lead and any(s[0] != n or len(s) != len(x.shape) + 1 for s, n in zip(shapes, lengths, strict=True)):
        raise call.refuse(
            f"it repeats samples or adds an axis before the batch: {shapes[0]}", "expand single samples only"
        )
    shape = shapes[0][call.lead :]
    return x if shape == x.shape else call.node(Broadcast(shape), x)


@operator("Tile")
def tile(call: Call) -> Node:
    """Repeat a sample along its axes."""
    x, repeats = call.flow(), call.integers(1)
    if repeats is None or len(repeats) != len(x.shape) + call.lead or min(repeats) < 1:
        raise call.misfit(f"repeats {repeats} for a tensor of {len(x.shape) + call.lead} axes")
    if call.lead and repeats[0] != 1:
        raise call.refuse("it repeats samples", "tile single samples only")
    if prod(repeats) * prod(x.shape) > MAX_ELEMENTS:
        raise call.misfit(f"repeats {repeats} of samples of shape {x.shape}")
    for axis, times in enumerate(repeats[call.lead :]):
        if times > 1:
            x = call.node(Concat(axis), *[x] * times)
    return x


@operator("Concat")
def concat(call: Call) -> Node:
    """Join tensors along an axis of a sample."""
    rank = call.rank(*range(len(call.inputs)))
    indices = [i for i in range(len(call.inputs)) if not _is_empty(call.value(i))]
    axis = call.sample_axis(call.attributes.integer("axis"), rank)
    nodes = [_part(call, i, rank) for i in indices]
    return nodes[0] if len(nodes) == 1 else call.node(Concat(axis), *nodes)


def _is_empty(value: Flow | Known) -> bool:
    return isinstance(value, Known) and all(v.size == 0 for v in value.variants)


def _part(call: Call, i: int, rank: int) -> Node:
    value = call.value(i)
    if isinstance(value, Known) and value.variants[0].ndim != rank:
        raise call.misfit(f"input {i} has {value.variants[0].ndim} axes, another has {rank}")
    return call.operand(i, rank)


def taken(call: Call, x: Node, axis: int, indices: Sequence[int]) -> Node:
    """Pick indices along an axis of a sample; nothing to do where they are all of them in order."""
    picks = tuple(int(i) for i in indices)
    return x if picks == tuple(range(x.shape[axis])) else call.node(Gather(axis, picks), x)


def _blocks(call: Call) -> tuple[Node, int, str]:
    x, size = call.flow(), call.attributes.integer("blocksize", low=1)
    if len(x.shape) != 3:
        raise call.misfit(f"reads [batch, channels, height, width], got {call.shown(x)}")
    return x, size, str(call.attributes.choice("mode", "DCR", "CRD", default="DCR"))


@operator("DepthToSpace")
@per_sample(0)
def depth_to_space(call: Call) -> Node:
    """Spread channels over blocks of pixels (definition of opset 13)."""
    x, b, mode = _blocks(call)
    c, h, w = x.shape
    if c % (b * b):
        raise call.misfit(f"{c} channels do not fill blocks of {b} x {b}")
    depth = c // (b * b)
    split = call.node(Reshape((b, b, depth, h, w) if mode == "DCR" else (depth, b, b, h, w)), x)
    moved = call.node(Transpose((2, 3, 0, 4, 1) if mode == "DCR" else (0, 3, 1, 4, 2)), split)
    return call.node(Reshape((depth, h * b, w * b)), moved)


@operator("SpaceToDepth")
@per_sample(0)
def space_to_depth(call: Call) -> Node:
    """Gather blocks of pixels into channels: the inverse of DepthToSpace (definition of opset 28; DCR before it)."""
    x, b, mode = _blocks(call)
    c, h, w = x.shape
    if h % b or w % b:
        raise call.misfit(f"{h} x {w} pixels do not divide into blocks of {b} x {b}")
    split = call.node(Reshape((c, h // b, b, w // b, b)), x)
    moved = call.node(Transpose((2, 4, 0, 1, 3) if mode == "DCR" else (0, 2, 4, 1, 3)), split)
    return call.node(Reshape((c * b * b, h // b, w // b)), moved)


@operator("Trilu")
def trilu(call: Call) -> Node:
    """Set one triangle of each matrix to zero: a product with a constant mask."""
    x, upper = call.flow(), call.attributes.boolean("upper", 1)
    k = call.integers(1) or (0,)
    if len(x.shape) < 2:
        raise call.refuse("the batch is one of the matrix axes", "give the input an axis for the batch")
    ones = np.ones(x.shape[-2:], np.float32)
    return call.node(Mul(), x, call.number(np.triu(ones, k[0]) if upper else np.tril(ones, k[0])))
