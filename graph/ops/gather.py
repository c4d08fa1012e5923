"""Operations whose indices are computed: reads and writes at places that depend on data.

Indices are tensors of whole numbers, 0 up to the length of what they count; ``evaluate`` raises GatewrightError for
any other. Axes are counted without the batch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

import numpy as np

from ..arrays import NDArray
from ..errors import ShapeError
from ..node import Op, infer
from ..tensor import Tensor, align, check_size, exact, fits, floats, grids, picked
from .choose import along
from .elementwise import bounded
from .interface import flat_scale
from .pool import SCALES, Reduction


@dataclass(frozen=True)
class Take(Op):
    """Pick along ``axis`` of ``x`` what ``indices`` say; their shape takes the place of the axis (``numpy.take``)."""

    axis: int


@dataclass(frozen=True)
class TakeAlong(Op):
    """Pick along ``axis``, for each place of ``indices`` its own element (``numpy.take_along_axis``).

    Inputs: ``x`` and ``indices`` of the same shape but for ``axis``; the result has the shape of ``indices``.
    """

    axis: int


@dataclass(frozen=True)
class GatherND(Op):
    """Pick the parts of ``x`` that coordinates name.

    Inputs: ``x`` [*B, *N, *rest], ``indices`` [*B, *M, len(N)] with ``batch_axes`` axes in B; the result is
    [*B, *M, *rest].
    """

    batch_axes: int = 0


@dataclass(frozen=True)
class ScatterND(Op):
    """``x`` with the parts that coordinates name replaced by ``updates``, or joined with them by ``reduction``.

    Inputs: ``x`` [*N, *rest], ``indices`` [*M, len(N)], ``updates`` [*M, *rest]. Updates are applied in row-major
    order of M: where coordinates repeat, the last one stays.
    """

    reduction: Reduction | None = None


def check_indices(indices: Tensor) -> None:
    """Raise ShapeError for indices that are not whole numbers."""
    if not indices.is_integer or not flat_scale(indices) or indices.quantized.scale.denominator != 1:  # type: ignore[union-attr]
        raise ShapeError(f"indices of {indices.format}", hint="indices are whole numbers")


@infer.register
def _(op: Take, x: Tensor, indices: Tensor) -> Tensor:
    along(op.axis, x, "picking")
    check_indices(indices)
    shape = (*x.shape[: op.axis], *indices.shape, *x.shape[op.axis + 1 :])
    ones = (1,) * len(indices.shape)

    def reach(ends: NDArray, pick: np.ufunc) -> NDArray:
        over = pick.reduce(ends, axis=op.axis)
        return np.asarray(over.reshape((*over.shape[: op.axis], *ones, *over.shape[op.axis :])))

    return _picked(shape, x, reach)


@infer.register
def _(op: TakeAlong, x: Tensor, indices: Tensor) -> Tensor:
    along(op.axis, x, "picking")
    check_indices(indices)
    if _without(x.shape, op.axis) != _without(indices.shape, op.axis) or len(x.shape) != len(indices.shape):
        raise ShapeError(f"indices of shape {indices.shape} along axis {op.axis} of shape {x.shape}")
    return _picked(indices.shape, x, lambda ends, pick: np.asarray(pick.reduce(ends, axis=op.axis, keepdims=True)))


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


@infer.register
def _(op: GatherND, x: Tensor, indices: Tensor) -> Tensor:
    check_indices(indices)
    b = op.batch_axes
    depth = indices.shape[-1] if indices.shape else 0
    if not 0 <= b < len(indices.shape) or x.shape[:b] != indices.shape[:b] or not 1 <= depth <= len(x.shape) - b:
        raise ShapeError(f"coordinates of shape {indices.shape} into shape {x.shape} with {b} axes in common")
    between = indices.shape[b:-1]
    axes = tuple(range(b, b + depth))

    def reach(ends: NDArray, pick: np.ufunc) -> NDArray:
        over = pick.reduce(ends, axis=axes)
        return np.asarray(over.reshape((*over.shape[:b], *(1,) * len(between), *over.shape[b:])))

    return _picked((*x.shape[:b], *between, *x.shape[b + depth :]), x, reach)


def _picked(shape: tuple[int, ...], x: Tensor, reach: Callable[[NDArray, np.ufunc], NDArray]) -> Tensor:
    """Give the type of elements of ``x`` that nobody knows yet: the least and the greatest that can be meant."""
    check_size(shape)
    if not x.is_integer or not flat_scale(x):
        return picked(shape, x, note=SCALES)
    ends = tuple(np.broadcast_to(v, x.shape) for v in x.interval)
    low, high = reach(ends[0], np.minimum), reach(ends[1], np.maximum)
    return exact(shape, x.quantized.scale, low, high) if grids(x.format) else Tensor(shape, x.format, low, high)


@infer.register
def _(op: ScatterND, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    check_indices(indices)
    depth = indices.shape[-1] if indices.shape else 0
    if not 1 <= depth <= len(x.shape) or updates.shape != (*indices.shape[:-1], *x.shape[depth:]):
        raise ShapeError(f"updates of shape {updates.shape} at coordinates {indices.shape} of shape {x.shape}")
    if op.reduction is Reduction.MEAN:
        raise ShapeError("updates have no mean", hint="sum, product, maximum, minimum, or none")
    if not (x.is_integer and updates.is_integer):
        return floats(x.shape)
    if not (flat_scale(x) and flat_scale(updates)):
        return floats(x.shape, SCALES)
    if (aligned := align(bounded(x), bounded(updates))) is None:
        return floats(x.shape, "the two scales have no common unit within 63 bits")
    scale, (_, low, high), (_, least, most) = aligned
    if op.reduction is Reduction.PROD and scale != 1:
        return floats(x.shape, "a product of a number of updates that nobody knows")
    ends = (np.broadcast_to(v, updates.shape) for v in (least, most))
    bounds = _written(op.reduction, (low, high), ends, tuple(range(len(indices.shape) - 1)))
    return exact(x.shape, scale, *bounds) if fits(*bounds) else floats(x.shape, "the updates would need over 63 bits")


def _written(
    kind: Reduction | None, x: tuple[NDArray, NDArray], updates: Iterable[NDArray], axes: tuple[int, ...]
) -> tuple[NDArray, NDArray]:
    """Bound elements of which each may meet any of the updates along ``axes``, all of them, or none."""
    (low, high), (least, most) = x, updates
    match kind:
        case None:
            return np.minimum(low, least.min(axis=axes)), np.maximum(high, most.max(axis=axes))
        case Reduction.MAX:
            return low, np.maximum(high, most.max(axis=axes))
        case Reduction.MIN:
            return np.minimum(low, least.min(axis=axes)), high
        case Reduction.PROD:
            sizes = [np.abs(v.astype(float)).max() for v in (low, high, least, most)]
            count = prod(least.shape[a] for a in axes)
            top = max(sizes[:2]) * max(1.0, *sizes[2:]) ** min(count, 64)
            return np.asarray(-top if min(low.min(), least.min()) < 0 else 0.0), np.asarray(top)
    below, above = np.minimum(least, 0).astype(float), np.maximum(most, 0).astype(float)
    total = low.astype(float) + below.sum(axis=axes), high.astype(float) + above.sum(axis=axes)
    if not fits(*total):
        return total
    return low + np.minimum(least, 0).sum(axis=axes), high + np.maximum(most, 0).sum(axis=axes)
