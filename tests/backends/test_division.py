"""The proved multiply and shift equals rounded division: everywhere on small intervals, near halves on large ones."""

from fractions import Fraction
from itertools import product
from math import ceil, floor

import numpy as np
import pytest

from gatewright.backends.division import Quotient, approximate, quotient, select, simplest
from gatewright.graph import Rounding


def rounded(value: Fraction, mode: Rounding) -> int:
    """Round by definition, with none of the product's formulas."""
    down, up = floor(value), ceil(value)
    if mode is Rounding.TRN:
        return down
    if mode is Rounding.TRN_ZERO:
        return down if value >= 0 else up
    if value - down != up - value:
        return down if value - down < up - value else up
    halves = {
        Rounding.RND: up,
        Rounding.RND_MIN_INF: down,
        Rounding.RND_ZERO: down if value >= 0 else up,
        Rounding.RND_INF: up if value >= 0 else down,
        Rounding.RND_CONV: down if down % 2 == 0 else up,
    }
    return halves[mode]


def hardware(q: Quotient, v: int, mode: Rounding) -> int:
    """What the template ``rescale`` computes."""
    first, second = ((v * q.multiplier + a) >> q.shift for a in (q.offset, q.second))
    if select(mode) == 1:
        return second if v < 0 else first
    return second if select(mode) == 2 and first % 2 else first


RATIOS = [Fraction(p, d) for p, d in product((1, 2, 3, 7, 12, 255), (1, 2, 3, 4, 5, 6, 7, 8, 10, 24, 96, 255, 256))]


@pytest.mark.parametrize("mode", list(Rounding))
@pytest.mark.parametrize("interval", [(-40, 40), (0, 63), (-64, -1), (-5, 90), (17, 17), (0, 0)])
def test_every_value_of_small_intervals(mode: Rounding, interval: tuple[int, int]) -> None:
    low, high = interval
    for ratio in RATIOS:
        found = approximate([ratio], mode, [low], [high])
        assert found is not None
        wrong = [v for v in range(low, high + 1) if hardware(found[0], v, mode) != rounded(v * ratio, mode)]
        assert not wrong, (ratio, found)


@pytest.mark.parametrize("mode", list(Rounding))
def test_large_intervals(mode: Rounding) -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        bits = int(rng.integers(10, 40))
        low, high = -int(rng.integers(0, 2**bits)), int(rng.integers(0, 2**bits))
        ratio = Fraction(int(rng.integers(1, 2**24)), int(rng.integers(1, 2**30)))
        found = approximate([ratio], mode, [low], [high])
        assert found is not None
        near = [low, high, -1, 0, 1] + [int(v) for v in rng.integers(low, high, 40, endpoint=True)]
        half = [floor((2 * int(k) + 1) / (2 * ratio)) + e for k in rng.integers(-50, 50, 20) for e in (-1, 0, 1)]
        for v in (v for v in near + half if low <= v <= high):
            assert hardware(found[0], v, mode) == rounded(v * ratio, mode), (ratio, v)


def test_a_smaller_shift_is_refused() -> None:
    ratio = Fraction(1, 3)
    (found,) = approximate([ratio], Rounding.RND, [-1000], [1000]) or []
    assert quotient(ratio, Rounding.RND, -1000, 1000, found.shift - 1) is None


def test_a_power_of_two_is_a_shift() -> None:
    (found,) = approximate([Fraction(1, 16)], Rounding.TRN, [-(2**20)], [2**20]) or []
    assert (found.multiplier, found.offset, found.shift) == (1, 0, 4)
    (found,) = approximate([Fraction(8)], Rounding.RND, [-(2**20)], [2**20]) or []
    assert (found.multiplier, found.offset, found.shift) == (8, 0, 0)


def test_several_ratios_share_one_shift() -> None:
    found = approximate([Fraction(1, 3), Fraction(1, 2), Fraction(5, 7)], Rounding.RND_CONV, [-99] * 3, [99] * 3)
    assert found is not None
    assert len({q.shift for q in found}) == 1


@pytest.mark.parametrize("mode", list(Rounding))
def test_fractions_of_many_digits_become_simple_ones(mode: Rounding) -> None:
    """The ratio of three float32 scales has 48 digits above and 60 below; few of them matter to small integers."""
    rng = np.random.default_rng(9)
    for _ in range(60):
        bits = int(rng.integers(4, 24))
        ratio = Fraction(
            int(rng.integers(2**40, 2**48)) | 1, (int(rng.integers(2**20, 2**24)) | 1) << int(rng.integers(20, 40))
        )
        reach = 2**bits
        found = approximate([ratio], mode, [-reach], [reach])
        assert found is not None
        assert found[0].shift <= 2 * bits + 6
        near = [round((k + half) / ratio) for k in range(-40, 40) for half in (0, Fraction(1, 2))]
        drawn = rng.integers(-reach, reach + 1, 200).tolist()
        for v in [x + e for x in near for e in (-1, 0, 1) if abs(x) < reach] + drawn + [-reach, reach]:
            assert hardware(found[0], v, mode) == rounded(v * ratio, mode)


def test_simple_fractions_stay() -> None:
    assert simplest(Fraction(3, 7), 4) == Fraction(3, 7)
    for reach in (1, 5, 100):
        for ratio in (Fraction(355, 113), Fraction(10**9 + 7, 10**12 + 39), Fraction(1, 10**9), Fraction(10**9, 7)):
            near = simplest(ratio, reach)
            assert near.denominator <= 4 * reach or near == ratio
            for v in range(-reach, reach + 1):
                for mode in Rounding:
                    assert rounded(v * near, mode) == rounded(v * ratio, mode)
