"""Exact constants, and the float32 arithmetic of qkeras 0.9 (tf-keras on a CPU) in numpy.

Every value that qkeras computes is a float32, hence a whole multiple of a power of two: it can be stored exactly.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np

from ...graph import Affine, Array, Fixed, Float, Format, Grid, Quantized
from ...graph.arrays import Ints, NDArray
from ...graph.formats import bits_for, exponent_of
from ...graph.ops import Constant

EPSILON = np.float32(1e-7)
"""``keras.backend.epsilon()``, which keeps the logarithms of qkeras away from zero."""

LN2 = np.float32(np.log(2.0))
MOST_BITS = 62


def f32(value: object) -> NDArray:
    """Give a value, or an array of them, in float32."""
    return np.asarray(value, np.float32)


def exact_constant(values: NDArray) -> Constant:
    """Give float32 values as integers of one fixed-point format, exactly; as floats where that needs over 62 bits."""
    values = f32(values)
    mantissa, exponent = np.frexp(values.astype(np.float64))
    whole = (mantissa * 2.0**24).astype(np.int64)
    if not whole.any():
        return Constant(Array(whole), Fixed(1, 1, False))
    trailing = np.array([(v & -v).bit_length() - 1 for v in whole[whole != 0].ravel().tolist()])
    unit = int((exponent[whole != 0] - 24 + trailing).min())
    if int(exponent[whole != 0].max()) - unit > MOST_BITS:
        return Constant(Array(values))
    units = np.rint(np.ldexp(values.astype(np.float64), -unit)).astype(np.int64)
    width = bits_for(int(units.min()), int(units.max()))
    return Constant(Array(units), Fixed(width, width + unit, bool((units < 0).any())))


def scaled_constant(units: NDArray, scale: NDArray, width: int, *, signed: bool = True) -> Constant:
    """Give ``units * scale``: integers of ``width`` bits and a float32 scale that broadcasts to them.

    ``Fixed`` where every scale is a power of two, else ``Affine``. A scale of 0 makes its integers 0, of any scale.
    """
    live = scale > 0
    stored = np.where(live, units, 0).astype(np.int64)
    shown = np.where(live, scale, scale[live].max() if live.any() else np.float32(1))
    return Constant(Array(stored), _scaled_format(shown, width, signed))


def _scaled_format(scale: NDArray, width: int, signed: bool) -> Quantized:
    cells = np.vectorize(lambda s: Fraction(float(s)), otypes=[object])(scale)
    exponents = np.vectorize(exponent_of, otypes=[object])(cells)
    if any(e is None for e in exponents.ravel().tolist()):
        one = Grid.of(cells)
        return Affine(width, signed, one if isinstance(one, Grid) else Fraction(one))
    integer = Grid.of(width + exponents.astype(np.int64))
    return Fixed(width, integer if isinstance(integer, Grid) else int(integer), signed)


def real_values(constant: Constant) -> NDArray:
    """Give what a constant means, in float32: the integer times the scale, rounded once."""
    if isinstance(constant.format, Float):
        return constant.value.data
    centred = constant.format.centre(constant.value.data.astype(np.int64)).astype(np.float64)
    scale = constant.format.scale
    return f32(centred * (scale.data.astype(np.float64) if isinstance(scale, Grid) else float(scale)))


def power_of_two_of(value: float) -> Constant:
    """Give a power of two as a constant of one bit."""
    mantissa, exponent = np.frexp(value)
    assert mantissa == 0.5, value
    return Constant(Array(np.array(1)), Fixed(1, int(exponent), False))


def reciprocal_of(value: float) -> Constant:
    """Give 1 / ``value`` (of a float32) as an exact constant."""
    scale = 1 / Fraction(float(np.float32(value)))
    exponent = exponent_of(scale)
    format: Format = Affine(1, False, scale) if exponent is None else Fixed(1, 1 + exponent, False)
    return Constant(Array(np.array(1)), format)


def log2(x: NDArray) -> NDArray:
    """Base-2 logarithm as qkeras computes it: the natural one over ln 2, both in float32."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return f32(np.log(f32(x)) / LN2)


def nearest_power(scale: NDArray) -> NDArray:
    """2^round(log2(scale + epsilon)), halves to even: how ``auto_po2`` rounds a scale."""
    with np.errstate(invalid="ignore", over="ignore"):
        return f32(np.exp2(np.rint(log2(f32(scale + EPSILON)))))


def mean(x: NDArray, axes: tuple[int, ...] | None) -> NDArray:
    """Mean over ``axes``, which stay with length 1; rounded once, where TensorFlow's depends on its order."""
    return x if axes is None else f32(x.mean(axis=axes, keepdims=True, dtype=np.float64))


def least_squares(x: NDArray, units: NDArray, axes: tuple[int, ...] | None, power: bool) -> NDArray:
    """Give the scale of ``units`` closest to ``x``, sum(x * units) / sum(units^2), or the power of two next to it."""
    scale = f32(mean(x * units, axes) / (mean(units * units, axes) + EPSILON))
    return nearest_power(scale) if power else scale


def scaling_axes(rank: int, scale_axis: int | None) -> tuple[int, ...]:
    """Give the axes that share a scale: all but ``scale_axis``, by default all but the last."""
    if scale_axis is None:
        return tuple(range(rank - 1))
    return (*range(scale_axis), *range(scale_axis + 1, rank))


Function = Callable[[NDArray], NDArray]


def thresholds_of(function: Function, probes: Iterable[float]) -> tuple[NDArray, NDArray]:
    """Find where a piecewise constant float32 function jumps: thresholds [n] and the values [n + 1] between them.

    ``probes`` has a point inside each piece; between two that differ, the first float32 number of the next piece is
    found by bisection over the representations.
    """
    points = f32(sorted(set(probes)))
    values = function(points)
    jump = np.flatnonzero(values[1:] != values[:-1])
    low, high = _order(points[jump]), _order(points[jump + 1])
    while (high - low > 1).any():
        middle = (low + high) // 2
        same = function(_unorder(middle)) == values[jump]
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return _unorder(high), np.concatenate([values[:1], values[jump + 1]])


def _order(x: NDArray) -> Ints:
    """Number the float32 values so that neighbours differ by one."""
    bits = (x + np.float32(0)).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _unorder(key: Ints) -> NDArray:
    bits = np.where(key < 0, -key | 0x80000000, key)
    return bits.astype(np.uint32).view(np.float32)
