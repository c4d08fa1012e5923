"""Fixed-point formats for constants."""

import numpy as np

from ..graph import Array, Fixed, NDArray, Node, OptionError, Overflow, Rounding
from ..graph.numerics import dequantize, quantize
from ..graph.ops import Constant
from .config import Precision


def quantized_constant(node: Node, precision: Precision, named: bool) -> Node:
    """Give a float constant a fixed-point format: the one that the user ``named``, else the one of that width that fits
    its values.

    Values that fewer bits hold exactly get fewer. Raises OptionError where a named format saturates a weight.
    """
    assert isinstance(node.op, Constant)
    values = node.op.value.data.astype(np.float64)
    format = precision.format if named else fitting(values, precision.width)
    stored = quantize(
        values, format, Rounding.RND_CONV if not named else precision.rounding, Overflow.SAT, where=node.where
    )
    if named and (low_high := _outside(values, format)):
        raise OptionError(
            f"weights from {low_high[0]:g} to {low_high[1]:g} do not fit {format}",
            where=node.where,
            hint="give more integer bits",
        )
    return Node(Constant(Array(stored), format), (), node.where)


def coarsened(node: Node, fraction: int) -> Node:
    """Round a fixed-point constant that has more than ``fraction`` fraction bits to that many."""
    format = node.type.format
    if not isinstance(node.op, Constant) or not isinstance(format, Fixed) or format.common_fraction <= fraction:
        return node
    reals = dequantize(node.op.value.data, format)
    low_high = (float(np.abs(reals).max(initial=0.0)), 2.0**-fraction)
    integer = int(np.ceil(np.log2(max(low_high)))) + 2
    coarse = Fixed(integer + fraction, integer, True)
    return Node(Constant(Array(quantize(reals, coarse, Rounding.RND_CONV, Overflow.SAT)), coarse), (), node.where)


def fitting(values: NDArray, width: int) -> Fixed:
    """Give the finest format of at most ``width`` bits that holds all ``values``; fewer bits where they suffice."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return Fixed(1, 1, False)
    signed = bool((values < 0).any())
    integer = int(np.floor(np.log2(largest))) + 1 + signed
    if not _fits(values, Fixed(width, integer, signed)):
        integer += 1
    fraction = width - integer
    units = np.ldexp(values, fraction)
    if np.array_equal(units, np.rint(units)):
        common = int(np.gcd.reduce(np.abs(units[units != 0]).astype(np.int64)))
        spare = (common & -common).bit_length() - 1
        fraction -= spare
    return Fixed(integer + fraction, integer, signed) if integer + fraction >= 1 else Fixed(1, integer, signed)


def _fits(values: NDArray, format: Fixed) -> bool:
    return _outside(values, format) is None


def _outside(values: NDArray, format: Fixed) -> tuple[float, float] | None:
    """Give the least and greatest value where rounding to nearest leaves the format's range, else None."""
    low, high = format.bounds
    units = np.rint(
        np.ldexp(values, int(np.max(format.fraction if isinstance(format.fraction, int) else format.fraction.data)))
    )
    if (units < low).any() or (units > high).any():
        return float(values.min()), float(values.max())
    return None
