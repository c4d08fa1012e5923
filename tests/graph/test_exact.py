"""The central property: what is computed lies in the proved interval, and is what exact rationals give."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from gatewright.graph import Affine, Array, Fixed, Graph, Grid, Node, trace
from gatewright.graph.ops import OPS, Add, Constant, Conv, Dense, Input, Mul, Output, Sub

from . import oracle
from .drawn import Draw
from .reference import interpret

SEEDS = range(600)


def check(graph: Graph, samples: list[np.ndarray]) -> None:
    """Compare every element of every node: interval, format, value."""
    traced = trace(graph, dict(zip([op.name for op in graph.input_ops], samples, strict=True)), integers=True)
    for number in range(len(samples[0])):
        exact = interpret(graph, [s[number] for s in samples])
        for node, cells in exact.items():
            stored = traced[node][number]
            assert stored.shape == node.shape
            assert stored.dtype == np.int64
            within(node, stored)
            for index in np.ndindex(*node.shape):
                got = oracle.value(int(stored[index]), node.type.quantized, index, node.shape)
                assert got == cells[index], f"{node.op}{index}: {got}, exactly {cells[index]}"


def within(node: Node, stored: np.ndarray) -> None:
    format, (low, high) = node.type.quantized, node.type.interval
    least, greatest = format.bounds
    assert (stored >= least).all()
    assert (stored <= greatest).all()
    centred = format.centre(stored)
    assert (centred >= low).all(), node.op
    assert (centred <= high).all(), node.op


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_graphs(seed: int) -> None:
    draw = Draw(seed)
    graph = draw.graph()
    samples = [np.stack([draw.stored(n.shape, n.type.quantized) for _ in range(3)]) for n in graph.inputs]
    ends = [np.stack([np.broadcast_to(b, n.shape) for b in n.type.quantized.bounds]) for n in graph.inputs]
    check(graph, [np.concatenate(pair) for pair in zip(samples, ends, strict=True)])


def test_the_drawn_graphs_hold_every_exact_operation() -> None:
    seen = {type(node.op).__name__ for seed in SEEDS for node in Draw(seed).graph().nodes}
    assert seen == set(OPS) - {"Cast", "Div", "Power", "Activation", "Softmax", "FixedSoftmax", "DynamicScale"}


def corners(*nodes: Node) -> list[np.ndarray]:
    """Every combination of least and greatest integers of a few inputs of few elements."""
    sizes = [n.type.size for n in nodes]
    ends = [[np.broadcast_to(b, n.shape).ravel() for b in n.type.quantized.bounds] for n in nodes]
    rows = list(product((0, 1), repeat=sum(sizes)))
    columns, start = [], 0
    for n, size, pair in zip(nodes, sizes, ends, strict=True):
        table = np.array([[pair[bit][k] for k, bit in enumerate(row[start : start + size])] for row in rows])
        columns.append(table.reshape(-1, *n.shape))
        start += size
    return columns


FORMATS = [Fixed(5, 2), Fixed(4, 4, False), Affine(4, True, Fraction(1, 3), 2), Fixed(Grid(np.array([3, 5, 2])), 1)]


@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize("seed", range(8))
def test_bounds_of_linear_layers_are_attained(format: Fixed | Affine, seed: int) -> None:
    draw = Draw(seed)
    x = Node(Input("x", (3,), format))
    for layer in (draw.dense(x), Node(Dense(), (x, draw.constant((3, 2), Fixed(6, 1)), *draw.bias(2)))):
        attained(layer, x)


@pytest.mark.parametrize("seed", range(8))
def test_bounds_of_convolutions_are_attained(seed: int) -> None:
    draw = Draw(seed)
    x = Node(Input("x", (4, 2), draw.pick(FORMATS[:3])))
    for groups in (1, 2):
        w = draw.constant((3, 2 // groups, 2), Fixed(5, 1))
        attained(Node(Conv((1,), ((0, 0),), (1,), groups), (x, w, *draw.bias(2))), x)


@pytest.mark.parametrize("op", [Add(), Sub(), Mul()])
@pytest.mark.parametrize("pair", list(product(FORMATS, repeat=2)), ids=str)
def test_bounds_of_arithmetic_are_attained(op: Add | Sub | Mul, pair: tuple[Fixed | Affine, Fixed | Affine]) -> None:
    x, y = (Node(Input(name, (3,), f)) for name, f in zip("xy", pair, strict=True))
    attained(Node(op, (x, y)), x, y)


def test_a_square_is_never_negative() -> None:
    x = Node(Input("x", (2,), Fixed(4, 4)))
    low, high = Node(Mul(), (x, x)).type.interval
    assert (int(low.min()), int(high.max())) == (0, 64)


def attained(layer: Node, *inputs: Node) -> None:
    """Every unit reaches both ends of its interval at some corner of the inputs."""
    graph = Graph(inputs, (Node(Output("y"), (layer,)),))
    samples = corners(*inputs)
    found = trace(graph, samples if len(samples) > 1 else samples[0], integers=True)[layer]
    found = layer.type.quantized.centre(found).reshape(-1, layer.shape[-1])
    for end, seen in zip(layer.type.interval, (found.min(axis=0), found.max(axis=0)), strict=True):
        if end.ndim > 1:
            end = np.broadcast_to(end, layer.shape).reshape(-1, layer.shape[-1])[0]
        np.testing.assert_array_equal(seen, np.broadcast_to(end, seen.shape))


def test_the_narrowest_format_is_given() -> None:
    x = Node(Input("x", (2,), Fixed(4, 4)))
    w = Node(Constant(Array([[1], [2]]), Fixed(3, 3)))
    assert str(Node(Dense(), (x, w)).type) == "1 fixed<6,6>"  # -24 .. 21
    assert str(Node(Add(), (x, x)).type) == "2 fixed<5,5>"
