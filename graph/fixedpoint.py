"""32-bit fixed-point arithmetic in the manner of gemmlowp (``fixedpoint.h``), on int64 arrays of 32-bit numbers.

TensorFlow Lite's reference kernels are written in it: a product is the upper half of twice the 64-bit product, rounded;
a number with ``n`` integer bits is its raw integer divided by 2^(31 - n).
"""

import numpy as np

from .arrays import Ints, NDArray

LEAST, GREATEST = -(2**31), 2**31 - 1


def saturate(v: Ints) -> Ints:
    """Bring integers into 32 bits."""
    return np.clip(v, LEAST, GREATEST)


def multiply_high(a: NDArray | int, b: NDArray | int) -> Ints:
    """Give ``a * b / 2^31``, to nearest, halves away from zero; -1 times -1 saturates."""
    product = np.multiply(np.asarray(a, np.int64), np.asarray(b, np.int64))
    nudge = np.where(product >= 0, np.int64(1 << 30), np.int64(1 - (1 << 30)))
    total = product + nudge
    high = np.where(total >= 0, total >> 31, -((-total) >> 31))  # the division of C drops digits toward zero
    return np.minimum(high, GREATEST)


def shift_round(v: NDArray, n: NDArray | int) -> Ints:
    """Give ``v / 2^n``, to nearest, halves away from zero."""
    v, n = np.asarray(v, np.int64), np.asarray(n, np.int64)
    mask = (np.int64(1) << n) - 1
    rest = v & mask
    return np.asarray((v >> n) + (rest > (mask >> 1) + (v < 0)), np.int64)


def shift_left(v: NDArray, n: int) -> Ints:
    """Give ``v * 2^n``, saturated to 32 bits."""
    return saturate(np.asarray(v, np.int64) << n)


def exp_negative(x: NDArray, integer_bits: int = 5) -> Ints:
    """Give exp(x) with no integer bits, of ``x <= 0`` with ``integer_bits``: a table of powers and a Taylor series."""
    x = np.asarray(x, np.int64)
    fraction = 31 - integer_bits
    quarter = np.int64(1) << (fraction - 2)
    part = (x & (quarter - 1)) - quarter
    result = _exp_quarter(shift_left(part, integer_bits))
    rest = part - x
    for exponent, factor in zip(range(-2, 5), EXP_OF_POWERS, strict=True):
        if integer_bits > exponent:
            bit = np.int64(1) << (fraction + exponent)
            result = np.where(rest & bit, multiply_high(result, factor), result)
    if integer_bits > 5:
        result = np.where(x < -(np.int64(1) << (fraction + 5)), 0, result)
    return np.where(x == 0, GREATEST, result)


EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-2^k) in units of 2^-31, for k from -2 to 4."""


def _exp_quarter(a: Ints) -> Ints:
    """Give exp of a number between -1/4 and 0: the series around -1/8."""
    constant, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = multiply_high(x, x)
    x3, x4 = multiply_high(x2, x), multiply_high(x2, x2)
    rest = shift_round(multiply_high(shift_round(x4, 2) + x3, third) + x2, 1)
    return constant + multiply_high(constant, x + rest)


def leading_zeros(v: NDArray) -> Ints:
    """Count the zero bits above the highest one of positive 32-bit integers."""
    return 31 - np.asarray(np.floor(np.log2(np.asarray(v, np.float64))), np.int64)  # exact: 32 bits fit float64


def reciprocal(v: NDArray, integer_bits: int) -> tuple[Ints, Ints]:
    """Give 1 / v of positive numbers with ``integer_bits``, as a number of no integer bits between 1/2 and 1, and the
    bits over unit: the result has to be divided by 2 to that.
    """
    v = np.asarray(v, np.int64)
    zeros = leading_zeros(v)
    return _one_over_one_plus((v << zeros) - (np.int64(1) << 31)), integer_bits - zeros


def _one_over_one_plus(a: Ints) -> Ints:
    """Give 1 / (1 + a) for a from 0 to 1: three steps of Newton's, with two integer bits."""
    half = (a + GREATEST + 1) >> 1  # both are positive: halves go up
    x = 1515870810 + multiply_high(half, -1010580540)
    for _ in range(3):
        rest = (1 << 29) - multiply_high(half, x)
        x = x + shift_left(multiply_high(x, rest), 2)
    return shift_left(x, 1)


def interpolate(q: NDArray, table: NDArray) -> Ints:
    """Read a table of 513 entries at 16-bit integers: the upper nine bits choose, the lower seven interpolate."""
    q, table = np.asarray(q, np.int64), np.asarray(table, np.int64)
    index = 256 + (q >> 7)
    base = table[index]
    slope = (table[index + 1] - base + 2**15) % 2**16 - 2**15  # kept in 16 bits
    delta = (slope * (q & 127) + 64) >> 7
    return np.asarray((base + delta + 2**15) % 2**16 - 2**15, np.int64)


__all__ = [
    "exp_negative", "interpolate", "leading_zeros", "multiply_high", "reciprocal", "saturate", "shift_left",
    "shift_round",
]  # fmt: skip
