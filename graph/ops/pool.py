"""Windows and reductions. A mean of integers is exact: its scale is the sum's divided by the count."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np

from ..arrays import Grid, NDArray, compress
from ..errors import ShapeError
from ..node import Op, infer
from ..numerics import LIMIT, divide, multiply
from ..tensor import Tensor, exact, floats, grids, moved, picked
from .interface import flat_scale
from .linear import Pairs, channel_bounds, window_shape


@dataclass(frozen=True)
class MaxPool(Op):
    """The greatest value of each window, channels last: ``x`` [*space, C]. Padding never wins."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Pairs
    dilation: tuple[int, ...]


@dataclass(frozen=True)
class AvgPool(Op):
    """The mean of each window, channels last: ``x`` [*space, C].

    ``count_padding``: whether the padding (value 0) counts in the divisor. ``clipped``: how many of each axis's last
    padding cells never count (the overhang that rounding the output length up adds).
    """

    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Pairs
    dilation: tuple[int, ...]
    count_padding: bool = False
    clipped: tuple[int, ...] = ()


SCALES = "the scales of what is summed or compared differ"


class Reduction(StrEnum):
    """What a ``Reduce`` makes of many values."""

    SUM = "sum"
    MEAN = "mean"
    MAX = "max"
    MIN = "min"
    PROD = "prod"


@dataclass(frozen=True)
class Reduce(Op):
    """Sum, mean, greatest, least or product over ``axes`` (ascending, without the batch); they stay, of length 1,
    with ``keep``.
    """

    kind: Reduction
    axes: tuple[int, ...]
    keep: bool = False


def _pooled(op: MaxPool | AvgPool, x: Tensor) -> tuple[int, ...]:
    rank = len(op.window)
    if len(x.shape) != rank + 1:
        raise ShapeError(f"pooling over {rank} axes reads [*space, channels], got {x.shape}")
    shape = (*window_shape(x.shape[:rank], op.window, op.strides, op.padding, op.dilation), x.shape[-1])
    clipped = getattr(op, "clipped", ())
    if clipped and (len(clipped) != rank or any(not 0 <= c <= p[1] for c, p in zip(clipped, op.padding, strict=True))):
        raise ShapeError(f"{clipped} cells of the padding {op.padding} cannot be clipped")
    return shape


@infer.register
def _(op: MaxPool, x: Tensor) -> Tensor:
    shape = _pooled(op, x)
    if pool_counts(AvgPool(op.window, op.strides, op.padding, op.dilation), x.shape[:-1]).min() < 1:
        raise ShapeError(f"padding {op.padding} leaves windows of {op.window} with nothing in them")
    if not x.is_integer or not flat_scale(x):
        return picked(shape, x, note=SCALES)
    low, high = (compress(v) for v in channel_bounds(x))
    return exact(shape, x.quantized.scale, low, high) if grids(x.format) else Tensor(shape, x.format, low, high)


def pool_counts(op: AvgPool, space: tuple[int, ...]) -> NDArray:
    """How many cells each mean divides by, shape [*space', 1]."""
    rank = len(space)
    counts = np.ones((1,) * rank, np.int64)
    clipped = op.clipped or (0,) * rank
    for axis in range(rank):
        before, after = op.padding[axis]
        real = np.zeros(before + space[axis] + after, np.int64)
        end = before + space[axis] + after - clipped[axis] if op.count_padding else before + space[axis]
        real[0 if op.count_padding else before : end] = 1
        taps = np.arange(op.window[axis]) * op.dilation[axis]
        length = (len(real) - taps[-1] - 1) // op.strides[axis] + 1
        line = real[np.arange(length)[:, None] * op.strides[axis] + taps].sum(axis=1)
        counts = counts * line.reshape((-1,) + (1,) * (rank - 1 - axis))
    return counts[..., None]


@infer.register
def _(op: AvgPool, x: Tensor) -> Tensor:
    shape = _pooled(op, x)
    counts = pool_counts(op, x.shape[:-1])
    if counts.min() < 1:
        raise ShapeError(f"padding {op.padding} leaves windows of {op.window} with nothing in them")
    if not x.is_integer or not flat_scale(x):
        return floats(shape, SCALES if x.is_integer else "")
    low, high = channel_bounds(x)
    if any(p != (0, 0) for p in op.padding):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    cells = int(np.prod(op.window))
    return _mean(shape, x, low, high, cells, counts)


def _mean(shape: tuple[int, ...], x: Tensor, low: NDArray, high: NDArray, cells: int, counts: NDArray) -> Tensor:
    if max(np.abs(low.astype(float)).max(), np.abs(high.astype(float)).max()) * cells >= LIMIT:
        return floats(shape, "the sum would need over 63 bits")
    shares = Grid.of(np.vectorize(lambda n: Fraction(1, int(n)), otypes=[object])(counts))
    scale = multiply(x.quantized.scale, shares if isinstance(shares, Grid) else Fraction(shares))
    return exact(shape, scale, low * cells, high * cells)


@infer.register
def _(op: Reduce, x: Tensor) -> Tensor:
    if op.axes != tuple(sorted(set(op.axes))) or any(not 0 <= a < len(x.shape) for a in op.axes):
        raise ShapeError(f"cannot reduce axes {op.axes} of shape {x.shape}", hint="axes are counted without the batch")
    shape = tuple(1 if i in op.axes else n for i, n in enumerate(x.shape) if op.keep or i not in op.axes)
    if op.kind in (Reduction.MAX, Reduction.MIN) and not x.is_integer:
        return picked(shape, x)
    if op.kind is Reduction.PROD or not x.is_integer or not flat_scale(x):
        reason = "a product of all elements" if op.kind is Reduction.PROD else SCALES
        return floats(shape, reason if x.is_integer else "")
    low, high = (np.broadcast_to(v, x.shape) for v in x.interval)
    if op.kind in (Reduction.MAX, Reduction.MIN):
        pick = np.max if op.kind is Reduction.MAX else np.min
        return exact(shape, x.quantized.scale, *(pick(v, axis=op.axes, keepdims=op.keep) for v in (low, high)))
    if np.abs(low.astype(float)).sum() + np.abs(high.astype(float)).sum() >= LIMIT:
        return floats(shape, "the sum would need over 63 bits")
    count = int(np.prod([x.shape[a] for a in op.axes])) if op.kind is Reduction.MEAN else 1
    scale = divide(x.quantized.scale, Fraction(count))
    return exact(shape, scale, *(v.sum(axis=op.axes, keepdims=op.keep) for v in (low, high)))


__all__ = ["AvgPool", "MaxPool", "Reduce", "Reduction", "moved", "pool_counts"]
