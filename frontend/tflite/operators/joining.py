"""CONCATENATION and TRANSPOSE. Kernels: ``concatenation.cc``, ``transpose.cc``."""

import numpy as np

from ....graph import Affine, Node
from ....graph.ops import Concat, Lookup, Transpose
from ..arithmetic import is_float, quantized_format, recast, round_half_away, stored_as
from ..registry import Call, operator
from .shapes import copied


@operator("CONCATENATION", versions=5)
def concatenation(call: Call) -> Node:
    """Along one axis; uint8 parts of other scales are rescaled in float32, as the kernel does it."""
    if call.activation() != "NONE":
        raise call.attributes.refusal("fused_activation_function", "not NONE", "the kernel refuses it")
    first = call.info(0)
    axis = call.axis(call.attributes.integer("axis"), len(first.shape))
    count = len(call.inputs)
    infos = [call.info(i) for i in range(count)]
    if len({len(i.shape) for i in infos}) != 1:
        raise call.misfit(f"parts of shapes {[i.shape for i in infos]}")
    parts = _parts(call, axis, count)
    if not is_float(call, *infos, call.result):
        parts = [_rescaled(call, i, p) for i, p in enumerate(parts)]
    lost = len(first.shape) - len(parts[0].shape)
    if count == 1:
        return call.fitted(parts[0])
    joined = call.node(Concat(axis - lost), *parts)
    if joined.type.is_integer:
        joined = stored_as(call, joined, call.result.format)  # type: ignore[arg-type]
    return call.fitted(joined)


def _parts(call: Call, axis: int, count: int) -> list[Node]:
    """Give the parts with all axes where they are joined along the batch, else without it."""
    dropped = [len(call.inside(call.info(i).shape)) < len(call.info(i).shape) for i in range(count)]
    if axis == 0 or not all(dropped):
        return [call.whole(i) for i in range(count)]
    return [call.operand(i) for i in range(count)]


def _rescaled(call: Call, i: int, part: Node) -> Node:
    info, result = call.info(i), call.result
    if info.type != result.type:
        raise call.misfit(f"{info.type} joins {result.type}")
    same = (info.scale, info.zero_point) == (result.scale, result.zero_point)
    if info.type == "INT8" and not same:
        raise call.refuse(f"part {i} has another scale than the output", "the kernel wants one scale")
    if info.type == "INT16" and (info.zero_point or result.zero_point):
        raise call.refuse("int16 with a zero point", "the kernel wants none")
    if info.type != "UINT8" or same:
        return recast(call, part, result.format)  # type: ignore[arg-type]
    format = quantized_format(call, result)
    assert isinstance(format, Affine)
    with np.errstate(all="ignore"):
        inverse = np.float32(1.0) / np.float32(result.scale)
        scale = np.float32(info.scale) * inverse
        bias = np.float32(-info.zero_point) * scale
        values = np.arange(256, dtype=np.float32) * scale + bias
    if not (np.abs(values) < 2.0**31).all():
        raise call.refuse(f"part {i} is beyond 32 bits in units of the output's scale", "its scale is damaged")
    table = [min(255, max(0, round_half_away(float(v)) + result.zero_point)) for v in values]
    return call.node(Lookup(0), part, call.stored(np.array(table), format, f"table {i}"))


@operator("TRANSPOSE", versions=7)
def transpose(call: Call) -> Node:
    """Axis i of the result is axis ``permutation[i]`` of the input."""
    info, order = call.info(0), call.integers(1)
    rank = len(info.shape)
    order = tuple(call.axis(a, rank) for a in order)
    if sorted(order) != list(range(rank)):
        raise call.misfit(f"{order} is no order of {rank} axes")
    lost = rank - len(call.inside(info.shape))
    if lost and order[0] == 0:
        x, axes = call.operand(0), tuple(a - 1 for a in order[1:])
    else:
        x, axes = call.whole(0), order
    moved = x if axes == tuple(range(len(axes))) else call.node(Transpose(axes), x)
    return call.fitted(copied(call, moved))
