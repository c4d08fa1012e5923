"""Test vectors stay where the graph is defined."""

import numpy as np
import pytest

import gatewright as gw
from gatewright.graph import Array, Fixed, Graph, Node
from gatewright.graph.ops import Add, ArgMax, Constant, Input, Output, Reshape, Take
from gatewright.simulation import make_vectors

from ..backends.hls4ml.hls_driver import needs_gxx

TABLE = Node(Constant(Array(np.arange(40).reshape(10, 4) - 20), Fixed(6, 3)))


def embedding() -> Graph:
    """Words of 16 bits into a table of ten rows."""
    words = Node(Input("words", (2, 3), Fixed(16, 16)))
    flat = Node(Reshape((6,)), (words,))
    return Graph((words,), (Node(Output("y"), (Node(Take(0), (TABLE, flat), "embedding"),)),))


def test_indices_stay_inside_of_what_they_count() -> None:
    (words,) = make_vectors(embedding(), 200)
    assert words.min() == 0
    assert words.max() == 9


def test_an_input_that_proves_its_index_is_free() -> None:
    x = Node(Input("x", (4,), Fixed(8, 8)))
    taken = Node(Take(0), (TABLE, Node(ArgMax(0), (x,))))
    graph = Graph((x,), (Node(Output("y"), (Node(Add(), (taken, x)),)),))
    (values,) = make_vectors(graph, 100)
    assert values.min() == -128


@needs_gxx
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_an_embedding_compiles(io: str) -> None:
    assert gw.compile(embedding(), board="pynq-z2", io=io).verify()["status"] == "exact"
