"""Everything but the products: formats, pointwise arithmetic, windows, reductions, moves."""

from collections.abc import Callable

import numpy as np

from ..arrays import Grid, NDArray, as_array
from ..errors import UnsupportedError
from ..node import Op, op_name
from ..numerics import common_scale, dequantize, divide, quantize, requantize, whole
from ..ops import (
    FUNCTIONS,
    Activation,
    Add,
    AvgPool,
    Broadcast,
    Cast,
    Concat,
    Constant,
    Div,
    DynamicScale,
    Gather,
    Lookup,
    Maximum,
    MaxPool,
    Minimum,
    Mul,
    MultiplyShift,
    Output,
    Pad,
    Power,
    Quantize,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Slice,
    Softmax,
    Step,
    Sub,
    Transpose,
    Upsample,
    mover,
    multiply_shift,
    pad_value,
    pool_counts,
)
from ..tensor import Tensor
from .kernel import Value, lift, run
from .linear import slide


@run.register
def _(op: Constant, out: Tensor) -> NDArray:
    kind = np.int64 if out.is_integer else np.float32
    return op.value.data.astype(kind)[None]


@run.register
def _(op: Output, out: Tensor, x: Value) -> NDArray:
    return x.data


@run.register
def _(op: Cast, out: Tensor, x: Value) -> NDArray:
    return op.format.rounded(x.real)


@run.register
def _(op: Quantize, out: Tensor, x: Value) -> NDArray:
    if not x.type.is_integer:
        return quantize(x.data, op.format, op.rounding, op.overflow)
    return requantize(x.centred, x.type.quantized.scale, op.format, op.rounding, op.overflow)


@run.register
def _(op: MultiplyShift, out: Tensor, x: Value) -> NDArray:
    return multiply_shift(x.centred, op)


@run.register
def _(op: DynamicScale, out: Tensor, x: Value) -> NDArray:
    return x.real


@run.register
def _(op: Lookup, out: Tensor, x: Value, table: Value) -> NDArray:
    return np.asarray(table.data[0][x.data - op.offset])


@run.register
def _(op: Step, out: Tensor, x: Value, thresholds: Value, values: Value) -> NDArray:
    if x.type.is_integer and thresholds.type.is_integer:
        scale = common_scale(x.type.quantized.scale, thresholds.type.quantized.scale)
        if isinstance(scale, Grid):  # thresholds of each channel in its own units
            units = as_array(divide(thresholds.type.quantized.scale, scale))[..., None]
            position = (x.in_units(scale)[..., None] >= whole(Grid(units)) * thresholds.centred[0]).sum(axis=-1)
        else:
            position = np.searchsorted(thresholds.in_units(scale)[0], x.in_units(scale), side="right")
    else:
        reals = (
            dequantize(v.data, v.type.quantized) if v.type.is_integer else v.data.astype(np.float64)
            for v in (x, thresholds)
        )
        points, edges = reals
        position = np.searchsorted(edges[0], points, side="right")
    return np.asarray(values.data[0][position])


def _pair(out: Tensor, x: Value, y: Value) -> tuple[NDArray, NDArray]:
    """Both operands in the result's arithmetic: float32, or integers of one scale; ranks made equal."""
    rank = len(out.shape)
    if out.is_integer:
        scale = out.quantized.scale
        return lift(x.in_units(scale), rank), lift(y.in_units(scale), rank)
    return lift(x.real, rank), lift(y.real, rank)


@run.register
def _(op: Add, out: Tensor, x: Value, y: Value) -> NDArray:
    return np.add(*_pair(out, x, y))


@run.register
def _(op: Sub, out: Tensor, x: Value, y: Value) -> NDArray:
    return np.subtract(*_pair(out, x, y))


@run.register
def _(op: Maximum, out: Tensor, x: Value, y: Value) -> NDArray:
    return np.asarray(np.maximum(*_pair(out, x, y)))


@run.register
def _(op: Minimum, out: Tensor, x: Value, y: Value) -> NDArray:
    return np.asarray(np.minimum(*_pair(out, x, y)))


@run.register
def _(op: Mul, out: Tensor, x: Value, y: Value) -> NDArray:
    rank = len(out.shape)
    if out.is_integer:
        return lift(x.centred, rank) * lift(y.centred, rank)
    return lift(x.real, rank) * lift(y.real, rank)


@run.register
def _(op: Div, out: Tensor, x: Value, y: Value) -> NDArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(*_pair(out, x, y))


@run.register
def _(op: Power, out: Tensor, x: Value, y: Value) -> NDArray:
    with np.errstate(all="ignore"):
        return np.asarray(np.power(*_pair(out, x, y)))


@run.register
def _(op: Relu, out: Tensor, x: Value) -> NDArray:
    return np.maximum(x.in_units(out.quantized.scale) if out.is_integer else x.real, 0)


@run.register
def _(op: Activation, out: Tensor, x: Value) -> NDArray:
    with np.errstate(all="ignore"):
        return FUNCTIONS[op.function].call(x.real.astype(np.float64), *op.parameters).astype(np.float32)


@run.register
def _(op: Softmax, out: Tensor, x: Value) -> NDArray:
    v = x.real.astype(np.float64)
    e = np.exp(v - v.max(axis=op.axis + 1, keepdims=True))
    return np.asarray(e / e.sum(axis=op.axis + 1, keepdims=True), np.float32)


@run.register
def _(op: MaxPool, out: Tensor, x: Value) -> NDArray:
    exact = x.in_units(out.quantized.scale) if out.is_integer and out.format != x.type.format else x.data
    v = exact if out.is_integer else x.real
    lowest = np.iinfo(np.int64).min if out.is_integer else -np.inf
    v = np.pad(v, ((0, 0), *op.padding, (0, 0)), constant_values=lowest)
    return _taps(v, op, np.maximum)


@run.register
def _(op: AvgPool, out: Tensor, x: Value) -> NDArray:
    v = x.centred if out.is_integer else x.real
    total = _taps(np.pad(v, ((0, 0), *op.padding, (0, 0))), op, np.add)
    return total if out.is_integer else total / pool_counts(op, x.type.shape[:-1]).astype(np.float32)


def _taps(v: NDArray, op: MaxPool | AvgPool, fold: Callable[[NDArray, NDArray], NDArray]) -> NDArray:
    """Fold the elements of each window of [batch, *space, C], one tap at a time."""
    windows = slide(v, op.window, op.strides, op.dilation)
    total: NDArray | None = None
    for tap in np.ndindex(*op.window):
        part = windows[(..., *tap)]
        total = part.copy() if total is None else fold(total, part)
    assert total is not None
    return total


@run.register
def _(op: Reduce, out: Tensor, x: Value) -> NDArray:
    axes = tuple(a + 1 for a in op.axes)
    v = x.centred if out.is_integer else x.real
    match op.kind:
        case Reduction.MAX:
            return np.asarray(np.max(v, axis=axes, keepdims=op.keep))
        case Reduction.MIN:
            return np.asarray(np.min(v, axis=axes, keepdims=op.keep))
        case Reduction.PROD:
            return np.asarray(np.prod(v, axis=axes, keepdims=op.keep))
        case Reduction.MEAN if not out.is_integer:
            return np.asarray(np.mean(v, axis=axes, keepdims=op.keep))
    return np.asarray(np.sum(v, axis=axes, keepdims=op.keep))


@run.register
def _(op: Pad, out: Tensor, x: Value) -> NDArray:
    widths = ((0, 0), *op.padding)
    if not out.is_integer:
        return np.pad(x.real, widths, constant_values=np.float32(op.value))
    centre = pad_value(x.type, op.value) or 0
    if out.format == x.type.format:
        return np.pad(x.data, widths, constant_values=centre + int(as_array(x.type.quantized.zero)))
    return np.pad(x.centred, widths, constant_values=centre)  # the elements' scales stay, their zero points go


@run.register
def _(op: Concat, out: Tensor, *xs: Value) -> NDArray:
    if not out.is_integer:
        parts = [v.real for v in xs]
    elif isinstance(out.quantized.scale, Grid):  # each element keeps its scale
        parts = [v.centred for v in xs]
    else:
        parts = [v.in_units(out.quantized.scale) for v in xs]
    batch = max(p.shape[0] for p in parts)
    return np.concatenate([np.broadcast_to(p, (batch, *p.shape[1:])) for p in parts], axis=op.axis + 1)


@run.register(Reshape)
@run.register(Transpose)
@run.register(Slice)
@run.register(Gather)
@run.register(Broadcast)
@run.register(Upsample)
def _(op: Op, out: Tensor, x: Value) -> NDArray:
    match op:
        case Reshape(shape=shape):
            return x.data.reshape(x.data.shape[0], *shape)
        case Transpose(axes=axes):
            return x.data.transpose(0, *(a + 1 for a in axes))
        case Slice():
            cut = (slice(*s) for s in zip(op.starts, op.stops, op.steps, strict=True))
            return x.data[(slice(None), *cut)]
        case Gather(axis=axis, indices=indices):
            return x.data.take(np.array(indices), axis=axis + 1)
        case Broadcast(shape=shape):
            return np.broadcast_to(lift(x.data, len(shape)), (x.data.shape[0], *shape))
        case Upsample(factors=factors):
            return mover(Upsample((1, *factors)))(x.data)
    raise UnsupportedError(f"nothing says how to evaluate {op_name(op)}")
