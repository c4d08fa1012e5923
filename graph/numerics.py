"""Exact rounding, saturation and change of scale, on int64 arrays. Everything that the product computes comes through here."""

from fractions import Fraction
from math import gcd

import numpy as np

from .arrays import Grid, Ints, NDArray, as_array
from .errors import GatewrightError, RangeError
from .formats import Affine, Fixed, Overflow, Quantized, Rounding, exponent_of, power_of_two

Ratio = Fraction | Grid
LIMIT = float(2**63) * (1 - 2**-40)


def shift_right(v: Ints, n: int, rounding: Rounding) -> Ints:
    """``v / 2**n`` rounded, exactly; ``n <= 0`` is a shift to the left."""
    if n <= 0:
        return v << -n
    if n > 63:  # every value is under half a unit
        toward_minus = rounding is Rounding.TRN
        return np.where(v < 0, -1, 0) if toward_minus else np.zeros_like(v)
    if rounding is Rounding.TRN:
        return v >> n
    if rounding is Rounding.RND:  # floor(v / 2^n + 1/2), without a sum that could overflow
        return ((v >> (n - 1)) + 1) >> 1
    floor = v >> n
    rest = v - (floor << n)
    return floor + _carry(v, floor, rest, np.int64(1) << np.int64(n - 1), rounding)


def _carry(v: Ints, floor: Ints, rest: Ints, half: NDArray | np.int64, rounding: Rounding) -> NDArray:
    """1 where the floor is one too small; ``rest`` is what was dropped, ``half`` what a half would be."""
    match rounding:
        case Rounding.TRN:
            return np.zeros(rest.shape, bool)
        case Rounding.TRN_ZERO:
            return (v < 0) & (rest != 0)
        case Rounding.RND:
            return rest >= half
        case Rounding.RND_MIN_INF:
            return rest > half
        case Rounding.RND_ZERO:
            return (rest > half) | ((rest == half) & (v < 0))
        case Rounding.RND_INF:
            return (rest > half) | ((rest == half) & (v >= 0))
        case Rounding.RND_CONV:
            return (rest > half) | ((rest == half) & ((floor & 1) == 1))


def multiply_divide(v: Ints, ratio: Ratio, rounding: Rounding) -> Ints:
    """``v * ratio`` rounded, exactly, for one ratio or a grid of them. Raises RangeError where a product needs over 63 bits."""
    if isinstance(ratio, Fraction) and ratio.denominator & (ratio.denominator - 1) == 0:
        product = v if ratio.numerator == 1 else _product(v, np.array(ratio.numerator, dtype=object))
        return shift_right(product, ratio.denominator.bit_length() - 1, rounding)
    cells = as_array(ratio)
    numerator = np.vectorize(lambda r: r.numerator, otypes=[object])(cells)
    divisor = _int64(np.vectorize(lambda r: 2 * r.denominator, otypes=[object])(cells))
    product = _product(v, np.asarray(2 * numerator, dtype=object))  # doubled, so that half of the divisor is an integer
    floor = product // divisor
    return floor + _carry(v, floor, product - floor * divisor, divisor >> 1, rounding)


def _int64(values: NDArray) -> Ints:
    if max((abs(x) for x in values.ravel().tolist()), default=0) >= 2**63:
        raise RangeError("a change of scale needs over 64 bits", hint="quantize to fewer bits before it")
    return values.astype(np.int64)


def _product(v: Ints, factor: NDArray) -> Ints:
    small = _int64(factor)
    if v.size and float(np.abs(v).max()) * float(np.abs(small).max()) >= LIMIT:
        raise RangeError("a change of scale needs over 64 bits", hint="quantize to fewer bits before it")
    return v * small


def overflow(v: Ints, format: Quantized, mode: Overflow) -> Ints:
    """Bring integers into the range of ``format`` in the way that ``mode`` says."""
    low, high = format.bounds
    match mode:
        case Overflow.SAT:
            return np.clip(v, low, high)
        case Overflow.SAT_SYM:
            return np.clip(v, np.where(low < 0, -high, 0), high)
        case Overflow.SAT_ZERO:
            return np.where((v < low) | (v > high), 0, v)
        case Overflow.WRAP:
            return _wrap(v, format)


def _wrap(v: Ints, format: Quantized) -> Ints:
    width = as_array(format.width)
    low, high = format.bounds
    mask = np.where(width >= 64, np.int64(-1), (np.int64(1) << np.minimum(width, 62)) - 1)
    mask = np.where(width == 63, np.int64(2**63 - 1), mask)
    v = v & mask
    return np.where(v > high, v - mask - 1, v)


def requantize(v: Ints, scale: Ratio, format: Quantized, rounding: Rounding, mode: Overflow) -> Ints:
    """Centred integers in units of ``scale`` -> stored integers of ``format``. Shapes broadcast from the right."""
    if isinstance(format, Affine):
        zero = as_array(format.zero_point)
        return overflow(multiply_divide(v, divide(scale, format.scale), rounding) + zero, format, mode)
    unit = _units(format)
    return overflow(multiply_divide(v, divide(scale, unit), rounding), format, mode)


def _units(format: Fixed) -> Ratio:
    """The value of one unit of a stored integer, per element where they differ."""
    if isinstance(format.fraction, Grid):
        cells = np.vectorize(lambda f: Fraction(2) ** -int(f), otypes=[object])(format.fraction.data)
        return Grid(cells)
    return Fraction(2) ** -format.fraction


def divide(a: Ratio, b: Ratio) -> Ratio:
    """``a / b``, exactly, for numbers and grids."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a / b
    result = Grid.of(np.asarray(as_array(a) / as_array(b), dtype=object))
    return result if isinstance(result, Grid) else Fraction(result)


def multiply(a: Ratio, b: Ratio) -> Ratio:
    """``a * b``, exactly, for numbers and grids."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a * b
    result = Grid.of(np.asarray(as_array(a) * as_array(b), dtype=object))
    return result if isinstance(result, Grid) else Fraction(result)


def quantize(x: NDArray, format: Quantized, rounding: Rounding, mode: Overflow, *, where: str = "") -> Ints:
    """Real numbers -> stored integers. Exact for ``Fixed``; for ``Affine`` the division is float32, as the runtimes do it."""
    if not np.isfinite(x).all():
        raise GatewrightError("NaN or infinite values cannot be quantized", where=where, hint="check the samples")
    if isinstance(format, Affine):
        scale = as_array(format.scale).astype(np.float32)
        units = (x.astype(np.float32) / scale).astype(np.float64)
        zero = as_array(format.zero_point)
        return overflow(_to_int64(_round_real(units, rounding), mode) + zero, format, mode)
    units = np.ldexp(x.astype(np.float64), as_array(format.fraction).astype(np.int32))
    rounded = _round_real(units, rounding)
    if mode is Overflow.WRAP and rounded.size and np.abs(rounded).max() >= 2.0**62:
        rounded = np.fmod(rounded, np.ldexp(1.0, as_array(format.width).astype(np.int32)))
    return overflow(_to_int64(rounded, mode), format, mode)


def _to_int64(rounded: NDArray, mode: Overflow) -> Ints:
    return np.clip(rounded, -(2.0**62), 2.0**62).astype(np.int64)


def _round_real(u: NDArray, rounding: Rounding) -> NDArray:
    match rounding:
        case Rounding.TRN:
            return np.floor(u)
        case Rounding.TRN_ZERO:
            return np.trunc(u)
        case Rounding.RND_CONV:
            return np.rint(u)
    floor = np.floor(u)
    rest = u - floor  # exact for what was float32
    match rounding:
        case Rounding.RND:
            up = rest >= 0.5
        case Rounding.RND_MIN_INF:
            up = rest > 0.5
        case Rounding.RND_ZERO:
            up = (rest > 0.5) | ((rest == 0.5) & (u < 0))
        case _:
            up = (rest > 0.5) | ((rest == 0.5) & (u >= 0))
    return floor + up


def dequantize(q: Ints, format: Quantized) -> NDArray:
    """Stored integers -> float64 values (exact below 2^53)."""
    centred = format.centre(q).astype(np.float64)
    if isinstance(format.scale, Fraction) and (format.scale.denominator & (format.scale.denominator - 1)) == 0:
        return centred * float(format.scale)
    return centred * as_array(format.scale).astype(np.float64)


def common_scale(a: Ratio, b: Ratio) -> Ratio:
    """Give the largest scale of which both are whole multiples; one power of two where that serves every element."""
    cells = np.vectorize(_gcd, otypes=[object])(as_array(a), as_array(b))
    exponents = [exponent_of(c) for c in cells.ravel().tolist()]
    if all(e is not None for e in exponents):
        return power_of_two(min(e for e in exponents if e is not None))
    found = Grid.of(cells)
    return found if isinstance(found, Grid) else Fraction(found)


def _gcd(a: Fraction, b: Fraction) -> Fraction:
    return Fraction(gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)


def whole(ratio: Ratio) -> Ints:
    """Give a ratio that is an integer (or a grid of them) as int64. Raises RangeError beyond 63 bits."""
    return _int64(np.vectorize(int, otypes=[object])(as_array(ratio)))
