"""Arithmetic with broadcasting, and functions of one value."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from ....graph import NDArray, Node, Op, Rounding
from ....graph.ops import Activation, Add, Div, Maximum, Minimum, Mul, Power, Quotient, Remainder, Sub
from ..formats import integer_constant
from ..registry import Build, Call, Known, operator
from .constants import uniform

FUNCTIONS = {
    "Sqrt": "sqrt",
    "Exp": "exp",
    "Log": "log",
    "Reciprocal": "reciprocal",
    "Erf": "erf",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "Asin": "asin",
    "Acos": "acos",
    "Atan": "atan",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Asinh": "asinh",
    "Acosh": "acosh",
    "Atanh": "atanh",
}
"""Functions without attributes, and what the graph calls them. Round is to even in both."""


def _function(name: str) -> Build:
    return lambda call: call.node(Activation(name), call.flow())


for _operator, _name in FUNCTIONS.items():
    operator(_operator)(_function(_name))


def operands(call: Call, indices: Sequence[int]) -> list[Node]:
    """Give inputs that broadcast against each other."""
    rank = call.rank(*indices)
    return [call.operand(i, rank) for i in indices]


def _binary(op: Op) -> Build:
    return lambda call: call.node(op, *operands(call, (0, 1)))


operator("Add")(_binary(Add()))
operator("Sub")(_binary(Sub()))


@operator("Mul")
def mul(call: Call) -> Node:
    """``x * y``."""
    return times(call, *operands(call, (0, 1)))


def times(call: Call, x: Node, y: Node) -> Node:
    """Multiply; a constant factor of integers becomes a change of their scale, exactly."""
    if y.type.value is None and x.type.value is not None:
        x, y = y, x
    if x.type.is_integer and y.type.value is not None and not y.type.is_integer:
        y = exact_factor(call, y.type.value.data)
    return call.node(Mul(), x, y)


def exact_factor(call: Call, values: NDArray) -> Node:
    """Give float32 factors as -1, 0 or 1 in units of their magnitude."""
    size = np.abs(values.astype(np.float64))
    stored = np.sign(values).astype(np.int64)
    return integer_constant(stored, np.where(size > 0, size, 1.0), np.zeros((), np.int64), np.asarray, call.name)


def _variadic(op: Op) -> Build:
    return lambda call: reduce(lambda a, b: call.node(op, a, b), operands(call, range(len(call.inputs))))


operator("Sum")(_variadic(Add()))
operator("Max")(_variadic(Maximum()))
operator("Min")(_variadic(Minimum()))


@operator("Mean")
def mean(call: Call) -> Node:
    """Average tensors, element by element."""
    total = reduce(lambda a, b: call.node(Add(), a, b), operands(call, range(len(call.inputs))))
    return scaled(call, total, 1.0 / len(call.inputs))


def scaled(call: Call, x: Node, factor: float) -> Node:
    """``x * factor``."""
    return x if factor == 1.0 else times(call, x, call.constant(np.float32(factor)))


@operator("Neg")
def neg(call: Call) -> Node:
    """``-x``."""
    return call.node(Mul(), call.flow(), call.number(-1))


@operator("Abs")
def absolute(call: Call) -> Node:
    """The magnitude: of whole numbers the greater of both signs."""
    x = call.flow()
    if not call.is_whole():
        return call.node(Activation("abs"), x)
    return call.node(Maximum(), x, call.node(Mul(), x, call.number(-1)))


@operator("Sign")
def sign(call: Call) -> Node:
    """-1, 0 or 1."""
    x = call.flow()
    if not call.is_whole():
        return call.node(Activation("sign"), x)
    return call.node(Minimum(), call.node(Maximum(), x, call.number(-1)), call.number(1))


@operator("Div")
def div(call: Call) -> Node:
    """``x / y``; a constant divisor becomes a factor (one rounding more, in float32). Whole numbers: toward zero."""
    x, y = operands(call, (0, 1))
    if call.is_whole():
        return call.node(Quotient(Rounding.TRN_ZERO), x, y)
    if y.type.value is not None and not y.type.is_integer:
        with np.errstate(all="ignore"):
            factor = (1.0 / y.type.value.data.astype(np.float64)).astype(np.float32)
        if np.isfinite(factor).all() and (np.abs(factor) >= np.finfo(np.float32).tiny).all():
            return times(call, x, call.constant(factor))
    return call.node(Div(), x, y)


@operator("Mod")
def mod(call: Call) -> Node:
    """The remainder, with the sign of the divisor, or of what is divided for ``fmod``."""
    rounding = Rounding.TRN_ZERO if call.attributes.boolean("fmod", 0) else Rounding.TRN
    return call.node(Remainder(rounding), *operands(call, (0, 1)))


@operator("Pow")
def power(call: Call) -> Node:
    """``x ** y``; y may be of an integer type."""
    if call.is_whole():
        return _whole_power(call)
    exponent = call.value(1)
    if isinstance(exponent, Known):
        one = uniform(exponent.variants[0])
        exponent = Known(tuple(v.astype(np.float32) for v in exponent.variants))
        call.inputs = [call.inputs[0], exponent]
        if one is not None and not _grows(call, exponent):
            return _to_the(call, call.flow(), one)
    return call.node(Power(), *operands(call, (0, 1)))


def _whole_power(call: Call) -> Node:
    """A whole number multiplied by itself; the exponent is one constant."""
    exponent = call.known(1)
    one = uniform(exponent)
    if exponent is None or one is None or one != int(one) or not 1 <= one <= 64:
        raise call.refuse("a power of whole numbers needs one constant exponent of 1 to 64", "cast to float")
    x = call.flow()
    if np.broadcast_shapes(exponent.shape[call.lead if exponent.ndim > len(x.shape) else 0 :], x.shape) != x.shape:
        raise call.refuse("the exponent is broadcast", "give one number")
    return reduce(lambda a, b: call.node(Mul(), a, b), [x] * int(one))


def _grows(call: Call, exponent: Known) -> bool:
    """Whether the base is broadcast to the shape of a constant exponent (or does not fit it, found out later)."""
    rank = call.rank(0, 1)
    if exponent.variants[0].ndim > call.rank(0):
        return True
    sizes = call.sample(exponent, rank, "input 1").shape
    return any(n not in (1, m) for n, m in zip(sizes[::-1], call.flow().shape[::-1], strict=False))


def _to_the(call: Call, x: Node, exponent: float) -> Node:
    """A constant power, in the cheapest operation that is exactly it."""
    names = {0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}
    if exponent == 1.0:
        return x
    if exponent in (2.0, 3.0):
        square = call.node(Mul(), x, x)
        return square if exponent == 2.0 else call.node(Mul(), square, x)
    if exponent in names:
        return call.node(Activation(names[exponent]), x)
    return call.node(Activation("power", (exponent,)), x)
