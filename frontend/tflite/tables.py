"""The integer arithmetic of TensorFlow Lite's reference kernels (TF 2.21, ``BUILTIN_REF``), as tables and constants.

Written from the kernels' definitions (``tensorflow/lite/kernels``: ``internal/common.h``,
``internal/quantization_util.cc``, ``internal/reference``, ``elementwise.cc``, ``activations.cc``) and compared with
them over every input.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc, floor

import numpy as np

from ...graph import NDArray
from ...graph.fixedpoint import exp_negative, interpolate, leading_zeros, multiply_high, shift_left, shift_round
from .arithmetic import quantize_multiplier
from .sigmoid import SIGMOID

Ints = NDArray
Real = Callable[[NDArray], NDArray]
"""A real function of float32 numbers."""


@dataclass(frozen=True)
class Stored:
    """How a tensor's integers are stored: their bounds, the float32 scale, the zero point."""

    low: int
    high: int
    scale: float
    zero: int

    @property
    def values(self) -> Ints:
        """Every integer that can be stored, ascending."""
        return np.arange(self.low, self.high + 1)

    @property
    def wide(self) -> bool:
        """Whether it has 16 bits."""
        return self.high - self.low > 255


def wrap32(v: Ints) -> Ints:
    """Keep the lower 32 bits, with the sign."""
    return (np.asarray(v, np.int64) + 2**31) % 2**32 - 2**31


def multiply_quantized(v: Ints, multiplier: int, shift: int) -> Ints:
    """Give ``v * multiplier / 2^31 * 2^shift``, rounded twice."""
    left, right = max(shift, 0), max(-shift, 0)
    return shift_round(multiply_high(wrap32(np.asarray(v, np.int64) << left), multiplier), right)


def f32(value: float) -> NDArray:
    """Round to float32."""
    return np.asarray(value, np.float32)


def ratio(a: float, b: float) -> float:
    """Divide as C++ does two floats."""
    return float(np.float32(a) / np.float32(b))


def round_away(x: NDArray) -> NDArray:
    """Round halves away from zero, in the array's own type."""
    return np.asarray(np.copysign(np.floor(np.abs(x).astype(np.float64) + 0.5), x), x.dtype)


def function_table(function: Real, x: Stored, y: Stored) -> Ints:
    """Give the result for every stored integer: 256 exact entries, or 512 with straight lines between them."""
    if x.wide:
        return interpolate(x.values, _knots(function, x, y, np.float32))
    real = np.float32(x.scale) * (x.values - x.zero).astype(np.float32)
    with np.errstate(all="ignore"):
        units = round_away(function(real).astype(np.float32) * (np.float32(1) / np.float32(y.scale)))
        total = units + np.float32(y.zero)
    if not (np.abs(total) < 2.0**31).all():
        raise OverflowError("a result is beyond 32 bits in units of the output's scale")
    return np.clip(np.trunc(total).astype(np.int64), y.low, y.high)


def _knots(function: Real, x: Stored, y: Stored, kind: type[np.float32] | type[np.float64]) -> Ints:
    """Give the 513 entries for 16-bit numbers, moved so that the middle between two of them errs least."""

    def real(value: float) -> NDArray:
        return np.asarray(value, kind)

    def at(points: NDArray) -> NDArray:
        return np.asarray(np.asarray(function(points), kind) * inverse)

    first, last = real(x.scale) * real(-32768 - x.zero), real(x.scale) * real(32767 - x.zero)
    low, high = real(y.scale) * real(-32768 - y.zero), real(y.scale) * real(32767 - y.zero)
    step, inverse = (last - first) / real(512), real(65536) / (high - low)
    with np.errstate(all="ignore"):
        points = first + np.arange(513).astype(kind) * step
        sample, following = round_away(at(points[:-1])), at(points[1:])
        line = round_away((following + sample) / real(2))
        bias = round_away((line - round_away(at(points[:-1] + step / real(2)))) / real(2))
        end = round_away(at(last.reshape(1)))
    return np.asarray(np.clip(np.concatenate([sample - bias, end]), -32768, 32767).astype(np.int64))


def in_float64(function: Real) -> Real:
    """Compute in float64 and round once to float32: what the C library's float functions give."""
    return lambda x: np.asarray(function(x.astype(np.float64)), x.dtype)


def _sigmoid(v: NDArray) -> NDArray:
    return np.asarray(f32(1.0) / (f32(1.0) + in_float64(np.exp)(-v)))


def _gelu(v: NDArray) -> NDArray:
    complement = in_float64(np.vectorize(erfc, otypes=[np.float64]))
    return np.asarray(f32(0.5) * v * complement(v * f32(-np.sqrt(0.5))))


def _gelu_tanh(v: NDArray) -> NDArray:
    inner = f32(np.sqrt(2 / np.pi)) * (v + f32(0.044715) * v * v * v)
    return np.asarray(f32(0.5) * v * (f32(1.0) + in_float64(np.tanh)(inner)))


STEPS: dict[str, Real] = {"sigmoid": _sigmoid, "gelu": _gelu, "gelu_tanh": _gelu_tanh}
"""Functions that the kernels compute in several steps of float32, each of which rounds."""


# ---- sigmoid and tanh of 16 bits: one table, straight lines between its entries


def power_of_two(scale: float) -> int | None:
    """Give the exponent of a scale that the kernels take for a power of two, else None."""
    if not 0 < np.float32(scale) < np.inf:
        return None
    log = np.log(np.float32(scale)) * (np.float32(1) / np.log(np.float32(2)))
    whole = round_away(np.asarray(log, np.float32))
    return int(whole) if abs(float(log - whole)) < 1e-3 else None


def _multiplier16(scale: float, shifts: tuple[int, ...]) -> tuple[int, int]:
    """Give the multiplier and the shift that bring the operand to units of 1 / (3 * 4096)."""
    exponent = power_of_two(scale)
    if exponent is not None and 12 + exponent in shifts:
        return 0, 12 + exponent
    multiplier, shift = float(np.float32(scale)) * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier, shift = multiplier * 2.0, shift + 1
    return int(multiplier), shift


def logistic16(x: Stored) -> Ints:
    """Give the 16-bit sigmoid, in units of 2^-15, of every stored integer."""
    multiplier, shift = _multiplier16(x.scale, (0,))
    if multiplier == 0:
        multiplier, shift = 3 << shift, 0
    half = 1 << (shift - 1) if shift > 0 else 0
    v = wrap32(x.values * multiplier + half) >> shift
    size = np.abs(v)
    index = size >> 9
    inside = np.minimum(index, 254)
    line = (SIGMOID[inside] << 9) + (size & 511) * (SIGMOID[inside + 1] - SIGMOID[inside])
    result = np.where(index >= 255, 0x7FFF << 10, line)
    result = np.where(v >= 0, result + (1 << 9), (1 << 25) - result + (1 << 9) - 1)
    return np.asarray(result >> 10)


def tanh16(x: Stored) -> Ints:
    """Give the 16-bit hyperbolic tangent, in units of 2^-15, of every stored integer."""
    multiplier, shift = _multiplier16(x.scale, (0, 1))
    if multiplier == 0:
        multiplier, shift = 3 << shift, 0
    half = 1 << (shift - 1) if shift > 0 else 0
    v = wrap32(x.values * multiplier + half) >> shift
    size = np.abs(v)
    index = size >> 8
    inside = np.minimum(index, 254)
    line = (SIGMOID[inside] << 8) + (size & 255) * (SIGMOID[inside + 1] - SIGMOID[inside])
    result = np.where(index >= 255, 0xFFFF << 8, line)
    result = np.where(v >= 0, result - (1 << 23) + (1 << 7), -result + (1 << 23) + (1 << 7) - 1)
    return np.asarray(result >> 8)


# ---- piecewise linear functions


def clip_table(x: Stored, y: Stored, low: float, high: float | None) -> Ints:
    """Give a clamp to [low, high] (None: no end) of every stored integer."""
    multiplier, shift = quantize_multiplier(ratio(x.scale, y.scale))
    least = max(y.low, y.zero + _units(low, y.scale))
    greatest = y.high if high is None else min(y.high, y.zero + _units(high, y.scale))
    result = y.zero + multiply_quantized(x.values - x.zero, multiplier, shift)
    return np.asarray(np.minimum(np.maximum(result, least), greatest))


def _units(value: float, scale: float) -> int:
    return int(round_away(np.asarray(np.float32(value) / np.float32(scale), np.float32)))


def leaky_relu_table(x: Stored, y: Stored, alpha: float) -> Ints:
    """Give a leaky ReLU of every stored integer."""
    slope = float(np.float32(x.scale) * np.float32(alpha) / np.float32(y.scale))
    q = x.values - x.zero
    above = multiply_quantized(q, *quantize_multiplier(ratio(x.scale, y.scale)))
    below = multiply_quantized(q, *quantize_multiplier(slope))
    return np.asarray(np.clip(y.zero + np.where(q >= 0, above, below), y.low, y.high))


def abs_table(x: Stored, y: Stored) -> Ints:
    """Give the absolute value of every stored integer."""
    q = np.abs(x.values - x.zero)
    if x.scale != y.scale:
        q = multiply_quantized(q, *quantize_multiplier(ratio(x.scale, y.scale)))
    return np.asarray(np.clip(q + y.zero, y.low, y.high))


def negative_table(x: Stored) -> Ints:
    """Give the negative of every stored integer, as it is stored; the least has none and stays."""
    return np.where(x.values == x.low, x.low, -x.values)


def rsqrt_table(x: Stored, y: Stored) -> Ints:
    """Give 1 / sqrt of every stored 8-bit integer; the kernel fails below zero, where this has the greatest value."""
    root = np.float32(np.sqrt(np.float32(x.scale)))
    multiplier, shift = quantize_multiplier(1.0 / float(root * np.float32(y.scale)))
    q = x.values - x.zero
    inverse, right = inverse_root(np.maximum(q, 1))
    fine = shift_round(multiply_high(np.left_shift(1, np.maximum(20 - right, 0)), inverse), np.maximum(right - 20, 0))
    result = np.clip(multiply_quantized(fine, multiplier, shift - 20) + y.zero, y.low, y.high)
    return np.where(q <= 0, y.high, result)


def inverse_root(v: Ints) -> tuple[Ints, Ints]:
    """Give ``m, n`` with 1 / sqrt(v) ~ m / 2^31 / 2^n, for v from 1 to 2^16: five steps of Newton's, with three integer
    bits.
    """
    pairs = (leading_zeros(v) - 1) // 2 - 1
    scaled = v << (2 * pairs)
    half, x = shift_round(scaled >> 1, 1), np.full(v.shape, 1 << 28, np.int64)
    for _ in range(5):
        cube = shift_left(multiply_high(multiply_high(x, x), x), 6)
        x = shift_left(multiply_high((1 << 28) + (1 << 27), x) - multiply_high(half, cube), 3)
    m, n = multiply_high(x, 1518500250), 11 - pairs
    one = v <= 1
    return np.where(one, 2**31 - 1, m << np.maximum(-n, 0)), np.where(one, 0, np.maximum(n, 0))


def hard_swish_table(x: Stored, y: Stored) -> Ints:
    """Give x * relu6(x + 3) / 6 of every stored integer, in 16-bit fixed point."""
    fine = np.float32(1.0 / 128.0) * np.float32(x.scale)
    out_multiplier, out_shift = _halved(quantize_multiplier(float(fine / np.float32(y.scale))))
    gate_multiplier, gate_shift = _halved(quantize_multiplier(float(fine / (np.float32(3.0) / np.float32(32768.0)))))
    if out_shift < -15 or gate_shift < -15:
        raise OverflowError("the scales of the operand and the result are too far apart for 16-bit shifts")
    v = (x.values - x.zero) << 7
    result = _high16(v, out_multiplier)
    gate = np.asarray(v)
    if gate_shift > 0:
        gate = _left16(gate, gate_shift - 1)
    gate = _high16(gate, gate_multiplier)
    if gate_shift > 0:
        gate = _left16(gate, 1)
    if gate_shift < 0:
        gate = shift_round(gate, -gate_shift)
    gate = (gate + 32768) >> 1
    product = gate * result
    product = np.where(product >= 0, product >> 15, -((-product) >> 15))  # toward zero; the gate is not negative
    return np.clip(shift_round(product, -out_shift) + y.zero, y.low, y.high)


def _halved(pair: tuple[int, int]) -> tuple[int, int]:
    multiplier, shift = pair
    return (32767 if multiplier >= 2**31 - 1 - 2**15 else (multiplier + 2**15) >> 16), shift


def _high16(a: Ints, b: int) -> Ints:
    """Give ``a * b / 2^15`` rounded, of 16-bit numbers."""
    product = np.asarray(a, np.int64) * b
    total = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    high = np.where(total >= 0, total >> 15, -((-total) >> 15))
    return np.where((np.asarray(a) == b) & (b == -32768), 32767, high)


def _left16(v: Ints, n: int) -> Ints:
    return np.asarray(np.clip(np.asarray(v, np.int64) << n, -32768, 32767))


# ---- softmax


def softmax_exponentials(scale: float, beta: float) -> Ints:
    """Give exp(beta * scale * d) for d = -255 .. 0 in units of 2^-31; 0 below what the kernel looks at."""
    multiplier, shift = quantize_multiplier(min(float(f32(beta)) * float(f32(scale)) * 2.0**26, 2.0**31 - 1.0))
    d = np.arange(-255, 1)
    least = -floor(31 * 2.0**26 / 2.0**shift)
    scaled = multiply_high(wrap32(d << shift), multiplier)
    return np.where(d >= least, exp_negative(scaled), 0)


def softmax_exponentials16(scale: float, beta: float) -> Ints:
    """Give exp(beta * scale * d) for d = -65535 .. 0 in units of 2^-15."""
    product = float(np.float32(scale) * np.float32(beta))
    multiplier, shift = quantize_multiplier(product / (10.0 / 65535.0))
    scaled = multiply_quantized(np.arange(-65535, 1), multiplier, shift)
    full = 65535
    table = _knots(np.exp, Stored(-32768, 32767, 10.0 / full, 32767), Stored(-32768, 32767, 2.0 / full, 0), np.float64)
    return interpolate(np.clip(scaled + 32767, -32768, 32767), table)


def reciprocal_knots() -> Ints:
    """Give the table of 1 / (1 + x) for x from 0 to 1 that the 16-bit softmax reads."""
    x, y = Stored(-32768, 32767, 1.0 / 65535, -32768), Stored(-32768, 32767, 2.0 / 65535, 0)
    return _knots(lambda v: 1.0 / (1.0 + v), x, y, np.float64)


__all__ = [
    "Stored", "abs_table", "clip_table", "function_table", "hard_swish_table", "in_float64", "leaky_relu_table",
    "logistic16", "multiply_quantized", "negative_table", "power_of_two", "ratio",
    "reciprocal_knots", "rsqrt_table", "softmax_exponentials", "softmax_exponentials16", "tanh16",
]  # fmt: skip
