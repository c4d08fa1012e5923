"""Graphs that remember: what they give is what the graph without states gives, fed by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.graph import Array, Fixed, Graph, Node, State, parse_pairs, trace
from gatewright.graph.file import to_bytes
from gatewright.graph.ops import Add, Input, Output, Relu, Transpose

from ..streams import NETWORKS, by_hand, entry, frames, state, window


def stored(graph: Graph, fed: list[np.ndarray], run: gw.Stream | None = None) -> list[np.ndarray]:
    result = (run or gw.Stream(graph))(fed if len(fed) > 1 else fed[0], integers=True)
    return list(result) if isinstance(result, tuple) else [result]  # type: ignore[list-item]


@pytest.mark.parametrize("build", NETWORKS)
def test_steps_are_those_of_the_graph_fed_by_hand(build: Callable[[], Graph]) -> None:
    graph = build()
    fed = frames(graph, 12)
    for got, wanted in zip(stored(graph, fed), by_hand(graph, fed), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("build", NETWORKS)
def test_a_stream_goes_on_and_begins_anew(build: Callable[[], Graph]) -> None:
    graph = build()
    (x,) = frames(graph, 9)
    whole = stored(graph, [x])
    stream = gw.Stream(graph)
    first = stored(graph, [x[:4]], stream)
    saved = stream.state
    rest = stored(graph, [x[4:]], stream)
    for a, b, c in zip(whole, first, rest, strict=True):
        np.testing.assert_array_equal(a, np.concatenate([b, c]))
    stream.state = saved
    for a, b in zip(rest, stored(graph, [x[4:]], stream), strict=True):
        np.testing.assert_array_equal(a, b)
    stream.reset()
    for a, b in zip(first, stored(graph, [x[:4]], stream), strict=True):
        np.testing.assert_array_equal(a, b)


def test_streams_side_by_side() -> None:
    graph = window()
    x = np.stack([frames(graph, 5, seed)[0] for seed in range(3)])
    y = np.asarray(gw.evaluate(graph, x, integers=True))
    assert y.shape == (3, 5, 5)
    for one, wanted in zip(x, y, strict=True):
        np.testing.assert_array_equal(stored(graph, [one])[0], wanted)
    assert trace(graph, x, integers=True)[graph.outputs[0]].shape == (15, 5)
    stream = gw.Stream(graph)
    first, second = stream(x[:, :2], integers=True), stream(x[:, 2:], integers=True)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), y)  # type: ignore[arg-type]
    assert stream.state["rows"].shape == (3, 2, 8)
    with pytest.raises(gw.ShapeError, match="3 streams are remembered, 2 given"):
        stream(x[:2], integers=True)


def test_a_file_keeps_states(tmp_path: Path) -> None:
    graph = window()
    graph.save(tmp_path / "net.gw")
    loaded = gw.load(tmp_path / "net.gw")
    assert to_bytes(loaded) == to_bytes(graph)
    assert "state rows" in str(graph)
    assert str(loaded) == str(graph)


def test_a_state_has_one_shape_and_one_format() -> None:
    x, h = entry("x", 3), entry("h", 3)
    with pytest.raises(gw.ShapeError, match=r"state 'h' is read as 3 .*, its next value is 4"):
        state(h, entry("y", 4))
    with pytest.raises(gw.ShapeError, match="both need one shape and one format"):
        state(h, Node(Add(), (x, h)))
    with pytest.raises(gw.ShapeError, match=r"begins with an array of \(2,\)"):
        State(h, Node(Output("h"), (x,)), Array(np.zeros(2, np.int64)))
    with pytest.raises(gw.ShapeError, match="begins outside of"):
        state(h, x, 128)


def accumulator() -> Graph:
    """A float graph with a sum on its surface, laid out otherwise inside."""
    x = Node(Input("x", (2, 3)), (), "x")
    h = Node(Input("h_in", (2, 3), axes=(1, 0)), (), "h_in")
    total = Node(Add(), (x, h), "total")
    return Graph((x, h), (Node(Output("y"), (Node(Relu(), (total,), "relu"),)),
                          Node(Output("h_out", (1, 0)), (total,))), "sums")  # fmt: skip


def test_pairs_that_the_user_names(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(0, 1, (6, 2, 3)).astype(np.float32)
    start = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.save(tmp_path / "start.npy", start)
    for pairs in ({"h_in": ("h_out", start)}, parse_pairs([f"h_in=h_out:{tmp_path / 'start.npy'}"])):
        graph = gw.with_states(accumulator(), pairs)
        assert [op.name for op in graph.input_ops] == ["x"]
        assert [op.name for op in graph.output_ops] == ["y"]
        wanted = np.maximum(np.cumsum(np.concatenate([start.T[None], x]), axis=0, dtype=np.float32)[1:], 0)
        np.testing.assert_allclose(np.asarray(gw.evaluate(graph, x)), wanted, atol=1e-5)
        np.testing.assert_allclose(gw.Stream(graph).state["h_in"], start.T)


def test_an_only_output_stays_one() -> None:
    x, h = Node(Input("x", (3,))), Node(Input("h", (3,)))
    graph = gw.with_states(Graph((x, h), (Node(Output("y"), (Node(Add(), (x, h)),)),)), {"h": "y"})
    np.testing.assert_array_equal(np.asarray(gw.evaluate(graph, np.ones((3, 3))))[:, 0], [1, 2, 3])


def test_pairs_that_do_not_exist_or_fit() -> None:
    graph = accumulator()
    with pytest.raises(gw.OptionError, match="no input called 'h'"):
        gw.with_states(graph, {"h": "h_out"})
    with pytest.raises(gw.OptionError, match="no output called 'hout'"):
        gw.load(graph, states={"h_in": "hout"})
    with pytest.raises(gw.ShapeError, match=r"state 'h_in' has shape \(3, 2\), its output 'y' has \(2, 3\)"):
        gw.with_states(graph, {"h_in": "y"})
    with pytest.raises(gw.ShapeError, match=r"begins with .* of shape \(2, 3\)"):
        gw.with_states(graph, {"h_in": ("h_out", np.zeros((2, 3)))})
    with pytest.raises(gw.FileError, match=r"no\.npy"):
        gw.with_states(graph, {"h_in": ("h_out", "no.npy")})
    with pytest.raises(gw.OptionError, match="every input is a state"):
        gw.with_states(graph, {"h_in": "h_out", "x": "y"})
    for text in ("h_in", "=h_out", "h_in="):
        with pytest.raises(gw.OptionError, match="is no pair"):
            parse_pairs([text])


def test_the_range_of_a_state_is_found_by_stepping() -> None:
    graph = gw.with_states(accumulator(), {"h_in": "h_out"})
    x = np.full((100, 2, 3), 0.9, np.float32)
    lowered = gw.lower(graph, samples=x)
    (kept,) = lowered.states
    assert kept.entry.type.format == Fixed(16, 8)  # up to 90, not 0.9
    assert kept.next.type.format == kept.entry.type.format
    np.testing.assert_allclose(np.asarray(gw.evaluate(lowered, x)), np.asarray(gw.evaluate(graph, x)), atol=0.5)
    several = gw.lower(graph, samples=x.reshape(10, 10, 2, 3))
    assert several.states[0].entry.type.format == Fixed(16, 5)


def test_an_initial_value_that_a_format_rounds_is_told() -> None:
    graph = gw.with_states(accumulator(), {"h_in": ("h_out", np.full((3, 2), 1 / 3))})
    lowered = gw.lower(graph, precision="fixed<8,4>")
    assert lowered.notes == ("state 'h_in' begins with values rounded to fixed<8,4>, by 0.0208333 at most",)


def test_what_enters_and_leaves_a_state_may_be_laid_out_otherwise() -> None:
    graph = accumulator()
    turned = Node(Transpose((1, 0)), (graph.outputs[1].inputs[0],))
    plain = replace(graph, outputs=(graph.outputs[0], Node(Output("h_out"), (turned,))))
    made = gw.with_states(plain, {"h_in": "h_out"})
    x = np.ones((4, 2, 3), np.float32)
    np.testing.assert_array_equal(np.asarray(gw.evaluate(made, x))[:, 0, 0], [1, 2, 3, 4])


def test_the_first_tensor_that_differs_is_found_although_states_carry_it_on() -> None:
    one = window()
    x = frames(one, 12)[0] * 2.0**-5

    def wrong(node: Node) -> Node:
        if node.where != "w2":
            return node
        data = node.op.value.data.copy()  # type: ignore[attr-defined]
        data[0, :, 0] += 1
        return replace(node, op=replace(node.op, value=Array(data.clip(-16, 15))))  # type: ignore[call-arg]

    assert gw.diff(one, one, x).first is None
    found = gw.diff(one, one.map(wrong), x).first
    assert found is not None
    assert "conv2" in found.name
