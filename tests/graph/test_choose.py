"""Comparisons, choices, whole division, computed places: what the drawn graphs do not reach."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.graph import (
    Array,
    Fixed,
    GatewrightError,
    Graph,
    Node,
    Op,
    OptionError,
    RangeError,
    Rounding,
    ShapeError,
    evaluate,
)
from gatewright.graph.file import load
from gatewright.graph.ops import (
    BOOLEAN,
    ArgMax,
    Compare,
    Comparison,
    Constant,
    GatherND,
    Input,
    Output,
    Quotient,
    Reduction,
    Remainder,
    ScatterND,
    Select,
    Take,
    TakeAlong,
    TopK,
)

BYTE = Fixed(8, 8)


def given(name: str, *shape: int, format: Any = None) -> Node:
    return Node(Input(name, shape, **({} if format is None else {"format": format})))


def ints(values: Any, format: Fixed = BYTE) -> Node:
    return Node(Constant(Array(np.asarray(values, np.int64)), format))


def graph(node: Node, *inputs: Node) -> Graph:
    return Graph(inputs, (Node(Output("y"), (node,)),))


def run(op: Op, *values: Any) -> np.ndarray:
    """One sample of each operand: floats, or integers as bytes."""
    arrays = [np.asarray(v) for v in values]
    nodes = [given(f"x{i}", *a.shape, format=BYTE if a.dtype.kind == "i" else None) for i, a in enumerate(arrays)]
    results = evaluate(graph(Node(op, tuple(nodes)), *nodes), {f"x{i}": a[None] for i, a in enumerate(arrays)})
    assert isinstance(results, dict)
    return results["y"][0]


@pytest.mark.parametrize("op", [Take(0), GatherND(), TakeAlong(0)])
@pytest.mark.parametrize("index", [3, -1])
def test_an_index_out_of_range_is_refused(op: Op, index: int) -> None:
    at = [[index]] if isinstance(op, GatherND) else [index]
    with pytest.raises(GatewrightError, match="of an axis of length 3"):
        run(op, np.arange(3.0), np.array(at))


def test_a_write_out_of_range_is_refused() -> None:
    with pytest.raises(GatewrightError, match="index 3 of an axis of length 3"):
        run(ScatterND(), np.arange(3.0), np.array([[3]]), np.array([1.0]))


@pytest.mark.parametrize("op", [Quotient(), Remainder(Rounding.TRN_ZERO)])
def test_a_division_of_integers_by_zero_is_refused(op: Op) -> None:
    with pytest.raises(GatewrightError, match="by zero"):
        run(op, np.array([1, 2]), np.array([1, 0]))


def test_whole_division_has_two_roundings() -> None:
    x, y = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    np.testing.assert_array_equal(run(Quotient(), x, y), [3, -4, -4, 3])
    np.testing.assert_array_equal(run(Quotient(Rounding.TRN_ZERO), x, y), [3, -3, -3, 3])
    np.testing.assert_array_equal(run(Remainder(), x, y), [1, 1, -1, -1])
    np.testing.assert_array_equal(run(Remainder(Rounding.TRN_ZERO), x, y), [1, -1, 1, -1])
    np.testing.assert_array_equal(run(Remainder(Rounding.TRN_ZERO), x + 0.5, y + 0.0), np.fmod(x + 0.5, y))
    with pytest.raises(OptionError, match="RND"):
        run(Quotient(Rounding.RND), x, y)


def test_equal_values_keep_their_order() -> None:
    x = np.array([1.0, 3.0, 3.0, 0.0, 3.0])
    np.testing.assert_array_equal(run(TopK(4, 0, indices=True), x), [1, 2, 4, 0])
    np.testing.assert_array_equal(run(TopK(2, 0, largest=False), x), [0, 1])
    assert run(ArgMax(0), x) == 1
    assert run(ArgMax(0, last=True), x) == 4
    assert run(ArgMax(0, minimum=True), x) == 3


def test_the_least_integer_sorts_last() -> None:
    x = given("x", 3, format=Fixed(64, 64))
    node = Node(TopK(3, 0, indices=True), (x,))
    least = np.iinfo(np.int64).min
    got = evaluate(graph(node, x), np.array([[0, least, 5]]), integers=True)
    np.testing.assert_array_equal(got, [[2, 0, 1]])


def test_comparisons_with_nan_are_false() -> None:
    x = np.array([np.nan, 1.0])
    for kind in Comparison:
        assert run(Compare(kind), x, x)[0] == 0
    np.testing.assert_array_equal(run(Compare(Comparison.LESS), x, np.array([2.0, 2.0])), [0, 1])


def test_what_is_proved_is_in_the_type() -> None:
    x = given("x", 2, format=Fixed(3, 3, False))
    asked = Node(Compare(Comparison.LESS), (x, ints([8, 0]))).type
    assert str(asked) == "2 ufixed<1,1>"
    assert [end.tolist() for end in asked.interval] == [[1, 0], [1, 0]]
    chosen = Node(Select(), (Node(Compare(Comparison.LESS), (x, ints([8, 0]))), ints([1, 2]), ints([50, 60]))).type
    assert [end.tolist() for end in chosen.interval] == [[1, 60], [1, 60]]
    ranked = Node(TopK(2, 0), (x,)).type
    assert (int(ranked.interval[0].max()), int(ranked.interval[1].max())) == (0, 7)


def test_a_condition_is_one_bit() -> None:
    x = given("x", 2, format=BYTE)
    with pytest.raises(ShapeError, match="condition"):
        Node(Select(), (x, x, x))
    assert Node(Compare(Comparison.EQUAL), (x, x)).type.format == BOOLEAN


@pytest.mark.parametrize("op", [Take(0), TakeAlong(0), GatherND()])
def test_indices_are_whole_numbers(op: Op) -> None:
    x = given("x", 2)
    with pytest.raises(ShapeError, match="indices"):
        Node(op, (x, x))
    with pytest.raises(ShapeError, match="indices"):
        Node(op, (x, given("i", 2, format=Fixed(4, 2))))


def test_updates_that_meet() -> None:
    x, at, u = np.array([1.0, 2.0, 3.0]), np.array([[1], [1], [0]]), np.array([5.0, 7.0, -9.0])
    np.testing.assert_array_equal(run(ScatterND(), x, at, u), [-9, 7, 3])
    np.testing.assert_array_equal(run(ScatterND(Reduction.SUM), x, at, u), [-8, 14, 3])
    np.testing.assert_array_equal(run(ScatterND(Reduction.PROD), x, at, u), [-9, 70, 3])
    np.testing.assert_array_equal(run(ScatterND(Reduction.MAX), x, at, u), [1, 7, 3])
    np.testing.assert_array_equal(run(ScatterND(Reduction.MIN), x, at, u), [-9, 2, 3])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_constants_are_looked_up(axis: int) -> None:
    """An embedding: the table does not depend on the sample, the indices do."""
    table = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    at = given("i", 2, 2, format=Fixed(2, 2, False))
    node = Node(Take(axis), (Node(Constant(Array(table))), at))
    indices = np.random.default_rng(1).integers(0, 3, (6, 2, 2))
    got = evaluate(graph(node, at), indices)
    np.testing.assert_array_equal(got, np.stack([table.take(i, axis) for i in indices]))


def test_whole_numbers_are_fed_exactly() -> None:
    x = given("x", 1, format=Fixed(40, 40))
    value = 2**38 + 1
    assert evaluate(graph(x, x), np.array([[value]])) == value
    strict = Node(Input("x", (1,), Fixed(8, 8), strict=True))
    assert evaluate(graph(strict, strict), np.array([[-128.0]])) == -128
    for bad in (128, 0.5, -129.0):
        with pytest.raises(RangeError, match="does not hold"):
            evaluate(graph(strict, strict), np.array([[bad]]))


def test_the_file_keeps_them(tmp_path: Path) -> None:
    x, i = given("x", 4, format=BYTE), given("i", 3, 1, format=Fixed(2, 2, False))
    u = given("u", 3, format=BYTE)
    strict = Node(Input("s", (4,), BYTE, strict=True))
    written = Node(ScatterND(Reduction.MAX), (x, i, u))
    node = Node(Select(), (Node(Compare(Comparison.LESS_EQUAL), (written, strict)), x, Node(TopK(4, 0), (x,))))
    whole = graph(node, x, i, u, strict)
    whole.save(tmp_path / "g.gw")
    back = load(tmp_path / "g.gw")
    assert str(back) == str(whole)
    assert back.input_ops == whole.input_ops
    rest = Node(ScatterND(), (x, i, u))
    graph(rest, x, i, u).save(tmp_path / "h.gw")
    assert load(tmp_path / "h.gw").nodes[3].op == ScatterND()
