"""Exact rounding, saturation and change of scale on int64 arrays: all that the product computes comes through here."""

from fractions import Fraction
from math import gcd

import numpy as np

from .arrays import Grid, Ints, NDArray, as_array
from .errors import GatewrightError, RangeError
from .formats import Affine, Fixed, Overflow, Quantized, Rounding, exponent_of, power_of_two

Ratio = Fraction | Grid
LIMIT = float(2**63) * (1 - 2**-40)
LEAST, GREATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def shift_right(v: Ints, n: int, rounding: Rounding) -> Ints:
    """``v / 2**n`` rounded, exactly; ``n <= 0`` is a shift to the left (the caller knows that the result fits)."""
    if n <= 0:
        shifted: Ints = np.left_shift(v, -n)
        return shifted
    if n > 63:
        return _vanished(v, n, rounding)
    if rounding is Rounding.TRN:
        return np.right_shift(v, n)
    if rounding is Rounding.RND:  # floor(v / 2^n + 1/2), without a sum that could overflow
        halves = np.right_shift(v, n - 1)
        rounded: Ints = np.right_shift(halves + 1, 1) if n > 1 else np.add(np.right_shift(v, 1), v & 1)
        return rounded
    floor: Ints = np.right_shift(v, n)
    rest = v - np.left_shift(floor, n)
    return np.add(floor, _carry(v, floor, rest, np.int64(1) << np.int64(n - 1), rounding))


def _vanished(v: Ints, n: int, rounding: Rounding) -> Ints:
    """``v / 2**n`` for n over 63: within -1/2 .. 1/2, and -1/2 only where v is -2^63 and n is 64."""
    if rounding is Rounding.TRN:
        return np.where(v < 0, np.int64(-1), np.int64(0))
    down = n == 64 and rounding in (Rounding.RND_INF, Rounding.RND_MIN_INF)
    return np.where(v == LEAST, np.int64(-1), np.int64(0)) if down else np.zeros_like(v)


def _carry(v: Ints, floor: Ints, rest: Ints, half: NDArray | np.int64, rounding: Rounding) -> NDArray:
    """1 where the floor is one too small; ``rest`` is what was dropped, ``half`` what a half would be."""
    match rounding:
        case Rounding.TRN:
            return np.zeros(rest.shape, bool)
        case Rounding.TRN_ZERO:
            return np.asarray((v < 0) & (rest != 0))
        case Rounding.RND:
            return np.asarray(rest >= half)
        case Rounding.RND_MIN_INF:
            return np.asarray(rest > half)
        case Rounding.RND_ZERO:
            return np.asarray((rest > half) | ((rest == half) & (v < 0)))
        case Rounding.RND_INF:
            return np.asarray((rest > half) | ((rest == half) & (v >= 0)))
        case Rounding.RND_CONV:
            return np.asarray((rest > half) | ((rest == half) & ((floor & 1) == 1)))


def multiply_divide(v: Ints, ratio: Ratio, rounding: Rounding) -> Ints:
    """``v * ratio`` rounded, exactly, for one positive ratio or a grid of them.

    Raises RangeError where a result needs over 62 bits.
    """
    shifts = isinstance(ratio, Fraction) and ratio.denominator & (ratio.denominator - 1) == 0
    if isinstance(ratio, Fraction) and shifts and _reach(v) * ratio.numerator < LIMIT:
        product = v if ratio.numerator == 1 else _product(v, np.array(ratio.numerator, dtype=object))
        return shift_right(product, ratio.denominator.bit_length() - 1, rounding)
    cells = as_array(ratio)
    numerator = np.asarray(np.vectorize(lambda r: 2 * r.numerator, otypes=[object])(cells), dtype=object)
    denominator = np.asarray(np.vectorize(lambda r: 2 * r.denominator, otypes=[object])(cells), dtype=object)
    if _reach(v) * float(max(numerator.ravel())) >= LIMIT or max(denominator.ravel()) >= 2**63:
        return _by_estimate(v, cells, rounding)
    divisor, product = _int64(denominator), _product(v, numerator)  # doubled: half of the divisor is an integer
    floor: Ints = np.floor_divide(product, divisor)
    return np.add(floor, _carry(v, floor, np.subtract(product, floor * divisor), divisor >> 1, rounding))


def _by_estimate(v: Ints, cells: NDArray, rounding: Rounding) -> Ints:
    """``v * ratio`` rounded where the product needs over 63 bits: in float64, whose error is bounded, and in Python's
    integers for the few elements that lie within that error of a place where the rounding changes.
    """
    estimate = v.astype(np.float64) * np.vectorize(float, otypes=[np.float64])(cells)
    if estimate.size and np.abs(estimate).max() >= 2.0**62:
        raise RangeError("a change of scale needs over 64 bits", hint="quantize to fewer bits before it")
    result = np.asarray(_round_real(estimate, rounding).astype(np.int64))
    edge = estimate - np.floor(estimate)
    to_nearest = rounding not in (Rounding.TRN, Rounding.TRN_ZERO)
    away = np.abs(edge - 0.5) if to_nearest else np.minimum(edge, 1.0 - edge)
    whole_v, all_cells = np.broadcast_to(v, result.shape), np.broadcast_to(cells, result.shape)
    for place in np.argwhere((away <= np.abs(estimate) * 2.0**-50) & (estimate != 0)):
        at = tuple(place)
        result[at] = _round_exact(int(whole_v[at]), all_cells[at], rounding)
    return result


def _round_exact(v: int, ratio: Fraction, rounding: Rounding) -> int:
    exact = v * ratio
    floor = exact.numerator // exact.denominator
    twice = 2 * (exact - floor)
    rest = 0 if not twice else 1 if twice < 1 else 2 if twice == 1 else 3  # in an order that fits int64; 2 is a half
    sign, below, dropped = (np.array(k, np.int64) for k in ((v > 0) - (v < 0), floor, rest))
    return floor + int(_carry(sign, below, dropped, np.int64(2), rounding))


def _int64(values: NDArray) -> Ints:
    if max((abs(x) for x in values.ravel().tolist()), default=0) >= 2**63:
        raise RangeError("a change of scale needs over 64 bits", hint="quantize to fewer bits before it")
    return values.astype(np.int64)


def _product(v: Ints, factor: NDArray) -> Ints:
    small = _int64(factor)
    if _reach(v) * _reach(small) >= LIMIT:
        raise RangeError("a change of scale needs over 64 bits", hint="quantize to fewer bits before it")
    return np.multiply(v, small)


def _reach(v: Ints) -> float:
    """The greatest absolute value; in floats, because that of -2^63 is no int64."""
    return max(-float(v.min()), float(v.max())) if v.size else 0.0


def overflow(v: Ints, format: Quantized, mode: Overflow) -> Ints:
    """Bring integers into the range of ``format`` in the way that ``mode`` says; zero is the integer that means 0."""
    low, high = format.bounds
    match mode:
        case Overflow.SAT:
            return np.clip(v, low, high)
        case Overflow.SAT_SYM:
            return np.clip(v, np.where(low < 0, -high, 0), high)
        case Overflow.SAT_ZERO:
            return np.where((v < low) | (v > high), np.clip(as_array(format.zero), low, high), v)
        case Overflow.WRAP:
            return _wrap(v, format)


def _wrap(v: Ints, format: Quantized) -> Ints:
    """Keep the lower bits: shift them up to the top of the 64 and back, with the sign or without."""
    drop = 64 - as_array(format.width)
    top = np.left_shift(v, drop)
    with_sign = np.asarray(np.right_shift(top, drop))
    if format.signed is True:
        return with_sign
    without = np.right_shift(top.view(np.uint64), drop.astype(np.uint64)).view(np.int64)
    return np.where(as_array(format.signed).astype(bool), with_sign, without)


def requantize(v: Ints, scale: Ratio, format: Quantized, rounding: Rounding, mode: Overflow) -> Ints:
    """Centred integers in units of ``scale`` -> stored integers of ``format``. Shapes broadcast from the right.

    Raises RangeError where the change of scale needs over 63 bits.
    """
    if isinstance(format, Affine):
        return overflow(_offset(multiply_divide(v, divide(scale, format.scale), rounding), format, mode), format, mode)
    return overflow(multiply_divide(v, divide(scale, _units(format)), rounding), format, mode)


def _offset(v: Ints, format: Affine, mode: Overflow) -> Ints:
    """Add the zero point. What would leave 64 bits is out of range before, and wrapping does not see the upper bits."""
    zero = as_array(format.zero_point)
    if not zero.any():
        return v
    if mode is not Overflow.WRAP:
        v = np.clip(v, np.where(zero < 0, LEAST - zero, LEAST), np.where(zero > 0, GREATEST - zero, GREATEST))
    return np.add(v, zero)


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
    """Real numbers -> stored integers: exact for ``Fixed``, and float32 division for ``Affine``, as the runtimes do it.

    Raises GatewrightError for NaN and infinite values.
    """
    if not np.isfinite(x).all():
        raise GatewrightError("NaN or infinite values cannot be quantized", where=where, hint="check the samples")
    if isinstance(format, Affine):
        with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
            units = (x.astype(np.float32) / as_array(format.scale).astype(np.float32)).astype(np.float64)
        if not np.isfinite(units).all():
            raise GatewrightError(f"values leave the range of float32 in units of {format}", where=where)
        return overflow(_offset(_to_int64(_round_real(units, rounding), mode), format, mode), format, mode)
    units = np.ldexp(x.astype(np.float64), as_array(format.fraction).astype(np.int32))
    rounded = _round_real(units, rounding)
    ints = _to_int64(rounded, mode)
    inside = overflow(ints, format, mode)
    return np.where((rounded >= -(2.0**63)) & (rounded < 2.0**63), inside, 0) if mode is Overflow.SAT_ZERO else inside


def _to_int64(rounded: NDArray, mode: Overflow) -> Ints:
    """Whole floats -> int64: the nearest that there is, or the one that is equal modulo 2^64 where they will wrap."""
    if not rounded.size or np.abs(rounded).max() < 2.0**63:
        return rounded.astype(np.int64)
    if mode is Overflow.WRAP:
        rest = np.fmod(rounded, 2.0**64)  # exact, as is the difference of neighbours below
        rest = rest - np.where(rest >= 2.0**63, 2.0**64, 0.0) + np.where(rest < -(2.0**63), 2.0**64, 0.0)
        return rest.astype(np.int64)
    inside = np.abs(rounded) < 2.0**63
    return np.where(inside, np.where(inside, rounded, 0.0).astype(np.int64), np.where(rounded < 0, LEAST, GREATEST))


def _round_real(u: NDArray, rounding: Rounding) -> NDArray:
    match rounding:
        case Rounding.TRN:
            return np.asarray(np.floor(u))
        case Rounding.TRN_ZERO:
            return np.asarray(np.trunc(u))
        case Rounding.RND_CONV:
            return np.asarray(np.rint(u))
    whole = np.trunc(u)
    rest = u - whole  # exact, with the sign of u
    up = rest >= 0.5 if rounding in (Rounding.RND, Rounding.RND_INF) else rest > 0.5
    down = rest <= -0.5 if rounding in (Rounding.RND_INF, Rounding.RND_MIN_INF) else rest < -0.5
    return np.asarray(whole + up - down)


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
