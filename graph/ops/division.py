"""Quotient and remainder of whole division."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..arrays import NDArray
from ..errors import OptionError, ShapeError
from ..formats import Rounding
from ..node import Op, infer
from ..numerics import Ratio, common_scale, divide, whole
from ..tensor import Tensor, align, exact, floats
from .elementwise import bounded, broadcast

ROUNDINGS = (Rounding.TRN, Rounding.TRN_ZERO)


@dataclass(frozen=True)
class Quotient(Op):
    """``x / y`` rounded to a whole number, downwards (TRN) or toward zero (TRN_ZERO); broadcast from the right.

    ``evaluate`` raises GatewrightError where an integer divisor is 0.
    """

    rounding: Rounding = Rounding.TRN


@dataclass(frozen=True)
class Remainder(Op):
    """``x - y * quotient(x, y)``: with the sign of ``y`` (TRN) or of ``x`` (TRN_ZERO); broadcast from the right."""

    rounding: Rounding = Rounding.TRN


def _operands(op: Quotient | Remainder, x: Tensor, y: Tensor) -> tuple[Ratio, list[NDArray]] | str:
    """Give the unit and the four bounds in it; the reason where there is none."""
    if op.rounding not in ROUNDINGS:
        raise OptionError(f"a division that rounds by {op.rounding}", hint="TRN (down) or TRN_ZERO (toward zero)")
    if not (x.is_integer and y.is_integer):
        return ""
    if not any((end != 0).any() for end in y.interval):
        raise ShapeError("the divisor is 0")
    if (aligned := align(bounded(x), bounded(y))) is None:
        return "the two scales have no common unit within 63 bits"
    unit, a, b = aligned
    return unit, [*a[1:], *b[1:]]


@infer.register
def _(op: Quotient, x: Tensor, y: Tensor) -> Tensor:
    shape, found = broadcast(x, y), _operands(op, x, y)
    if isinstance(found, str):
        return floats(shape, found)
    _, (low, high, least, most) = found
    unit = _unit(x, y)
    halves = [(np.maximum(least, unit), most, most >= unit), (least, np.minimum(most, -unit), least <= -unit)]
    ends = [(a, b, there) for *divisors, there in halves for a in (low, high) for b in divisors]
    quotients = [(divided(a, np.where(there, b, 1), op.rounding), there) for a, b, there in ends]
    limit = np.iinfo(np.int64)
    lower = [np.where(there, q, limit.max) for q, there in quotients]
    upper = [np.where(there, q, limit.min) for q, there in quotients]
    bounds = np.minimum.reduce(np.broadcast_arrays(*lower)), np.maximum.reduce(np.broadcast_arrays(*upper))
    nothing = bounds[0] > bounds[1]  # a divisor that is always 0: evaluate raises
    return exact(shape, Fraction(1), *(np.where(nothing, 0, end) for end in bounds))


def _unit(x: Tensor, y: Tensor) -> NDArray:
    """The least divisor above 0, in the common unit."""
    return whole(divide(y.quantized.scale, common_scale(x.quantized.scale, y.quantized.scale)))


def divided(x: NDArray, y: NDArray, rounding: Rounding) -> NDArray:
    """Whole division of integers, rounded down or toward zero."""
    floor: NDArray = np.floor_divide(x, y)
    if rounding is Rounding.TRN:
        return floor
    return np.asarray(floor + ((floor < 0) & (floor * y != x)))


@infer.register
def _(op: Remainder, x: Tensor, y: Tensor) -> Tensor:
    shape, found = broadcast(x, y), _operands(op, x, y)
    if isinstance(found, str):
        return floats(shape, found)
    scale, (low, high, least, most) = found
    if op.rounding is Rounding.TRN:
        inside = (low >= 0) & (least > high)  # smaller than any divisor: nothing happens
        under = np.where(least < 0, np.minimum(least + 1, 0), 0)
        over = np.where(most > 0, np.maximum(most - 1, 0), 0)
        return exact(shape, scale, np.where(inside, low, under), np.where(inside, high, over))
    reach = np.maximum(np.maximum(most, -least) - 1, 0)
    return exact(shape, scale, np.clip(low, -reach, 0), np.clip(high, 0, reach))
