"""Fixed-point arithmetic against exact fractions, and the softmax that is made of it."""

from fractions import Fraction
from math import exp, floor

import numpy as np
import pytest

from gatewright.graph import Affine, Array, Fixed, GatewrightError, Graph, Node, evaluate
from gatewright.graph.file import load
from gatewright.graph.fixedpoint import exp_negative, interpolate, leading_zeros, multiply_high, reciprocal, shift_round
from gatewright.graph.ops import Constant, FixedSoftmax, Input, Output

EDGES = np.array([-(2**31), -(2**31) + 1, -(2**30), -3, -2, -1, 0, 1, 2, 3, 2**30, 2**31 - 2, 2**31 - 1])
INT8 = Affine(8, True, Fraction(1, 10), 3)
OUT8 = Affine(8, True, Fraction(1, 256), -128)


def half_away(v: Fraction) -> int:
    return floor(abs(v) + Fraction(1, 2)) * (1 if v >= 0 else -1)


def numbers(seed: int) -> np.ndarray:
    return np.concatenate([EDGES, np.random.default_rng(seed).integers(-(2**31), 2**31, 500)])


def test_multiply_high() -> None:
    for a, b in zip(numbers(1), numbers(2), strict=True):
        expected = min(half_away(Fraction(int(a) * int(b), 2**31)), 2**31 - 1)
        # gemmlowp adds 2^30 (or 1 - 2^30) and drops digits toward zero: negative halves go up
        tie = Fraction(int(a) * int(b), 2**31) - floor(Fraction(int(a) * int(b), 2**31)) == Fraction(1, 2)
        assert multiply_high(a, b) == expected + (1 if tie and int(a) * int(b) < 0 else 0)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 31])
def test_shift_round(n: int) -> None:
    assert shift_round(numbers(3), n).tolist() == [half_away(Fraction(int(v), 2**n)) for v in numbers(3)]


def test_exponential_is_near_the_function() -> None:
    x = -np.unique(np.random.default_rng(0).integers(0, 2**31, 2000))
    got = exp_negative(x) / 2.0**31
    np.testing.assert_allclose(got, np.exp(x / 2.0**26), atol=3e-7)
    assert exp_negative(np.array([0])) == 2**31 - 1


def test_reciprocal_is_near_the_function() -> None:
    v = np.unique(np.random.default_rng(0).integers(1, 2**31, 2000))
    scale, over = reciprocal(v, 12)
    np.testing.assert_allclose(scale / 2.0**31 / 2.0 ** over.astype(float), 2.0**19 / v, rtol=3e-7)


def test_leading_zeros() -> None:
    for v in (1, 2, 3, 255, 256, 2**30 - 1, 2**30, 2**31 - 1):
        assert leading_zeros(np.array(v)) == 32 - v.bit_length()


def test_interpolate_keeps_the_knots_and_the_middles() -> None:
    table = np.arange(513) * 100 - 25_000
    q = np.array([-32768, -32768 + 64, -32768 + 128, 0, 32767])
    assert interpolate(q, table).tolist() == [-25_000, -24_950, -24_900, 600, 26_199]


def softmax(shape: tuple[int, ...], axis: int, entries: np.ndarray, format: Affine = OUT8) -> Graph:
    x = Node(Input("x", shape, INT8))
    table = Node(Constant(Array(entries), Fixed(32, 1)))
    return Graph((x,), (Node(Output("y"), (Node(FixedSoftmax(axis, format), (x, table)),)),))


ENTRIES = np.array([min(round(exp(d / 10) * 2**31), 2**31 - 1) for d in range(-255, 1)])


@pytest.mark.parametrize(("shape", "axis"), [((7,), 0), ((5, 3), 0), ((2, 3, 4), 1), ((1,), 0)])
def test_softmax_is_near_the_function(shape: tuple[int, ...], axis: int, tmp_path: object) -> None:
    graph = softmax(shape, axis, ENTRIES)
    q = np.random.default_rng(0).integers(-128, 128, (40, *shape))
    y = np.asarray(evaluate(graph, q, integers=True))
    real = np.exp((q - q.max(axis=axis + 1, keepdims=True)) / 10)
    np.testing.assert_allclose(y + 128, np.minimum(real / real.sum(axis=axis + 1, keepdims=True) * 256, 255), atol=0.51)
    graph.save(str(tmp_path / "g.gw"))  # type: ignore[operator]
    np.testing.assert_array_equal(evaluate(load(tmp_path / "g.gw"), q, integers=True), y)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("shape", "axis", "entries", "match"),
    [
        ((4,), 1, ENTRIES, "axis 1"),
        ((4,), 0, ENTRIES[1:], "255 exponentials"),
        ((4,), 0, np.r_[-1, ENTRIES[1:]], "exponentials from -1"),
        ((4096,), 0, ENTRIES, "4096 values"),
    ],
)
def test_softmax_refuses(shape: tuple[int, ...], axis: int, entries: np.ndarray, match: str) -> None:
    with pytest.raises(GatewrightError, match=match):
        softmax(shape, axis, entries)
