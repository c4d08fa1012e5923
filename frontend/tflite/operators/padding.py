"""Padding. Kernels: ``pad.cc``, ``mirror_pad.cc``."""

from ....graph import Node
from ....graph.ops import Gather, Pad
from ..arithmetic import quantized_format
from ..registry import Call, operator
from .shapes import copied

Widths = tuple[tuple[int, int], ...]
LONGEST = 1 << 20
"""No axis that is mirrored may be longer."""


def _widths(call: Call) -> tuple[Node, Widths]:
    """Give the input with the axes that are padded, and the cells before and after each."""
    table = call.array(1)
    info = call.info(0)
    if table.dtype.kind != "i" or table.shape != (len(info.shape), 2) or (table < 0).any():
        raise call.misfit(f"paddings of shape {table.shape} for a tensor of shape {info.shape}")
    widths = tuple((int(a), int(b)) for a, b in table)
    lost = len(info.shape) - len(call.inside(info.shape))
    if lost and widths[0] != (0, 0):
        return call.whole(0), widths
    return call.operand(0), widths[lost:]


@operator("PAD", versions=4)
def pad(call: Call) -> Node:
    """Zeros; of quantized tensors the output's zero point, which means 0."""
    x, widths = _widths(call)
    return _padded(call, x, widths, 0.0)


@operator("PADV2", versions=4)
def pad_v2(call: Call) -> Node:
    """A constant: a stored number of the output's format."""
    x, widths = _widths(call)
    if not call.has(2):
        return _padded(call, x, widths, 0.0)
    value, info = call.array(2), call.info(2)
    if value.size != 1:
        raise call.misfit(f"the padding value has shape {value.shape}")
    stored = value.ravel()[0]
    if call.result.is_quantized:
        quantized_format(call, call.result)
        if (info.scale, info.zero_point) != (call.result.scale, call.result.zero_point):
            raise call.refuse("the padding value has another scale than the output", "the kernel wants one")
        return _padded(call, x, widths, (int(stored) - call.result.zero_point) * call.result.scale)
    return _padded(call, x, widths, float(stored))


def _padded(call: Call, x: Node, widths: Widths, value: float) -> Node:
    x = copied(call, x)
    return call.fitted(call.node(Pad(widths, value), x)) if any(map(any, widths)) else call.fitted(x)


@operator("MIRROR_PAD", versions=3)
def mirror_pad(call: Call) -> Node:
    """Mirrored at the edge: without the edge itself (REFLECT), or with it (SYMMETRIC)."""
    symmetric = call.attributes.choice("mode", 0, 1)
    x, widths = _widths(call)
    for axis, (before, after) in enumerate(widths):
        n = x.shape[axis]
        if max(before, after) > (n if symmetric else n - 1):
            raise call.misfit(f"{before} and {after} cells around an axis of {n} cannot be mirrored")
        if before or after:
            if n > LONGEST:
                raise call.misfit(f"an axis of {n} is mirrored")
            edge = 0 if symmetric else 1
            left = tuple(range(before - 1 + edge, edge - 1, -1))
            right = tuple(range(n - 1 - edge, n - 1 - edge - after, -1))
            x = call.node(Gather(axis, (*left, *range(n), *right)), x)
    return call.fitted(copied(call, x))
