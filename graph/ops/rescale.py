"""Change of scale by an integer multiplier and a shift: the arithmetic of fixed-point runtimes, each step of it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ..arrays import Ints
from ..errors import OptionError, RangeError, ShapeError
from ..formats import Quantized
from ..node import Op, infer
from ..tensor import Tensor, grids

INT32 = 1 << 31
REDUCED_LIMIT = 1 << 47


class Scaling(StrEnum):
    """How ``x * multiplier * 2^(shift - 31)`` is rounded. TensorFlow Lite has all three: each kernel its own."""

    DOUBLE = "double"
    """x of 32 bits, rounded twice: ``x * 2^max(shift, 0) * multiplier / 2^31`` to nearest, halves up, then that divided
    by ``2^max(-shift, 0)``, halves away from zero (as gemmlowp does it)."""
    SINGLE = "single"
    """x of 32 bits, rounded once, halves up: ``(x * multiplier + 2^(30 - shift)) >> (31 - shift)``."""
    REDUCED = "reduced"
    """x of 48 bits, rounded once, halves up, by the upper 16 bits r of the multiplier (themselves rounded, at most
    32767): ``(x * r + 2^(14 - shift)) >> (15 - shift)``."""


@dataclass(frozen=True)
class MultiplyShift(Op):
    """Bring centred integers to ``format``: multiply, shift, round as ``scaling`` says, add the zero point, clamp.

    ``multiplier`` (0 to 2^31 - 1) and ``shift`` (-31 to 30) are one number or one a channel (the last axis).
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
    if not all(0 <= m < INT32 for m in op.multiplier) or not all(-31 <= s <= 30 for s in op.shift):
        raise OptionError("a multiplier is not of 0 to 2^31 - 1, or a shift not of -31 to 30")
    least, greatest = (int(b) for b in op.format.bounds)
    if not least <= op.low <= op.high <= greatest:
        raise OptionError(f"{op.low} to {op.high} is no range of {op.format}")


def multiply_shift(x: Ints, op: MultiplyShift) -> Ints:
    """Centred integers [..., channels] -> stored integers of ``op.format``. Raises RangeError for what would wrap."""
    _inside(x, REDUCED_LIMIT if op.scaling is Scaling.REDUCED else INT32, "before")
    if op.scaling is Scaling.DOUBLE:
        _inside(np.asarray(x << np.maximum(_row(op.shift), 0)), INT32, "after its shift to the left")
    factor, right, down = factors_and_shifts(op)
    scaled = np.asarray((x * factor + (np.int64(1) << (right - 1))) >> right)
    half = (np.int64(1) << down) >> 1
    scaled = np.where(down > 0, (scaled + half - (scaled < 0)) >> down, scaled)
    _inside(scaled, INT32, "after")
    zero = op.format.zero
    assert isinstance(zero, int)
    result = scaled + zero
    _inside(result, INT32, "with the zero point")
    clamped: Ints = np.clip(result, op.low, op.high)
    return clamped


def factors_and_shifts(op: MultiplyShift) -> tuple[Ints, Ints, Ints]:
    """Give f, r, d, each [] or [channels], of ``y = (x * f + 2^(r - 1)) >> r`` and, where d is above 0, the result
    ``(y + 2^(d - 1) - (y < 0)) >> d``. Raises RangeError where r would be no shift.
    """
    multiplier, shift = _row(op.multiplier), _row(op.shift)
    none = np.zeros_like(shift)
    if op.scaling is Scaling.SINGLE:
        return multiplier, 31 - shift, none
    if op.scaling is Scaling.DOUBLE:
        return multiplier, 31 - np.maximum(shift, 0), np.maximum(-shift, 0)
    if (shift > 14).any():
        raise RangeError(f"a shift of {int(shift.max())} to the left of a reduced multiplier", hint="at most 14")
    return np.where(multiplier < 0x7FFF0000, (multiplier + (1 << 15)) >> 16, 0x7FFF), 15 - shift, none


def _row(values: tuple[int, ...]) -> Ints:
    return np.array(values if len(values) > 1 else values[0], np.int64)


def _inside(x: Ints, limit: int, when: str) -> None:
    if x.size and (int(x.max()) >= limit or int(x.min()) < -limit):
        bits = limit.bit_length()
        what = f"a value of {max(abs(int(x.min())), int(x.max()))} does not fit {bits} bits {when} a change of scale"
        raise RangeError(what, hint="the source would wrap around there; choose scales that are nearer to each other")


__all__ = ["MultiplyShift", "Scaling", "factors_and_shifts", "multiply_shift"]
