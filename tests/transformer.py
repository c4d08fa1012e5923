"""A small transformer as a graph, for tests of lowering and of the back ends."""

import numpy as np

from gatewright.graph import Array, Graph, Node
from gatewright.graph.ops import (
    Activation,
    Add,
    Constant,
    Dense,
    Input,
    MatMul,
    Mul,
    Output,
    Reduce,
    Reduction,
    Softmax,
    Sub,
    Transpose,
)


class _Weights:
    """Draws weights."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def real(self, *shape: int, scale: float = 0.3) -> Node:
        return Node(Constant(Array(self.rng.normal(0, scale, shape).astype(np.float32))))

    def dense(self, x: Node, units: int, where: str) -> Node:
        return Node(Dense(), (x, self.real(x.shape[-1], units), self.real(units, scale=0.1)), where)

    def normalized(self, x: Node, where: str) -> Node:
        """Layer normalization with a learnt scale and offset."""
        axes = (len(x.shape) - 1,)
        mean = Node(Reduce(Reduction.MEAN, axes, True), (x,), where)
        off = Node(Sub(), (x, mean), where)
        variance = Node(Reduce(Reduction.MEAN, axes, True), (Node(Mul(), (off, off), where),), where)
        epsilon = Node(Constant(Array(np.float32(1e-2))))
        scale = Node(Activation("rsqrt"), (Node(Add(), (variance, epsilon), where),), where)
        own = Node(Mul(), (Node(Mul(), (off, scale), where), self.real(x.shape[-1], scale=0.5)), where)
        return Node(Add(), (own, self.real(x.shape[-1], scale=0.1)), where)


def transformer(length: int = 6, width: int = 8, classes: int = 5) -> Graph:
    """One block over [length, width]: attention with one head, a GELU layer twice as wide, a softmax at the end."""
    w = _Weights(3)
    x = Node(Input("x", (length, width)))
    h = w.normalized(x, "norm1")
    q, k, v = (w.dense(h, width, name) for name in ("query", "key", "value"))
    scores = Node(MatMul(), (q, Node(Transpose((1, 0)), (k,), "key")), "scores")
    mixed = Node(MatMul(), (Node(Softmax(1), (scores,), "attention"), v), "mixed")
    h = Node(Add(), (x, w.dense(mixed, width, "out")), "skip1")
    up = Node(Activation("gelu"), (w.dense(w.normalized(h, "norm2"), 2 * width, "up"),), "gelu")
    h = Node(Add(), (h, w.dense(up, width, "down")), "skip2")
    pooled = Node(Reduce(Reduction.MEAN, (0,)), (h,), "pool")
    y = Node(Softmax(0), (w.dense(pooled, classes, "head"),), "softmax")
    return Graph((x,), (Node(Output("y"), (y,)),), "transformer")
