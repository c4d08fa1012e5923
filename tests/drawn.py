"""Networks drawn at random: chains of layers with branches, over images, sequences and vectors."""

import numpy as np

from gatewright.graph import Array, Graph, Node
from gatewright.graph.ops import (
    Activation,
    Add,
    AvgPool,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Input,
    MatMul,
    Maximum,
    MaxPool,
    Mul,
    Output,
    Pad,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Slice,
    Softmax,
    Sub,
    Transpose,
    Upsample,
)

LIMIT = 256
"""Elements that a tensor may have, to keep each network quick to compile."""


class Drawer:
    """Draws one network; every choice follows from the seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.count = 0

    def pick(self, *choices: int) -> int:
        return int(self.rng.choice(choices))

    def real(self, *shape: int) -> Node:
        values = self.rng.normal(0, 0.6, shape).astype(np.float32)
        return Node(Constant(Array(values)), (), f"w{self.count}")

    def node(self, op: object, *inputs: Node) -> Node:
        self.count += 1
        return Node(op, inputs, f"{type(op).__name__.lower()}{self.count}")  # type: ignore[arg-type]

    def dense(self, x: Node) -> Node:
        units = self.pick(1, 3, 4, 7)
        bias = (self.real(units),) if self.pick(0, 1) else ()
        return self.node(Dense(), x, self.real(x.shape[-1], units), *bias)

    def window(self, x: Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[int, int], ...], tuple[int, ...]]:
        """Kernel, strides, padding, dilation that fit."""
        kernel, strides, padding, dilation = [], [], [], []
        for n in x.shape[:-1]:
            pad = (self.pick(0, 0, 1), self.pick(0, 1))
            k = self.pick(*range(1, min(3, n + sum(pad)) + 1))
            d = self.pick(1, 1, 2) if (k - 1) * 2 + 1 <= n + sum(pad) else 1
            pad = tuple(min(p, (k - 1) * d) for p in pad)  # type: ignore[assignment]
            d = d if (k - 1) * d + 1 <= n + sum(pad) else 1
            k = k if (k - 1) * d + 1 <= n + sum(pad) else 1
            kernel.append(k)
            strides.append(self.pick(1, 1, 2))
            padding.append(pad if k > 1 else (0, 0))
            dilation.append(d)
        return tuple(kernel), tuple(strides), tuple(padding), tuple(dilation)

    def conv(self, x: Node) -> Node:
        kernel, strides, padding, dilation = self.window(x)
        channels = x.shape[-1]
        groups = self.pick(1, 1, *(g for g in (2, channels) if channels % g == 0))
        filters = groups * self.pick(1, 2, 3)
        w = self.real(*kernel, channels // groups, filters)
        bias = (self.real(filters),) if self.pick(0, 1) else ()
        return self.node(Conv(strides, padding, dilation, groups), x, w, *bias)

    def conv_transpose(self, x: Node) -> Node:
        rank = len(x.shape) - 1
        kernel = tuple(self.pick(1, 2, 3) for _ in range(rank))
        strides = tuple(self.pick(1, 2) for _ in range(rank))
        w = self.real(*kernel, self.pick(1, 2, 3), x.shape[-1])
        op = ConvTranspose(strides, ((0, 0),) * rank, (0,) * rank, (1,) * rank)
        return self.node(op, x, w, self.real(w.shape[-2]))

    def pool(self, x: Node) -> Node:
        kernel, strides, padding, _ = self.window(x)
        kind = MaxPool if self.pick(0, 1) else AvgPool
        padding = tuple((min(a, k - 1), min(b, k - 1)) for (a, b), k in zip(padding, kernel, strict=True))
        return self.node(kind(kernel, strides, padding, (1,) * len(kernel)), x)

    def activation(self, x: Node) -> Node:
        name, parameters = [
            ("sigmoid", ()), ("tanh", ()), ("elu", (1.0,)), ("leaky_relu", (0.3,)), ("gelu", ()), ("softplus", ()),
            ("hard_sigmoid", (1 / 6, 0.5)), ("silu", ()), ("softsign", ()), ("abs", ()),
        ][self.pick(*range(10))]  # fmt: skip
        return self.node(Activation(name, parameters), x)

    def pointwise(self, x: Node) -> Node:
        op = [Add(), Sub(), Mul(), Maximum()][self.pick(0, 1, 2, 3)]
        shape = x.shape[-1:] if self.pick(0, 1) else ()
        other = self.real(*shape)
        return self.node(op, x, other) if self.pick(0, 1) or isinstance(op, Maximum) else self.node(op, other, x)

    def branch(self, x: Node) -> Node:
        a, b = self.step(x, depth=1), self.step(x, depth=1)
        if a.shape == b.shape:
            return self.node([Add(), Mul(), Sub()][self.pick(0, 1, 2)], a, b)
        for axis in range(len(a.shape)):
            rest = [tuple(n for i, n in enumerate(v.shape) if i != axis) for v in (a, b)]
            if len(a.shape) == len(b.shape) and rest[0] == rest[1]:
                return self.node(Concat(axis), a, b)
        return a

    def reduce(self, x: Node) -> Node:
        kind = [Reduction.SUM, Reduction.MEAN, Reduction.MAX, Reduction.MIN][self.pick(0, 1, 2, 3)]
        axes = tuple(sorted({self.pick(*range(len(x.shape))) for _ in range(2)}))
        return self.node(Reduce(kind, axes, bool(self.pick(0, 1)) or len(axes) == len(x.shape)), x)

    def move(self, x: Node) -> Node:
        rank = len(x.shape)
        match self.pick(0, 1, 2, 3, 4):
            case 0:
                return self.node(Reshape((x.type.size,)), x)
            case 1:
                return self.node(Transpose(tuple(int(a) for a in self.rng.permutation(rank))), x)
            case 2:
                return self.node(Upsample((*(self.pick(1, 2) for _ in range(rank - 1)), 1)), x)
            case 3:
                return self.node(Pad(tuple((self.pick(0, 1), self.pick(0, 1)) for _ in range(rank))), x)
        starts = tuple(self.pick(*range(n)) for n in x.shape)
        return self.node(Slice(starts, x.shape, tuple(self.pick(1, 2) for _ in range(rank))), x)

    def matmul(self, x: Node) -> Node:
        if len(x.shape) != 2:
            return self.dense(x)
        return self.node(MatMul(), x, self.node(Transpose((1, 0)), x))

    def softmax(self, x: Node) -> Node:
        return self.node(Softmax(self.pick(*range(len(x.shape)))), x)

    def step(self, x: Node, depth: int = 0) -> Node:
        """Apply one layer that fits the shape and stays small."""
        kinds = [self.dense, self.activation, self.pointwise, self.move, self.reduce, lambda v: self.node(Relu(), v)]
        if len(x.shape) in (2, 3):
            kinds += [self.conv, self.conv, self.pool, self.matmul, self.conv_transpose]
        if not depth:
            kinds += [self.branch, self.branch]
        result = kinds[self.pick(*range(len(kinds)))](x)
        return result if result.type.size <= LIMIT else x


def network(seed: int, layers: int = 6) -> Graph:
    """Draw a float network of about ``layers`` layers."""
    draw = Drawer(seed)
    shape = [(5, 4, 3), (6, 2), (8,), (4, 5, 1), (7, 3), (3, 3, 4)][draw.pick(*range(6))]
    x = h = Node(Input("x", shape), (), "x")
    for _ in range(layers):
        h = draw.step(h)
    if draw.pick(0, 0, 1):
        h = draw.softmax(h)
    return Graph((x,), (Node(Output("y"), (h,)),), f"drawn_{seed}")
