"""Products, convolutions, windows and reductions of ours equal ``evaluate`` in every bit."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from gatewright.graph import Affine, Fixed, Format, GatewrightError, Grid
from gatewright.graph.ops import (
    AvgPool,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    MatMul,
    MaxPool,
    Reduce,
    Reduction,
    pool_counts,
)

from .hls_driver import Case, Program, case, check, constant, needs_gxx

pytestmark = needs_gxx


def scales(*values: Fraction) -> Grid:
    cells = np.empty(len(values), object)
    cells[:] = values
    return Grid(cells)


X: list[Format] = [
    Fixed(6, 2),
    Affine(7, True, Fraction(1, 3), 9),
    Fixed(5, 1, False),
    Affine(6, False, Fraction(2, 5), 20),
]


def weights(rng: np.random.Generator, shape: tuple[int, ...], format: Format) -> Constant:
    low, high = format.bounds  # type: ignore[union-attr]
    return constant(rng.integers(low.min(), high.max(), shape, endpoint=True), format)


def weight_format(i: int, filters: int) -> Format:
    by_filter = scales(*(Fraction(1, 3 + k) for k in range(filters)))
    return [
        Fixed(4, 1),
        Affine(5, True, Fraction(1, 7)),
        Affine(4, False, Fraction(1, 6), 7),
        Affine(5, True, by_filter),
    ][i % 4]


def bias(rng: np.random.Generator, i: int, x: Format, w: Format, filters: int) -> tuple[Constant, ...]:
    """No bias, one of another power of two, or one of the product's own scale."""
    if i % 3 == 0 or (isinstance(w, Affine) and isinstance(w.scale, Grid)):
        return ()
    if isinstance(x, Fixed) and isinstance(w, Fixed):
        return (weights(rng, (filters,), Fixed(6, (i % 5) - 2)),)
    return (weights(rng, (filters,), Affine(6, True, x.scale * w.scale / (1 + i % 2))),)  # type: ignore[operator, union-attr]


def dense_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for i, shape in enumerate([(5,), (3, 4), (2, 2, 3), (7,), (4, 2), (1, 3), (2, 3), (6,)]):
        n = 1 + i % 4
        x, w = X[i % 4], weight_format(i // 2, n)
        cases.append(case(f"dense_{i}", Dense(), (shape, x), weights(rng, (shape[-1], n), w), *bias(rng, i, x, w, n)))
    by_filter = Affine(5, True, scales(Fraction(1, 4), Fraction(1, 6), Fraction(1, 2)))
    fine = Affine(5, True, scales(Fraction(1, 8), Fraction(1, 12), Fraction(1, 12)))
    cases.append(
        case(
            "dense_bias_by_filter",
            Dense(),
            ((2, 4), Fixed(5, 5)),
            weights(rng, (4, 3), by_filter),
            weights(rng, (3,), fine),
        )
    )
    cases.append(
        case("dense_grid", Dense(), ((2, 3), Fixed(Grid(np.array([3, 5, 2])), 1)), weights(rng, (3, 2), Fixed(4, 1)))
    )
    return cases


def matmul_cases(rng: np.random.Generator) -> list[Case]:
    shapes = [
        ((3, 4), (4, 2)),
        ((2, 3, 4), (2, 4, 2)),
        ((2, 1, 3, 2), (3, 2, 2)),
        ((3, 2), (2, 2, 3)),
        ((4, 1, 2), (1, 2, 1)),
    ]
    cases = []
    for i, (a, b) in enumerate(shapes):
        x, y = X[i % 4], X[(i + 1) % 4]
        cases.append(case(f"matmul_{i}", MatMul(), (a, x), (b, y)))
        cases.append(case(f"matmul_right_{i}", MatMul(), (a, x), weights(rng, b, y)))
        cases.append(case(f"matmul_left_{i}", MatMul(), weights(rng, a, x), (b, y)))
    return cases


def window(rng: np.random.Generator, rank: int) -> tuple[tuple[int, ...], ...]:
    """Draw lengths, kernel, strides, dilation, padding that fit."""
    kernel = tuple(int(v) for v in rng.integers(1, 4 if rank < 3 else 3, rank))
    dilation = tuple(int(v) for v in rng.integers(1, 3, rank))
    strides = tuple(int(v) for v in rng.integers(1, 4, rank))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple((int(rng.integers(0, r)), int(rng.integers(0, r))) for r in reach)
    extra = rng.integers(0, 5 if rank < 3 else 2, rank)
    space = tuple(max(1, r - sum(p)) + int(e) for r, p, e in zip(reach, padding, extra, strict=True))
    return space, kernel, strides, dilation, padding  # type: ignore[return-value]


def conv_cases(rng: np.random.Generator, count: int) -> list[Case]:
    cases = []
    for i in range(count):
        rank = 1 + i % 3
        space, kernel, strides, dilation, padding = window(rng, rank)
        groups = int(rng.integers(1, 4))
        c_in, c_out = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
        x, w = X[(i // 3) % 4], weight_format(i, c_out)
        op = Conv(strides, padding, dilation, groups)  # type: ignore[arg-type]
        data = weights(rng, (*kernel, c_in // groups, c_out), w)
        cases.append(case(f"conv_{i}", op, ((*space, c_in), x), data, *bias(rng, i, x, w, c_out)))
    many = Conv((1, 2), ((0, 0), (1, 1)), (2, 1), 3)
    cases.append(case("multiplier", many, ((6, 5, 3), Fixed(6, 2)), weights(rng, (2, 3, 1, 9), Fixed(4, 1))))
    cases.append(
        case("stride_over_kernel", Conv((3,), ((0, 0),), (1,)), ((11, 2), X[0]), weights(rng, (1, 2, 2), Fixed(4, 1)))
    )
    cases.append(
        case("tail", Conv((4, 1), ((0, 0), (0, 0)), (1, 1)), ((7, 2, 1), X[0]), weights(rng, (2, 2, 1, 1), Fixed(4, 1)))
    )
    return cases


def transposed_cases(rng: np.random.Generator, count: int) -> list[Case]:
    cases: list[Case] = []
    while len(cases) < count:
        i = len(cases)
        rank = 1 + i % 3
        space = tuple(int(v) for v in rng.integers(1, 5 if rank < 3 else 3, rank))
        kernel, strides, dilation = (
            tuple(int(v) for v in rng.integers(1, 4 if rank < 3 else 3, rank)) for _ in range(3)
        )
        crop = tuple((int(rng.integers(0, k)), int(rng.integers(0, k))) for k in kernel)
        extra = tuple(int(v) for v in rng.integers(0, 3, rank))
        groups = int(rng.integers(1, 3))
        c_in, each = groups * int(rng.integers(1, 3)), int(rng.integers(1, 3))
        x, w = X[i % 4], weight_format(i % 3, groups * each)
        data = weights(rng, (*kernel, each, c_in), w)
        try:
            op = ConvTranspose(strides, crop, extra, dilation, groups)
            cases.append(case(f"transposed_{i}", op, ((*space, c_in), x), data, *bias(rng, i, x, w, groups * each)))
        except GatewrightError:  # cropped to nothing
            continue
    return cases


def pool_cases(rng: np.random.Generator, count: int) -> list[Case]:
    cases = []
    for i in range(count):
        space, kernel, strides, dilation, padding = window(rng, 1 + i % 3)
        shape, x = (*space, int(rng.integers(1, 4))), X[(i // 3) % 4]
        cases.append(case(f"average_{i}", AvgPool(kernel, strides, padding, dilation, True), (shape, x)))  # type: ignore[arg-type]
        if pool_counts(AvgPool(kernel, strides, padding, dilation), space).min() > 0:  # type: ignore[arg-type]
            cases.append(case(f"max_{i}", MaxPool(kernel, strides, padding, dilation), (shape, x)))  # type: ignore[arg-type]
        inside = tuple((min(a, k - 1), 0) for (a, _), k in zip(padding, kernel, strict=True))  # type: ignore[misc, has-type]
        padless = AvgPool(kernel, strides, inside, (1,) * len(kernel), False)  # type: ignore[arg-type]
        cases.append(case(f"uncounted_{i}", padless, ((*(n + k for n, k in zip(space, kernel, strict=True)), 2), x)))
    elements = Fixed(Grid(np.array([3, 5, 2])), Grid(np.array([1, 2, 2])), Grid(np.array([True, False, True])))
    cases.append(case("max_channels", MaxPool((2, 2), (1, 1), ((1, 0), (0, 1)), (1, 1)), ((3, 4, 3), elements)))
    return cases


def reduce_cases() -> list[Case]:
    cases = []
    shape = (2, 3, 4)
    axes = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    kinds = (Reduction.SUM, Reduction.MEAN, Reduction.MAX, Reduction.MIN)
    for i, (along, kind) in enumerate(product(axes, kinds)):
        cases.append(case(f"reduce_{kind}_{along}", Reduce(kind, along, bool(i % 3)), (shape, X[(i * 3 + i // 4) % 4])))
    cases.append(case("reduce_vector", Reduce(Reduction.MEAN, (0,), True), ((5,), X[1])))
    elements = Fixed(
        Grid(np.array([3, 5, 2, 7])), Grid(np.array([1, 2, 2, -1])), Grid(np.array([True, False, True, False]))
    )
    cases += [case(f"reduce_channels_{k}", Reduce(k, (2,)), (shape, elements)) for k in kinds]
    return cases


def everything() -> list[Case]:
    rng = np.random.default_rng(2)
    return [
        *dense_cases(rng), *matmul_cases(rng), *conv_cases(rng, 18), *transposed_cases(rng, 12), *pool_cases(rng, 9),
        *reduce_cases(),
    ]  # fmt: skip


CASES = everything()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(CASES, tmp_path_factory.mktemp("linear"))


@pytest.mark.parametrize("index", range(len(CASES)), ids=[c.name for c in CASES])
def test_equals_evaluate(program: Program, index: int) -> None:
    check(program, index, np.random.default_rng(index), 6)
