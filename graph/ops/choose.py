"""Operations that compare values and choose among them. Axes are counted without the batch."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np

from ..arrays import NDArray
from ..errors import RangeError, ShapeError
from ..formats import Fixed, narrowest
from ..node import Op, infer
from ..tensor import Bounded, Tensor, align, exact, floats, grids, picked
from .elementwise import bounded, broadcast
from .interface import flat_scale
from .pool import SCALES

BOOLEAN = Fixed(1, 1, signed=False)
"""The format of truth values: one bit, 0 or 1."""


class Comparison(StrEnum):
    """What a ``Compare`` asks of x and y; greater is less with the operands exchanged."""

    EQUAL = "equal"
    LESS = "less"
    LESS_EQUAL = "less_equal"


@dataclass(frozen=True)
class Compare(Op):
    """1 where ``x`` is equal to (less than, ...) ``y``, else 0: one bit, broadcast from the right.

    Comparisons with NaN are 0, as IEEE 754 has them.
    """

    kind: Comparison


@dataclass(frozen=True)
class Select(Op):
    """``x`` where ``condition`` (integers, 0 or 1) is 1, ``y`` where it is 0; the three broadcast from the right.

    Inputs: ``condition``, ``x``, ``y``. Integers of two formats meet in the common one, exactly.
    """


@dataclass(frozen=True)
class ArgMax(Op):
    """The index of the greatest value along ``axis`` (of the least for ``minimum``), as an integer.

    Of equal values the first counts, with ``last`` the last. The axis stays, of length 1, with ``keep``.
    """

    axis: int
    keep: bool = False
    last: bool = False
    minimum: bool = False


@dataclass(frozen=True)
class TopK(Op):
    """The ``k`` greatest values along ``axis`` in descending order (the least, ascending, unless ``largest``).

    With ``indices`` where they stand, as integers, instead of the values. Equal values stay in the order in which
    they came. With k the length of the axis it sorts.
    """

    k: int
    axis: int
    largest: bool = True
    indices: bool = False


@infer.register
def _(op: Compare, x: Tensor, y: Tensor) -> Tensor:
    shape = broadcast(x, y)
    if not (x.is_integer and y.is_integer):
        return Tensor(shape, BOOLEAN, np.zeros((), np.int64), np.ones((), np.int64))
    low, high = _proved(op.kind, *compared(x, y))
    return Tensor(shape, BOOLEAN, low, high)


def compared(x: Tensor, y: Tensor) -> tuple[Bounded, Bounded]:
    """Bring two operands that are compared to one scale. Raises RangeError where none serves within 63 bits."""
    if (aligned := align(bounded(x), bounded(y))) is None:
        raise RangeError("what is compared has no common unit within 63 bits", hint="quantize to fewer bits before it")
    return aligned[1:]


def _proved(kind: Comparison, x: Bounded, y: Bounded) -> tuple[NDArray, NDArray]:
    """Give the least and the greatest answer, element by element."""
    _, low_x, high_x = x
    _, low_y, high_y = y
    match kind:
        case Comparison.LESS:
            always, possible = high_x < low_y, low_x < high_y
        case Comparison.LESS_EQUAL:
            always, possible = high_x <= low_y, low_x <= high_y
        case Comparison.EQUAL:
            always = (low_x == high_x) & (low_y == high_y) & (low_x == low_y)
            possible = (low_x <= high_y) & (low_y <= high_x)
    return np.asarray(always, np.int64), np.asarray(possible, np.int64)


def is_boolean(t: Tensor) -> bool:
    """Whether a tensor holds nothing but the integers 0 and 1."""
    if not t.is_integer or t.quantized.scale != 1:
        return False
    low, high = t.interval
    return bool(low.min() >= 0 and high.max() <= 1)


@infer.register
def _(op: Select, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    if not is_boolean(condition):
        raise ShapeError(f"a condition of {condition.format}", hint="a condition is 0 or 1: compare first")
    try:
        shape = np.broadcast_shapes(condition.shape, x.shape, y.shape)
    except ValueError:
        raise ShapeError(f"shapes {condition.shape}, {x.shape} and {y.shape} do not broadcast") from None
    if not (x.is_integer and y.is_integer):
        return picked(shape, x, y)
    if (aligned := align(bounded(x), bounded(y))) is None:
        return floats(shape, "the two scales have no common unit within 63 bits")
    scale, (_, low_x, high_x), (_, low_y, high_y) = aligned
    never, always = condition.interval[1] == 0, condition.interval[0] == 1
    low = np.where(always, low_x, np.where(never, low_y, np.minimum(low_x, low_y)))
    high = np.where(always, high_x, np.where(never, high_y, np.maximum(high_x, high_y)))
    return exact(shape, scale, low, high)


def along(axis: int, x: Tensor, name: str) -> int:
    """Give the length of an axis. Raises ShapeError where there is none."""
    if not 0 <= axis < len(x.shape):
        raise ShapeError(f"{name} along axis {axis} of shape {x.shape}", hint="axes are counted without the batch")
    return x.shape[axis]


def index_type(shape: tuple[int, ...], length: int) -> Tensor:
    """Give the type of indices of an axis of ``length``."""
    low, high = np.zeros((), np.int64), np.asarray(length - 1, np.int64)
    return Tensor(shape, narrowest(Fraction(1), 0, length - 1), low, high)


def _comparable(x: Tensor) -> None:
    if x.is_integer and not flat_scale(x):
        raise RangeError(SCALES, hint="quantize to one scale before it")


@infer.register
def _(op: ArgMax, x: Tensor) -> Tensor:
    length = along(op.axis, x, "the greatest value")
    _comparable(x)
    kept = (1,) if op.keep else ()
    return index_type((*x.shape[: op.axis], *kept, *x.shape[op.axis + 1 :]), length)


@infer.register
def _(op: TopK, x: Tensor) -> Tensor:
    length = along(op.axis, x, f"the {op.k} greatest values")
    if not 1 <= op.k <= length:
        raise ShapeError(f"the {op.k} greatest of {length} values")
    _comparable(x)
    shape = (*x.shape[: op.axis], op.k, *x.shape[op.axis + 1 :])
    if op.indices:
        return index_type(shape, length)
    if not x.is_integer:
        return picked(shape, x)
    low, high = (_ranked(op, np.broadcast_to(end, x.shape)) for end in x.interval)
    return exact(shape, x.quantized.scale, low, high) if grids(x.format) else Tensor(shape, x.format, low, high)


def _ranked(op: TopK, ends: NDArray) -> NDArray:
    """The i-th of the values lies between the i-th of their lower ends and the i-th of their upper ends."""
    ordered = np.sort(ends, axis=op.axis)
    ordered = np.flip(ordered, op.axis) if op.largest else ordered
    return np.asarray(ordered.take(np.arange(op.k), axis=op.axis))
