"""Softmax as an integer program over two tables."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..graph import Fixed, Node, Overflow, Rounding, UnsupportedError
from ..graph.arrays import as_array
from ..graph.formats import narrowest
from ..graph.ops import Minimum, Mul, Quantize, Reduce, Reduction, Softmax, Sub
from .config import Config
from .rewrite import integers, is_flat
from .tables import ends, has_unit, lookup, unit

EXP = Fixed(18, 1, False)
REACH = 4
"""Integer bits of the difference to the maximum: exp(-16) is under half a unit of EXP."""


@dataclass(frozen=True)
class SoftmaxPlan:
    """The formats of one softmax over ``count`` values: of the difference to the maximum, the sum, its reciprocal."""

    count: int
    difference: Fixed
    total: Fixed
    inverse: Fixed

    @property
    def bound(self) -> float:
        """Greatest absolute error before the last rounding.

        With h the step of the difference (rounded down), a half a unit of the tables, s half a step of the sum, n
        values, and every probability p <= 1 and sum >= 1: the exponentials are off by at most 1 - exp(-h) relatively
        and a absolutely, and so on.
        """
        h, a = 2.0 ** -_fraction(self.difference), 2.0 ** -(_fraction(EXP) + 1)
        relative, absolute = -np.expm1(-h), a + np.exp(-(2.0**REACH))
        total = relative + self.count * absolute + 2.0 ** -(_fraction(self.total) + 1)
        inverse = 2.0 ** -(_fraction(self.inverse) + 1)
        return float((relative + absolute + total / max(1.0 - total, 0.25)) * (1 + relative) + inverse)


def _fraction(format: Fixed) -> int:
    assert isinstance(format.fraction, int)
    return format.fraction


def softmax_rule(node: Node, config: Config, notes: list[str]) -> Node:
    """Replace ``quantize(softmax(x))`` by exact integer steps.

    m = x - max(x)                exact
    e = exp_table(quantize(m))    18 bits
    s = sum(e)                    exact
    y = quantize(e * inverse_table(quantize(s)))

    The difference is rounded down, so only the maximum has exp = 1: the class is that of the logits.
    """
    if not isinstance(node.op, Quantize) or not isinstance(node.inputs[0].op, Softmax):
        return node
    softmax = node.inputs[0]
    x, where = softmax.inputs[0], softmax.where or node.where
    assert isinstance(softmax.op, Softmax)
    if not has_unit(x):
        raise UnsupportedError("softmax reads values whose scale differs by channel", where=where)
    axis = (softmax.op.axis,)
    plan = plan_softmax(x, softmax.op.axis, config.table_bits_of(where))
    peak = Node(Reduce(Reduction.MAX, axis, True), (x,), where)
    zero = integers(0, narrowest(x.type.quantized.scale, 0, 0))
    below = Node(Minimum(), (Node(Sub(), (x, peak), where), zero), where)  # proves that no entry above exp(0) is needed
    fall = narrowed(below, plan.difference, Rounding.TRN, where)
    powers = lookup(fall, np.exp, Quantize(EXP), where)
    total = narrowed(Node(Reduce(Reduction.SUM, axis, True), (powers,), where), plan.total, Rounding.RND, where)
    inverse = lookup(total, lambda v: 1.0 / np.maximum(v, 1.0), Quantize(plan.inverse), where)
    product = Node(Mul(), (powers, inverse), where)
    half_unit = float(_unit(node.op)) / 2
    notes.append(
        f"{where}: softmax is within {plan.bound + half_unit:.2g} of the real function for every input that can occur"
    )
    return Node(node.op, (product,), where)


def _unit(op: Quantize) -> Fraction:
    cells: list[Fraction] = as_array(op.format.scale).ravel().tolist()
    return max(cells)


def plan_softmax(x: Node, axis: int, bits: int) -> SoftmaxPlan:
    """Choose the formats from the proved range of ``x``."""
    count = x.shape[axis]
    low, high = ends(x)
    reach = min(REACH, max(1, int(np.ceil(np.log2(max((high - low) * unit(x), 2.0**-8))))))
    size = int(np.ceil(np.log2(count + 1)))
    return SoftmaxPlan(count, Fixed(bits + 1, reach + 1, True), Fixed(bits, size, False), Fixed(18, 1, False))


def narrowed(node: Node, format: Fixed, rounding: Rounding, where: str) -> Node:
    """Quantize to ``format`` unless the values already have few enough bits."""
    assert isinstance(format.width, int)
    low, high = ends(node)
    source = node.type.format
    few_bits = is_flat(source) and high - low < 2**format.width
    if few_bits and (not isinstance(source, Fixed) or _fraction(source) <= _fraction(format)):
        return node
    return Node(Quantize(format, rounding, Overflow.SAT_SYM, "index of a table of softmax"), (node,), where)
