"""Pointwise arithmetic with numpy's broadcasting, and functions of one value."""

from dataclasses import dataclass

import numpy as np

from ..arrays import NDArray
from ..errors import OptionError, ShapeError
from ..node import Op, infer
from ..numerics import multiply
from ..tensor import Bounded, Tensor, align, exact, fits, floats, picked, sum_type
from .functions import FUNCTIONS


@dataclass(frozen=True)
class Add(Op):
    """``x + y``, broadcast from the right; exact on integers of any two scales with a common unit."""


@dataclass(frozen=True)
class Sub(Op):
    """``x - y``, broadcast from the right."""


@dataclass(frozen=True)
class Mul(Op):
    """``x * y``, broadcast from the right."""


@dataclass(frozen=True)
class Maximum(Op):
    """The greater of ``x`` and ``y``, broadcast from the right."""


@dataclass(frozen=True)
class Minimum(Op):
    """The lesser of ``x`` and ``y``, broadcast from the right."""


@dataclass(frozen=True)
class Div(Op):
    """``x / y``, broadcast from the right; floating point."""


@dataclass(frozen=True)
class Power(Op):
    """``x ** y``, broadcast from the right; floating point."""


@dataclass(frozen=True)
class Relu(Op):
    """``max(x, 0)``."""


@dataclass(frozen=True)
class Activation(Op):
    """A real function of one value, by its name in ``functions.FUNCTIONS``; lowering makes a table of it."""

    function: str
    parameters: tuple[float, ...] = ()


@dataclass(frozen=True)
class Softmax(Op):
    """``exp(x) / sum(exp(x))`` along ``axis`` (counted without the batch); lowering makes tables of it."""

    axis: int


def broadcast(x: Tensor, y: Tensor) -> tuple[int, ...]:
    """Give the shape of a pointwise result. Raises ShapeError where the two do not fit."""
    try:
        return np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise ShapeError(f"shapes {x.shape} and {y.shape} do not broadcast") from None


def bounded(x: Tensor) -> Bounded:
    """Give the scale and the bounds of a tensor of integers."""
    return (x.quantized.scale, *x.interval)


@infer.register
def _(op: Add, x: Tensor, y: Tensor) -> Tensor:
    shape = broadcast(x, y)
    return sum_type(shape, bounded(x), bounded(y)) if x.is_integer and y.is_integer else floats(shape)


@infer.register
def _(op: Sub, x: Tensor, y: Tensor) -> Tensor:
    shape = broadcast(x, y)
    if not (x.is_integer and y.is_integer):
        return floats(shape)
    scale, low, high = bounded(y)
    return sum_type(shape, bounded(x), (scale, -high, -low))


@infer.register
def _(op: Mul, x: Tensor, y: Tensor) -> Tensor:
    shape = broadcast(x, y)
    if not (x.is_integer and y.is_integer):
        return floats(shape)
    ends = [(a, b) for a in x.interval for b in y.interval]
    if x is y:  # a square: both operands are the same value
        ends = [(v, v) for v in (*x.interval, np.clip(0, *x.interval))]
    if not fits(*(a.astype(np.float64) * b.astype(np.float64) for a, b in ends)):
        return floats(shape, "the product would need over 63 bits")
    products: list[NDArray] = [np.asarray(a * b) for a, b in ends]
    low, high = np.minimum.reduce(np.broadcast_arrays(*products)), np.maximum.reduce(np.broadcast_arrays(*products))
    return exact(shape, multiply(x.quantized.scale, y.quantized.scale), low, high)


@infer.register
def _(op: Maximum, x: Tensor, y: Tensor) -> Tensor:
    return _extreme(x, y, np.maximum)


@infer.register
def _(op: Minimum, x: Tensor, y: Tensor) -> Tensor:
    return _extreme(x, y, np.minimum)


def _extreme(x: Tensor, y: Tensor, pick: np.ufunc) -> Tensor:
    shape = broadcast(x, y)
    if not (x.is_integer and y.is_integer):
        return picked(shape, x, y)
    if (aligned := align(bounded(x), bounded(y))) is None:
        return floats(shape, "the two scales have no common unit within 63 bits")
    scale, (_, low_x, high_x), (_, low_y, high_y) = aligned
    return exact(shape, scale, pick(low_x, low_y), pick(high_x, high_y))


@infer.register
def _(op: Div, x: Tensor, y: Tensor) -> Tensor:
    return floats(broadcast(x, y))


@infer.register
def _(op: Power, x: Tensor, y: Tensor) -> Tensor:
    return floats(broadcast(x, y))


@infer.register
def _(op: Relu, x: Tensor) -> Tensor:
    if not x.is_integer:
        return picked(x.shape, x)
    low, high = x.interval
    return exact(x.shape, x.quantized.scale, np.maximum(low, 0), np.maximum(high, 0))


@infer.register
def _(op: Activation, x: Tensor) -> Tensor:
    if op.function not in FUNCTIONS:
        raise OptionError(f"no function called {op.function!r}", hint=f"known: {', '.join(sorted(FUNCTIONS))}")
    if len(op.parameters) != FUNCTIONS[op.function].parameters:
        raise OptionError(
            f"{op.function} takes {FUNCTIONS[op.function].parameters} parameters, got {len(op.parameters)}"
        )
    return floats(x.shape)


@infer.register
def _(op: Softmax, x: Tensor) -> Tensor:
    if not 0 <= op.axis < len(x.shape):
        raise ShapeError(f"softmax along axis {op.axis} of shape {x.shape}", hint="axes are counted without the batch")
    return floats(x.shape)
