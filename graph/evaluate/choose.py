"""Comparisons, choices, sorting; whole division; reads and writes at computed places."""

from collections.abc import Callable

import numpy as np

from ..arrays import Ints, NDArray
from ..errors import GatewrightError
from ..formats import Rounding
from ..numerics import common_scale
from ..ops import (
    ArgMax,
    Compare,
    Comparison,
    GatherND,
    Quotient,
    Reduction,
    Remainder,
    ScatterND,
    Select,
    Take,
    TakeAlong,
    TopK,
)
from ..ops.division import divided
from ..tensor import Tensor
from .kernel import Value, lift, run

ASKS: dict[Comparison, Callable[[NDArray, NDArray], NDArray]] = {
    Comparison.EQUAL: np.equal,
    Comparison.LESS: np.less,
    Comparison.LESS_EQUAL: np.less_equal,
}


def _comparable(x: Value, y: Value, rank: int) -> tuple[NDArray, NDArray]:
    """Two operands in one arithmetic: integers of one unit where both are integers, else float32."""
    if x.type.is_integer and y.type.is_integer:
        unit = common_scale(x.type.quantized.scale, y.type.quantized.scale)
        return lift(x.in_units(unit), rank), lift(y.in_units(unit), rank)
    return lift(x.real, rank), lift(y.real, rank)


@run.register
def _(op: Compare, out: Tensor, x: Value, y: Value) -> NDArray:
    return ASKS[op.kind](*_comparable(x, y, len(out.shape))).astype(np.int64)


def _kept(out: Tensor, x: Value) -> NDArray:
    """An operand in the arithmetic of a result that holds its values: as stored where the formats agree."""
    if out.format == x.type.format:
        return x.data
    return x.in_units(out.quantized.scale) if out.is_integer else x.real


@run.register
def _(op: Select, out: Tensor, condition: Value, x: Value, y: Value) -> NDArray:
    rank = len(out.shape)
    picks = [v.in_units(out.quantized.scale) if out.is_integer else v.real for v in (x, y)]
    return np.where(lift(condition.centred, rank) != 0, *(lift(v, rank) for v in picks))


def _ascending(x: Value) -> NDArray:
    """Numbers in the order of the values."""
    return x.centred if x.type.is_integer else x.data


@run.register
def _(op: ArgMax, out: Tensor, x: Value) -> NDArray:
    axis, v = op.axis + 1, _ascending(x)
    find = np.argmin if op.minimum else np.argmax
    found = np.asarray(find(np.flip(v, axis) if op.last else v, axis=axis, keepdims=op.keep), np.int64)
    return v.shape[axis] - 1 - found if op.last else found


@run.register
def _(op: TopK, out: Tensor, x: Value) -> NDArray:
    axis, v = op.axis + 1, _ascending(x)
    falling = np.invert(v) if v.dtype.kind == "i" else -v  # -v - 1 has no overflow
    order = np.argsort(falling if op.largest else v, axis=axis, kind="stable").take(np.arange(op.k), axis=axis)
    return order.astype(np.int64) if op.indices else np.take_along_axis(_kept(out, x), order, axis=axis)


@run.register
def _(op: Quotient, out: Tensor, x: Value, y: Value) -> NDArray:
    a, b = _comparable(x, y, len(out.shape))
    if out.is_integer:
        return divided(a, _divisor(b), op.rounding)
    with np.errstate(all="ignore"):
        return np.asarray((np.floor if op.rounding is Rounding.TRN else np.trunc)(a / b))


@run.register
def _(op: Remainder, out: Tensor, x: Value, y: Value) -> NDArray:
    a, b = _comparable(x, y, len(out.shape))
    if out.is_integer:
        return np.asarray(a - divided(a, _divisor(b), op.rounding) * b)
    with np.errstate(all="ignore"):
        return np.asarray((np.mod if op.rounding is Rounding.TRN else np.fmod)(a, b))


def _divisor(b: Ints) -> Ints:
    if not b.all():
        raise GatewrightError("divides whole numbers by zero", hint="keep zeros out of the samples, or add 1 to them")
    return b


def indices_of(v: Value, length: int) -> Ints:
    """Give indices as integers. Raises GatewrightError where one is none of 0 to ``length - 1``."""
    return within(v.centred * int(v.type.quantized.scale), length)  # type: ignore[arg-type]


def within(indices: Ints, length: int) -> Ints:
    """Check that indices are some of 0 to ``length - 1``."""
    low, high = int(indices.min(initial=0)), int(indices.max(initial=0))
    if low < 0 or high >= length:
        raise GatewrightError(
            f"index {low if low < 0 else high} of an axis of length {length}", hint="check the samples"
        )
    return indices


def _samples(*parts: NDArray) -> tuple[int, list[NDArray]]:
    """The batch, and for each part which of its samples belongs to each of the batch's."""
    batch = max(len(p) for p in parts)
    return batch, [np.zeros(batch, np.int64) if len(p) == 1 else np.arange(batch) for p in parts]


@run.register
def _(op: Take, out: Tensor, x: Value, indices: Value) -> NDArray:
    axis = op.axis
    at = indices_of(indices, x.type.shape[axis])
    v = np.moveaxis(_kept(out, x), axis + 1, 1)  # [batch, axis, *others]
    if len(v) == 1:
        picked = v[0][at]
    else:
        samples = np.arange(len(v)).reshape(-1, *(1,) * (at.ndim - 1))
        picked = v[samples, at]
    new = at.ndim - 1  # [batch, *indices, *others]: the axes before ``axis`` go to the front
    before = tuple(range(new + 1, new + 1 + axis))
    return np.moveaxis(picked, before, tuple(range(1, axis + 1)))


@run.register
def _(op: TakeAlong, out: Tensor, x: Value, indices: Value) -> NDArray:
    v, at = _kept(out, x), indices_of(indices, x.type.shape[op.axis])
    batch = max(len(v), len(at))
    v, at = (np.broadcast_to(a, (batch, *a.shape[1:])) for a in (v, at))
    return np.take_along_axis(v, at, axis=op.axis + 1)


@run.register
def _(op: GatherND, out: Tensor, x: Value, indices: Value) -> NDArray:
    v, coordinates = _kept(out, x), indices.centred * int(indices.type.quantized.scale)  # type: ignore[arg-type]
    b = op.batch_axes
    _, (samples, mine) = _samples(v, coordinates)
    columns = [within(coordinates[mine][..., i], n) for i, n in enumerate(x.type.shape[b : b + coordinates.shape[-1]])]
    rank = columns[0].ndim
    common = [np.arange(n).reshape((-1,) + (1,) * (rank - 2 - i)) for i, n in enumerate(x.type.shape[:b])]
    return np.asarray(v[(samples.reshape((-1,) + (1,) * (rank - 1)), *common, *columns)])


FOLDS = {Reduction.SUM: np.add, Reduction.PROD: np.multiply, Reduction.MAX: np.maximum, Reduction.MIN: np.minimum}


@run.register
def _(op: ScatterND, out: Tensor, x: Value, indices: Value, updates: Value) -> NDArray:
    exactly = out.is_integer
    v, u = (a.in_units(out.quantized.scale) if exactly else a.real for a in (x, updates))
    coordinates = indices.centred * int(indices.type.quantized.scale)  # type: ignore[arg-type]
    batch, (mine, at, new) = _samples(v, coordinates, u)
    result, depth = v[mine].copy(), coordinates.shape[-1]
    rows = coordinates.reshape(len(coordinates), -1, depth)[at]
    columns = [within(rows[..., i], n) for i, n in enumerate(x.type.shape[:depth])]
    places = (np.arange(batch)[:, None], *columns)
    values = u.reshape(len(u), rows.shape[1], *x.type.shape[depth:])[new]
    if op.reduction is None:
        result[places] = values  # where a place repeats, numpy keeps the last
    else:
        FOLDS[op.reduction].at(result, places, values)
    return np.asarray(result)
