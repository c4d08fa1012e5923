"""Operations that move values and change none. All axes and shapes are counted without the batch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from ..arrays import NDArray, compress
from ..errors import ShapeError
from ..formats import Fixed
from ..node import Op, infer
from ..numerics import quantize
from ..tensor import Tensor, align, exact, floats, moved
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
        case Gather(axis=axis, indices=indices) if not 0 <= axis < len(x.shape) or not all(0 <= i < x.shape[axis] for i in indices):
            raise ShapeError(f"cannot gather {indices} along axis {axis} of shape {x.shape}")
        case Reshape(shape=shape) if any(n < 0 for n in shape):
            raise ShapeError(f"cannot reshape to {shape}")


@infer.register
def _(op: Pad, x: Tensor) -> Tensor:
    if len(op.padding) != len(x.shape) or any(p < 0 for pair in op.padding for p in pair):
        raise ShapeError(f"padding {op.padding} does not fit shape {x.shape}")
    shape = tuple(n + sum(p) for n, p in zip(x.shape, op.padding, strict=True))
    if not x.is_integer:
        return floats(shape)
    value = pad_value(x, op.value)
    if value is None:
        return floats(shape, f"the padding value {op.value:g} is not one of {x.format}")
    low, high = x.interval
    if all(n == 0 for pair in op.padding for n in pair):
        return x
    return Tensor(shape, _flat(x), np.minimum(low.min(), value), np.maximum(high.max(), value))


def pad_value(x: Tensor, value: float) -> int | None:
    """Give the centred integer that means ``value`` for every element, or None where the format does not have it."""
    format = x.quantized
    units = value / float(format.scale) if not hasattr(format.scale, "data") else (0.0 if value == 0 else float("nan"))
    if units != int(units if np.isfinite(units) else 0.5):
        return None
    low, high = (int(v) for v in (np.min(format.centre(format.bounds[0])), np.max(format.centre(format.bounds[1]))))
    return int(units) if low <= units <= high else None


def _flat(x: Tensor):  # type: ignore[no-untyped-def]
    """The format without per-element differences (a padded tensor has new elements)."""
    low, high = x.interval
    return x.format if isinstance(x.format, Fixed) and isinstance(x.format.width, int) and isinstance(x.format.integer, int) else exact(
        x.shape, x.quantized.scale, np.minimum(low, 0), np.maximum(high, 0)
    ).format


@infer.register
def _(op: Concat, *xs: Tensor) -> Tensor:
    if not xs or any(len(x.shape) != len(xs[0].shape) for x in xs) or not 0 <= op.axis < len(xs[0].shape):
        raise ShapeError(f"cannot join {[x.shape for x in xs]} along axis {op.axis}")
    rest = {tuple(n for i, n in enumerate(x.shape) if i != op.axis) for x in xs}
    if len(rest) != 1:
        raise ShapeError(f"cannot join {[x.shape for x in xs]} along axis {op.axis}", hint="the other axes must be equal")
    shape = tuple(sum(x.shape[i] for x in xs) if i == op.axis else n for i, n in enumerate(xs[0].shape))
    if not all(x.is_integer for x in xs):
        return floats(shape)
    return _joined(op, shape, xs)


def _joined(op: Concat, shape: tuple[int, ...], xs: tuple[Tensor, ...]) -> Tensor:
    scale, bounds = xs[0].quantized.scale, [bounded(xs[0])]
    for x in xs[1:]:
        grids = [s for s in (scale, x.quantized.scale) if hasattr(s, "data")]
        if grids and not all(g == grids[0] for g in (scale, x.quantized.scale)):
            return floats(shape, "joining tensors with scales per channel")
        scaled = align((scale, np.array(0), np.array(0)), bounded(x))
        if scaled is None:
            return floats(shape, "the scales have no common unit within 63 bits")
        scale = scaled[0]
        bounds.append(bounded(x))
    aligned = [align((scale, np.array(0), np.array(0)), b) for b in bounds]
    if any(a is None for a in aligned):
        return floats(shape, "the scales have no common unit within 63 bits")
    ends = [(a[2][1], a[2][2]) for a in aligned if a is not None]
    low, high = (
        compress(np.concatenate([np.broadcast_to(e[i], x.shape) for e, x in zip(ends, xs, strict=True)], axis=op.axis)) for i in (0, 1)
    )
    return exact(shape, scale, low, high)


__all__ = ["Broadcast", "Concat", "Gather", "Pad", "Reshape", "Slice", "Transpose", "Upsample", "mover", "pad_value", "quantize"]
