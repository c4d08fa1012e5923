"""Real functions of one value in float32, as polynomials that vectors can compute.

The coefficients are least-squares fits made for this file, over the intervals that stand beside them. Errors against
float64, in units of the result unless said otherwise: exp 1e-7, erf 4e-7 (absolute), tanh 2e-7, log 1e-7; everything
made of them is within 2e-6. Functions without a polynomial here call the C library, one element at a time.
"""

from collections.abc import Callable, Sequence
from math import log

from .code import Code, Value, cast, clip, const, extern, intrinsic, llvm, maximum, minimum, reinterpret, select
from .scope import ScalarsOnly

EXP = (1.0, 1.0, 0.4999999106, 0.16666541994, 0.04166921973, 0.00836621784, 0.00137526589)
"""exp(r) for r of -ln(2) / 2 to ln(2) / 2, lowest power first."""
ERF_P = (1.1283789873, 0.1940360814, 0.0532066822, 0.003917201422, 0.00028757532709, 2.01145508072e-06)
ERF_Q = (1.0, 0.50529152155, 0.1155905202, 0.01527050976, 0.0011981287971, 3.78353724955e-05)
"""erf(x) = x * P(x^2) / Q(x^2) for x of -3.95 to 3.95, beyond which it is 1 within 3e-8."""
TANH = (-0.333333283663, 0.133327588439, -0.0538473576307, 0.020973386243, -0.0060539157130)
"""tanh(x) = x + x^3 * P(x^2) for x of -0.625 to 0.625."""
LOG = (
    0.333333164463, -0.250000089407, 0.200018331408, -0.166678026319, 0.142260193825, -0.124148033559, 0.118458114564,
    -0.115927435458, 0.0673993006349,
)  # fmt: skip
"""log(1 + z) = z - z^2 / 2 + z^3 * P(z) for 1 + z of sqrt(1/2) to sqrt(2)."""
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
"""ln(2) in two parts, the first of few digits (Cody and Waite)."""
LARGEST, SMALLEST = 88.72283, -87.33654
"""exp of what is beyond is infinite, or below the normal numbers."""
LOWEST = -86.0
"""Vectors take it for what is less: 4.5e-38."""

MAGIC = 1.5 * 2**23
"""Added to a small float32, it leaves the nearest integer in the last bits."""

Unary = Callable[..., Value]


def polynomial(code: Code, x: Value, coefficients: Sequence[float]) -> Value:
    """Horner's rule; the lowest power first."""
    total = const(coefficients[-1], x.dtype, x.lanes)
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return code.let(total)


def ratio(code: Code, a: Value, b: Value) -> Value:
    """A / b for b from 2^-100 to 2^100; the last bits may be wrong."""
    if not code.reciprocals or b.lanes != 16:
        return a / b
    estimate = llvm("llvm.x86.avx512.rcp14.ps.512", "float32", 16, b, const(0.0, "float32", 16), const(-1, "int16"))
    near = code.let(estimate)
    return a * code.let(near * (const(2.0, "float32", 16) - b * near))


def exp(code: Code, x: Value) -> Value:
    """E to the x: a power of two, written into the exponent, times a polynomial of the rest."""
    if x.lanes > 1:
        near = code.let(clip(x, LOWEST, LARGEST))
        return code.let(select(x > LARGEST, float("inf"), _exponential(code, near, 1) * 2.0))
    near = code.let(clip(x, SMALLEST, LARGEST))
    n = code.let(intrinsic("nearbyint", near * (1.0 / log(2.0))))
    r = code.let(near - n * LN2_HIGH - n * LN2_LOW)
    half = code.let(cast(n, "int32") >> 1)  # in two factors: 2^128 is no float32
    rest = cast(n, "int32") - half
    value = polynomial(code, r, EXP) * _power_of_two(half) * _power_of_two(rest)
    return code.let(select(x > LARGEST, float("inf"), value))


def exp_below(code: Code, x: Value) -> Value:
    """E to the x for x of at most 0."""
    return _exponential(code, code.let(maximum(x, LOWEST)), 0)


def _exponential(code: Code, x: Value, halvings: int) -> Value:
    """E to the x, of LOWEST to LARGEST, halved so often: the power of two is added to the polynomial's exponent.

    Compilers that take apart sums of floats (those of graphics processors) would undo the rounding.
    """
    magic = MAGIC - halvings
    shifted = code.let(x * (1.0 / log(2.0)) + magic)
    n = code.let(shifted - magic)
    r = code.let(x - n * LN2_HIGH - n * LN2_LOW)
    power = reinterpret(shifted, "int32") << 23
    return code.let(reinterpret(reinterpret(polynomial(code, r, EXP), "int32") + power, "float32"))


def _power_of_two(n: Value) -> Value:
    return reinterpret((n + 127) << 23, "float32")


def natural_log(code: Code, x: Value) -> Value:
    """Give the natural logarithm; below the normal numbers -inf for 0, and no number for what is negative."""
    bits = code.let(reinterpret(maximum(x, 1.17549435e-38), "int32"))
    e = code.let((bits - 0x3F3504F3) >> 23)  # 1 + z from sqrt(1/2) on
    z = code.let(reinterpret(bits - (e << 23), "float32") - 1.0)
    square = code.let(z * z)
    exponent = code.let(cast(e, "float32"))
    value = z + (polynomial(code, z, LOG) * z * square + exponent * LN2_LOW - square * 0.5) + exponent * LN2_HIGH
    value = select(x > 3.0e38, select(x.equals(float("inf")), x, value), value)
    below = select(x.equals(0.0), const(float("-inf"), "float32", x.lanes), float("nan"))
    return code.let(select(x > 0.0, value, below))


def erf(code: Code, x: Value) -> Value:
    """Give the error function."""
    near = code.let(clip(x, -3.95, 3.95))
    square = code.let(near * near)
    return code.let(ratio(code, near * polynomial(code, square, ERF_P), polynomial(code, square, ERF_Q)))


def tanh(code: Code, x: Value) -> Value:
    """Give the hyperbolic tangent: a polynomial near zero, exponentials beyond."""
    size = code.let(intrinsic("abs", x))
    square = code.let(x * x)
    small = x + x * square * polynomial(code, square, TANH)
    far = code.let(exp(code, minimum(size, 20.0) * -2.0))
    large = ratio(code, const(1.0, "float32", x.lanes) - far, code.let(far + 1.0))
    return code.let(select(size < 0.625, small, select(x < 0.0, -large, large)))


def sigmoid(code: Code, x: Value) -> Value:
    """1 / (1 + exp(-x))."""
    return code.let(const(1.0, "float32", x.lanes) / (exp(code, -x) + 1.0))


def _log1p_exp(code: Code, x: Value) -> Value:
    """log(1 + exp(-|x|)), between 0 and ln(2)."""
    e = code.let(exp(code, -intrinsic("abs", x)))
    one = const(1.0, "float32", x.lanes)
    small = e - e * e * 0.5 + e * e * e * (1.0 / 3.0)
    return code.let(select(e < 0.01, small, natural_log(code, one + e)))


def softplus(code: Code, x: Value) -> Value:
    """log(1 + exp(x))."""
    return maximum(x, 0.0) + _log1p_exp(code, x)


def expm1(code: Code, x: Value) -> Value:
    """exp(x) - 1, by its series near zero."""
    series = x + x * x * 0.5 + x * x * x * (1.0 / 6.0) + x * x * x * x * (1.0 / 24.0) + x * x * x * x * x * (1.0 / 120)
    return code.let(select(intrinsic("abs", x) < 0.1, series, exp(code, x) - 1.0))


def _gelu(code: Code, x: Value) -> Value:
    return x * 0.5 * (erf(code, x * 0.7071067811865476) + 1.0)


def _gelu_tanh(code: Code, x: Value) -> Value:
    return x * 0.5 * (tanh(code, (x + x * x * x * 0.044715) * 0.7978845608028654) + 1.0)


def _elu(code: Code, x: Value, alpha: float) -> Value:
    return select(x > 0.0, x, expm1(code, minimum(x, 0.0)) * alpha)


def _celu(code: Code, x: Value, alpha: float) -> Value:
    return maximum(x, 0.0) + minimum(expm1(code, minimum(x, 0.0) * (1.0 / alpha)) * alpha, 0.0)


def _hard_sigmoid(code: Code, x: Value, slope: float, offset: float) -> Value:
    return clip(x * slope + offset, 0.0, 1.0)


def _sign(code: Code, x: Value) -> Value:
    zero, one = const(0.0, "float32", x.lanes), const(1.0, "float32", x.lanes)
    return select(x > 0.0, one, select(x < 0.0, -one, zero))


def _soft_shrink(code: Code, x: Value, bound: float, bias: float) -> Value:
    return select(x < -bound, x + bias, select(x > bound, x - bias, const(0.0, "float32", x.lanes)))


def _squareplus(code: Code, x: Value, b: float) -> Value:
    """(x + sqrt(x^2 + b)) / 2; below zero the two nearly cancel, and their sum is b / (sqrt(x^2 + b) - x)."""
    root = code.let(intrinsic("sqrt", x * x + b))
    return select(x > 0.0, (x + root) * 0.5, const(0.5 * b, "float32", x.lanes) / (root - x))


def _sparse_plus(code: Code, x: Value) -> Value:
    middle = (x + 1.0) * (x + 1.0) * 0.25
    return select(x <= -1.0, const(0.0, "float32", x.lanes), select(x < 1.0, middle, x))


def _round_float(code: Code, x: Value, bits: float, exponent: float, largest: float, saturate: float) -> Value:
    """Round to floating point of ``bits`` after the point; in float64, where each step is exact."""
    wide = code.let(cast(x, "float64"))
    own = ((reinterpret(wide, "int64") >> 52) & 0x7FF) - 1023
    place = code.let(maximum(own, int(exponent)) - int(bits))
    unit, inverse = (reinterpret((n + 1023) << 52, "float64") for n in (place, -place))
    rounded = code.let(intrinsic("nearbyint", wide * inverse) * unit)
    beyond = const(largest if saturate else float("inf"), "float64", x.lanes)
    found = select(intrinsic("abs", rounded) > largest, select(x < 0.0, -beyond, beyond), rounded)
    return code.let(cast(found, "float32"))


def _library(name: str) -> Unary:
    """Call a function of the C library."""

    def apply(code: Code, x: Value) -> Value:
        if x.lanes > 1:
            raise ScalarsOnly
        return code.let(extern(name, x))

    return apply


def _power(code: Code, x: Value, exponent: float) -> Value:
    return power(x, const(exponent, "float32"))


def power(x: Value, y: Value) -> Value:
    """X to the y, by the C library."""
    if x.lanes > 1 or y.lanes > 1:
        raise ScalarsOnly
    return extern("powf", x, y)


def _zero(x: Value) -> Value:
    return const(0.0, "float32", x.lanes)


FUNCTIONS: dict[str, Unary] = {
    "sigmoid": sigmoid,
    "tanh": tanh,
    "exp": exp,
    "log": natural_log,
    "sqrt": lambda code, x: intrinsic("sqrt", x),
    "rsqrt": lambda code, x: const(1.0, "float32", x.lanes) / intrinsic("sqrt", x),
    "reciprocal": lambda code, x: const(1.0, "float32", x.lanes) / x,
    "erf": erf,
    "abs": lambda code, x: intrinsic("abs", x),
    "sign": _sign,
    "floor": lambda code, x: intrinsic("floor", x),
    "ceil": lambda code, x: intrinsic("ceil", x),
    "round": lambda code, x: intrinsic("nearbyint", x),
    "softplus": softplus,
    "softsign": lambda code, x: x / (intrinsic("abs", x) + 1.0),
    "silu": lambda code, x: x * sigmoid(code, x),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "mish": lambda code, x: x * tanh(code, code.let(softplus(code, x))),
    "elu": _elu,
    "selu": lambda code, x, alpha, gamma: _elu(code, x, alpha) * gamma,
    "celu": _celu,
    "leaky_relu": lambda code, x, slope: select(x >= 0.0, x, x * slope),
    "threshold": lambda code, x, bound: select(x > bound, x, _zero(x)),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda code, x, slope, offset: x * _hard_sigmoid(code, x, slope, offset),
    "hard_tanh": lambda code, x: clip(x, -1.0, 1.0),
    "hard_shrink": lambda code, x, bound: select(intrinsic("abs", x) > bound, x, _zero(x)),
    "soft_shrink": _soft_shrink,
    "tanh_shrink": lambda code, x: x - tanh(code, x),
    "squareplus": _squareplus,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda code, x: clip((x + 1.0) * 0.5, 0.0, 1.0),
    "log_sigmoid": lambda code, x: -softplus(code, -x),
    "power": _power,
    "round_float": _round_float,
    **{name: _library(f"{name}f") for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh",
                                               "acosh", "atanh")},
}  # fmt: skip
"""How each function of ``graph.ops.FUNCTIONS`` is computed."""


def call(name: str, code: Code, x: Value, parameters: Sequence[float]) -> Value:
    """Apply a function by its name to float32 values."""
    return FUNCTIONS[name](code, code.let(x), *parameters)
