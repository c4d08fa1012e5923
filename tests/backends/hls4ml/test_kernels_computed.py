"""Kernels of computed places, of sorting and of whole division equal ``evaluate`` in every bit."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from gatewright.backends.hls4ml.kernel import KERNEL_RULES
from gatewright.graph import Affine, Fixed, Format, Graph, Grid, Node, Op, Rounding, UnsupportedError
from gatewright.graph.ops import (
    Add,
    GatherND,
    Input,
    Output,
    Quotient,
    Reduction,
    Remainder,
    ScatterND,
    Sub,
    TakeAlong,
    TopK,
)

from .hls_driver import Case, Program, case, check, constant, needs_gxx

pytestmark = needs_gxx
INDEX = Fixed(2, 2, False)
FORMATS: list[Format] = [
    Fixed(6, 2),
    Affine(8, True, Fraction(1, 3), -20),
    Affine(5, False, Fraction(1, 3), 7),
    Fixed(4, 6, False),
]


def reads() -> list[Case]:
    cases = []
    for i, a in enumerate(FORMATS):
        table = constant(np.arange(24).reshape(4, 6) % 7, a)
        cases += [
            case(f"along_{i}", TakeAlong(0), ((4, 3), a), ((2, 3), INDEX)),
            case(f"along_last_{i}", TakeAlong(1), ((2, 5), a), ((2, 4), INDEX)),
            case(f"along_table_{i}", TakeAlong(0), table, ((3, 6), INDEX)),
            case(f"nd_{i}", GatherND(), ((4, 5, 3), a), ((2, 2), INDEX)),
            case(f"nd_whole_{i}", GatherND(), ((4, 4), a), ((3, 2), INDEX)),
            case(f"nd_rows_{i}", GatherND(), ((4, 3), a), ((2, 3, 1), INDEX)),
            case(f"nd_batch_{i}", GatherND(1), ((2, 4, 3), a), ((2, 2, 1), INDEX)),
            case(f"nd_table_{i}", GatherND(), table, ((5, 1), INDEX)),
        ]
    return cases


def writes() -> list[Case]:
    cases = []
    for i, (a, kind) in enumerate(product(FORMATS, (None, Reduction.SUM, Reduction.MAX, Reduction.MIN))):
        cases.append(case(f"write_{i}", ScatterND(kind), ((4, 3), a), ((5, 1), INDEX), ((5, 3), a)))
        other = Fixed(5, 4) if isinstance(a, Fixed) else Affine(6, True, Fraction(1, 6))
        cases.append(case(f"write_cell_{i}", ScatterND(kind), ((4, 4), a), ((2, 3, 2), INDEX), ((2, 3), other)))
    return cases


def orders() -> list[Case]:
    shapes = [((6,), 0), ((4, 3), 0), ((2, 5), 1), ((2, 3, 2), 1)]
    return [
        case(f"order_{i}_{largest}_{indices}", TopK(k, axis, largest, indices), (shape, FORMATS[i]))
        for i, (shape, axis) in enumerate(shapes)
        for largest, indices in product((False, True), repeat=2)
        for k in (1, shape[axis])
    ]


def divided(name: str, op: Op, x: Node, y: Node) -> Case:
    """A division whose divisor is above 0: an input of few bits and a constant."""
    node = Node(op, (x, y), where=name)
    inputs = tuple(i for i in (x, *y.inputs) if isinstance(i.op, Input))
    return Case(name, Graph(inputs, (Node(Output("y"), (node,)),)), node, KERNEL_RULES[type(op)](node))


def divisions() -> list[Case]:
    cases = []
    pairs = [(Fixed(7, 4), Fixed(5, 3, False)), (Affine(8, True, Fraction(1, 3), 5), Affine(4, False, Fraction(2, 3)))]
    for i, ((a, b), op, mode) in enumerate(product(pairs, (Quotient, Remainder), (Rounding.TRN, Rounding.TRN_ZERO))):
        x, y = Node(Input("x0", (2, 3), a)), Node(Input("x1", (3,), b))
        above = Node(Add(), (y, Node(constant([2, 1, 3], b))))
        below = Node(Sub(), (Node(constant([[-1]], Fixed(4, 2))), y))
        cases.append(case(f"by_table_{i}", op(mode), ((2, 3), a), constant([[3], [-2]], Fixed(4, 4))))
        cases.append(divided(f"of_table_{i}", op(mode), Node(constant([[7], [-9]], Fixed(6, 5))), above))
        cases.append(divided(f"by_{i}", op(mode), x, above))
        if isinstance(b, Fixed):
            cases.append(divided(f"by_negative_{i}", op(mode), x, below))
    return cases


CASES = [*reads(), *writes(), *orders(), *divisions()]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(CASES, tmp_path_factory.mktemp("computed"))


@pytest.mark.parametrize("index", range(len(CASES)), ids=[c.name for c in CASES])
def test_equals_evaluate(program: Program, index: int) -> None:
    check(program, index, np.random.default_rng(index))


def test_a_divisor_that_may_be_zero() -> None:
    with pytest.raises(UnsupportedError, match="may be 0"):
        case("zero", Quotient(), ((3,), Fixed(5, 5)), ((3,), Fixed(3, 3)))


def test_scales_of_each_channel() -> None:
    own = Affine(5, True, Grid(np.array([Fraction(1, 3), Fraction(1, 2)], dtype=object)))
    with pytest.raises(UnsupportedError):
        case("channels", Quotient(), ((3, 2), own), constant([[3]], Fixed(4, 4)))
