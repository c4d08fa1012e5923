"""Kernels that choose equal ``evaluate`` in every bit."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from gatewright.graph import Affine, Fixed, Format
from gatewright.graph.ops import ArgMax, Select, Take

from .hls_driver import Case, Program, case, check, constant, needs_gxx

pytestmark = needs_gxx
BOOLEAN = Fixed(1, 1, False)
FORMATS: list[tuple[Format, Format]] = [
    (Fixed(6, 2), Fixed(5, 4)),
    (Affine(8, True, Fraction(1, 3), -20), Affine(8, True, Fraction(1, 3), 7)),
    (Affine(5, False, Fraction(1, 3), 7), Affine(6, True, Fraction(1, 4))),
    (Fixed(4, 6, False), Fixed(5, -3)),
]
SHAPES = [((2, 3), (2, 3), (2, 3)), ((3,), (2, 3), (2, 1)), ((2, 1), (1, 3), (3,)), ((2, 2, 3), (3,), (2, 1, 3))]


def choices() -> list[Case]:
    cases = []
    for i, ((a, b), (c, x, y)) in enumerate(product(FORMATS, SHAPES)):
        number = constant(np.arange(6).reshape(2, 3) % 4, a)
        other = constant([1, 0, 3], b)
        condition = (c, BOOLEAN)
        cases.append(case(f"select_{i}", Select(), condition, (x, a), (y, b)))
        cases.append(case(f"select_x_{i}", Select(), condition, number, (y, b)))
        cases.append(case(f"select_y_{i}", Select(), condition, (x, a), other))
        cases.append(case(f"select_xy_{i}", Select(), condition, number, other))
    return cases


def greatest() -> list[Case]:
    shapes = [((5,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 3, 4), 1)]
    return [
        case(f"greatest_{i}_{op}", op, (shape, FORMATS[i][0]))
        for i, (shape, axis) in enumerate(shapes)
        for op in (ArgMax(axis), ArgMax(axis, True, True), ArgMax(axis, last=True), ArgMax(axis, True, minimum=True))
    ]


def picks() -> list[Case]:
    """Indices of 0 to 3 into axes of four and more."""
    index = Fixed(2, 2, False)
    cases = []
    for i, (a, _) in enumerate(FORMATS):
        table = constant(np.arange(24).reshape(4, 6) % 7, a)
        cases.append(case(f"embedding_{i}", Take(0), table, ((5,), index)))
        cases.append(case(f"table_{i}", Take(1), table, ((2, 3), index)))
        cases.append(case(f"take_{i}", Take(0), ((4, 3), a), ((2,), index)))
        cases.append(case(f"take_inner_{i}", Take(1), ((2, 5, 3), a), ((2, 2), index)))
        cases.append(case(f"take_one_{i}", Take(1), ((2, 5), a), ((), index)))
        cases.append(case(f"take_offset_{i}", Take(0), ((4, 3), a), ((3,), Affine(2, True, Fraction(1), -2))))
    return cases


CASES = [*choices(), *greatest(), *picks()]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(CASES, tmp_path_factory.mktemp("choose"))


@pytest.mark.parametrize("index", range(len(CASES)), ids=[c.name for c in CASES])
def test_equals_evaluate(program: Program, index: int) -> None:
    check(program, index, np.random.default_rng(index))
