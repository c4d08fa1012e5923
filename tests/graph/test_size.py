"""Multiply-accumulates and parameters, counted by hand."""

import numpy as np
import pytest

from gatewright.graph import Array, Fixed, Graph, Node, Op
from gatewright.graph.ops import (
    Add,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Input,
    Lookup,
    MatMul,
    Maximum,
    Mul,
    Output,
    Relu,
)
from gatewright.graph.size import macs, parameters_of

FORMAT = Fixed(8, 3)


def constant(*shape: int) -> Node:
    return Node(Constant(Array(np.ones(shape, np.int64)), FORMAT))


@pytest.mark.parametrize(
    ("op", "shape", "weights", "expected"),
    [
        (Dense(), (16,), (16, 64), 16 * 64),
        (Dense(), (5, 16), (16, 64), 5 * 16 * 64),
        (Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (8, 8, 3), (3, 3, 3, 16), 8 * 8 * 16 * 27),
        (Conv((2, 2), ((1, 1), (1, 1)), (1, 1)), (8, 8, 3), (3, 3, 3, 16), 4 * 4 * 16 * 27),
        (Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 6), (8, 8, 6), (3, 3, 1, 6), 8 * 8 * 6 * 9),
        (Conv((1,), ((0, 0),), (1,), 2), (8, 6), (3, 3, 4), 6 * 4 * 9),
        (ConvTranspose((2,), ((0, 0),), (0,), (1,)), (8, 6), (3, 4, 6), 8 * 6 * 3 * 4),
        (MatMul(), (2, 4, 5), (5, 3), 2 * 4 * 3 * 5),
    ],
)
def test_products(op: Op, shape: tuple[int, ...], weights: tuple[int, ...], expected: int) -> None:
    node = Node(op, (Node(Input("x", shape, FORMAT)), constant(*weights)))
    assert macs(node) == expected
    assert parameters_of(node) == np.prod(weights)


def test_a_network_and_what_is_no_parameter() -> None:
    """A shared constant counts once, tables and bounds do not count, pointwise products accumulate nothing."""
    x = Node(Input("x", (4,), Fixed(3, 3)))
    table, shared, w, b = constant(8), constant(4), constant(4, 3), constant(3)
    h = Node(Lookup(-4), (x, table))
    h = Node(Maximum(), (Node(Mul(), (Node(Add(), (h, shared)), shared)), constant()))
    y = Node(Dense(), (Node(Relu(), (h,)), w, b))
    graph = Graph((x,), (Node(Output("y"), (y,)),))
    assert graph.macs == 12
    assert graph.parameters == 4 + 12 + 3
    assert graph.is_integer
    assert [parameters_of(n) for n in graph.nodes if isinstance(n.op, Lookup | Maximum)] == [0, 0]
