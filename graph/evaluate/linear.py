"""Dense, matrix product, convolution."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..arrays import NDArray
from ..formats import Quantized, narrowest
from ..numerics import multiply
from ..ops import Conv, ConvTranspose, Dense, MatMul
from ..tensor import Tensor
from .kernel import Value, lift, product_type, reach_of, run

Product = Callable[[NDArray, NDArray], NDArray]


@run.register
def _(op: Dense, out: Tensor, x: Value, w: Value, b: Value | None = None) -> NDArray:
    return _weighted(out, x, w, b, (0,), lambda u, v: u @ v)


@run.register
def _(op: Conv, out: Tensor, x: Value, w: Value, b: Value | None = None) -> NDArray:
    rank = len(op.strides)
    return _weighted(out, x, w, b, tuple(range(rank + 1)), lambda u, v: convolve(op, u, v))


@run.register
def _(op: ConvTranspose, out: Tensor, x: Value, w: Value, b: Value | None = None) -> NDArray:
    rank = len(op.strides)
    axes = (*range(rank), rank + 1)
    return _weighted(out, x, w, b, axes, lambda u, v: scatter(op, u, v, out.shape))


def _weighted(out: Tensor, x: Value, w: Value, b: Value | None, axes: tuple[int, ...], product: Product) -> NDArray:
    """``product(x, w) + b`` in float32, or exactly in integers, whichever the result's type asks for."""
    if not out.is_integer:
        y = product(x.real, w.real[0])
        return y if b is None else y + b.real
    weights = w.centred[0]
    kind = product_type(reach_of(x, weights, axes))
    y = product(x.centred.astype(kind), weights.astype(kind)).astype(np.int64, copy=False)
    if b is None:
        return y
    partial = Value(replace(out, format=_unbounded(x, w)), y)
    scale = out.quantized.scale
    return partial.in_units(scale) + b.in_units(scale)


def _unbounded(x: Value, w: Value) -> Quantized:
    """A format with the product's scale; its width plays no part."""
    return narrowest(multiply(x.type.quantized.scale, w.type.quantized.scale), -1, 0)


@run.register
def _(op: MatMul, out: Tensor, x: Value, y: Value) -> NDArray:
    rank = max(len(x.type.shape), len(y.type.shape))
    if not out.is_integer:
        return np.asarray(np.matmul(lift(x.real, rank), lift(y.real, rank)))
    low, high = y.type.interval
    reach = reach_of(x, np.array([max(abs(int(low.min())), abs(int(high.max())))]), ()) * x.type.shape[-1]
    kind = product_type(reach)
    product: NDArray = np.matmul(lift(x.centred, rank).astype(kind), lift(y.centred, rank).astype(kind))
    return product.astype(np.int64, copy=False)


def convolve(op: Conv, x: NDArray, w: NDArray) -> NDArray:
    """Convolve [batch, *space, C] by [*kernel, C / groups, F], in the arrays' own type."""
    rank = len(op.strides)
    if any(p != (0, 0) for p in op.padding):
        x = np.pad(x, ((0, 0), *op.padding, (0, 0)))
    if w.shape[rank] == 1 and op.groups > 1:
        return _depthwise(op, x, w)
    windows = slide(x, w.shape[:rank], op.strides, op.dilation)  # [batch, *space', C, *kernel]
    windows = np.moveaxis(windows, rank + 1, -1)
    lead = windows.shape[: rank + 1]
    if op.groups == 1:
        return windows.reshape(*lead, -1) @ w.reshape(-1, w.shape[-1])
    parts = zip(np.split(windows, op.groups, axis=-1), np.split(w, op.groups, axis=-1), strict=True)
    return np.concatenate([u.reshape(*lead, -1) @ v.reshape(-1, v.shape[-1]) for u, v in parts], axis=-1)


def _depthwise(op: Conv, x: NDArray, w: NDArray) -> NDArray:
    """One input channel a filter: sum the taps, each a product of whole planes."""
    rank = len(op.strides)
    x = x.repeat(w.shape[-1] // op.groups, axis=-1)
    space = tuple(
        (n - (k - 1) * d - 1) // s + 1
        for n, k, d, s in zip(x.shape[1:], w.shape, op.dilation, op.strides, strict=False)
    )
    total = np.zeros((x.shape[0], *space, w.shape[-1]), x.dtype)
    for tap in np.ndindex(*w.shape[:rank]):
        at = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, op.dilation, space, op.strides, strict=True)
        )
        total += x[(slice(None), *at)] * w[tap][0]
    return total


def slide(x: NDArray, window: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]) -> NDArray:
    """View [batch, *space, C] as [batch, *space', C, *window]."""
    rank = len(window)
    reach = tuple((k - 1) * d + 1 for k, d in zip(window, dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=tuple(range(1, rank + 1)))
    pick = (
        slice(None),
        *(slice(None, None, s) for s in strides),
        slice(None),
        *(slice(None, None, d) for d in dilation),
    )
    return view[pick]


def scatter(op: ConvTranspose, x: NDArray, w: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Transposed convolution of [batch, *space, C] by [*kernel, F / groups, C] into [batch, *shape]."""
    rank = len(op.strides)
    space = x.shape[1:-1]
    whole_space = tuple(
        max((n - 1) * s + (k - 1) * d + 1, c[0] + m)
        for n, s, k, d, c, m in zip(space, op.strides, w.shape, op.dilation, op.crop, shape, strict=False)
    )
    total = np.zeros((x.shape[0], *whole_space, shape[-1]), x.dtype)
    xs, ws = np.split(x, op.groups, axis=-1), np.split(w, op.groups, axis=-1)
    for tap in np.ndindex(*w.shape[:rank]):
        at = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, op.dilation, space, op.strides, strict=True)
        )
        total[(slice(None), *at)] += np.concatenate([u @ v[tap].T for u, v in zip(xs, ws, strict=True)], axis=-1)
    return total[(slice(None), *(slice(c[0], c[0] + m) for c, m in zip(op.crop, shape, strict=False)))]
