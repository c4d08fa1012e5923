"""A recurrent layer becomes integers: its states keep one format, its body is lowered like any graph."""

import numpy as np
import pytest

from gatewright.graph import Fixed, Graph, Node, evaluate
from gatewright.graph.ops import Add, Input, Lookup, Output, Quantize, Scan
from gatewright.lowering import lower

from ..recurrent import lstm, lstm_and_dense, real


def samples(graph: Graph, count: int = 64) -> np.ndarray:
    return np.random.default_rng(1).uniform(-2, 2, (count, *graph.inputs[0].shape)).astype(np.float32)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_an_lstm_in_integers_is_near_the_real_one(reverse: bool, last: bool) -> None:
    graph = lstm(12, 3, 5, reverse=reverse, last=last)
    x = samples(graph)
    integer = lower(graph, precision="fixed<18,6>", samples=x)
    assert integer.is_integer
    assert np.abs(evaluate(integer, x) - evaluate(graph, x)).max() < 0.01


def test_without_samples_the_default_precision_holds_the_states() -> None:
    graph = lstm_and_dense(10, 4, 6)
    integer = lower(graph, precision="fixed<20,6>")
    x = samples(graph)
    assert np.abs(evaluate(integer, x) - evaluate(graph, x)).max() < 0.02
    scans = [n.op for n in integer.nodes if isinstance(n.op, Scan)]
    assert len(scans) == 2
    for op in scans:
        for entry, output in zip(op.body.inputs[1:], op.body.outputs, strict=False):
            assert entry.type.format == output.type.format


def test_the_configuration_reaches_into_the_body() -> None:
    graph = lstm(6, 2, 3)
    config = {"layer": [{"name": "lstm/state", "precision": "fixed<9,5>"}]}
    integer = lower(graph, config=config, samples=samples(graph))
    body = next(n.op for n in integer.nodes if isinstance(n.op, Scan)).body
    named = [n for n in body.nodes if isinstance(n.op, Quantize) and n.type.format == Fixed(9, 5)]
    assert named
    assert any(isinstance(n.op, Lookup) for n in body.nodes)


def test_a_state_keeps_the_format_that_the_model_gives_it() -> None:
    x, h = Node(Input("x", (2,))), Node(Input("h", (2,)))
    new = Node(Quantize(Fixed(7, 3)), (Node(Add(), (x, h)),))
    body = Graph((x, h), (Node(Output("h"), (new,)), Node(Output("y"), (new,))))
    sequence = Node(Input("s", (5, 2)))
    scan = Node(Scan(body, 5, 1, 1), (sequence, real(np.array([0.3, -0.2]))), "cell")
    graph = Graph((sequence,), (Node(Output("y"), (scan,)),))
    integer = lower(graph)
    found = next(n.op for n in integer.nodes if isinstance(n.op, Scan))
    assert found.body.inputs[1].type.format == Fixed(7, 3)
    assert integer.outputs[0].type.format == Fixed(7, 3)
