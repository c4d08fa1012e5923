"""The real functions of one value that an ``Activation`` can name, each in float64.

``low`` and ``high``: outside of them the function is within 2^-12 of its asymptote or of a straight line, so that a
table need not reach further; None where it has no such end. Definitions follow Keras 3 and ONNX (opset 22), which
agree where both have a function.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import NDArray


@dataclass(frozen=True)
class Function:
    """``call(x, *parameters)`` on a float64 array, and how many parameters it takes."""

    call: Callable[..., NDArray]
    parameters: int = 0
    low: float | None = None
    high: float | None = None


def _sigmoid(x: NDArray) -> NDArray:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def _softplus(x: NDArray) -> NDArray:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def _erf(x: NDArray) -> NDArray:
    from math import erf

    return np.vectorize(erf, otypes=[np.float64])(x) if x.size else x


def _safe_exp(x: NDArray) -> NDArray:
    return np.exp(np.minimum(x, 709.0))


def _elu(x: NDArray, alpha: float) -> NDArray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _selu(x: NDArray, alpha: float, gamma: float) -> NDArray:
    return gamma * _elu(x, alpha)


def _celu(x: NDArray, alpha: float) -> NDArray:
    return np.maximum(x, 0.0) + np.minimum(alpha * np.expm1(np.minimum(x, 0.0) / alpha), 0.0)


def _gelu(x: NDArray) -> NDArray:
    return np.asarray(0.5 * x * (1.0 + _erf(x / np.sqrt(2.0))))


def _gelu_tanh(x: NDArray) -> NDArray:
    return np.asarray(0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3))))


def _hard_sigmoid(x: NDArray, slope: float, offset: float) -> NDArray:
    return np.clip(slope * x + offset, 0.0, 1.0)


def _power(x: NDArray, exponent: float) -> NDArray:
    return np.power(x, exponent)


def _hard_shrink(x: NDArray, bound: float) -> NDArray:
    return np.where(np.abs(x) > bound, x, 0.0)


def _soft_shrink(x: NDArray, bound: float, bias: float) -> NDArray:
    return np.where(x < -bound, x + bias, np.where(x > bound, x - bias, 0.0))


def _sparse_sigmoid(x: NDArray) -> NDArray:
    return np.clip(0.5 * (x + 1.0), 0.0, 1.0)


def _sparse_plus(x: NDArray) -> NDArray:
    return np.where(x <= -1.0, 0.0, np.where(x < 1.0, 0.25 * (x + 1.0) ** 2, x))


def _round_float(x: NDArray, bits: float, exponent: float, largest: float, saturate: float) -> NDArray:
    """Round to floating point of ``bits`` after the point, halves to even; beyond ``largest``, it or infinity."""
    size = np.abs(x)
    own = np.frexp(np.where(np.isfinite(size), size, 1.0))[1] - 1
    unit = np.ldexp(1.0, np.maximum(own, int(exponent)) - int(bits))
    rounded = np.where(np.isfinite(x), np.rint(x / unit) * unit, x)
    beyond = np.copysign(largest if saturate else np.inf, x)
    return np.where(np.abs(rounded) > largest, beyond, rounded)


FUNCTIONS: dict[str, Function] = {
    "sigmoid": Function(_sigmoid, 0, -9.0, 9.0),
    "tanh": Function(np.tanh, 0, -5.0, 5.0),
    "exp": Function(_safe_exp, 0, -9.0, None),
    "log": Function(np.log),
    "sqrt": Function(np.sqrt),
    "rsqrt": Function(lambda x: 1.0 / np.sqrt(x)),
    "reciprocal": Function(lambda x: 1.0 / x),
    "erf": Function(_erf, 0, -3.0, 3.0),
    "sin": Function(np.sin),
    "cos": Function(np.cos),
    "tan": Function(np.tan),
    "asin": Function(np.arcsin),
    "acos": Function(np.arccos),
    "atan": Function(np.arctan),
    "sinh": Function(np.sinh),
    "cosh": Function(np.cosh),
    "asinh": Function(np.arcsinh),
    "acosh": Function(np.arccosh),
    "atanh": Function(np.arctanh),
    "abs": Function(np.abs),
    "sign": Function(np.sign),
    "floor": Function(np.floor),
    "ceil": Function(np.ceil),
    "round": Function(np.rint),
    "softplus": Function(_softplus, 0, -9.0, None),
    "softsign": Function(lambda x: x / (1.0 + np.abs(x))),
    "silu": Function(lambda x: x * _sigmoid(x)),
    "gelu": Function(_gelu),
    "gelu_tanh": Function(_gelu_tanh),
    "mish": Function(lambda x: x * np.tanh(_softplus(x))),
    "elu": Function(_elu, 1),
    "selu": Function(_selu, 2),
    "celu": Function(_celu, 1),
    "leaky_relu": Function(lambda x, slope: np.where(x >= 0, x, slope * x), 1),
    "threshold": Function(lambda x, bound: np.where(x > bound, x, 0.0), 1),
    "hard_sigmoid": Function(_hard_sigmoid, 2),
    "hard_silu": Function(lambda x, slope, offset: x * _hard_sigmoid(x, slope, offset), 2),
    "hard_tanh": Function(lambda x: np.clip(x, -1.0, 1.0)),
    "hard_shrink": Function(_hard_shrink, 1),
    "soft_shrink": Function(_soft_shrink, 2),
    "tanh_shrink": Function(lambda x: x - np.tanh(x)),
    "squareplus": Function(lambda x, b: 0.5 * (x + np.sqrt(x * x + b)), 1),
    "sparse_plus": Function(_sparse_plus),
    "sparse_sigmoid": Function(_sparse_sigmoid),
    "log_sigmoid": Function(lambda x: -_softplus(-x)),
    "power": Function(_power, 1),
    "round_float": Function(_round_float, 4),
}
