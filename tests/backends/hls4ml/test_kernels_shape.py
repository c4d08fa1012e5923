"""Kernels that move values equal ``evaluate`` in every bit."""

from fractions import Fraction

import numpy as np
import pytest

from gatewright.graph import Affine, Fixed, Format, Grid, Op, UnsupportedError
from gatewright.graph.ops import Broadcast, Concat, Constant, Gather, Pad, Reshape, Slice, Transpose, Upsample

from .hls_driver import Case, Program, case, check, constant, needs_gxx

X: list[Format] = [
    Fixed(6, 2),
    Affine(7, True, Fraction(1, 3), 9),
    Fixed(5, 1, False),
    Affine(6, False, Fraction(2, 5), 20),
]
CHANNELS = Fixed(Grid(np.array([3, 7, 5, 2])), Grid(np.array([1, 5, -2, 2])), Grid(np.array([True, False, True, True])))

CELLS = np.empty(3, object)
CELLS[:] = [Fraction(1, 3), Fraction(2, 7), Fraction(1, 8)]
SCALES = Affine(6, True, Grid(CELLS), 4)


def moves() -> list[Case]:
    table: list[tuple[Op, tuple[int, ...]]] = [
        (Reshape((4, 3)), (2, 6)), (Reshape((2, 6)), (4, 3)), (Reshape((24,)), (2, 3, 4)), (Reshape((2, 3, 4)), (24,)),
        (Reshape((3, 8)), (2, 12)), (Reshape((6, 4)), (8, 3)), (Reshape((5, 1)), (5,)), (Reshape(()), (1,)),
        (Transpose((1, 0)), (3, 4)), (Transpose((2, 0, 1)), (2, 3, 4)), (Transpose((0, 2, 1)), (2, 3, 4)),
        (Transpose((3, 1, 0, 2)), (2, 3, 2, 3)),
        (Slice((1, 0), (4, 4), (2, 1)), (5, 4)), (Slice((0, 3), (5, None), (1, -1)), (5, 4)),
        (Slice((4, 1), (None, 3), (-2, 1)), (5, 4)),
        (Slice((2,), (9,), (3,)), (10,)), (Slice((1, 1, 0), (3, 4, 2), (1, 2, 1)), (3, 5, 2)),
        (Slice((0, 0, 1), (3, 5, 4), (2, 3, 2)), (3, 5, 4)),
        (Gather(0, (3, 0, 0, 2)), (4, 3)), (Gather(1, (2, 2, 1)), (4, 3)), (Gather(0, (0, 2, 3)), (4, 3)),
        (Gather(1, (0, 1, 3)), (2, 4, 3)),
        (Gather(0, (4, 1)), (6,)),
        (Broadcast((3, 4)), (4,)), (Broadcast((2, 3, 4)), (3, 1)), (Broadcast((5,)), (1,)),
        (Broadcast((2, 3, 2, 4)), (3, 1, 4)),
        (Upsample((2, 1)), (3, 4)), (Upsample((2, 3, 1)), (2, 3, 4)), (Upsample((1, 2, 3, 2)), (2, 2, 2, 3)),
        (Upsample((3,)), (4,)),
    ]  # fmt: skip
    return [case(f"move_{i}_{type(op).__name__}", op, (shape, X[i % 4])) for i, (op, shape) in enumerate(table)]


def channel_moves() -> list[Case]:
    ops = [
        Slice((0, 0), (3, 1), (1, 1)),
        Gather(1, (2, 0)),
        Reshape((4, 3)),
        Transpose((1, 0)),
        Broadcast((2, 3, 4)),
        Upsample((1, 2)),
    ]
    return [case(f"channels_{type(op).__name__}", op, ((3, 4), CHANNELS)) for op in ops]


def pads() -> list[Case]:
    table = [
        (((1, 2),), (3,)), (((0, 1), (2, 0)), (3, 2)), (((1, 1), (2, 0), (0, 0)), (2, 3, 4)),
        (((1, 0), (0, 0), (0, 2), (1, 1)), (2, 2, 2, 2)),
        (((0, 0), (0, 0), (1, 1), (0, 1), (0, 0)), (2, 2, 2, 1, 3)), (((0, 0), (0, 0)), (2, 3)),
    ]  # fmt: skip
    cases = [case(f"pad_{i}_{k}", Pad(p, 0.0), (s, x)) for i, (p, s) in enumerate(table) for k, x in enumerate(X)]
    cases += [
        case(f"pad_value_{i}", Pad(((1, 0), (0, 2)), value), ((2, 3), Fixed(6, 3)))
        for i, value in enumerate((1.5, -4.0, 3.875))
    ]
    cases.append(case("pad_channels", Pad(((1, 0), (0, 2))), ((2, 4), CHANNELS)))
    cases.append(case("pad_scales", Pad(((1, 0), (0, 2))), ((2, 3), SCALES)))
    return cases


def joins(rng: np.random.Generator) -> list[Case]:
    fixed: list[Format] = [Fixed(6, 2), Fixed(5, 3, False), Fixed(7, 1), Fixed(3, 5)]
    cases = []
    for axis in range(3):
        shapes = [tuple(2 + k if i == axis else n for i, n in enumerate((2, 3, 2))) for k in range(4)]
        cases += [case(f"join{n}_{axis}", Concat(axis), *zip(shapes[:n], fixed, strict=False)) for n in (2, 3, 4)]
        cases.append(case(f"join_affine_{axis}", Concat(axis), *zip(shapes[:3], X[1:], strict=True)))
        same = constant(rng.integers(-8, 8, shapes[1]), Fixed(4, 3))
        cases += [
            case(f"join_first_{axis}", Concat(axis), same, (shapes[0], X[1])),
            case(f"join_last_{axis}", Concat(axis), (shapes[0], X[0]), same),
        ]
    cases.append(case("join_eight", Concat(0), *[((1 + k % 2,), fixed[k % 4]) for k in range(8)]))
    cases.append(case("join_vectors", Concat(0), ((3,), X[0]), ((2,), X[2])))
    cases.append(case("join_channels", Concat(1), ((3, 4), CHANNELS), ((3, 2), X[0])))
    cases.append(case("join_scales", Concat(1), ((3, 3), SCALES), ((3, 2), X[1])))
    cases.append(case("join_scales_below", Concat(0), ((2, 3), SCALES), ((1, 3), X[0])))
    return cases


def everything() -> list[Case]:
    return [*moves(), *channel_moves(), *pads(), *joins(np.random.default_rng(3))]


CASES = everything()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(CASES, tmp_path_factory.mktemp("shape"))


@needs_gxx
@pytest.mark.parametrize("index", range(len(CASES)), ids=[c.name for c in CASES])
def test_equals_evaluate(program: Program, index: int) -> None:
    check(program, index, np.random.default_rng(index), 4)


def test_whole_packs_that_stay_in_order_are_not_buffered() -> None:
    functions = {c.name: c.kernel.function for c in CASES}
    assert functions["move_12_Slice"] == functions["move_20_Gather"] == "keep_packs"
    assert functions["move_13_Slice"] == "move"
    assert functions["move_18_Gather"] == "gather"


@pytest.mark.parametrize(
    ("op", "operands"),
    [
        (Concat(0), tuple(((2,), Fixed(4, 2)) for _ in range(9))),
        (Pad(((1, 0), (0, 1), (1, 0), (0, 1), (0, 0))), (((1, 2, 1, 2, 1), Fixed(4, 2)),)),
        (Concat(0), (((2, 2), Affine(4, True, Fraction(1, 3), Grid(np.array([1, 2])))), ((1, 2), Fixed(4, 2)))),
    ],
)
def test_what_no_kernel_can_do_is_refused(
    op: Op, operands: tuple[tuple[tuple[int, ...], Format] | Constant, ...]
) -> None:
    with pytest.raises(UnsupportedError, match="the hls4ml back end cannot emit"):
        case("refused", op, *operands)
