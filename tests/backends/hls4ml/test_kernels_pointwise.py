"""Kernels that treat each element by itself equal ``evaluate`` in every bit."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from gatewright.graph import Affine, Fixed, Grid, Overflow, Rounding
from gatewright.graph.ops import Add, Compare, Comparison, Lookup, Maximum, Minimum, Mul, Quantize, Relu, Step, Sub

from .hls_driver import Case, Program, case, check, constant, needs_gxx

pytestmark = needs_gxx
MODES = list(product(Rounding, Overflow))


def grid(*values: object) -> Grid:
    return Grid(np.array(values))


def scales(*values: Fraction) -> Grid:
    cells = np.empty(len(values), object)
    cells[:] = values
    return Grid(cells)


def quantizers(rng: np.random.Generator) -> list[Case]:
    cases = [case(f"all_modes_{r}_{o}", Quantize(Fixed(5, 2), r, o), ((2, 8), Fixed(9, 3))) for r, o in MODES]
    for i, (rounding, overflow) in enumerate(MODES):
        signed = bool(i & 1)
        source = Fixed(int(rng.integers(2, 24)), int(rng.integers(-3, 9)), bool(rng.integers(2)))
        target = Fixed(int(rng.integers(1, 20)), int(rng.integers(-3, 9)), signed)
        cases.append(case(f"drawn_{rounding}_{overflow}", Quantize(target, rounding, overflow), ((3, 4), source)))
    return cases


def rescales() -> list[Case]:
    cases = []
    third, odd = Fraction(1, 3), Fraction(float(np.float32(0.0123)))
    for i, (rounding, overflow) in enumerate(MODES):
        source = [Fixed(10, 4), Affine(9, True, third, 5), Affine(8, False, odd, 100), Fixed(12, 2, False)][i % 4]
        target = [
            Affine(6, True, Fraction(1, 7), -3),
            Affine(5, False, Fraction(5, 11), 9),
            Fixed(6, 3),
            Affine(7, True, odd),
        ][(i // 2) % 4]
        cases.append(case(f"rescale_{rounding}_{overflow}", Quantize(target, rounding, overflow), ((2, 6), source)))
        per_channel = Affine(11, True, scales(Fraction(1, 3), odd, Fraction(1, 8)), grid(4, 0, -7) if i % 3 else 0)
        to = [
            Fixed(7, 4),
            Affine(6, True, Fraction(2, 9), 3),
            Fixed(grid(3, 7, 5), grid(1, 5, -2), grid(True, False, True)),
        ][i % 3]
        cases.append(case(f"channels_{rounding}_{overflow}", Quantize(to, rounding, overflow), ((4, 3), per_channel)))
        grids = Fixed(Grid(np.array([[3, 6], [9, 1]])), Grid(np.array([[1, 2], [9, -1]])), True)
        cases.append(
            case(f"elements_{rounding}_{overflow}", Quantize(grids, rounding, overflow), ((2, 2), Fixed(12, 5)))
        )
    cases.append(
        case("from_elements", Quantize(Fixed(8, 4)), ((3, 2, 2), Fixed(Grid(np.array([[3, 6], [9, 1]])), 4, False)))
    )
    cases.append(case("one_bit", Quantize(Fixed(1, 1), Rounding.RND, Overflow.SAT_SYM), ((4,), Fixed(6, 3))))
    return cases


def tables(rng: np.random.Generator) -> list[Case]:
    table = constant(rng.integers(-60, 60, 64), Fixed(7, 2))
    cases = [
        case("lookup_signed", Lookup(-32), ((2, 5), Fixed(6, 3)), table),
        case("lookup_unsigned", Lookup(0), ((7,), Fixed(6, 0, False)), table),
    ]
    cases.append(
        case(
            "lookup_affine",
            Lookup(-16),
            ((3, 2), Fixed(5, 5)),
            constant(rng.integers(0, 200, 40), Affine(8, False, Fraction(1, 3), 9)),
        )
    )
    index = Affine(5, True, Fraction(1, 10), -3)
    cases.append(case("lookup_of_affine", Lookup(-20), ((3, 2), index), constant(rng.integers(-9, 9, 40), Fixed(5, 2))))
    cases.append(
        case(
            "lookup_channels",
            Lookup(-8),
            ((3, 3), Fixed(4, grid(1, 3, 2))),
            constant(rng.integers(-3, 4, 16), Fixed(3, 3)),
        )
    )
    for n in (1, 2, 5, 15):
        edges = constant(np.sort(rng.integers(-90, 90, n)), Fixed(8, 3))
        values = constant(rng.integers(-9, 9, n + 1), Fixed(5, 2))
        cases.append(case(f"step_{n}", Step(), ((2, 8), Fixed(7, 4)), edges, values))
        cases.append(case(f"step_affine_{n}", Step(), ((2, 8), Affine(8, False, Fraction(1, 10), 77)), edges, values))
    by_channel = Affine(9, True, scales(Fraction(1, 3), Fraction(1, 7), Fraction(1, 11)), 3)
    cases.append(
        case(
            "step_channels",
            Step(),
            ((4, 3), by_channel),
            constant([-3, 0, 0, 2], Fixed(6, 5)),
            constant([5, 1, 0, 7, -4], Fixed(5, 5)),
        )
    )
    for x in (
        Fixed(6, 2),
        Fixed(6, 2, False),
        Affine(8, True, Fraction(1, 3), -20),
        Affine(5, False, Fraction(1, 3), 7),
    ):
        cases.append(case(f"relu_{x}", Relu(), ((3, 4), x)))
    return cases


FORMATS = [
    (Fixed(7, 3), Fixed(5, 4)),
    (Fixed(6, 1, False), Fixed(8, 7)),
    (Affine(8, True, Fraction(1, 6), 11), Affine(7, False, Fraction(1, 4), 3)),
    (Affine(6, True, Fraction(3, 7)), Fixed(6, 2)),
    (Fixed(4, 9), Fixed(5, -3, False)),
]


def pairs(rng: np.random.Generator) -> list[Case]:
    cases = []
    shapes = [((2, 3), (2, 3)), ((4, 1, 3), (2, 3)), ((3,), (2, 2, 3)), ((2, 1), (1, 3)), ((1,), (4,))]
    ops = (Add(), Sub(), Mul(), Maximum(), Minimum(), *map(Compare, Comparison))
    for i, (op, (a, b)) in enumerate(product(ops, FORMATS)):
        x, y = shapes[i % len(shapes)]
        cases.append(case(f"pair_{i}", op, (x, a), (y, b)))
        same = case(f"same_{i}", op, ((2, 3), b), ((2, 3), a))
        number = constant(rng.integers(*(int(v) for v in b.bounds), (1, 3) if i % 2 else (2, 2, 3), endpoint=True), b)
        cases += [
            same,
            case(f"constant_{i}", op, ((2, 2, 3), a), number),
            case(f"swapped_{i}", op, number, ((2, 3), a)),
        ]
    by_channel = Affine(9, True, scales(Fraction(1, 3), Fraction(1, 7), Fraction(1, 8)))
    cases.append(case("channels_pair", Add(), ((2, 3), by_channel), ((3,), Affine(6, True, Fraction(1, 5), 4))))
    cases.append(case("channels_constant", Sub(), constant([[3], [1]], Fixed(4, 3)), ((2, 3), by_channel)))
    cases.append(case("channels_product", Mul(), ((2, 3), by_channel), constant([3, -1, 2], Fixed(4, 3))))
    cases.append(case("grids", Add(), ((2, 3), Fixed(grid(3, 5, 2), grid(1, 1, 4), True)), ((2, 3), Fixed(5, 2))))
    return cases


def everything() -> list[Case]:
    rng = np.random.default_rng(1)
    return [*quantizers(rng), *rescales(), *tables(rng), *pairs(rng)]


CASES = everything()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(CASES, tmp_path_factory.mktemp("pointwise"))


@pytest.mark.parametrize("index", range(len(CASES)), ids=[c.name for c in CASES])
def test_equals_evaluate(program: Program, index: int) -> None:
    check(program, index, np.random.default_rng(index))
