"""Products and sums: dense, matrix product, convolution and its transpose. Exact on integers, with proved accumulators.

Accumulators: for constant weights the interval of each output is computed from the weights themselves (positive part
times the upper bound, negative part times the lower bound), per output channel.
"""

from dataclasses import dataclass

import numpy as np

from ..arrays import NDArray, as_array
from ..errors import ShapeError
from ..node import Op, infer
from ..numerics import LIMIT, multiply
from ..tensor import Tensor, check_size, exact, floats, sum_type
from .interface import flat_scale

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Dense(Op):
    """``x @ w + b``. Inputs: ``x`` [..., K], ``w`` [K, N], optional ``b`` [N]; gives [..., N]."""


@infer.register
def _(op: Dense, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    if len(w.shape) != 2 or not x.shape or x.shape[-1] != w.shape[0]:
        raise ShapeError(
            f"dense cannot multiply {x.shape} by weights {w.shape}", hint="the last axis must equal the weights' first"
        )
    _check_bias(b, w.shape[1])
    shape = (*x.shape[:-1], w.shape[1])
    if not _integer_operands(x, w, b):
        return _not_exact(shape, x, w, b)
    low, high = (v[:, None] for v in channel_bounds(x))
    return _product(shape, x, w, b, _centred(w), low, high)


@dataclass(frozen=True)
class MatMul(Op):
    """``x @ y`` over the last two axes, the others broadcast. Inputs: [..., M, K] and [..., K, N]."""


@infer.register
def _(op: MatMul, x: Tensor, y: Tensor) -> Tensor:
    if len(x.shape) < 2 or len(y.shape) < 2 or x.shape[-1] != y.shape[-2]:
        raise ShapeError(f"cannot multiply matrices of shapes {x.shape} and {y.shape}")
    try:
        lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise ShapeError(f"leading axes of {x.shape} and {y.shape} do not broadcast") from None
    shape = (*lead, x.shape[-2], y.shape[-1])
    if not (x.is_integer and y.is_integer and flat_scale(x) and flat_scale(y)):
        return _not_exact(shape, x, y)
    ends = [float(a) * float(b) * x.shape[-1] for a in _ends(x) for b in _ends(y)]
    exact_ends = [int(a) * int(b) * x.shape[-1] for a in _ends(x) for b in _ends(y)]
    if max(map(abs, ends)) >= 2.0**62:
        return floats(shape, "exact integers would need over 63 bits")
    return exact(
        shape, multiply(x.quantized.scale, y.quantized.scale), np.array(min(exact_ends)), np.array(max(exact_ends))
    )


def _ends(x: Tensor) -> tuple[int, int]:
    low, high = x.interval
    return int(low.min()), int(high.max())


@dataclass(frozen=True)
class Conv(Op):
    """Convolution over any number of spatial axes, channels last.

    Inputs: ``x`` [*space, C], ``w`` [*kernel, C / groups, F], optional ``b`` [F]; gives [*space', F]. Depthwise is
    ``groups`` = C. ``padding``: zeros (the real value 0) before and after, per spatial axis.
    """

    strides: tuple[int, ...]
    padding: Pairs
    dilation: tuple[int, ...]
    groups: int = 1


@infer.register
def _(op: Conv, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    rank = len(op.strides)
    kernel, filters = w.shape[:rank], w.shape[-1] if w.shape else 0
    if (
        len(x.shape) != rank + 1
        or len(w.shape) != rank + 2
        or x.shape[-1] != w.shape[-2] * op.groups
        or filters % op.groups
    ):
        raise ShapeError(f"convolution of {x.shape} by weights {w.shape} in {op.groups} groups does not fit")
    _check_bias(b, filters)
    space = window_shape(x.shape[:rank], kernel, op.strides, op.padding, op.dilation)
    shape = (*space, filters)
    if not _integer_operands(x, w, b):
        return _not_exact(shape, x, w, b)
    low, high = channel_bounds(x)
    if any(p != (0, 0) for p in op.padding):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    low, high = (_per_filter(v, op.groups, filters, int(np.prod(kernel))) for v in (low, high))
    return _product(shape, x, w, b, _centred(w).reshape(-1, filters), low, high)


def _per_filter(v: NDArray, groups: int, filters: int, taps: int) -> NDArray:
    """Bounds per channel [C] -> per weight [taps * C / groups, F]: each filter sees the channels of its group."""
    one = np.repeat(v.reshape(groups, -1).T, filters // groups, axis=1)
    return np.tile(one, (taps, 1))


@dataclass(frozen=True)
class ConvTranspose(Op):
    """Transposed convolution, channels last. Inputs: ``x`` [*space, C], ``w`` [*kernel, F / groups, C], optional
    ``b`` [F].

    Output length per axis: (length - 1) * stride + (kernel - 1) * dilation + 1 - sum(crop) + extra, where ``extra``
    zeros (plus bias) stand after.
    """

    strides: tuple[int, ...]
    crop: Pairs
    extra: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1


@infer.register
def _(op: ConvTranspose, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    rank = len(op.strides)
    fits = len(x.shape) == rank + 1 and len(w.shape) == rank + 2 and x.shape[-1] == w.shape[-1]
    if not fits or op.groups < 1 or x.shape[-1] % op.groups:
        raise ShapeError(f"transposed convolution of {x.shape} by weights {w.shape} in {op.groups} groups does not fit")
    kernel, filters = w.shape[:rank], w.shape[-2] * op.groups
    _check_bias(b, filters)
    check_window(kernel, op.strides, op.dilation, (*op.crop, *((e, 0) for e in op.extra)), 2 * rank)
    space = tuple(
        (n - 1) * s + (k - 1) * d + 1 - sum(c) + e
        for n, s, k, d, c, e in zip(x.shape, op.strides, kernel, op.dilation, op.crop, op.extra, strict=False)
    )
    if min(space, default=1) < 1:
        raise ShapeError(f"transposed convolution would give shape {space}")
    check_size((*space, filters))
    shape = (*space, filters)
    if not (_integer_operands(x, w, b) and flat_scale(w)):
        return _not_exact(shape, x, w, b)
    parts = np.split(np.swapaxes(_centred(w), -1, -2), op.groups, axis=rank)  # each [*kernel, C / groups, F / groups]
    matrix = np.concatenate([p.reshape(-1, filters // op.groups) for p in parts], axis=1)
    low, high = x.interval
    rows = np.ones((len(matrix), 1), np.int64)
    return _product(shape, x, w, b, matrix, rows * min(int(low.min()), 0), rows * max(int(high.max()), 0))


def check_window(
    kernel: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...], padding: Pairs, pairs: int
) -> None:
    """Raise ShapeError where the attributes of a window are too few, too many, or not positive."""
    of = f"kernel {kernel}, strides {strides}, dilation {dilation}, padding {padding}"
    lengths = {len(kernel), len(strides), len(dilation)}
    if len(lengths) != 1 or len(padding) != pairs or any(len(p) != 2 for p in padding):
        raise ShapeError(f"{of} do not fit together")
    if min((*kernel, *strides, *dilation), default=1) < 1 or any(n < 0 for p in padding for n in p):
        raise ShapeError(f"{of} are not all positive")


def window_shape(
    space: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], padding: Pairs, dilation: tuple[int, ...]
) -> tuple[int, ...]:
    """Give the spatial shape that sliding a window leaves.

    Raises ShapeError where the window is larger than what it slides over, or makes no sense.
    """
    check_window(kernel, strides, dilation, padding, len(space))
    check_size(tuple(n + sum(p) for n, p in zip(space, padding, strict=True)))
    out = tuple(
        (n + sum(p) - (k - 1) * d - 1) // s + 1
        for n, k, s, p, d in zip(space, kernel, strides, padding, dilation, strict=True)
    )
    if min(out, default=1) < 1:
        raise ShapeError(f"a window of {kernel} (dilation {dilation}) does not fit into {space} with padding {padding}")
    return out


def _not_exact(shape: tuple[int, ...], *operands: Tensor | None) -> Tensor:
    """Give the float type of a product; with the reason where all its operands are integers."""
    exactly = all(x is None or x.is_integer for x in operands)
    return floats(shape, "no product of these formats is exact: scales within a sum differ" if exactly else "")


def _check_bias(b: Tensor | None, units: int) -> None:
    if b is not None and b.shape != (units,):
        raise ShapeError(f"a bias of shape {b.shape} for {units} units")


def channel_bounds(x: Tensor) -> tuple[NDArray, NDArray]:
    """Bounds of the centred integers per element of the last axis, over all the others; shape [C]."""
    low, high = x.interval
    if max(low.ndim, high.ndim) > 1:
        low, high = (np.broadcast_to(v, x.shape).reshape(-1, x.shape[-1]) for v in (low, high))
        low, high = low.min(axis=0), high.max(axis=0)
    return np.broadcast_to(low, x.shape[-1:]), np.broadcast_to(high, x.shape[-1:])


def _integer_operands(x: Tensor, w: Tensor, b: Tensor | None) -> bool:
    """Whether the product is exact on integers: one scale for ``x``, at most one per output for the weights, which
    are known.
    """
    if not (x.is_integer and w.is_integer and (b is None or b.is_integer)):
        return False
    return flat_scale(x) and w.value is not None and (flat_scale(w) or as_array(w.quantized.scale).ndim == 1)


def _centred(w: Tensor) -> NDArray:
    assert w.value is not None
    return w.quantized.centre(w.value.data.astype(np.int64))


def _product(
    shape: tuple[int, ...], x: Tensor, w: Tensor, b: Tensor | None, matrix: NDArray, low: NDArray, high: NDArray
) -> Tensor:
    """Type of ``x @ matrix + b`` where row k of x lies in ``low[k] .. high[k]``, shape [K, 1] or the matrix's."""
    scale = multiply(x.quantized.scale, w.quantized.scale)
    reach = np.abs(matrix.astype(np.float64)) * np.maximum(
        np.abs(low.astype(np.float64)), np.abs(high.astype(np.float64))
    )
    total = reach.sum(axis=0).max(initial=0.0)
    if total >= LIMIT / 2:
        return floats(shape, f"the accumulator would need {int(np.log2(total)) + 2} bits")
    positive, negative = np.maximum(matrix, 0), np.minimum(matrix, 0)
    least, greatest = (positive * low + negative * high).sum(axis=0), (positive * high + negative * low).sum(axis=0)
    if b is None:
        return exact(shape, scale, least, greatest)
    return sum_type(shape, (scale, least, greatest), (b.quantized.scale, *b.interval))
