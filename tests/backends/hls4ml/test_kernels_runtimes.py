"""Kernels of what quantized runtimes define equal ``evaluate`` in every bit."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from gatewright.graph import Affine, Fixed, UnsupportedError
from gatewright.graph.ops import FixedSoftmax, MultiplyShift, Scaling

from .hls_driver import Case, Program, case, check, constant, needs_gxx

pytestmark = needs_gxx


def exponentials(levels: int, step: float, unit: int) -> np.ndarray:
    """exp(d * step) for d = 1 - levels to 0, in units of 2^-unit."""
    return np.minimum(np.rint(np.exp(np.arange(1 - levels, 1) * step) * 2.0**unit), 2**unit - 1).astype(np.int64)


KNOTS = np.rint(2**15 / (1 + np.arange(513) / 512)).clip(0, 2**15 - 1)
RECIPROCALS = constant(KNOTS, Affine(16, True, Fraction(1, 2**15)))


def softmaxes() -> list[Case]:
    cases = []
    for i, step in enumerate((0.001, 0.05, 0.3, 2.0)):
        table = constant(exponentials(256, step, 31), Affine(32, True, Fraction(1, 2**31)))
        x = Affine(8, True, Fraction(1, 10), 5 * i)
        for width, signed in ((8, True), (8, False), (16, True)):
            format = Affine(width, signed, Fraction(1, 2**width), -(2 ** (width - 1)) if signed else 0)
            for shape in ((10,), (3, 7), (2, 1)):
                op = FixedSoftmax(len(shape) - 1, format)
                cases.append(case(f"newton_{i}_{width}_{signed}_{shape}", op, (shape, x), table))
    table = constant(exponentials(65536, 0.0003, 15), Affine(16, True, Fraction(1, 2**15)))
    for shape in ((5,), (2, 4)):
        op = FixedSoftmax(len(shape) - 1, Affine(16, True, Fraction(1, 2**15)))
        x = (shape, Affine(16, True, Fraction(3, 1000)))
        cases.append(case(f"tabled_{shape}", op, x, table, RECIPROCALS))
    return cases


def rescales() -> list[Case]:
    rng = np.random.default_rng(3)
    formats = [
        Affine(8, True, Fraction(1, 9), -11),
        Affine(8, False, Fraction(1, 9), 200),
        Affine(16, True, Fraction(1)),
    ]
    operands = [
        Affine(24, True, Fraction(1, 1000)),
        Affine(9, True, Fraction(1, 3), 7),
        Fixed(20, 9),
        Fixed(6, 2, False),
    ]
    cases = []
    for i, (target, x) in enumerate(product(formats, operands)):
        low, high = (int(b) for b in target.bounds)
        for scaling, channels in product(Scaling, (1, 3)):
            multipliers = tuple(int(m) for m in rng.integers(2**30, 2**31, channels))
            shifts = tuple(int(s) for s in rng.integers(-18 if x.width > 16 else -8, 1, channels))
            op = MultiplyShift(target, multipliers, shifts, low + i, high - i, scaling)
            cases.append(case(f"multiply_{i}_{scaling}_{channels}", op, ((2, 3), x)))
    extreme = MultiplyShift(formats[0], (2**31 - 1, 0, 2**30), (0, -31, 8), -128, 127)
    cases.append(case("multiply_extreme", extreme, ((3,), Fixed(16, 16))))
    return cases


CASES = [*softmaxes(), *rescales()]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(CASES, tmp_path_factory.mktemp("runtimes"))


@pytest.mark.parametrize("index", range(len(CASES)), ids=[c.name for c in CASES])
def test_equals_evaluate(program: Program, index: int) -> None:
    check(program, index, np.random.default_rng(index), 40)


def test_another_axis_is_refused() -> None:
    table = constant(exponentials(256, 0.1, 31), Affine(32, True, Fraction(1, 2**31)))
    format = Affine(8, True, Fraction(1, 256), -128)
    with pytest.raises(UnsupportedError, match="along axis 0"):
        case("axis", FixedSoftmax(0, format), ((3, 4), Affine(8, True, Fraction(1, 10))), table)
