"""Products of bytes as matrix units see them: rows, channels and filters that fill their tiles, and that do not."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from gatewright.graph import Affine, Array, Format, Graph, Node, Op
from gatewright.graph.formats import BFLOAT
from gatewright.graph.ops import Add, Cast, Constant, Conv, Dense, Input, MatMul, Output, Quantize, Relu

from .common import drawn

SIGNED, UNSIGNED = Affine(8, True, Fraction(1, 255), -3), Affine(8, False, Fraction(1, 255), 7)
CENTRED, POSITIVE = Affine(8, True, Fraction(1, 77)), Affine(8, False, Fraction(1, 77))
OUT = Affine(8, True, Fraction(1, 2), -4)


def requantized(node: Node) -> Node:
    return Node(Quantize(OUT), (node,))


def layer(
    name: str, op: Op, shape: tuple[int, ...], weights: tuple[int, ...], x: Format = SIGNED, w: Format = CENTRED,
    *, computed: bool = False,
) -> Node:
    rng = np.random.default_rng(len(name))
    operand = Node(Input(name, shape, x))
    if computed:
        operand = Node(Quantize(x), (Node(Relu(), (operand,)),))
    known = Node(drawn(rng, weights, w))
    bias = Node(drawn(rng, weights[-1:], Affine(16, True, x.scale * w.scale)))  # type: ignore[union-attr]
    return requantized(Node(op, (operand, known, bias), where=name))


def conv(strides: tuple[int, ...] = (1, 1), padding: int = 0, dilation: int = 1, groups: int = 1) -> Conv:
    rank = len(strides)
    return Conv(strides, ((padding, padding),) * rank, (dilation,) * rank, groups)


def layers() -> Iterator[Node]:
    """Products with known weights; operands of either sign."""
    yield layer("one", Dense(), (2, 4), (4, 1))
    yield layer("whole", Dense(), (32, 128), (128, 32), UNSIGNED)
    yield layer("odd", Dense(), (33, 67), (67, 51))
    yield layer("narrow", Dense(), (17, 5), (5, 7), UNSIGNED, POSITIVE)
    yield layer("unsigned_weights", Dense(), (50, 130), (130, 33), SIGNED, POSITIVE)
    yield layer("copied", Dense(), (19, 64), (64, 80), computed=True)
    yield layer("points", conv(), (5, 7, 36), (1, 1, 36, 20))
    yield layer("strided", conv((2, 2)), (9, 37, 8), (1, 1, 8, 17), UNSIGNED)
    yield layer("window", conv(padding=1), (6, 20, 24), (3, 3, 24, 40), computed=True)
    yield layer("lines", conv(padding=1), (7, 7, 12), (3, 3, 12, 50))
    yield layer("lines_strided", conv((2, 2), 1), (11, 11, 5), (3, 3, 5, 16), UNSIGNED)
    yield layer("dilated", conv(padding=2, dilation=2), (5, 9, 8), (3, 3, 8, 16))
    yield layer("grouped", conv(padding=1, groups=3), (4, 18, 24), (3, 3, 8, 60), computed=True)
    yield layer("column", conv(padding=1), (6, 6, 16), (3, 1, 16, 16))
    yield layer("sequence", conv((1,), 2), (40, 10), (5, 10, 33))
    yield layer("volume", conv((1, 1, 1), 1), (3, 4, 5, 4), (3, 3, 3, 4, 16), UNSIGNED)
    both = layer("residual", Dense(), (18, 64), (64, 64))
    yield requantized(Node(Add(), (both, Node(Input("other", (18, 64), UNSIGNED)))))


def matrices() -> Iterator[Node]:
    """Products of two computed matrices."""
    shapes = [((35, 70), (70, 33)), ((3, 17, 64), (3, 64, 16)), ((2, 1, 4, 9), (5, 9, 7)), ((4, 16, 20), (20, 40))]
    for i, (a, b) in enumerate(shapes):
        for j, (f, g) in enumerate(((CENTRED, CENTRED), (POSITIVE, CENTRED), (CENTRED, POSITIVE))):
            x, y = Node(Input(f"x{i}{j}", a, f)), Node(Input(f"y{i}{j}", b, g))
            yield requantized(Node(MatMul(), (x, y)))


def short_layers() -> Iterator[Node]:
    """Products of floats of 16 bits (bfloat16), rounded to such, and to float32."""
    rng, cases = np.random.default_rng(8), [
        (Dense(), (33, 37), (37, 50)), (Dense(), (16, 64), (64, 16)), (conv(padding=1), (6, 18, 10), (3, 3, 10, 20)),
        (conv((2, 2)), (9, 37, 6), (1, 1, 6, 17)), (conv(padding=1, groups=2), (7, 7, 12), (3, 3, 6, 40)),
    ]  # fmt: skip
    for i, (op, shape, weights) in enumerate(cases):
        known = [Node(Constant(Array(BFLOAT.rounded(rng.normal(0, 1, s).astype(np.float32))), BFLOAT))
                 for s in (weights, weights[-1:])]  # fmt: skip
        node = Node(op, (Node(Input(f"s{i}", shape, BFLOAT)), *known))
        yield Node(Cast(BFLOAT), (node,)) if i % 2 else node


def graph_of(nodes: Iterator[Node]) -> Graph:
    ends = [Node(Output(f"y{i}"), (n,)) for i, n in enumerate(nodes)]
    inputs = [n for n in Graph((), tuple(ends)).nodes if isinstance(n.op, Input)]
    return Graph(tuple(inputs), tuple(ends), "bytes")
