"""Rounding, overflow and changes of scale against exact rationals."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.graph import Affine, Fixed, GatewrightError, Grid, OptionError, Overflow, RangeError, Rounding
from gatewright.graph.numerics import (
    common_scale,
    dequantize,
    divide,
    multiply_divide,
    overflow,
    quantize,
    requantize,
    shift_right,
    whole,
)

from . import oracle

exactly = settings(max_examples=150, derandomize=True, deadline=None, database=None)
ROUNDINGS, OVERFLOWS = list(Rounding), list(Overflow)
INT64 = st.integers(-(2**63), 2**63 - 1)
EDGES = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    -3,
    2**31,
    -(2**31),
    2**62,
    -(2**62),
    2**62 - 1,
    2**63 - 1,
    -(2**63),
    -(2**63) + 1,
    2**63 - 2,
]


def fixed_formats(widest: int = 63) -> st.SearchStrategy[Fixed]:
    return st.builds(lambda w, i, s: Fixed(w + s, i, s), st.integers(1, widest), st.integers(-70, 70), st.booleans())


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_shift_of_small_numbers_is_exact(rounding: Rounding) -> None:
    v = np.arange(-600, 601)
    for n in range(13):
        expected = [oracle.round_to_integer(Fraction(int(x), 2**n), rounding) for x in v]
        np.testing.assert_array_equal(shift_right(v, n, rounding), expected)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("n", [1, 2, 31, 32, 61, 62, 63, 64, 65, 100, 1000])
def test_shift_of_the_largest_numbers(rounding: Rounding, n: int) -> None:
    v = np.array(EDGES, np.int64)
    expected = [oracle.round_to_integer(Fraction(x, 2**n), rounding) for x in EDGES]
    np.testing.assert_array_equal(shift_right(v, n, rounding), expected)


def test_negative_shift_is_to_the_left() -> None:
    np.testing.assert_array_equal(shift_right(np.array([-3, 5]), -4, Rounding.TRN), [-48, 80])


@exactly
@given(v=INT64, n=st.integers(0, 70), rounding=st.sampled_from(ROUNDINGS))
def test_any_shift(v: int, n: int, rounding: Rounding) -> None:
    assert shift_right(np.array([v]), n, rounding)[0] == oracle.round_to_integer(Fraction(v, 2**n), rounding)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_small_ratios_are_exact(rounding: Rounding) -> None:
    v = np.arange(-70, 71)
    for numerator, denominator in product(range(1, 8), range(1, 13)):
        ratio = Fraction(numerator, denominator)
        expected = [oracle.round_to_integer(int(x) * ratio, rounding) for x in v]
        np.testing.assert_array_equal(multiply_divide(v, ratio, rounding), expected)


@exactly
@given(
    v=INT64,
    ratio=st.fractions(Fraction(1, 2**70), 2**40, max_denominator=2**70),
    rounding=st.sampled_from(ROUNDINGS),
)
def test_any_ratio_is_exact_or_refused(v: int, ratio: Fraction, rounding: Rounding) -> None:
    try:
        got = multiply_divide(np.array([v]), ratio, rounding)[0]
    except RangeError:
        assert abs(v * ratio.numerator * 2) >= 2**62 or ratio.numerator >= 2**62 or ratio.denominator >= 2**62
    else:
        assert got == oracle.round_to_integer(v * ratio, rounding)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_ratios_by_channel(rounding: Rounding) -> None:
    ratios = [Fraction(1, 3), Fraction(5, 7), Fraction(1, 8), Fraction(9)]
    v = np.arange(-40, 40).reshape(-1, 4)
    got = multiply_divide(v, Grid(np.array(ratios, dtype=object)), rounding)
    expected = [[oracle.round_to_integer(int(x) * r, rounding) for x, r in zip(row, ratios, strict=True)] for row in v]
    np.testing.assert_array_equal(got, expected)


def test_the_least_integer_is_not_taken_for_a_small_one() -> None:
    with pytest.raises(RangeError):
        multiply_divide(np.array([-(2**63)]), Fraction(3), Rounding.TRN)
    assert multiply_divide(np.array([-(2**63)]), Fraction(1, 3), Rounding.TRN)[0] == -(2**63) // 3


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_ratios_whose_products_need_over_63_bits(rounding: Rounding) -> None:
    """As of a convolution of three float32 scales; ties and neighbours of ties are among the values."""
    rng = np.random.default_rng(1)
    ratios = [Fraction(0xFFFFFD * 0xABCDEF, 0x900001 << 33), Fraction(3**30, 2**70), Fraction(5, 6 << 60)]
    half = 2**57
    v = np.concatenate([rng.integers(-(2**40), 2**40, 300), [0, 1, -1, half, -half, half + 1, 3 * half, -5 * half]])
    for ratio in ratios:
        expected = [oracle.round_to_integer(int(x) * ratio, rounding) for x in v]
        np.testing.assert_array_equal(multiply_divide(v, ratio, rounding), expected)
    cells = Grid(np.array(ratios, dtype=object))
    rows = [[oracle.round_to_integer(int(x) * r, rounding) for r in ratios] for x in v]
    np.testing.assert_array_equal(multiply_divide(v[:, None] * np.ones(3, np.int64), cells, rounding), rows)


@pytest.mark.parametrize("mode", OVERFLOWS)
@pytest.mark.parametrize("signed", [True, False])
def test_overflow_of_every_small_format(mode: Overflow, signed: bool) -> None:
    v = np.arange(-70, 71)
    for width in range(1, 7):
        expected = [oracle.keep_in_range(int(x), width, signed, mode) for x in v]
        np.testing.assert_array_equal(overflow(v, Fixed(width, 3, signed), mode), expected)


@pytest.mark.parametrize("mode", OVERFLOWS)
@pytest.mark.parametrize(
    "format", [Fixed(64, 64), Fixed(63, 0), Fixed(63, 63, False), Fixed(62, 62), Fixed(62, 1, False), Fixed(1, 1)]
)
def test_overflow_of_wide_formats(mode: Overflow, format: Fixed) -> None:
    expected = [oracle.keep_in_range(x, int(oracle.parts(format)[0]), bool(format.signed), mode) for x in EDGES]
    np.testing.assert_array_equal(overflow(np.array(EDGES, np.int64), format, mode), expected)


def test_overflow_by_channel() -> None:
    format = Fixed(Grid(np.array([3, 5, 63])), Grid(np.array([3, 5, 63])), Grid(np.array([True, False, True])))
    for mode in OVERFLOWS:
        got = overflow(np.array([[x] * 3 for x in EDGES], np.int64), format, mode)
        kinds = ((3, True), (5, False), (63, True))
        np.testing.assert_array_equal(got, [[oracle.keep_in_range(x, w, s, mode) for w, s in kinds] for x in EDGES])


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("mode", OVERFLOWS)
def test_every_change_between_small_formats(rounding: Rounding, mode: Overflow) -> None:
    v = np.arange(-64, 64)
    for target in (Fixed(4, 2), Fixed(3, 5), Fixed(5, -2), Fixed(4, 1, False), Fixed(1, 1), Fixed(1, 0, False)):
        for fraction in (-2, 0, 3, 6):
            scale = Fraction(2) ** -fraction
            expected = [oracle.quantized(int(x) * scale, target, rounding, mode) for x in v]
            np.testing.assert_array_equal(requantize(v, scale, target, rounding, mode), expected)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("mode", OVERFLOWS)
def test_every_change_to_a_scale_with_a_zero_point(rounding: Rounding, mode: Overflow) -> None:
    v = np.arange(-100, 100)
    for target in (
        Affine(4, True, Fraction(3, 7), 2),
        Affine(5, False, Fraction(1, 3), 9),
        Affine(3, True, Fraction(5), -4),
    ):
        expected = [oracle.quantized(int(x) * Fraction(2, 9), target, rounding, mode) for x in v]
        np.testing.assert_array_equal(requantize(v, Fraction(2, 9), target, rounding, mode), expected)


@exactly
@given(
    v=INT64, fraction=st.integers(-40, 80), format=fixed_formats(), rounding=st.sampled_from(ROUNDINGS),
    mode=st.sampled_from(OVERFLOWS),
)  # fmt: skip
def test_any_change_of_format_is_exact_or_refused(
    v: int, fraction: int, format: Fixed, rounding: Rounding, mode: Overflow
) -> None:
    scale = Fraction(2) ** -fraction
    try:
        got = requantize(np.array([v]), scale, format, rounding, mode)[0]
    except RangeError:
        assert abs(v * scale / oracle.parts(format)[2]) >= 2**62 or scale / oracle.parts(format)[2] >= 2**62
    else:
        assert got == oracle.quantized(v * scale, format, rounding, mode)


def test_formats_by_channel_change_exactly() -> None:
    format = Fixed(Grid(np.array([4, 6, 8])), Grid(np.array([2, 6, -3])))
    v = np.arange(-99, 99).reshape(-1, 3)
    for rounding, mode in product(ROUNDINGS, OVERFLOWS):
        got = requantize(v, Fraction(1, 16), format, rounding, mode)
        for (row, c), q in np.ndenumerate(got):
            assert q == oracle.quantized(Fraction(int(v[row, c]), 16), format, rounding, mode, (c,), (3,))


REALS = [0.0, -0.0, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 0.49999997, -0.49999997, 0.50000006, -0.50000006, 1e-38, -1e-38,
         1e-45, 7.75, -7.75, 3e38, -3e38, 2.0**62, 2.0**63, -(2.0**63), 2.0**64, -(2.0**64), 2.0**64 + 2.0**41,
         1.5 * 2.0**63, 3 * 2.0**61, -3 * 2.0**70]  # fmt: skip


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("mode", OVERFLOWS)
@pytest.mark.parametrize(
    "format",
    [
        Fixed(4, 2),
        Fixed(8, 8),
        Fixed(8, 0, False),
        Fixed(6, 9),
        Fixed(64, 64),
        Fixed(63, 63, False),
        Fixed(63, 1),
        Fixed(2, 200),
        Fixed(8, -300),
    ],
)
def test_real_numbers_are_quantized_exactly(rounding: Rounding, mode: Overflow, format: Fixed) -> None:
    x = np.array(REALS, np.float32)
    expected = [oracle.quantized(Fraction(float(v)), format, rounding, mode) for v in x]
    np.testing.assert_array_equal(quantize(x, format, rounding, mode), expected)


@exactly
@given(
    x=st.floats(width=64, allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30),
    format=fixed_formats(), rounding=st.sampled_from(ROUNDINGS), mode=st.sampled_from(OVERFLOWS),
)  # fmt: skip
def test_any_double_is_quantized_exactly(x: float, format: Fixed, rounding: Rounding, mode: Overflow) -> None:
    assert quantize(np.array([x]), format, rounding, mode)[0] == oracle.quantized(Fraction(x), format, rounding, mode)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("mode", OVERFLOWS)
def test_real_numbers_to_a_zero_point_divide_in_float32(rounding: Rounding, mode: Overflow) -> None:
    x = np.array([v for v in REALS if abs(v) < 1e30] + list(np.linspace(-3, 3, 97)), np.float32)
    scale = np.float32(0.1)
    for format in (Affine(8, True, Fraction(float(scale)), 3), Affine(8, False, Fraction(float(scale)), 128)):
        units = [Fraction(float(u)) for u in x / scale]
        expected = [
            oracle.keep_in_range(
                oracle.round_to_integer(u, rounding) + format.zero_point, 8, format.signed, mode, int(format.zero_point)
            )
            for u in units
        ]
        np.testing.assert_array_equal(quantize(x, format, rounding, mode), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(GatewrightError, match="input 'x': NaN or infinite"):
        quantize(np.array([0.0, bad]), Fixed(8, 4), Rounding.RND, Overflow.SAT, where="input 'x'")


def test_values_beyond_the_units_of_a_scale_are_refused() -> None:
    with pytest.raises(GatewrightError, match="float32"):
        quantize(np.array([1e38], np.float32), Affine(8, True, Fraction(1, 2**20)), Rounding.RND, Overflow.SAT)


def test_real_values_come_back() -> None:
    np.testing.assert_array_equal(dequantize(np.array([-3, 5]), Fixed(8, 6)), [-0.75, 1.25])
    np.testing.assert_array_equal(dequantize(np.array([-3, 5]), Fixed(8, 10)), [-12.0, 20.0])
    np.testing.assert_array_equal(dequantize(np.array([3, 5]), Affine(8, True, Fraction(3, 4), 2)), [0.75, 2.25])
    mixed = Fixed(8, Grid(np.array([8, 6])))
    np.testing.assert_array_equal(dequantize(np.array([[3, 3]]), mixed), [[3.0, 0.75]])


@exactly
@given(
    a=st.fractions(Fraction(1, 999), 999, max_denominator=999),
    b=st.fractions(Fraction(1, 999), 999, max_denominator=999),
)
def test_a_common_scale_divides_both_and_is_the_largest(a: Fraction, b: Fraction) -> None:
    scale = common_scale(a, b)
    assert isinstance(scale, Fraction)
    assert (a / scale).denominator == (b / scale).denominator == 1
    assert np.gcd((a / scale).numerator, (b / scale).numerator) == 1


def test_grids_collapse_where_all_is_equal() -> None:
    grid = Grid(np.array([Fraction(1, 2), Fraction(1, 4)], dtype=object))
    assert common_scale(grid, Fraction(1, 8)) == Fraction(1, 8)
    assert divide(grid, grid) == Fraction(1)
    np.testing.assert_array_equal(whole(divide(grid, Fraction(1, 4))), [2, 1])


def test_formats_beyond_64_bits_do_not_exist() -> None:
    for width, signed in ((0, True), (65, True), (64, False), (-1, False)):
        with pytest.raises(OptionError):
            Fixed(width, 1, signed)
        with pytest.raises(OptionError):
            Affine(width, signed, Fraction(1))
    with pytest.raises(OptionError, match="fraction bits"):
        Fixed(8, 1000)
    with pytest.raises(OptionError, match="not positive"):
        Affine(8, True, Fraction(0))
    with pytest.raises(RangeError):
        Affine(64, True, Fraction(1), 1)
    with pytest.raises(RangeError, match="common unit"):
        Fixed(8, Grid(np.array([0, 60])))


@pytest.mark.parametrize("signed", [True, False])
def test_bounds_of_every_width(signed: bool) -> None:
    for width in range(1, 64 + signed):
        assert tuple(map(int, Fixed(width, 0, signed).bounds)) == oracle.bounds(width, signed)
        assert tuple(map(int, Affine(width, signed, Fraction(1)).bounds)) == oracle.bounds(width, signed)
