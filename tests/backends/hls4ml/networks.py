"""Small integer graphs of one kind of operation each, drawn by a seeded generator: any shapes, formats and modes."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from gatewright.graph import Affine, Array, Fixed, Graph, Grid, Node, Overflow, Rounding
from gatewright.graph.ops import (
    Add,
    Constant,
    Conv,
    Dense,
    Input,
    Maximum,
    MaxPool,
    Minimum,
    Mul,
    Output,
    Quantize,
    Relu,
    Reshape,
    Sub,
)

MERGES = (Add, Sub, Mul, Maximum, Minimum)


class Draw:
    """Draws networks; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high, endpoint=True))

    def shape(self, low: int, high: int, longest: int = 4) -> tuple[int, ...]:
        return tuple(self.whole(1, longest) for _ in range(self.whole(low, high)))

    def format(self, widest: int = 9) -> Fixed:
        width = self.whole(2, widest)
        return Fixed(width, self.whole(-2, width + 2), bool(self.whole(0, 1)))

    def input(self, shape: tuple[int, ...], name: str = "inp", format: Fixed | Affine | None = None) -> Node:
        return Node(Input(name, shape, format or self.format()), (), name)

    def constant(self, shape: tuple[int, ...], format: Fixed | Affine | None = None) -> Node:
        format = format or self.format()
        low, high = format.bounds
        return Node(Constant(Array(self.rng.integers(low, high, shape, endpoint=True)), format))

    def affine(self, channels: int) -> Affine:
        """Draw a format of weights: a scale of its own for each output channel, no power of two."""
        scale = Grid.of(np.array([self.scale() for _ in range(channels)], dtype=object))
        return Affine(5, True, scale if isinstance(scale, Grid) else Fraction(scale))

    def affine_tensor(self) -> Affine:
        """Draw a format of values: one scale, perhaps a zero point."""
        return Affine(self.whole(3, 7), True, self.scale(), self.whole(-3, 3) if self.whole(0, 1) else 0)

    def scale(self) -> Fraction:
        return Fraction(self.whole(1, 20) * 2 + 1, 64 * 3)

    def maybe_quantized(self, node: Node) -> Node:
        if not self.whole(0, 2) or isinstance(node.type.format, Affine):
            return node
        rounding, overflow = list(Rounding)[self.whole(0, 6)], list(Overflow)[self.whole(0, 3)]
        return Node(Quantize(self.format(8), rounding, overflow), (node,), "quant")


def graph(inputs: list[Node], outputs: list[Node], name: str = "net") -> Graph:
    return Graph(tuple(inputs), tuple(Node(Output(f"y{i}"), (o,)) for i, o in enumerate(outputs)), name)


def dense(draw: Draw) -> Graph:
    shape = (*draw.shape(0, 3), draw.whole(1, 9))
    x, columns = draw.input(shape), draw.whole(1, 6)
    weights = draw.affine(columns) if not draw.whole(0, 4) else None
    operands = (x, draw.constant((shape[-1], columns), weights))
    if draw.whole(0, 1) and weights is None:
        operands += (draw.constant((columns,)),)
    return graph([x], [draw.maybe_quantized(Node(Dense(), operands, "dense"))])


def conv(draw: Draw) -> Graph:
    rank, channels, filters = draw.whole(1, 2), draw.whole(1, 4), draw.whole(1, 4)
    kernel = [draw.whole(1, 4) for _ in range(rank)]
    strides = tuple(draw.whole(1, 3) for _ in range(rank))
    padding = tuple((draw.whole(0, 2), draw.whole(0, 2)) if draw.whole(0, 1) else (0, 0) for _ in range(rank))
    x = draw.input((*(draw.whole(k, k + 6) for k in kernel), channels))
    operands = (x, draw.constant((*kernel, channels, filters)))
    if draw.whole(0, 1):
        operands += (draw.constant((filters,)),)
    return graph([x], [draw.maybe_quantized(Node(Conv(strides, padding, (1,) * rank), operands, "conv"))])


def depthwise(draw: Draw) -> Graph:
    rank, channels, multiplier = draw.whole(1, 2), draw.whole(2, 4), draw.whole(1, 2)
    kernel = [draw.whole(1, 3) for _ in range(rank)]
    x = draw.input((*(draw.whole(k, k + 4) for k in kernel), channels))
    op = Conv((1,) * rank, ((1, 0),) * rank, (1,) * rank, channels)
    return graph(
        [x], [draw.maybe_quantized(Node(op, (x, draw.constant((*kernel, 1, channels * multiplier))), "depth"))]
    )


def relu(draw: Draw) -> Graph:
    x = draw.input(draw.shape(1, 3))
    return graph([x], [draw.maybe_quantized(Node(Relu(), (x,), "relu"))])


def merge(draw: Draw) -> Graph:
    shape, op, format = draw.shape(1, 3), MERGES[draw.whole(0, 4)](), draw.format()
    x = draw.input(shape, "first", format)
    if not draw.whole(0, 4):
        return graph([x], [draw.maybe_quantized(Node(op, (x, x), "merge"))])
    y = draw.input(shape, "second", format if draw.whole(0, 1) else None)
    return graph([x, y], [draw.maybe_quantized(Node(op, (x, y), "merge"))])


def pool(draw: Draw) -> Graph:
    rank = draw.whole(1, 2)
    window = tuple(draw.whole(1, 3) for _ in range(rank))
    strides = tuple(draw.whole(1, 3) for _ in range(rank)) if draw.whole(0, 1) else window
    x = draw.input((*(draw.whole(k, k + 6) for k in window), draw.whole(1, 4)))
    return graph([x], [Node(MaxPool(window, strides, ((0, 0),) * rank, (1,) * rank), (x,), "pool")])


def reshape(draw: Draw) -> Graph:
    shapes = ((24,), (6, 4), (4, 6), (2, 12), (1, 24), (2, 3, 4), (4, 3, 2))
    shape = shapes[draw.whole(0, len(shapes) - 1)]
    x = draw.input((2, 3, 4))
    node = Node(Reshape(shape), (x,), "shaped")
    match draw.whole(0, 2):
        case 0:
            node = Node(Relu(), (node,), "relu")
        case 1:
            node = Node(Dense(), (node, draw.constant((shape[-1], 2))), "dense")
    return graph([x], [node])


def many_readers(draw: Draw) -> Graph:
    """Tensors that several layers and outputs read; outputs that are inputs, or given twice."""
    x = draw.input((draw.whole(1, 6),))
    a = Node(Relu(), (x,), "a")
    b = Node(Add(), (a, x), "b")
    c = Node(Add(), (b, a), "c")
    d = Node(Dense(), (a, draw.constant((x.shape[0], 3))), "d")
    e = Node(Mul(), (a, a), "e")
    return graph([x], [a, c, d, x, a, e][: draw.whole(1, 6)])


def quantized_twice(draw: Draw) -> Graph:
    """A tensor that two quantizers read: it must stay as it is."""
    x = draw.input((draw.whole(2, 5),))
    product = Node(Dense(), (x, draw.constant((x.shape[0], 3))), "product")
    first = Node(Quantize(Fixed(4, 2)), (product,), "q_first")
    second = Node(Quantize(Fixed(6, 5, False), Rounding.TRN, Overflow.WRAP), (product,), "q_second")
    return graph([x], [Node(Add(), (first, second), "sum")])


def affine_chain(draw: Draw) -> Graph:
    """Integers of any scale: product, requantize, rectify, quantize to fixed point."""
    x = draw.input((*draw.shape(0, 1), draw.whole(1, 5)), "inp", draw.affine_tensor())
    product = Node(Dense(), (x, draw.constant((x.shape[-1], 3), draw.affine(3))), "product")
    rounding = list(Rounding)[draw.whole(0, 6)]
    scaled = Node(Quantize(draw.affine_tensor(), rounding, Overflow.SAT), (product,), "scaled")
    relu = Node(Relu(), (scaled,), "relu")
    return graph([x], [Node(Quantize(draw.format(), Rounding.RND, Overflow.SAT), (relu,), "fixed"), product])


def affine_conv(draw: Draw) -> Graph:
    """Convolution and pooling of integers with a zero point, padded or not."""
    kernel, channels = draw.whole(1, 3), draw.whole(1, 3)
    padding = ((draw.whole(0, 1), draw.whole(0, 1)),) * 2 if draw.whole(0, 1) else ((0, 0),) * 2
    x = draw.input((kernel + 3, kernel + 3, channels), "inp", draw.affine_tensor())
    weights = draw.constant((kernel, kernel, channels, 2), draw.affine(2))
    conv = Node(Conv((1, 1), padding, (1, 1)), (x, weights), "conv")
    return graph([x], [conv, Node(MaxPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1)), (x,), "pool")])


def formats_by_channel(draw: Draw) -> Graph:
    """An input whose channels have fixed-point formats of their own."""
    channels = draw.whole(2, 4)
    widths, integers = (Grid.of(draw.rng.integers(low, 8, channels)) for low in (3, 0))
    x = draw.input((channels,), "inp", Fixed(widths, integers))  # type: ignore[arg-type]
    return graph([x], [Node(Dense(), (x, draw.constant((channels, 2))), "dense"), Node(Relu(), (x,), "relu")])


def odd_ports(draw: Draw) -> Graph:
    """An input without axes, and an output that is an input."""
    scalar = draw.input((), "scalar")
    return graph([scalar], [Node(Relu(), (scalar,), "relu"), scalar])


def unread_port(draw: Draw) -> Graph:
    """An input that nothing reads."""
    unread, used = draw.input((3,), "unread"), draw.input((2,), "used")
    return graph([unread, used], [Node(Relu(), (used,), "relu")])


KINDS: dict[str, Callable[[Draw], Graph]] = {
    kind.__name__: kind
    for kind in (
        dense,
        conv,
        depthwise,
        relu,
        merge,
        pool,
        reshape,
        many_readers,
        quantized_twice,
        affine_chain,
        affine_conv,
        formats_by_channel,
        odd_ports,
    )
}


def jet_tagger(seed: int = 0) -> Graph:
    """16-64-32-32-5, weights of 6 bits."""
    draw = Draw(seed)
    x = draw.input((16,), "features", Fixed(16, 6))
    node, weights = x, Fixed(6, 1)
    for i, (rows, columns) in enumerate(((16, 64), (64, 32), (32, 32), (32, 5))):
        node = Node(
            Dense(), (node, draw.constant((rows, columns), weights), draw.constant((columns,), weights)), f"fc{i}"
        )
        if i < 3:
            node = Node(Relu(), (node,), f"relu{i}")
            node = Node(Quantize(Fixed(6, 0, False), Rounding.RND_CONV, Overflow.SAT), (node,), f"relu{i}")
    return graph([x], [node], "jet tagger")
