"""What the page is made of: places of boxes, numbers as people read them, bits that a range needs."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.reports.page.bits import needed, parse
from gatewright.reports.page.layout import BOX, LANE, Layout, arrange
from gatewright.reports.page.numbers import band, percent, read, seconds, short, shown, whole
from gatewright.simulation.figures import Figure, exact


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    """Graphs whose nodes are in an order in which every edge points forward."""
    count = draw(st.integers(1, 25))
    pairs = list(combinations(range(count), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=40, unique=True)) if pairs else []
    return [f"n{i}" for i in range(count)], [(f"n{a}", f"n{b}") for a, b in chosen]


def spans(layout: Layout, edges: list[tuple[str, str]]) -> dict[int, list[tuple[float, float]]]:
    """What each row holds, as left and right ends of boxes and lanes."""
    rows: dict[int, list[tuple[float, float]]] = {}
    for name, x in layout.places.items():
        rows.setdefault(layout.rows[name], []).append((x - BOX / 2, x + BOX / 2))
    for (a, _), path in zip(edges, layout.paths, strict=True):
        for i, x in enumerate(path[1:-1], 1):
            rows.setdefault(layout.rows[a] + i, []).append((x - LANE / 2, x + LANE / 2))
    return rows


@given(graphs())
def test_nothing_lies_on_anything_else(drawn: tuple[list[str], list[tuple[str, str]]]) -> None:
    nodes, edges = drawn
    layout = arrange(nodes, edges)
    for row in spans(layout, edges).values():
        assert all(right <= left for (_, right), (left, _) in pairwise(sorted(row)))
        assert all(left >= -1e-6 and right <= layout.width + 1e-6 for left, right in row)
    for (a, b), path in zip(edges, layout.paths, strict=True):
        assert layout.rows[b] > layout.rows[a]
        assert len(path) == layout.rows[b] - layout.rows[a] + 1
        assert (path[0], path[-1]) == (layout.places[a], layout.places[b])
        assert len(set(path[1:-1])) <= 1


def test_skips_nest_beside_a_straight_chain() -> None:
    nodes = [f"n{i}" for i in range(10)]
    chain = list(pairwise(nodes))
    layout = arrange(nodes, [*chain, ("n1", "n8"), ("n2", "n7"), ("n3", "n6")])
    assert len(set(layout.places.values())) == 1
    outer, middle, inner = (path[1] for path in layout.paths[len(chain) :])
    assert layout.places["n0"] < inner < middle < outer


def estimate(value: float, low: float, high: float, unit: str = "LUT") -> Figure:
    return Figure(float(value), float(low), float(high), unit, "estimated", "fit")


@pytest.mark.parametrize(
    ("figure", "value", "ends"),
    [
        (exact(1234567.0, "LUT", ""), "1.23 M", ""),
        (exact(123456.0, "LUT", ""), "123,456", ""),
        (estimate(123456, 100000, 150000), "123 k", "100 to 150 k"),
        (estimate(9999, 9000, 11000), "9,999", "9.00 to 11.0 k"),
        (estimate(5, 4.5, 6), "5", "4.50 to 6"),
        (estimate(0, 0, 0.25), "0", "0 to 0.250"),
        (estimate(257e3, 1.9e3, 1.72e6), "257 k", "1.90 k to 1.72 M"),
        (estimate(1.35e-6, 1e-6, 1.85e-6, "s"), "1.35 µs", "1.00 to 1.85 µs"),
        (estimate(9.9999e-7, 5e-7, 2e-6, "s"), "1.00 µs", "0.500 to 2.00 µs"),
        (estimate(8.03, 3.75, 8.4, "ns"), "8.03 ns", "3.75 to 8.40 ns"),
    ],
)
def test_figures_have_the_digits_that_are_known(figure: Figure, value: str, ends: str) -> None:
    assert (shown(figure), band(figure)) == (value, ends)


@given(st.floats(1e-12, 1e13))
def test_short_numbers_are_right_to_three_digits(number: float) -> None:
    text = short(number)
    digits, _, prefix = text.partition(" ")
    factor = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[prefix]
    assert float(digits.replace(",", "")) * factor == pytest.approx(number, rel=0.0051)
    assert len(digits) <= 6 or number < 0.1 or number >= 1e15


def test_small_and_large_shares() -> None:
    assert [percent(s) for s in (0, 1e-6, 0.0044, 0.026, 0.0995, 0.37, 12.5)] == [
        "0 %", "< 0.01 %", "0.44 %", "2.6 %", "10 %", "37 %", "1,250 %",
    ]  # fmt: skip
    assert [seconds(s) for s in (0, 2.5e-9, 4.2e-4, 3.0)] == ["0 s", "2.50 ns", "420 µs", "3.00 s"]
    assert [whole(n) for n in (0, 999999, 1000000)] == ["0", "999,999", "1.00 M"]


def test_what_is_no_figure_is_none() -> None:
    assert [read(x) for x in (None, {}, 5, {"value": "7"}, [1])] == [None] * 5
    only = read({"value": 7})
    assert only is not None
    assert (only.low, only.high) == (7, 7)


@given(st.integers(2, 20), st.integers(-4, 24), st.booleans(), st.data())
def test_bits_that_a_range_needs(width: int, integer: int, signed: bool, data: st.DataObject) -> None:
    """The fewest bits before the point with which no stored integer between the ends overflows."""
    low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)
    a, b = sorted((data.draw(st.integers(low, high)), data.draw(st.integers(low, high))))
    scale = 2.0 ** (integer - width)
    found = needed((a * scale, b * scale), signed=signed)
    if a == b == 0:
        assert found < integer - width
        return
    bits = found + width - integer
    fits = [n for n in range(1, width + 2) if _range(n, signed)[0] <= a and b <= _range(n, signed)[1]]
    assert max(bits, 1) == fits[0]


def _range(bits: int, signed: bool) -> tuple[int, int]:
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def test_formats_that_have_bits() -> None:
    found = parse("ufixed<15,-3>")
    assert found is not None
    assert (found.width, found.integer, found.signed) == (15, -3, False)
    assert parse("int8(scale=0.1, zero=3)") is None
    assert parse("fixed<Grid,6>") is None
    assert np.isfinite(needed((-1.0, 1.0), signed=True))
