"""Small graphs that several tests compile."""

import itertools

import numpy as np

from gatewright.graph import Array, Fixed, Graph, Node, Overflow, Rounding
from gatewright.graph.ops import Constant, Dense, Input, Output, Quantize, Relu


def tiny(seed: int = 0, *, sizes: tuple[int, ...] = (4, 6, 3)) -> Graph:
    """A float input, quantized weights and activations: what a QKeras model looks like."""
    rng = np.random.default_rng(seed)
    x = node = Node(Input("x", (sizes[0],)), (), "x")
    for i, (n, m) in enumerate(itertools.pairwise(sizes)):
        w = Node(Constant(Array(rng.integers(-8, 8, (n, m))), Fixed(4, 1)), (), f"fc{i}")
        b = Node(Constant(Array(rng.integers(-8, 8, m)), Fixed(4, 1)), (), f"fc{i}")
        node = Node(Dense(), (node, w, b), f"fc{i}")
        if i < len(sizes) - 2:
            node = Node(Relu(), (node,), f"relu{i}")
            node = Node(Quantize(Fixed(6, 1, False), Rounding.RND_CONV, Overflow.SAT), (node,), f"relu{i}")
    return Graph((x,), (Node(Output("y"), (node,)),), "tiny", "test")
