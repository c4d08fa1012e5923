"""Operations that move values and change none. All axes and shapes are counted without the batch."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce, singledispatch

import numpy as np

from ..arrays import Grid, NDArray, as_array, compress, reshape_grid
from ..errors import ShapeError
from ..formats import Float
from ..node import Op, infer
from ..numerics import Ratio, common_scale
from ..tensor import Tensor, align, check_size, exact, floats, grids, moved, picked
from .elementwise import bounded

Move = Callable[[NDArray], NDArray]


@dataclass(frozen=True)
class Reshape(Op):
    """The same values in row-major order under another ``shape``."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Transpose(Op):
    """Axis i of the result is axis ``axes[i]`` of ``x``."""

    axes: tuple[int, ...]


@dataclass(frozen=True)
class Slice(Op):
    """``x[starts[i] : stops[i] : steps[i]]`` on each axis; a stop of None with a negative step runs through index 0."""

    starts: tuple[int, ...]
    stops: tuple[int | None, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Gather(Op):
    """Pick ``indices`` (constant, none negative) along ``axis``."""

    axis: int
    indices: tuple[int, ...]


@dataclass(frozen=True)
class Broadcast(Op):
    """Repeat axes of length 1 (and new leading ones) to ``shape``, by numpy's rules."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Upsample(Op):
    """Repeat each element ``factors[i]`` times along axis i: nearest-neighbour growth."""

    factors: tuple[int, ...]


@dataclass(frozen=True)
class Pad(Op):
    """Put ``value`` before and after each axis."""

    padding: tuple[tuple[int, int], ...]
    value: float = 0.0


@dataclass(frozen=True)
class Concat(Op):
    """Join two or more tensors along ``axis``; integers of several formats meet in the common one, exactly."""

    axis: int


@singledispatch
def mover(op: Op) -> Move:
    """Give the numpy function that does to one sample what a shape operation does."""
    raise NotImplementedError(f"{type(op).__name__} moves nothing")


@mover.register
def _(op: Reshape) -> Move:
    return lambda v: v.reshape(op.shape)


@mover.register
def _(op: Transpose) -> Move:
    return lambda v: v.transpose(op.axes)


@mover.register
def _(op: Slice) -> Move:
    cut = tuple(slice(*s) for s in zip(op.starts, op.stops, op.steps, strict=True))
    return lambda v: v[cut]


@mover.register
def _(op: Gather) -> Move:
    return lambda v: v.take(np.array(op.indices, np.int64), axis=op.axis)


@mover.register
def _(op: Broadcast) -> Move:
    return lambda v: np.broadcast_to(v, op.shape)


@mover.register
def _(op: Upsample) -> Move:
    def repeat(v: NDArray) -> NDArray:
        for axis, factor in enumerate(op.factors):
            v = v.repeat(factor, axis=axis) if factor != 1 else v
        return v

    return repeat


@infer.register(Reshape)
@infer.register(Transpose)
@infer.register(Slice)
@infer.register(Gather)
@infer.register(Broadcast)
@infer.register(Upsample)
def _(op: Op, x: Tensor) -> Tensor:
    _check(op, x)
    try:
        result = moved(x, mover(op))
    except (ValueError, IndexError) as error:
        raise ShapeError(f"{type(op).__name__} does not fit shape {x.shape}: {error}") from None
    if 0 in result.shape:
        raise ShapeError(f"{type(op).__name__} leaves nothing of shape {x.shape}")
    return result


def _check(op: Op, x: Tensor) -> None:
    """Catch what numpy would take in another sense than ours: too few axes."""
    match op:
        case Transpose(axes=along) | Slice(starts=along) | Upsample(factors=along) if len(along) != len(x.shape):
            raise ShapeError(f"{type(op).__name__} for {len(along)} axes on shape {x.shape}")
        case Gather(axis=axis, indices=indices) if not 0 <= axis < len(x.shape) or not all(
            0 <= i < x.shape[axis] for i in indices
        ):
            raise ShapeError(f"cannot gather {indices} along axis {axis} of shape {x.shape}")
        case Reshape(shape=shape) | Broadcast(shape=shape):
            check_size(shape)
        case Upsample(factors=factors):
            check_size(tuple(n * f for n, f in zip(x.shape, factors, strict=True)))
        case Gather(axis=axis, indices=indices):
            check_size((*x.shape[:axis], len(indices), *x.shape[axis + 1 :]))


@infer.register
def _(op: Pad, x: Tensor) -> Tensor:
    if len(op.padding) != len(x.shape) or any(len(p) != 2 or min(p) < 0 for p in op.padding):
        raise ShapeError(f"padding {op.padding} does not fit shape {x.shape}")
    shape = tuple(n + sum(p) for n, p in zip(x.shape, op.padding, strict=True))
    check_size(shape)
    if isinstance(x.format, Float):
        same = np.array_equal(x.format.rounded(np.array(op.value, np.float32)), np.float32(op.value))
        return picked(shape, x) if same else floats(shape)
    value = pad_value(x, op.value)
    if value is None:
        return floats(shape, f"the padding value {op.value:g} is not one of {x.format}")
    if shape == x.shape:
        return x
    low, high = (pick(v, value) for pick, v in zip((np.minimum, np.maximum), x.interval, strict=True))
    if not grids(x.format):
        return Tensor(shape, x.format, np.asarray(low.min()), np.asarray(high.max()))
    scale = reshape_grid(x.quantized.scale, x.shape, lambda v: np.pad(v, op.padding, mode="edge"))
    scale = scale if isinstance(scale, Grid) else Fraction(scale)
    return exact(shape, scale, np.array(low.min()), np.array(high.max()))


def pad_value(x: Tensor, value: float) -> int | None:
    """Give the centred integer that means ``value`` for every element, or None where the format does not have it."""
    format = x.quantized
    if not np.isfinite(value) or (value and isinstance(format.scale, Grid)):
        return None
    units = Fraction(0) if isinstance(format.scale, Grid) else Fraction(value) / format.scale
    low, high = (int(v) for v in (np.min(format.centre(format.bounds[0])), np.max(format.centre(format.bounds[1]))))
    return int(units) if units.denominator == 1 and low <= units <= high else None


@infer.register
def _(op: Concat, *xs: Tensor) -> Tensor:
    if not xs or any(len(x.shape) != len(xs[0].shape) for x in xs) or not 0 <= op.axis < len(xs[0].shape):
        raise ShapeError(f"cannot join {[x.shape for x in xs]} along axis {op.axis}")
    rest = {tuple(n for i, n in enumerate(x.shape) if i != op.axis) for x in xs}
    if len(rest) != 1:
        raise ShapeError(
            f"cannot join {[x.shape for x in xs]} along axis {op.axis}", hint="the other axes must be equal"
        )
    shape = tuple(sum(x.shape[i] for x in xs) if i == op.axis else n for i, n in enumerate(xs[0].shape))
    if not all(x.is_integer for x in xs):
        return picked(shape, *xs)
    return _joined(op, shape, xs)


def _joined(op: Concat, shape: tuple[int, ...], xs: tuple[Tensor, ...]) -> Tensor:
    scale = joined_scale(xs, op.axis)
    if isinstance(scale, Grid):  # each element keeps its own
        ends = [x.interval for x in xs]
    else:
        none = np.zeros((), np.int64)
        aligned = [align((scale, none, none), bounded(x)) for x in xs]
        if any(a is None for a in aligned):
            return floats(shape, "the scales have no common unit within 63 bits")
        ends = [a[2][1:] for a in aligned if a is not None]
    low, high = (
        compress(np.concatenate([np.broadcast_to(e[i], x.shape) for e, x in zip(ends, xs, strict=True)], axis=op.axis))
        for i in (0, 1)
    )
    return exact(shape, scale, low, high)


def joined_scale(xs: tuple[Tensor, ...], axis: int) -> Ratio:
    """Give the scale of the operands joined: one that divides all, or each its own where they differ by channel."""
    scales = [x.quantized.scale for x in xs]
    if not any(isinstance(s, Grid) for s in scales):
        return reduce(common_scale, scales)
    cells = [np.broadcast_to(as_array(s), x.shape) for s, x in zip(scales, xs, strict=True)]
    found = Grid.of(np.concatenate(cells, axis=axis))
    return found if isinstance(found, Grid) else Fraction(found)


__all__ = ["Broadcast", "Concat", "Gather", "Pad", "Reshape", "Slice", "Transpose", "Upsample", "mover", "pad_value"]
