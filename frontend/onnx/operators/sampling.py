"""GridSample: values between the pixels, at places that are computed.

Formulas: the definition of GridSample (opset 22) and onnx's reference implementation; positions beyond the border are
clamped or reflected first, then each tap around them is.
"""

from functools import reduce
from itertools import product
from math import prod

import numpy as np

from ....graph import Fixed, NDArray, Node
from ....graph.formats import Overflow, Rounding
from ....graph.ops import (
    Activation,
    Add,
    Compare,
    Comparison,
    Maximum,
    Minimum,
    Mul,
    Quantize,
    Remainder,
    Reshape,
    Select,
    Sub,
    Take,
)
from ..registry import Call, operator
from ..samples import per_sample
from .pointwise import scaled
from .slicing import sliced

MODES = {"bilinear": "linear", "bicubic": "cubic", "linear": "linear", "cubic": "cubic", "nearest": "nearest"}
TAPS = {"nearest": (0,), "linear": (0, 1), "cubic": (-1, 0, 1, 2)}
MARGIN = 3
WHOLE = Fixed(24, 24)
"""Positions in pixels, whole."""


@operator("GridSample")
@per_sample(0, 1)
def grid_sample(call: Call) -> Node:
    """``x`` [channels, *space] at ``grid`` [*places, axes], which counts from -1 to 1, the last axis first."""
    x, grid = call.flow(0), call.operand(1, call.rank(0, 1))
    rank = len(x.shape) - 1
    names = ("bilinear", "nearest", "bicubic") if call.opset < 20 else ("linear", "nearest", "cubic")
    mode = MODES[call.attributes.choice("mode", *names, default=names[0])]
    padding = call.attributes.choice("padding_mode", "zeros", "border", "reflection", default="zeros")
    corners = call.attributes.boolean("align_corners", 0)
    if rank < 1 or len(grid.shape) != rank + 1 or grid.shape[-1] != rank:
        raise call.misfit(f"a grid of shape {grid.shape} for samples of shape {x.shape}")
    if padding == "reflection" and corners and 1 in x.shape[1:]:
        raise call.refuse("an axis of length 1 has nothing to reflect", "use padding_mode = border")
    if padding == "border" and mode == "cubic":  # the evaluator keeps places within the borders, others only the taps
        raise call.refuse(
            "cubic sampling with padding_mode = border, on which onnx's evaluator and ONNX Runtime differ",
            "use padding_mode = reflection or zeros",
        )
    axes = [_axis(call, grid, rank - 1 - k, n, mode, padding, corners) for k, n in enumerate(x.shape[1:])]
    flat = call.node(Reshape((x.shape[0], prod(x.shape[1:]))), x)
    strides = [prod(x.shape[2 + k :]) for k in range(rank)]
    parts = []
    for taps in product(*axes):
        places = [scaled_whole(call, index, s) for (index, _), s in zip(taps, strides, strict=True)]
        picked = call.node(Take(1), flat, reduce(lambda a, b: call.node(Add(), a, b), places))
        weights = [w for _, w in taps if w is not None]
        parts.append(reduce(lambda a, b: call.node(Mul(), a, b), [picked, *weights]))
    return reduce(lambda a, b: call.node(Add(), a, b), parts)


def scaled_whole(call: Call, x: Node, factor: int) -> Node:
    """``x * factor`` for whole numbers."""
    return x if factor == 1 else call.node(Mul(), x, call.constant(np.int64(factor)))


def _axis(
    call: Call, grid: Node, column: int, length: int, mode: str, padding: str, corners: bool
) -> list[tuple[Node, Node | None]]:
    """Give the taps along one axis: the index of each, and its weight."""
    last = len(grid.shape) - 1
    g = call.node(Reshape(grid.shape[:-1]), sliced(call, grid, {last: slice(column, column + 1)}))
    span = length - 1 if corners else length
    at = call.node(Add(), scaled(call, g, span / 2), call.constant(np.float32((length - 1) / 2)))
    if mode == "nearest":  # halves to even, before the border is looked at
        at = call.node(Quantize(WHOLE, Rounding.RND_CONV, Overflow.SAT), at)
    low, high = (0.0, length - 1.0) if corners else (-0.5, length - 0.5)
    at = _inside(call, at, padding, length, (low, high))
    below = call.node(Quantize(WHOLE, Rounding.TRN, Overflow.SAT), at)
    rest = None if mode == "nearest" else call.node(Sub(), at, below)
    taps = []
    for tap, weight in zip(TAPS[mode], _weights(call, mode, rest), strict=True):
        place = below if tap == 0 else call.node(Add(), below, call.constant(np.int64(tap)))
        bounded = call.node(Maximum(), place, call.constant(np.int64(-MARGIN)))
        bounded = call.node(Minimum(), bounded, call.constant(np.int64(length - 1 + MARGIN)))
        key = call.node(Add(), bounded, call.constant(np.int64(MARGIN)))
        table, exists = _table(padding, length, low, high)
        index = call.node(Take(0), call.constant(table), key)
        if not exists.all():
            there = call.node(Take(0), call.constant(exists.astype(np.int64)), key)
            weight = there if weight is None else call.node(Mul(), weight, there)
        taps.append((index, weight))
    return taps


def _inside(call: Call, at: Node, padding: str, length: int, border: tuple[float, float]) -> Node:
    """Bring positions beyond the border back; those within stay."""
    low, high = border
    if padding == "zeros":
        return at
    if padding == "border":  # to the outermost pixels; what lies between these and the border stays
        first, last = (call.constant(np.float32(v)) for v in (0, length - 1))
        below = call.node(Compare(Comparison.LESS), at, call.constant(np.float32(low)))
        above = call.node(Compare(Comparison.LESS), call.constant(np.float32(high)), at)
        return call.node(Select(), below, first, call.node(Select(), above, last, at))
    span = np.float32(high - low)
    from_low = call.node(Sub(), at, call.constant(np.float32(low)))
    round_trip = call.node(Remainder(), from_low, call.constant(2 * span))
    distance = call.node(Activation("abs"), call.node(Sub(), round_trip, call.constant(span)))
    return call.node(Sub(), call.constant(np.float32(high)), distance)


def _table(padding: str, length: int, low: float, high: float) -> tuple[NDArray, NDArray]:
    """Give for taps from -MARGIN on the pixel that each means, and whether there is one."""
    taps = np.arange(-MARGIN, length + MARGIN)
    if padding == "reflection":
        span = high - low
        folded = high - np.abs((taps - low) % (2 * span) - span)
        return np.clip(folded, 0, length - 1).astype(np.int64), np.ones(len(taps), bool)
    exists = (taps >= 0) & (taps < length) if padding == "zeros" else np.ones(len(taps), bool)
    return np.clip(taps, 0, length - 1), exists


def _weights(call: Call, mode: str, rest: Node | None) -> list[Node | None]:
    """Give the weight of each tap at a distance ``rest`` from the lower pixel; cubic by Keys (1981), a = -0.75."""
    if rest is None:
        return [None]
    one = call.constant(np.float32(1))
    away = call.node(Sub(), one, rest)
    if mode == "linear":
        return [away, rest]
    a = -0.75
    far = [-4 * a, 8 * a, -5 * a, a]
    near = [1.0, 0.0, -(a + 3), a + 2]
    return [
        _polynomial(call, far, call.node(Add(), rest, one)),
        _polynomial(call, near, rest),
        _polynomial(call, near, away),
        _polynomial(call, far, call.node(Add(), away, one)),
    ]


def _polynomial(call: Call, coefficients: list[float], x: Node) -> Node:
    """Evaluate by Horner's rule; the constant term comes first."""
    result = scaled(call, x, coefficients[-1])
    for c in coefficients[-2:0:-1]:
        result = call.node(Mul(), call.node(Add(), result, call.constant(np.float32(c))), x)
    return call.node(Add(), result, call.constant(np.float32(coefficients[0])))
