"""Formats of the integers that quantized models hold: from arrays of float32 scales and zero points to ours."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ...graph import Affine, Array, Fixed, NDArray, Node, Quantized
from ...graph.arrays import Grid, as_array, compress
from ...graph.formats import bits_for, exponent_of
from ...graph.numerics import Ratio
from ...graph.ops import Constant

MOST_UNIT_BITS = 40
"""Weights of several scales within one sum are brought to a common unit while they fit this many bits."""


def quantized_format(width: int, signed: bool, scale: NDArray, zero: NDArray) -> Quantized:
    """Give the format of ``scale * (q - zero)``: ``Fixed`` where every scale is a power of two and every zero is 0.

    ``scale`` (exact in float64) and ``zero`` broadcast to the tensor.
    """
    mantissa, exponent = np.frexp(scale)
    if not zero.any() and bool((mantissa == 0.5).all()):
        integer = Grid.of(np.asarray(exponent - 1 + width, np.int64))
        return Fixed(width, integer if isinstance(integer, Grid) else int(integer), signed)
    return Affine(width, signed, ratio(scale), whole(zero))


def in_units_of(unit: Ratio, width: int) -> Quantized:
    """Give the signed format of ``width`` bits whose integers count in units of ``unit``."""
    cells = [exponent_of(c) for c in as_array(unit).ravel().tolist()]
    if all(e is not None for e in cells):
        integer = Grid.of(np.array(cells, np.int64).reshape(as_array(unit).shape) + width)
        return Fixed(width, integer if isinstance(integer, Grid) else int(integer), True)
    return Affine(width, True, unit)


def units(format: Quantized) -> Ratio:
    """Give what one unit of the stored integers is worth, for each channel or element where that differs.

    ``format.scale`` is that of the centred integers: the least of all where they are powers of two.
    """
    if isinstance(format, Affine) or not isinstance(format.fraction, Grid):
        return format.scale
    cells = np.vectorize(lambda f: Fraction(2) ** -int(f), otypes=[object])(format.fraction.data)
    return Grid(np.asarray(cells, dtype=object))


def ratio(scale: NDArray) -> Ratio:
    """Give float64 numbers as exact fractions: one where all are equal."""
    cells = np.vectorize(Fraction, otypes=[object])(compress(scale))
    found = Grid.of(np.asarray(cells, dtype=object))
    return found if isinstance(found, Grid) else Fraction(found)


def whole(zero: NDArray) -> int | Grid:
    """Give integers: one where all are equal."""
    found = Grid.of(np.asarray(zero, np.int64))
    return found if isinstance(found, Grid) else int(found)


def integer_constant(
    stored: NDArray, scale: NDArray, zero: NDArray, move: Callable[[NDArray], NDArray], where: str
) -> Node:
    """Give constant integers in the narrowest format of their scale, their axes rearranged by ``move``."""
    data = np.asarray(move(stored), np.int64)
    scale, zero = (compress(move(np.broadcast_to(v, stored.shape))) for v in (scale, zero))
    low, high = int(data.min(initial=0)), int(data.max(initial=0))
    return Node(Constant(Array(data), quantized_format(bits_for(low, high), low < 0, scale, zero)), (), where)


def one_scale_per_output(node: Node, axes: int = 1) -> Node:
    """Bring weights whose scale differs within a sum (blocks) to one unit per output, the last ``axes`` axes.

    Exact: float32 scales are whole multiples of a power of two. Weights that would need over 40 bits stay as they are.
    """
    format = node.type.format
    if not isinstance(format, Affine) or not isinstance(format.scale, Grid) or format.scale.data.ndim <= axes:
        return node
    assert isinstance(node.op, Constant)
    cells = format.scale.data
    lowest = min(Fraction(c.numerator & -c.numerator, c.denominator) for c in cells.ravel().tolist())
    factors = np.asarray(np.vectorize(lambda c: int(c / lowest), otypes=[object])(cells), dtype=object)
    centred = format.centre(node.op.value.data) * factors
    low, high = int(min(centred.min(), 0)), int(max(centred.max(), 0))
    if bits_for(low, high) > MOST_UNIT_BITS:
        return node
    return integer_constant(
        centred.astype(np.int64), np.array(float(lowest)), np.zeros((), np.int64), np.asarray, node.where
    )


__all__ = ["in_units_of", "integer_constant", "one_scale_per_output", "quantized_format", "ratio", "units", "whole"]
