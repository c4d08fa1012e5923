"""Piecewise constant functions on integers: thresholds brought to the grid of what they are compared with."""

from fractions import Fraction
from math import ceil

import numpy as np

from ..graph import Affine, Array, Node, UnsupportedError
from ..graph.arrays import Grid, as_array
from ..graph.formats import narrowest
from ..graph.numerics import dequantize, divide
from ..graph.ops import Constant, Mul, Step
from .weights import fitting


def exact_step(old: Node, inputs: tuple[Node, ...]) -> Node:
    """Put a Step on integers: ``x >= t`` is ``q >= ceil(t / scale)``, exactly, for any real threshold t."""
    x, thresholds, values = inputs
    assert isinstance(thresholds.op, Constant)
    scale = x.type.quantized.scale
    if isinstance(scale, Grid) and not thresholds.op.value.data.any():
        ones = Node(Constant(Array(np.ones(scale.data.shape, np.int64)), _inverse(scale)), (), old.where)
        x = Node(Mul(), (x, ones), old.where)  # of which only the sign matters
    if isinstance(x.type.quantized.scale, Grid):
        raise UnsupportedError(
            f"thresholds on values of format {x.type.format}", where=old.where, hint="quantize before it"
        )
    return Node(Step(), (x, _thresholds(x, thresholds), _values(values)), old.where)


def _inverse(scale: Grid) -> Affine:
    inverse = divide(Fraction(1), scale)
    return Affine(1, False, inverse)


def _thresholds(x: Node, thresholds: Node) -> Node:
    assert isinstance(thresholds.op, Constant)
    scale = x.type.quantized.scale
    assert isinstance(scale, Fraction)
    low, high = x.type.interval
    data = thresholds.op.value.data
    reals = dequantize(data, thresholds.type.quantized) if thresholds.type.is_integer else data.astype(np.float64)
    stored = [_ceil(float(t), scale, int(low.min()), int(high.max()) + 1) for t in reals]
    least, greatest = min(0, *stored, int(low.min())), max(*stored, int(high.max()))
    return Node(Constant(Array(np.array(stored, np.int64)), narrowest(scale, least, greatest)), (), thresholds.where)


def _ceil(threshold: float, scale: Fraction, low: int, high: int) -> int:
    """The least integer q with q * scale >= threshold, held to the range where it makes a difference."""
    if threshold == np.inf or threshold == -np.inf:
        return high if threshold > 0 else low
    return max(low, min(high, ceil(Fraction(threshold) / scale)))


def _values(values: Node) -> Node:
    if values.type.is_integer:
        return values
    assert isinstance(values.op, Constant)
    data = values.op.value.data.astype(np.float64)
    format = fitting(data, 32)
    stored = np.ldexp(data, int(np.max(as_array(format.fraction))))
    if not np.array_equal(stored, np.rint(stored)):
        raise UnsupportedError("the values of a step function need over 32 bits", where=values.where)
    return Node(Constant(Array(stored.astype(np.int64)), format), (), values.where)
