"""Arithmetic with broadcasting, and functions of one value."""

import numpy as np

from ....graph import Node, Op, Rounding
from ....graph.ops import Activation, Add, Div, Maximum, Minimum, Mul, Power, Quotient, Remainder, Sub
from ..broadcast import operands
from ..registry import ANY, WHOLE, Build, Call, Results, operator
from ..values import Flow, Known
from .activations import scaled, shifted

FUNCTIONS = {
    "abs": "abs", "sqrt": "sqrt", "rsqrt": "rsqrt", "exp": "exp", "log": "log", "reciprocal": "reciprocal",
    "erf": "erf", "special_erf": "erf", "sign": "sign", "floor": "floor", "ceil": "ceil", "sin": "sin", "cos": "cos",
    "tan": "tan", "asin": "asin", "acos": "acos", "atan": "atan", "sinh": "sinh", "cosh": "cosh", "asinh": "asinh",
    "acosh": "acosh", "atanh": "atanh", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "sgn": "sign",
    "special_expit": "sigmoid",
}  # fmt: skip
"""Functions without arguments, and what the graph calls them."""
LOGARITHMS = {"log2": 2.0, "log10": 10.0}


def _function(name: str) -> Build:
    return lambda call: call.node(Activation(name), call.flow().node)


for _operator, _name in FUNCTIONS.items():
    operator(_operator)(_function(_name))


def _logarithm(base: float) -> Build:
    return lambda call: scaled(call, call.node(Activation("log"), call.flow().node), 1.0 / float(np.log(base)))


for _operator, _base in LOGARITHMS.items():
    operator(_operator)(_logarithm(_base))


@operator("log1p")
def log1p(call: Call) -> Node:
    """``log(1 + x)``."""
    return call.node(Activation("log"), shifted(call, call.flow().node, 1.0))


@operator("expm1")
def expm1(call: Call) -> Node:
    """``exp(x) - 1``, in float32 as an exponential linear unit below zero and the difference above."""
    x = call.flow().node
    below = call.node(Activation("elu", (1.0,)), call.node(Minimum(), x, call.constant(0.0)))
    above = call.node(Activation("exp"), call.node(Maximum(), x, call.constant(0.0)))
    return call.node(Add(), shifted(call, above, -1.0), below)


@operator("exp2")
def exp2(call: Call) -> Node:
    """``2 ** x``."""
    return call.node(Activation("exp"), scaled(call, call.flow().node, float(np.log(2.0))))


@operator("neg")
def neg(call: Call) -> Node:
    """``-x``."""
    x = call.flow(of=ANY)
    return call.node(Mul(), x.node, call.constant(np.int64(-1) if x.dtype in WHOLE else np.float32(-1.0)))


@operator("square")
def square(call: Call) -> Node:
    """``x * x``."""
    x = call.flow().node
    return call.node(Mul(), x, x)


@operator("round")
def round_(call: Call) -> Node:
    """Round to the nearest whole number, halves to even; to decimals by a factor."""
    decimals = call.integer("decimals", 0)
    x = call.flow().node
    if decimals:
        raise call.arguments.refusal("decimals", decimals, "round to whole numbers")
    return call.node(Activation("round"), x)


@operator("trunc", "fix")
def trunc(call: Call) -> Node:
    """Drop the digits after the point: ``sign(x) * floor(|x|)``."""
    return truncated(call, call.flow().node)


def truncated(call: Call, x: Node) -> Node:
    """Round toward zero."""
    whole = call.node(Activation("floor"), call.node(Activation("abs"), x))
    return call.node(Mul(), call.node(Activation("sign"), x), whole)


@operator("frac")
def frac(call: Call) -> Node:
    """What ``trunc`` drops."""
    x = call.flow().node
    return call.node(Sub(), x, truncated(call, x))


def binary(call: Call, op: Op, x: Flow | Known, y: Flow | Known) -> Results:
    """Apply an operation to two operands that broadcast."""
    for value, key in ((x, "self"), (y, "other")):
        if isinstance(value, Flow):
            call.as_flow(value, key, ANY)
    nodes, place = operands(call, x, y)
    return Flow(call.node(op, *nodes), place)


@operator("add")
def add(call: Call) -> Results:
    """``x + alpha * y``; minus infinity, which masks hold, is the lowest number that there is."""
    from .logic import finite

    return binary(call, Add(), finite(call, call.value("self")), finite(call, _other(call)))


@operator("sub", "subtract")
def sub(call: Call) -> Results:
    """``x - alpha * y``."""
    return binary(call, Sub(), call.value("self"), _other(call))


@operator("rsub")
def rsub(call: Call) -> Results:
    """``y - alpha * x``."""
    x, y, alpha = call.value("self"), call.value("other"), call.number("alpha", 1)
    return binary(call, Sub(), y, _times(call, x, alpha))


def _other(call: Call) -> Flow | Known:
    return _times(call, call.value("other"), call.number("alpha", 1))


def _times(call: Call, x: Flow | Known, factor: float) -> Flow | Known:
    if factor == 1.0:
        return x
    whole = x.dtype in WHOLE and factor.is_integer()
    if isinstance(x, Known):
        return Known.of([v * (int(factor) if whole else np.float32(factor)) for v in x.variants], x.dtype)
    if whole:
        return x.on(call.node(Mul(), x.node, call.constant(np.int64(factor))))
    return x.on(scaled(call, x.node, factor))


@operator("mul", "multiply")
def mul(call: Call) -> Results:
    """``x * y``."""
    return binary(call, Mul(), call.value("self"), call.value("other"))


@operator("maximum", "fmax")
def maximum(call: Call) -> Results:
    """The greater of two values."""
    return binary(call, Maximum(), call.value("self"), call.value("other"))


@operator("minimum", "fmin")
def minimum(call: Call) -> Results:
    """The lesser of two values."""
    return binary(call, Minimum(), call.value("self"), call.value("other"))


@operator("div", "divide", "true_divide")
def div(call: Call) -> Results:
    """``x / y``; a constant divisor becomes a factor (one rounding more, in float32)."""
    mode = call.arguments.choice("rounding_mode", None, "floor", "trunc", default=None)
    x, y = call.value("self"), call.value("other")
    if mode is not None and _whole(x, y):
        return binary(call, Quotient(Rounding.TRN if mode == "floor" else Rounding.TRN_ZERO), x, y)
    quotient = divided(call, x, y)
    if mode is None:
        return quotient
    whole = call.node(Activation("floor"), quotient.node) if mode == "floor" else truncated(call, quotient.node)
    return quotient.on(whole)


@operator("floor_divide")
def floor_divide(call: Call) -> Results:
    """The quotient, rounded down."""
    if _whole(call.value("self"), call.value("other")):
        return binary(call, Quotient(Rounding.TRN), call.value("self"), call.value("other"))
    quotient = divided(call, call.value("self"), call.value("other"))
    return quotient.on(call.node(Activation("floor"), quotient.node))


@operator("remainder", "fmod")
def remainder(call: Call) -> Results:
    """What a whole number of divisors leaves, with the sign of the divisor (``fmod``: of the dividend)."""
    x, y = call.value("self"), call.value("other")
    if _whole(x, y):
        return binary(call, Remainder(Rounding.TRN if call.op == "remainder" else Rounding.TRN_ZERO), x, y)
    quotient = divided(call, x, y)
    floor = call.op == "remainder"
    whole = call.node(Activation("floor"), quotient.node) if floor else truncated(call, quotient.node)
    nodes, place = operands(call, x, y)
    return Flow(call.node(Sub(), nodes[0], call.node(Mul(), whole, nodes[1])), place)


def _whole(*values: Flow | Known) -> bool:
    return all(v.dtype in WHOLE for v in values)


def divided(call: Call, x: Flow | Known, y: Flow | Known) -> Flow:
    """``x / y``."""
    for value, key in ((x, "self"), (y, "other")):
        if isinstance(value, Flow):
            call.as_flow(value, key, ANY)
    (dividend, divisor), place = operands(call, x, y)
    if divisor.type.value is not None:
        with np.errstate(all="ignore"):
            factor = (1.0 / divisor.type.value.data.astype(np.float64)).astype(np.float32)
        exact = np.all(np.frexp(np.abs(factor))[0] == 0.5)
        rounded = "rounding_mode" in call.arguments or call.op in ("floor_divide", "remainder", "fmod")
        if np.isfinite(factor).all() and (np.abs(factor) >= np.finfo(np.float32).tiny).all() and (exact or not rounded):
            return Flow(call.node(Mul(), dividend, call.constant(factor)), place)
    return Flow(call.node(Div(), dividend, divisor), place)


@operator("pow", "float_power")
def power(call: Call) -> Results:
    """``x ** y``."""
    x, y = call.value("self"), call.value("exponent")
    if isinstance(x, Flow) and isinstance(y, Known) and y.at(0).ndim == 0 and len(y.variants) == 1:
        return x.on(to_the(call, call.as_flow(x, "self").node, float(y.at(0))))
    return binary(call, Power(), x, y)


def to_the(call: Call, x: Node, exponent: float) -> Node:
    """A constant power, in the cheapest operation that is exactly it."""
    names = {0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}
    if exponent == 1.0:
        return x
    if exponent in (2.0, 3.0):
        squared = call.node(Mul(), x, x)
        return squared if exponent == 2.0 else call.node(Mul(), squared, x)
    if exponent in names:
        return call.node(Activation(names[exponent]), x)
    return call.node(Activation("power", (exponent,)), x)


@operator("addcmul", "addcdiv")
def addcmul(call: Call) -> Results:
    """``x + value * a * b``, or with the quotient of a and b."""
    x, a, b = (call.value(k) for k in ("self", "tensor1", "tensor2"))
    factor = call.number("value", 1)
    product = divided(call, a, b) if call.op == "addcdiv" else binary(call, Mul(), a, b)
    assert isinstance(product, Flow)
    return binary(call, Add(), x, product.on(scaled(call, product.node, factor)))


@operator("lerp")
def lerp(call: Call) -> Results:
    """``x + weight * (y - x)``."""
    x, y, weight = call.value("self"), call.value("end"), call.value("weight")
    difference = binary(call, Sub(), y, x)
    assert isinstance(difference, Flow)
    step = binary(call, Mul(), difference, weight)
    assert isinstance(step, Flow)
    return binary(call, Add(), x, step)
