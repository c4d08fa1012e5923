"""Comparisons, truth values (one bit), choices, and operations on the bits of whole numbers."""

import numpy as np

from ....graph import Node, Rounding
from ....graph.formats import bits_for
from ....graph.ops import (
    Compare,
    Comparison,
    Dense,
    Maximum,
    Minimum,
    Mul,
    Quotient,
    Remainder,
    Reshape,
    Select,
    Sub,
    Take,
)
from ..registry import Build, Call, operator
from ..types import WHOLE
from .pointwise import operands

LARGEST = float(np.finfo(np.float32).max)


def _compare(kind: Comparison, *, swapped: bool = False) -> Build:
    def build(call: Call) -> Node:
        x, y = operands(call, (0, 1))
        return call.node(Compare(kind), *((y, x) if swapped else (x, y)))

    return build


operator("Equal")(_compare(Comparison.EQUAL))
operator("Less")(_compare(Comparison.LESS))
operator("LessOrEqual")(_compare(Comparison.LESS_EQUAL))
operator("Greater")(_compare(Comparison.LESS, swapped=True))
operator("GreaterOrEqual")(_compare(Comparison.LESS_EQUAL, swapped=True))


def negated(call: Call, truth: Node) -> Node:
    """Exchange 0 and 1."""
    return call.node(Sub(), call.constant(np.int64(1)), truth)


@operator("Not")
def not_(call: Call) -> Node:
    """``1 - x``."""
    return negated(call, call.flow())


@operator("And")
def and_(call: Call) -> Node:
    """The lesser of two truth values."""
    return call.node(Minimum(), *operands(call, (0, 1)))


@operator("Or")
def or_(call: Call) -> Node:
    """The greater of two truth values."""
    return call.node(Maximum(), *operands(call, (0, 1)))


@operator("Xor")
def xor(call: Call) -> Node:
    """Whether two truth values differ."""
    return negated(call, call.node(Compare(Comparison.EQUAL), *operands(call, (0, 1))))


@operator("Where")
def where(call: Call) -> Node:
    """``x`` where the condition holds, ``y`` elsewhere."""
    return call.node(Select(), *operands(call, (0, 1, 2)))


@operator("IsNaN")
def is_nan(call: Call) -> Node:
    """Whether a number is none: it differs from itself."""
    x = call.flow()
    return negated(call, call.node(Compare(Comparison.EQUAL), x, x))


@operator("IsInf")
def is_inf(call: Call) -> Node:
    """Whether a number is beyond the largest finite one, on the sides that the attributes name."""
    x, zero = call.flow(), call.constant(np.zeros((), np.int64))
    above = call.node(Compare(Comparison.LESS), call.constant(np.float32(LARGEST)), x)
    below = call.node(Compare(Comparison.LESS), x, call.constant(np.float32(-LARGEST)))
    above = above if call.attributes.boolean("detect_positive", 1) else call.node(Minimum(), above, zero)
    below = below if call.attributes.boolean("detect_negative", 1) else call.node(Minimum(), below, zero)
    return call.node(Maximum(), above, below)


def _span(*nodes: Node) -> tuple[int, int]:
    ends = [node.type.interval for node in nodes]
    return min(int(low.min()) for low, _ in ends), max(int(high.max()) for _, high in ends)


def _bits(call: Call, x: Node, count: int) -> Node:
    """Take a whole number apart into ``count`` bits [..., count], the lowest first; by two's complement below zero."""
    powers = call.constant(np.int64(1) << np.arange(count))
    column = call.node(Reshape((*x.shape, 1)), x)
    return call.node(Remainder(), call.node(Quotient(), column, powers), call.constant(np.int64(2)))


def _bitwise(kind: str) -> Build:
    def build(call: Call) -> Node:
        x, y = operands(call, (0, 1))
        low, high = _span(x, y)
        count = bits_for(low, high)
        a, b = _bits(call, x, count), _bits(call, y, count)
        match kind:
            case "and":
                joined = call.node(Minimum(), a, b)
            case "or":
                joined = call.node(Maximum(), a, b)
            case _:
                joined = negated(call, call.node(Compare(Comparison.EQUAL), a, b))
        weights = np.int64(1) << np.arange(count)
        weights[-1] *= -1 if low < 0 else 1
        summed = call.node(Dense(), joined, call.constant(weights[:, None]))
        return call.node(Reshape(joined.shape[:-1]), summed)

    return build


operator("BitwiseAnd")(_bitwise("and"))
operator("BitwiseOr")(_bitwise("or"))
operator("BitwiseXor")(_bitwise("xor"))


@operator("BitwiseNot")
def bitwise_not(call: Call) -> Node:
    """``-1 - x`` with a sign, ``largest - x`` without one."""
    width, signed = WHOLE[call.type()]
    if not signed and width > 62:
        raise call.refuse("the complement of uint64 has 64 bits", "use a smaller type")
    return call.node(Sub(), call.constant(np.int64(-1 if signed else (1 << width) - 1)), call.flow())


@operator("BitShift")
def bit_shift(call: Call) -> Node:
    """Multiply or divide by a power of two, rounded down; 0, or -1, where everything is shifted out."""
    left = call.attributes.choice("direction", "LEFT", "RIGHT") == "LEFT"
    width, _ = WHOLE[call.type()]
    x, shift = operands(call, (0, 1))
    if _span(shift)[0] < 0:
        raise call.refuse("a shift by a negative number", "use a type without a sign")
    room = 62 - bits_for(*_span(x)) if left else 62
    if min(_span(shift)[1], width) > room:
        raise call.refuse(f"a shift by more than {room} bits is not exact in 63 bits", "use a smaller type")
    most = min(width, _span(shift)[1])
    powers = np.int64(1) << np.minimum(np.arange(most + 1), 62)
    kept = np.arange(most + 1) < width
    limited = call.node(Minimum(), shift, call.constant(np.int64(most)))
    factor = call.node(Take(0), call.constant(np.where(kept | (not left), powers, 0)), limited)
    if left:
        return call.node(Mul(), x, factor)
    return call.node(Quotient(Rounding.TRN), x, factor)  # by 2^width, where all bits are shifted out: 0, or -1
