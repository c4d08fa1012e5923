"""A scan is what its body gives, applied once for each step by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatewright.graph import Array, Fixed, Graph, Node, ShapeError, evaluate
from gatewright.graph.file import load
from gatewright.graph.ops import (
    Activation,
    Add,
    Concat,
    Constant,
    Dense,
    Input,
    Mul,
    Output,
    Quantize,
    Reshape,
    Scan,
    Slice,
)

from .drawn import Draw

STATE = Fixed(6, 3)


def drawn_body(draw: Draw, sequence: Node, extra: Node) -> Graph:
    """Two states; the next ones mix everything; the emission is of another shape than the states."""
    x = Node(Input("x", sequence.shape[1:], sequence.type.quantized))
    h, c = Node(Input("h", (3,), STATE)), Node(Input("c", (3,), Fixed(5, 5, False)))
    e = Node(Input("e", extra.shape, extra.type.quantized))
    joined = Node(Concat(0), (Node(Quantize(STATE), (Node(Reshape((x.type.size,)), (x,)),)), h, c, e))
    mixed = draw.dense(joined)
    mixed = Node(Dense(), (mixed, draw.constant((mixed.shape[0], 3), Fixed(3, 1))))
    nexts = (Node(Quantize(STATE), (mixed,)), Node(Quantize(Fixed(5, 5, False)), (Node(Add(), (c, h)),)))
    emitted = Node(Mul(), (nexts[0], c))
    outputs = (*nexts, Node(Concat(0), (emitted, x)) if len(x.shape) == 1 else emitted)
    return Graph((x, h, c, e), tuple(Node(Output(f"o{i}"), (n,)) for i, n in enumerate(outputs)))


def drawn(seed: int) -> tuple[Graph, Node]:
    draw = Draw(seed)
    steps = draw.upto(1, 4)
    sequence = Node(Input("s", (steps, *draw.shape()[:2]), draw.flat_format()))
    extra = Node(Input("e", (2,), draw.flat_format()))
    body = drawn_body(draw, sequence, extra)
    c = draw.constant((3,), Fixed(5, 5, False))
    h = c if draw.upto(0, 1) else Node(Input("h", (3,), STATE))
    h = Node(Quantize(STATE), (h,)) if h is c else h
    op = Scan(body, steps, 1, 2, bool(draw.upto(0, 1)), bool(draw.upto(0, 1)))
    scan = Node(op, (sequence, h, c, extra))
    inputs = (sequence, extra) if isinstance(h.op, Quantize) else (sequence, extra, h)
    return Graph(inputs, (Node(Output("y"), (scan,)),)), scan


def unrolled(graph: Graph, scan: Node) -> Graph:
    """The same without a scan: the body's nodes once for each step."""
    op = scan.op
    assert isinstance(op, Scan)
    sequence, *states, extra = scan.inputs
    emitted: dict[int, Node] = {}
    last = 0
    for step in reversed(range(op.steps)) if op.reverse else range(op.steps):
        last = step
        rank = len(sequence.shape) - 1
        cut = Slice((step, *[0] * rank), (step + 1, *sequence.shape[1:]), (1,) * (rank + 1))
        x = Node(Reshape(sequence.shape[1:]), (Node(cut, (sequence,)),))
        new = dict(zip(op.body.inputs, (x, *states, extra), strict=True))
        for node in op.body.nodes:
            if node not in new:
                new[node] = replace(node, inputs=tuple(new[i] for i in node.inputs))
        *states, emission = (new[o].inputs[0] for o in op.body.outputs)
        emitted[step] = Node(Reshape((1, *emission.shape)), (emission,))
    rows = [emitted[step] for step in range(op.steps)]
    y = emitted[last].inputs[0] if op.last else Node(Concat(0), tuple(rows))
    return Graph(graph.inputs, (Node(Output("y"), (y,)),))


@pytest.mark.parametrize("seed", range(60))
def test_it_equals_its_steps_one_by_one(seed: int, tmp_path: Path) -> None:
    graph, scan = drawn(seed)
    draw = Draw(seed + 1000)
    x = {n.op.name: np.stack([draw.stored(n.shape, n.type.quantized) for _ in range(5)]) for n in graph.inputs}
    real = {n.op.name: n.type.quantized.centre(x[n.op.name]) * float(n.type.quantized.scale) for n in graph.inputs}
    expected = evaluate(unrolled(graph, scan), real)["y"]
    np.testing.assert_array_equal(evaluate(graph, real)["y"], expected)
    stored = evaluate(graph, x, integers=True)["y"]
    low, high = scan.type.interval
    centred = scan.type.quantized.centre(stored)
    assert (centred >= low).all()
    assert (centred <= high).all()
    graph.save(tmp_path / "g.gw")
    again = load(tmp_path / "g.gw")
    assert str(again) == str(graph)
    np.testing.assert_array_equal(evaluate(again, x, integers=True)["y"], stored)


def float_scan(**changed: object) -> Node:
    x, h = Node(Input("x", (2,))), Node(Input("h", (2,)))
    new = Node(Activation("tanh"), (Node(Add(), (x, h)),))
    body = Graph((x, h), (Node(Output("h"), (new,)), Node(Output("y"), (new,))))
    sequence = Node(Input("s", (4, 2)))
    start = Node(Constant(Array(np.zeros(2, np.float32))))
    return Node(replace(Scan(body, 4, 1, 1), **changed), (sequence, start), "rnn")  # type: ignore[arg-type]


def test_floats() -> None:
    scan = float_scan()
    x = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    h, rows = np.zeros((3, 2)), []
    for step in range(4):
        h = np.tanh(x[:, step] + h)
        rows.append(h)
    graph = Graph(scan.inputs[:1], (Node(Output("y"), (scan,)),))
    np.testing.assert_allclose(evaluate(graph, x), np.stack(rows, axis=1), rtol=1e-5)
    assert "    return" in str(graph)
    assert graph.macs == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 5}, "operand 0"),
        ({"steps": 0}, "0 steps"),
        ({"states": 2}, "2 states"),
        ({"states": 0}, "2 inputs and 2 outputs"),
        ({"sequences": 0}, "operand 0"),
    ],
)
def test_what_does_not_fit_its_body(changed: dict[str, int], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        float_scan(**changed)


def test_integers_keep_their_format() -> None:
    x = Node(Input("x", (2,), Fixed(4, 2)))
    h = Node(Input("h", (2,), STATE))
    body = Graph((x, h), (Node(Output("h"), (h,)), Node(Output("y"), (x,))))
    start = Node(Constant(Array(np.zeros(2, np.int64)), STATE))
    Node(Scan(body, 3, 1, 1), (Node(Input("s", (3, 2), Fixed(4, 2))), start))
    with pytest.raises(ShapeError, match="body reads"):
        Node(Scan(body, 3, 1, 1), (Node(Input("s", (3, 2), Fixed(4, 3))), start))
