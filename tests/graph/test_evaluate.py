"""How samples go in and results come out: arrays, sequences, mappings, layouts, integers, batches; what is refused."""

from typing import Any

import numpy as np
import pytest

from gatewright.graph import (
    Array,
    Fixed,
    GatewrightError,
    Graph,
    Node,
    ShapeError,
    evaluate,
    trace,
    values_of,
)
from gatewright.graph.evaluate import run
from gatewright.graph.ops import (
    Activation,
    Add,
    Constant,
    Conv,
    Dense,
    Input,
    Mul,
    Output,
    Quantize,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Transpose,
)

RNG = np.random.default_rng(5)
FORMAT = Fixed(8, 3)


def double() -> Graph:
    x = Node(Input("x", (3,), FORMAT))
    return Graph((x,), (Node(Output("y"), (Node(Add(), (x, x)),)),))


def two() -> Graph:
    """Two inputs and two outputs, one of integers and one of floats."""
    a, b = Node(Input("a", (3,), FORMAT)), Node(Input("b", (2, 3)))
    ends = Node(Output("sum"), (Node(Add(), (a, b)),)), Node(Output("relu"), (Node(Relu(), (a,)),))
    return Graph((a, b), ends)


def test_real_values_go_through_the_inputs_format() -> None:
    y = evaluate(double(), np.array([[0.1, 100.0, -100.0]]))
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [[2 * 3 / 32, 2 * 127 / 32, -8.0]])


def test_integers_are_as_stored() -> None:
    y = evaluate(double(), np.array([[1, 127, -128]]), integers=True)
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, [[2, 254, -256]])


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.int8, np.uint8, np.int64, np.bool_])
def test_any_type_of_numbers(kind: type) -> None:
    np.testing.assert_array_equal(evaluate(double(), np.ones((2, 3), kind)), np.full((2, 3), 2.0))


@pytest.mark.parametrize(
    "wrap", [list, tuple, lambda v: [v], lambda v: (v,), lambda v: {"x": v}, lambda v: v.tolist(), np.asfortranarray]
)
def test_one_input_in_any_wrapping(wrap: Any) -> None:
    x = RNG.normal(0, 1, (4, 3))
    y = evaluate(double(), wrap(x))
    if isinstance(y, dict):
        y = y["y"]
    np.testing.assert_array_equal(y, evaluate(double(), x))


def test_a_list_of_one_sample_is_one_sample() -> None:
    x = Node(Input("x", (2, 3), FORMAT))
    graph = Graph((x,), (Node(Output("y"), (x,)),))
    sample = np.ones((2, 3))
    for given in ([sample], [sample[None]], [sample.tolist()], sample[None]):
        np.testing.assert_array_equal(evaluate(graph, given), sample[None])


def test_several_inputs_and_outputs() -> None:
    a, b = RNG.integers(-9, 9, (5, 3)) / 4, RNG.normal(0, 1, (5, 2, 3)).astype(np.float32)
    for given in ([a, b], (a, b)):
        total, relu = evaluate(two(), given)
        np.testing.assert_array_equal(total, a[:, None].astype(np.float32) + b)
        np.testing.assert_array_equal(relu, np.maximum(a, 0))
    named = evaluate(two(), {"b": b, "a": a})
    assert isinstance(named, dict)
    assert list(named) == ["sum", "relu"]
    np.testing.assert_array_equal(named["sum"], total)


def test_layouts_of_the_source() -> None:
    """The source has channels first; the graph has them last."""
    x = Node(Input("x", (4, 5, 3), FORMAT, axes=(1, 2, 0)))
    graph = Graph((x,), (Node(Output("same", (2, 0, 1)), (x,)), Node(Output("inside"), (x,))))
    image = RNG.integers(-9, 9, (2, 3, 4, 5)) / 8
    same, inside = evaluate(graph, image)
    np.testing.assert_array_equal(same, image)
    np.testing.assert_array_equal(inside, image.transpose(0, 2, 3, 1))


def test_wide_results_are_doubles() -> None:
    x = Node(Input("x", (1,), Fixed(20, 20)))
    graph = Graph((x,), (Node(Output("y"), (Node(Mul(), (x, x)),)),))
    y = evaluate(graph, np.array([[524287]]), integers=False)
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float64
    assert y[0, 0] == 524287**2


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 17])
def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    x = Node(Input("x", (6, 2), FORMAT))
    w = Node(Constant(Array(RNG.integers(-9, 9, (3, 2, 4))), Fixed(6, 1)))
    graph = Graph((x,), (Node(Output("y"), (Node(Conv((1,), ((1, 1),), (1,)), (x, w)),)),))
    samples = RNG.normal(0, 2, (batch, 6, 2))
    whole = evaluate(graph, samples)
    monkeypatch.setattr(run, "CHUNK_BYTES", 500)
    assert run._chunk(graph) == 2
    np.testing.assert_array_equal(evaluate(graph, samples), whole)


def test_what_depends_on_no_input_is_given_for_each_sample() -> None:
    x, c = Node(Input("x", (1,), FORMAT)), Node(Constant(Array([1, 2]), FORMAT))
    graph = Graph((x,), (Node(Output("c"), (Node(Relu(), (c,)),)), Node(Output("x"), (x,))))
    constant, _ = evaluate(graph, np.zeros((7, 1)))
    np.testing.assert_array_equal(constant, np.tile([1 / 32, 2 / 32], (7, 1)))


def test_every_node_can_be_watched() -> None:
    graph = double()
    values = trace(graph, np.array([[0.5, 1.0, 1.5], [0, 0, 0]]))
    assert list(values) == list(graph.nodes)
    x, total, _ = graph.nodes
    np.testing.assert_array_equal(values[x], [[16, 32, 48], [0, 0, 0]])
    np.testing.assert_array_equal(values_of(total, values[total]), [[1.0, 2.0, 3.0], [0, 0, 0]])


def test_results_may_be_written_to() -> None:
    """A result is the caller's own."""
    graph, x = double(), np.zeros((2, 3), np.float32)
    y = evaluate(graph, x)
    assert isinstance(y, np.ndarray)
    y[0, 0] = 7
    np.testing.assert_array_equal(evaluate(graph, x), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (np.zeros(3), "batch axis"),
        (np.zeros((2, 4)), r"shape \(2, 4\), the model reads \('batch', 3\)"),
        (np.zeros((2, 3, 1)), "the model reads"),
        (np.zeros((0, 3)), "no samples"),
        (0.5, "the model reads"),
        (None, "give numbers"),
        ("abc", "give numbers"),
        (np.zeros((2, 3), complex), "give numbers"),
        (np.zeros((2, 3), object), "give numbers"),
        ([[1, 2, 3], [1, 2]], "not an array"),
        ([[[1, 2, 3], [1, 2]]], "not an array"),
        ({"z": np.zeros((2, 3))}, "inputs are called x; got z"),
        ({}, "inputs are called x"),
    ],
)
def test_samples_that_do_not_fit(given: Any, match: str) -> None:
    with pytest.raises(ShapeError, match=match):
        evaluate(double(), given)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (np.zeros((2, 3)), "2 inputs: a, b"),
        ([np.zeros((2, 3))], "2 inputs"),
        ([np.zeros((2, 3)), np.zeros((3, 2, 3))], "batches of"),
        ({"a": np.zeros((2, 3))}, "inputs are called"),
    ],
)
def test_several_inputs_that_do_not_fit(given: Any, match: str) -> None:
    with pytest.raises(ShapeError, match=match):
        evaluate(two(), given)


@pytest.mark.parametrize("bad", [[[128, 0, 0]], [[-129, 0, 0]], [[0.5, 0, 0]], [[1.0, 0, 0]]])
def test_integers_that_the_format_does_not_have(bad: Any) -> None:
    with pytest.raises(ShapeError, match="not integers of fixed<8,3>"):
        evaluate(double(), np.array(bad), integers=True)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_no_number(bad: float) -> None:
    with pytest.raises(GatewrightError, match="input 'x': NaN or infinite"):
        evaluate(double(), np.array([[0.0, bad, 0.0]]))


def test_not_a_number_inside_names_the_layer() -> None:
    x = Node(Input("x", (1,)))
    bad = Node(Activation("log"), (x,), "log")
    graph = Graph((x,), (Node(Output("y"), (Node(Quantize(FORMAT), (bad,), "quantizer"),)),))
    with pytest.raises(GatewrightError, match="quantizer: NaN"):
        evaluate(graph, np.array([[-1.0]]))


def test_memory_of_what_is_read_no_more_is_given_back() -> None:
    """A chain of many large tensors needs that of a few of them."""
    import tracemalloc

    x = node = Node(Input("x", (64, 64, 8), FORMAT))
    for _ in range(30):
        node = Node(Quantize(FORMAT), (Node(Reshape(node.shape), (Node(Transpose((1, 0, 2)), (node,)),)),))
    graph = Graph((x,), (Node(Output("y"), (Node(Reduce(Reduction.MAX, (0, 1)), (node,)),)),))
    samples = np.zeros((16, 64, 64, 8), np.float32)
    evaluate(graph, samples[:1])
    tracemalloc.start()
    evaluate(graph, samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * samples.size * 8


def test_errors_while_building_name_the_layer() -> None:
    x, w = Node(Input("x", (3,), FORMAT)), Node(Constant(Array(np.ones((4, 2), np.int64)), FORMAT))
    with pytest.raises(ShapeError, match=r"^fc1: dense cannot multiply \(3,\) by weights \(4, 2\)"):
        Node(Dense(), (x, w), "fc1")
