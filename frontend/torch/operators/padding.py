"""Padding: constants, reflections, edges, wrapping; negative padding cuts."""

import numpy as np

from ....graph import Node
from ....graph.ops import Pad
from ..registry import Build, Call, Results, operator
from ..values import MAX_ELEMENTS, Flow
from .moves import taken
from .slicing import sliced

MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
MAX_PICKS = 1 << 20
"""Of an axis that is padded with values of the tensor itself."""


@operator("pad")
def pad(call: Call) -> Results:
    """Pad the last axes, in the mode that is asked for."""
    mode = call.arguments.choice("mode", "constant", *MODES, default="constant")
    value = call.arguments.take("value", None)
    x = call.flow()
    pairs = _pairs(call, x, call.sizes("pad"))
    if mode == "constant":
        return padded(call, x, pairs, 0.0 if value is None else value)
    return _mirrored(call, x, pairs, MODES[mode])


@operator("constant_pad_nd")
def constant_pad_nd(call: Call) -> Results:
    """Pad the last axes with a number."""
    x = call.flow()
    return padded(call, x, _pairs(call, x, call.sizes("pad")), call.arguments.take("value", 0))


def _mode(mode: str) -> Build:
    def build(call: Call) -> Results:
        x = call.flow()
        return _mirrored(call, x, _pairs(call, x, call.sizes("pad" if "pad" in call.arguments else "padding")), mode)

    return build


operator("_pad_circular")(_mode("wrap"))
for _rank in (1, 2, 3):
    operator(f"reflection_pad{_rank}d")(_mode("reflect"))
    operator(f"replication_pad{_rank}d")(_mode("edge"))


def _pairs(call: Call, x: Flow, sizes: list[tuple[int, ...]]) -> dict[int, tuple[int, int]]:
    """Give (before, after) by axis of a sample; PyTorch lists them from the last axis on."""
    flat = sizes[0]
    if len(set(sizes)) > 1 or len(flat) % 2 or len(flat) > 2 * x.rank:
        raise call.misfit(f"padding {list(flat)} for {call.shape(x)}")
    pairs = {}
    for i in range(len(flat) // 2):
        before, after = flat[2 * i], flat[2 * i + 1]
        if before or after:
            pairs[call.axis(x, x.rank - 1 - i)] = (before, after)
    if any(max(abs(v) for v in p) > MAX_ELEMENTS for p in pairs.values()):
        raise call.misfit(f"padding {list(flat)}")
    return pairs


def padded(call: Call, x: Flow, pairs: dict[int, tuple[int, int]], value: object) -> Flow:
    """Put a number around axes of a sample."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise call.refuse(f"the padding value is {value!r}", "use a finite number")
    node = _cut(call, x.node, pairs)
    grown = tuple(tuple(max(v, 0) for v in pairs.get(i, (0, 0))) for i in range(len(node.shape)))
    return x.on(call.node(Pad(tuple((a, b) for a, b in grown), float(value)), node) if any(map(any, grown)) else node)


def _cut(call: Call, x: Node, pairs: dict[int, tuple[int, int]]) -> Node:
    for axis, (before, after) in pairs.items():
        n = x.shape[axis]
        if before < 0 or after < 0:
            x = sliced(call, x, axis, slice(max(-before, 0), max(n - max(-after, 0), 0)))
    return x


def _mirrored(call: Call, x: Flow, pairs: dict[int, tuple[int, int]], mode: str) -> Flow:
    """Pad with values of the tensor itself: pick them, axis by axis."""
    node = _cut(call, x.node, pairs)
    for axis, widths in pairs.items():
        n, grown = node.shape[axis], tuple(max(w, 0) for w in widths)
        limit = {"reflect": n - 1, "wrap": n}.get(mode, MAX_PICKS)
        if max(grown) > limit or n + sum(grown) > MAX_PICKS:
            raise call.misfit(f"padding {widths} of an axis of length {n}")
        indices = np.pad(np.arange(n), grown, mode=mode)  # type: ignore[call-overload]
        node = taken(call, node, axis, indices.tolist())
    return x.on(node)
