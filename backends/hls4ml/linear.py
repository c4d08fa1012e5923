"""Products with constant weights, as integers: what makes hls4ml's Dense and Conv exact for any scales.

With x the carried integers, the graph's result in units of its own scale is ``x @ matrix + bias`` where

    matrix = w * (x.scale * w.scale / result.scale)
    bias = b * (b.scale / result.scale) - x.zero_point * sum(matrix)

and both are whole (the result's scale is their common unit). C++ sees fixed-point numbers: with fx and fo the fraction
bits that carry x and the result, the matrix has fo - fx fraction bits and the bias fo; so the accumulator is the
result's carrier itself.
"""

from dataclasses import dataclass

import numpy as np

from ...graph import Affine, Fixed, NDArray, Node
from ...graph.arrays import Ints, as_array
from ...graph.formats import bits_for
from ...graph.numerics import divide, multiply, whole
from .kernel import DOUBLE_BITS, carrier
from .layers import HlsType


@dataclass(frozen=True)
class Weights:
    """Integers and the format in which C++ carries them; ``reals`` are their values as C++ sees them."""

    integers: Ints
    type: HlsType

    @property
    def reals(self) -> NDArray:
        """The values, exact in float64."""
        return np.ldexp(self.integers.astype(np.float64), -self.type.fraction)


@dataclass(frozen=True)
class Linear:
    """``x @ matrix + bias`` with the accumulator that holds the result (and, modulo its width, every partial sum)."""

    matrix: Weights
    bias: Weights
    accumulator: HlsType


def linear(node: Node, *, padded: bool = False) -> Linear | None:
    """Give the integer form of a Dense or Conv node; None where hls4ml's types cannot carry it.

    ``padded``: zeros stand around x, so that its stored zero must be 0.
    """
    x, w = (i.type for i in node.inputs[:2])
    zero = x.format.zero_point if isinstance(x.format, Affine) else 0
    if w.value is None or not isinstance(zero, int) or (padded and zero != 0):
        return None
    scale = node.type.quantized.scale
    factor = whole(divide(multiply(x.quantized.scale, w.quantized.scale), scale))
    matrix = w.quantized.centre(w.value.data.astype(np.int64)) * factor
    bias = np.zeros(matrix.shape[-1], np.int64)
    if len(node.inputs) > 2:
        b = node.inputs[2].type
        assert b.value is not None
        bias = bias + b.quantized.centre(b.value.data.astype(np.int64)) * whole(divide(b.quantized.scale, scale))
    if zero:
        bias = bias - zero * matrix.sum(axis=tuple(range(matrix.ndim - 1)))
    fraction_x, result = _fraction(carrier(x)), carrier(node.type)
    found = Linear(
        tight(matrix, _fraction(result) - fraction_x), tight(np.asarray(bias), _fraction(result)), HlsType(result)
    )
    wide = max(found.matrix.type.width, found.bias.type.width)
    return found if wide <= DOUBLE_BITS else None


def tight(integers: Ints, fraction: int) -> Weights:
    """Give the narrowest format for integers in units of 2^-fraction: common trailing zeros are left out."""
    bits = int(np.bitwise_or.reduce(np.abs(as_array_of(integers)), axis=None))
    zeros = (bits & -bits).bit_length() - 1 if bits else 0
    kept = integers >> zeros
    low, high = int(kept.min(initial=0)), int(kept.max(initial=0))
    width = bits_for(low, high)
    return Weights(kept, HlsType(Fixed(width, width - (fraction - zeros), low < 0)))


def as_array_of(integers: Ints) -> Ints:
    """Give an array, also of a single number."""
    return np.atleast_1d(integers)


def widened(type: HlsType, bits: int) -> HlsType:
    """Give the type with ``bits`` more before the point."""
    return HlsType(Fixed(type.width + bits, type.integer + bits, type.signed))


def _fraction(format: Fixed) -> int:
    return int(as_array(format.fraction))
