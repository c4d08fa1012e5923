"""Pad: constants, reflections and edges; negative padding cuts."""

import numpy as np

from ....graph import Node
from ....graph.ops import Pad
from ..registry import MAX_ELEMENTS, Call, operator
from .moves import taken
from .slicing import sliced

MAX_PICKS = 1 << 20
"""Of an axis that is padded with values of the tensor itself."""
MODES = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@operator("Pad")
def pad(call: Call) -> Node:
    """Pad or cut axes of a sample: attributes before opset 11, inputs from then on."""
    x, mode = call.flow(), call.attributes.choice("mode", *MODES, default="constant")
    pads, value = _pads(call, len(x.shape) + call.lead)
    if call.lead and pads[0] != (0, 0):
        raise call.refuse("it pads axis 0, the batch", "samples are independent; pad other axes")
    if any(n + max(abs(a), abs(b)) > MAX_ELEMENTS for n, (a, b) in zip(x.shape, pads[call.lead :], strict=True)):
        raise call.misfit(f"padding {pads}")
    cuts = {
        i: slice(max(-a, 0), max(n - max(-b, 0), 0))
        for i, (n, (a, b)) in enumerate(zip(x.shape, pads[call.lead :], strict=True))
    }
    x = sliced(call, x, cuts)
    grown = tuple((max(a, 0), max(b, 0)) for a, b in pads[call.lead :])
    if not any(map(any, grown)):
        return x
    return call.node(Pad(grown, value), x) if mode == "constant" else _mirrored(call, x, grown, MODES[mode])


def _mirrored(call: Call, x: Node, pads: tuple[tuple[int, int], ...], mode: str) -> Node:
    """Pad with values of the tensor itself: pick them, axis by axis."""
    for axis, widths in enumerate(pads):
        n = x.shape[axis]
        if n + sum(widths) > MAX_PICKS:
            raise call.misfit(f"padding {pads}")
        if mode == "reflect" and n == 1 and any(widths):
            raise call.misfit("an axis of length 1 has nothing to reflect")
        indices = np.pad(np.arange(n), widths, mode=mode)  # type: ignore[call-overload]
        x = taken(call, x, axis, indices.tolist())
    return x


def _pads(call: Call, rank: int) -> tuple[list[tuple[int, int]], float]:
    """Give (before, after) for each axis, the batch included, and the padding value."""
    if call.opset < 11:
        flat = call.attributes.integers("pads", 2 * rank)
        return list(zip(flat[:rank], flat[rank:], strict=True)), call.attributes.real("value", 0.0)
    given, value, axes = call.integers(1), call.scalar(2), call.integers(3)
    along = range(rank) if axes is None else [call.axis(a, rank) for a in axes]
    if given is None or len(given) != 2 * len(along) or len(set(along)) != len(along):
        raise call.misfit(f"pads {given} for axes {list(along)}")
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(along):
        pairs[axis] = (given[i], given[i + len(along)])
    if value is not None and not np.isfinite(value) and any(map(any, pairs)):
        raise call.refuse(f"the padding value is {value}", "use a finite number")
    return pairs, 0.0 if value is None else value
