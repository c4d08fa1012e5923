"""The 16-bit sigmoid and tanh of gemmlowp, which TensorFlow Lite's integer LSTM reads its gates with, as tables.

Every step in 16 bits as ``gemmlowp/fixedpoint/fixedpoint.h`` defines it: a product is the upper half of twice the
32-bit product, rounded; a number with n integer bits is its raw integer divided by 2^(15 - n).
"""

import numpy as np

from ...graph import NDArray
from ...graph.fixedpoint import EXP_OF_POWERS, shift_round

Ints = NDArray
ONE = 32767
EVERY = np.arange(-32768, 32768)
"""Every 16-bit number."""


def _wrap(v: Ints) -> Ints:
    return np.asarray((np.asarray(v, np.int64) + 2**15) % 2**16 - 2**15)


def _saturate(v: Ints) -> Ints:
    return np.asarray(np.clip(v, -32768, 32767))


def _high(a: Ints, b: Ints | int) -> Ints:
    product = np.asarray(np.multiply(a, b), np.int64)
    total = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.asarray(np.minimum(np.where(total >= 0, total >> 15, -((-total) >> 15)), ONE))


def _constant(v: int) -> int:
    """Give a 32-bit constant with 16 bits."""
    return min(int(shift_round(np.array(v), 16)), ONE)


def exp_negative16(x: Ints, integer_bits: int) -> Ints:
    """Give exp(x), without integer bits, of ``x <= 0`` with ``integer_bits``."""
    x = np.asarray(x, np.int64)
    fraction = 15 - integer_bits
    quarter = 1 << (fraction - 2)
    part = (x & (quarter - 1)) - quarter
    result = _exp_quarter(_saturate(part << integer_bits))
    rest = _wrap(part - x)
    for exponent, factor in zip(range(-2, 5), EXP_OF_POWERS, strict=True):
        if integer_bits > exponent:
            result = np.where(rest & (1 << (fraction + exponent)), _high(result, _constant(factor)), result)
    if integer_bits > 5:
        result = np.where(x < -(1 << (fraction + 5)), 0, result)
    return np.where(x == 0, ONE, result)


def _exp_quarter(a: Ints) -> Ints:
    constant, third = _constant(1895147668), _constant(715827883)
    x = _wrap(a + (1 << 12))
    x2 = _high(x, x)
    x3, x4 = _high(x2, x), _high(x2, x2)
    rest = shift_round(_wrap(_high(_wrap(shift_round(x4, 2) + x3), third) + x2), 1)
    return _saturate(constant + _high(_wrap(x + rest), constant))


def _newton(a: Ints) -> Ints:
    """Give 2 / (1 + a) of a number between 0 and 1, with two integer bits."""
    total = a + ONE
    half = np.where(total >= 0, (total + 1) >> 1, -((1 - total) >> 1))
    x = _wrap(_constant(1515870810) + _high(half, _constant(-1010580540)))
    for _ in range(3):
        rest = _wrap((1 << 13) - _high(half, x))
        x = _wrap(x + _saturate(_high(x, rest) << 2))
    return x


def sigmoid16() -> Ints:
    """Give the sigmoid of every number with three integer bits, in units of 2^-15."""
    positive = EVERY > 0
    size = np.where(positive, EVERY, _wrap(-EVERY))
    above = _saturate(_newton(exp_negative16(_wrap(-size), 3)) << 1)
    return np.where(EVERY == 0, 1 << 14, np.where(positive, above, _wrap(ONE - above)))


def tanh16(integer_bits: int) -> Ints:
    """Give the tanh of every number with ``integer_bits``, in units of 2^-15."""
    negative = EVERY < 0
    below = np.where(negative, EVERY, _wrap(-EVERY))
    t = _saturate(_wrap(_newton(exp_negative16(below, integer_bits + 1)) - (1 << 13)) << 2)
    return np.where(EVERY == 0, 0, np.where(negative, _wrap(-t), t))


__all__ = ["EVERY", "exp_negative16", "sigmoid16", "tanh16"]
