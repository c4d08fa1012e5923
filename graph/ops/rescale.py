"""Change of scale by an integer multiplier and a shift: the arithmetic of fixed-point runtimes, each step of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np

from ..arrays import Ints
from ..errors import OptionError, RangeError, ShapeError
from ..formats import Quantized
from ..node import Op, infer
from ..tensor import Tensor, grids

INT32 = 1 << 31


class Scaling(StrEnum):
    """How ``x * multiplier * 2^(shift - 31)`` is rounded. TensorFlow Lite has all three: each kernel its own."""

    DOUBLE = "double"
    """x of 32 bits, rounded twice: ``x * 2^max(shift, 0) * multiplier / 2^31`` to nearest, halves up, then that divided
    by ``2^max(-shift, 0)``, halves away from zero (as gemmlowp does it)."""
    REDUCED = "reduced"
    """x of 48 bits, rounded once, halves up, by the upper 16 bits r of the multiplier (themselves rounded, at most
    32767): ``(x * r + 2^(14 - shift)) >> (15 - shift)``."""
    REAL = "real"
    """x of 53 bits, times the float64 number ``multiplier * 2^(shift - 31)``, in float64, to nearest, halves away from
    zero."""


LIMITS = {Scaling.DOUBLE: INT32, Scaling.REDUCED: 1 << 47, Scaling.REAL: 1 << 53}
"""What the operand lies below."""


@dataclass(frozen=True)
class MultiplyShift(Op):
    """Bring centred integers to ``format``: multiply, shift, round as ``scaling`` says, add the zero point, clamp.

    ``multiplier`` (0 to 2^31 - 1; of REAL, to 2^53 - 1) and ``shift`` (-31 to 30; of REAL, -600 to 200) are one number
    or one a channel (the last axis).
    ``low`` and ``high`` are the least and the greatest stored integer of the result. Raises RangeError where an
    intermediate value could leave the bits that the definition has: it would wrap.
    """

    format: Quantized
    multiplier: tuple[int, ...]
    shift: tuple[int, ...]
    low: int
    high: int
    scaling: Scaling = Scaling.DOUBLE


@infer.register
def _(op: MultiplyShift, x: Tensor) -> Tensor:
    _check(op, x)
    ends = [multiply_shift(v, op) for v in x.interval]
    low, high = np.broadcast_arrays(*(np.asarray(op.format.centre(e)) for e in ends))
    return Tensor(x.shape, op.format, low, high)


def _check(op: MultiplyShift, x: Tensor) -> None:
    channels = x.shape[-1] if x.shape else 1
    if not x.is_integer:
        raise ShapeError("a change of scale by multiplier and shift reads integers")
    if len(op.multiplier) != len(op.shift) or len(op.multiplier) not in (1, channels):
        raise ShapeError(f"{len(op.multiplier)} multipliers and {len(op.shift)} shifts for {channels} channels")
    if grids(op.format):
        raise ShapeError("the result of a change of scale by multiplier and shift has one scale")
    most, least, greatest = (1 << 53, -600, 200) if op.scaling is Scaling.REAL else (INT32, -31, 30)
    if not all(0 <= m < most for m in op.multiplier) or not all(least <= s <= greatest for s in op.shift):
        raise OptionError(f"a multiplier is not below {most}, or a shift not of {least} to {greatest}")
    least, greatest = (int(b) for b in op.format.bounds)
    if not least <= op.low <= op.high <= greatest:
        raise OptionError(f"{op.low} to {op.high} is no range of {op.format}")


def multiply_shift(x: Ints, op: MultiplyShift) -> Ints:
    """Centred integers [..., channels] -> stored integers of ``op.format``. Raises RangeError for what would wrap."""
    _inside(x, LIMITS[op.scaling], "before")
    scaled = _really(x, op) if op.scaling is Scaling.REAL else _scaled(x, op)
    _inside(scaled, INT32, "after")
    zero = op.format.zero
    assert isinstance(zero, int)
    result = scaled + zero
    _inside(result, INT32, "with the zero point")
    clamped: Ints = np.clip(result, op.low, op.high)
    return clamped


def _scaled(x: Ints, op: MultiplyShift) -> Ints:
    if op.scaling is Scaling.DOUBLE:
        _inside(np.asarray(x << np.maximum(_row(op.shift), 0)), INT32, "after its shift to the left")
    factor, right, down = factors_and_shifts(op)
    once = np.asarray((x * factor + (np.int64(1) << (right - 1))) >> right)
    half = (np.int64(1) << down) >> 1
    return np.where(down > 0, (once + half - (once < 0)) >> down, once)


def factors_and_shifts(op: MultiplyShift) -> tuple[Ints, Ints, Ints]:
    """Give f, r, d, each [] or [channels], of ``y = (x * f + 2^(r - 1)) >> r`` and, where d is above 0, the result
    ``(y + 2^(d - 1) - (y < 0)) >> d``: what DOUBLE and REDUCED are. Raises RangeError where r would be no shift.
    """
    multiplier, shift = _row(op.multiplier), _row(op.shift)
    if op.scaling is Scaling.DOUBLE:
        return multiplier, 31 - np.maximum(shift, 0), np.maximum(-shift, 0)
    assert op.scaling is Scaling.REDUCED
    if (shift > 14).any():
        raise RangeError(f"a shift of {int(shift.max())} to the left of a reduced multiplier", hint="at most 14")
    reduced = np.where(multiplier < 0x7FFF0000, (multiplier + (1 << 15)) >> 16, 0x7FFF)
    return reduced, 15 - shift, np.zeros_like(shift)


def _really(x: Ints, op: MultiplyShift) -> Ints:
    """Values beyond 2^40 stay there: they saturate, and do not overflow on the way."""
    product = x.astype(np.float64) * np.ldexp(_row(op.multiplier).astype(np.float64), _row(op.shift) - 31)
    whole = np.trunc(product)
    away = whole + np.where(np.abs(product - whole) >= 0.5, np.sign(product), 0.0)
    _inside(np.asarray(np.clip(away, -(2.0**40), 2.0**40).astype(np.int64)), INT32, "after")
    return np.asarray(away.astype(np.int64))


@lru_cache(maxsize=1 << 16)
def integer_factor(factor: float, reach: int, most: int) -> tuple[int, int]:
    """Give the least ``m, d`` for which ``(x * m + 2^(d - 1) - (x < 0)) >> d`` is what REAL makes of ``x * factor``.

    It holds for every x of -reach to reach whose result is at most ``most`` either way; of all others the result is
    beyond ``most`` too. Each step from k - 1 to k bounds m / 2^d: the first x with k from below, the last without it
    from above. Raises RangeError where no number lies between the bounds.
    """
    firsts = _firsts(factor, most)
    inside = int(np.searchsorted(firsts, reach, side="right"))
    steps = 2 * np.arange(1, most + 1, dtype=np.int64) - 1
    lower = _extreme(steps[:inside], 2 * firsts[:inside], max, Fraction(0))
    later = firsts[:inside] > 1
    upper = _extreme(steps[:inside][later], 2 * (firsts[:inside][later] - 1), min, Fraction(2 * most + 1))
    if inside < most:
        upper = min(upper, Fraction(int(steps[inside]), 2 * max(reach, 1)))
    for d in range(1, 128):
        m = ceil(lower * 2**d)
        if m < upper * 2**d:
            return m, d
    raise RangeError(f"no integer multiplies as the float64 number {factor} does")


def _firsts(factor: float, most: int) -> Ints:
    """The least x whose product, rounded in float64, is at least k - 1/2, for k of 1 to ``most``; at most 2^60."""
    edges = np.arange(1, most + 1) - 0.5
    if factor == 0:
        return np.full(most, 1 << 60, np.int64)
    guess = edges / factor
    x = np.maximum(np.floor(np.minimum(guess, 2.0**53)) - 2, 0.0)
    while (short := (x * factor < edges) & (guess < 2.0**53)).any():
        x += short
    return np.where(guess < 2.0**53, x, 2.0**60).astype(np.int64)


def _extreme(
    numerators: Ints, denominators: Ints, pick: Callable[..., Fraction], other: Fraction
) -> Fraction:
    """The least or the greatest of fractions, exactly: floats choose the few that are compared."""
    if not len(numerators):
        return other
    quotients = numerators / denominators
    best = float(quotients.max() if pick is max else quotients.min())
    near = np.flatnonzero(np.abs(quotients - best) <= 1e-12 * quotients.max())
    return pick(*(Fraction(int(numerators[i]), int(denominators[i])) for i in near), other)


def _row(values: tuple[int, ...]) -> Ints:
    return np.array(values if len(values) > 1 else values[0], np.int64)


def _inside(x: Ints, limit: int, when: str) -> None:
    if x.size and (int(x.max()) >= limit or int(x.min()) < -limit):
        bits = limit.bit_length()
        what = f"a value of {max(abs(int(x.min())), int(x.max()))} does not fit {bits} bits {when} a change of scale"
        raise RangeError(what, hint="the source would wrap around there; choose scales that are nearer to each other")


__all__ = ["MultiplyShift", "Scaling", "factors_and_shifts", "integer_factor", "multiply_shift"]
