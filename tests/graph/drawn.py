"""Graphs of integers drawn at random: every operation that is exact on integers, on formats of every kind."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from gatewright.graph import Affine, Array, Fixed, Graph, Grid, Node, Op, Overflow, RangeError, Rounding
from gatewright.graph.ops import (
    Add,
    AvgPool,
    Broadcast,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Gather,
    Input,
    Lookup,
    MatMul,
    Maximum,
    MaxPool,
    Minimum,
    Mul,
    MultiplyShift,
    Output,
    Pad,
    Quantize,
    Reduce,
    Reduction,
    Relu,
    Reshape,
    Scaling,
    Slice,
    Step,
    Sub,
    Transpose,
    Upsample,
)

from . import drawn_choose, drawn_scan

SCALES = (Fraction(1, 3), Fraction(3, 8), Fraction(5, 7), Fraction(float(np.float32(0.1))))
POINTWISE = (Add, Sub, Mul, Maximum, Minimum)


class Draw:
    """Everything follows from the seed, or from a generator. ``longest`` axis of an input, ``most`` elements."""

    longest, most = 4, 64

    def __init__(self, seed: int | np.random.Generator) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def upto(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def shape(self) -> tuple[int, ...]:
        return tuple(self.upto(1, self.longest) for _ in range(self.upto(1, 3)))

    def format(self, shape: tuple[int, ...]) -> Fixed | Affine:
        """Fixed, fixed by channel or by element, or with a scale and a zero point."""
        kind = self.upto(0, 5)
        if kind <= 2:
            return Fixed(self.upto(1, 8), self.upto(-3, 8), bool(self.upto(0, 1)))
        if kind == 3:
            return Affine(self.upto(2, 6), bool(self.upto(0, 1)), self.pick(SCALES), self.upto(0, 3))
        if kind == 4:
            own = tuple(self.pick((1, n)) for n in shape)[self.upto(0, len(shape) - 1) :]
            width, integer = self.rng.integers(1, 8, own), self.rng.integers(-2, 5, own)
            return Fixed(Grid(width), Grid(integer), Grid(self.rng.integers(0, 2, own)) if self.upto(0, 1) else True)
        scales = np.array([self.pick(SCALES) for _ in range(shape[-1])], dtype=object)
        return Affine(self.upto(2, 5), True, Grid(scales), self.upto(-2, 2))

    def flat_format(self) -> Fixed | Affine:
        return (
            Affine(4, True, self.pick(SCALES), 1) if self.upto(0, 3) == 0 else Fixed(self.upto(1, 6), self.upto(-2, 5))
        )

    def stored(self, shape: tuple[int, ...], format: Fixed | Affine) -> np.ndarray:
        """Any integers of a format; its ends more often than others."""
        low, high = (np.broadcast_to(b, shape) for b in format.bounds)
        inner = self.rng.integers(low, high, endpoint=True)
        return np.select([self.rng.random(shape) < 0.2, self.rng.random(shape) < 0.2], [low, high], inner).astype(
            np.int64
        )

    def constant(self, shape: tuple[int, ...], format: Fixed | Affine) -> Node:
        return Node(Constant(Array(self.stored(shape, format)), format))

    def graph(self, steps: int = 5) -> Graph:
        """A few operations on one or two inputs, each on what was made before; wide results are quantized."""
        inputs = []
        for name in ("a", "b")[: self.upto(1, 2)]:
            shape = self.shape()
            inputs.append(Node(Input(name, shape, self.format(shape))))
        nodes = list(inputs)
        for _ in range(steps):
            try:
                node = self.narrowed(self.step(self.pick(nodes[-3:]), nodes))
            except RangeError:  # refused, as it should be; test_wide.py
                continue
            if node.type.is_integer and node.type.size <= self.most:
                nodes.append(node)
        used = {i for n in nodes for i in n.inputs}
        ends = [n for n in nodes if n not in used]
        return Graph(tuple(inputs), tuple(Node(Output(f"y{i}"), (n,)) for i, n in enumerate(ends)))

    def narrowed(self, node: Node) -> Node:
        if not node.type.is_integer:
            return node
        low, high = node.type.interval
        return self.quantize(node) if max(-int(low.min()), int(high.max())) > 2**20 else node

    def quantize(self, x: Node) -> Node:
        return Node(Quantize(self.format(x.shape), self.pick(list(Rounding)), self.pick(list(Overflow))), (x,))

    def step(self, x: Node, nodes: list[Node], *, inside: bool = False) -> Node:
        """One operation; ``inside`` of a body there are no bodies."""
        if not inside and self.upto(0, 15) == 0:
            return drawn_scan.scan(self, x) if x.shape else self.quantize(x)
        make = self.pick((
            self.quantize, self.relu, self.pointwise, self.pointwise, self.dense, self.matmul, self.conv, self.deconv,
            self.pool, self.reduce, self.move, self.move, self.pad, self.lookup, self.threshold,
            self.rescale, *self.choices,
        ))  # fmt: skip
        if make == self.pointwise:
            return self.pointwise(x, self.pick(nodes))
        return make(x)

    @property
    def choices(self) -> list[Callable[[Node], Node]]:
        """What stands in ``drawn_choose``."""
        makers = (
            drawn_choose.compare, drawn_choose.order, drawn_choose.divide, drawn_choose.take, drawn_choose.gather_nd,
            drawn_choose.scatter_nd,
        )  # fmt: skip
        return [partial(maker, self) for maker in makers]

    def relu(self, x: Node) -> Node:
        return Node(Relu(), (x,))

    def pointwise(self, x: Node, y: Node) -> Node:
        """With an equal shape, with a constant that broadcasts, or joined."""
        if x.shape == y.shape and self.upto(0, 3) == 0:
            return Node(Concat(self.upto(0, len(x.shape) - 1)), (x, y, x)[: self.upto(1, 3)])
        if x.shape != y.shape:
            shape = tuple(self.pick((1, n)) for n in x.shape)[self.upto(0, len(x.shape) - 1) :]
            y = self.constant(shape, self.flat_format())
        op = self.pick(POINTWISE)()
        return Node(op, (x, y) if self.upto(0, 1) else (y, x))

    def bias(self, units: int) -> tuple[Node, ...]:
        return (self.constant((units,), self.format((units,))),) if self.upto(0, 1) else ()

    def weights(self, shape: tuple[int, ...], *, by_unit: bool = True) -> Node:
        if by_unit and self.upto(0, 2) == 0:
            scales = np.array([self.pick(SCALES) for _ in range(shape[-1])], dtype=object)
            return self.constant(shape, Affine(4, True, Grid(scales)))
        if self.upto(0, 3) == 0:
            return self.constant(shape, Fixed(Grid(self.rng.integers(1, 6, shape)), 1))
        return self.constant(shape, self.flat_format())

    def dense(self, x: Node) -> Node:
        units = self.upto(1, 4)
        return Node(Dense(), (x, self.weights((x.shape[-1], units)), *self.bias(units)))

    def matmul(self, x: Node) -> Node:
        if len(x.shape) < 2:
            return self.dense(x)
        if self.upto(0, 1):
            axes = (*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2)
            return Node(MatMul(), (x, Node(Transpose(axes), (x,))))
        return Node(MatMul(), (x, self.constant((x.shape[-1], self.upto(1, 3)), self.flat_format())))

    def window(self, x: Node) -> dict[str, Any]:
        space = x.shape[:-1]
        kernel = tuple(self.upto(1, min(n, 3)) for n in space)
        pads = tuple((self.upto(0, k - 1), self.upto(0, k - 1)) for k in kernel)
        spread = tuple(
            self.upto(1, 2) if (k - 1) * 2 < n + sum(p) else 1 for n, k, p in zip(space, kernel, pads, strict=True)
        )
        return {"kernel": kernel, "strides": tuple(self.upto(1, 2) for _ in space), "padding": pads, "dilation": spread}

    def groups(self, channels: int) -> int:
        return self.pick([g for g in range(1, channels + 1) if channels % g == 0])

    def conv(self, x: Node) -> Node:
        if len(x.shape) < 2:
            return self.dense(x)
        at, groups = self.window(x), self.groups(x.shape[-1])
        units = groups * self.upto(1, 2)
        w = self.weights((*at["kernel"], x.shape[-1] // groups, units))
        return Node(Conv(at["strides"], at["padding"], at["dilation"], groups), (x, w, *self.bias(units)))

    def deconv(self, x: Node) -> Node:
        if len(x.shape) < 2:
            return self.dense(x)
        space, groups = x.shape[:-1], self.groups(x.shape[-1])
        kernel, per = tuple(self.upto(1, 3) for _ in space), self.upto(1, 2)
        crop = tuple((self.upto(0, int(k > 1)), 0) for k in kernel)
        op = ConvTranspose(
            tuple(self.upto(1, 2) for _ in space),
            crop,
            tuple(self.upto(0, 1) for _ in space),
            tuple(1 for _ in space),
            groups,
        )
        w = self.weights((*kernel, per, x.shape[-1]), by_unit=False)
        return Node(op, (x, w, *self.bias(per * groups)))

    def pool(self, x: Node) -> Node:
        if len(x.shape) < 2:
            return self.relu(x)
        at = self.window(x)
        ones = tuple(1 for _ in at["kernel"])
        pads = tuple((min(p[0], k // 2), min(p[1], k // 2)) for p, k in zip(at["padding"], at["kernel"], strict=True))
        if self.upto(0, 1):
            return Node(MaxPool(at["kernel"], at["strides"], pads, ones), (x,))
        clipped = self.pick(((), tuple(self.upto(0, p[1]) for p in pads)))
        return Node(AvgPool(at["kernel"], at["strides"], pads, ones, bool(self.upto(0, 1)), clipped), (x,))

    def reduce(self, x: Node) -> Node:
        axes = tuple(a for a in range(len(x.shape)) if self.upto(0, 1)) or (0,)
        kind = self.pick([Reduction.SUM, Reduction.MEAN, Reduction.MAX, Reduction.MIN])
        return Node(Reduce(kind, axes, bool(self.upto(0, 1)) or len(axes) == len(x.shape)), (x,))

    def move(self, x: Node) -> Node:
        shape, rank = x.shape, len(x.shape)
        axis = self.upto(0, rank - 1)
        backwards = tuple(-1 if self.upto(0, 1) else 1 for _ in shape)
        op: Op = self.pick((
            Reshape((x.type.size,)), Reshape((1, *shape)), Transpose(tuple(int(a) for a in self.rng.permutation(rank))),
            Slice(tuple(n - 1 if s < 0 else 0 for n, s in zip(shape, backwards, strict=True)),
                  tuple(None if s < 0 else n for n, s in zip(shape, backwards, strict=True)), backwards),
            Gather(axis, tuple(self.upto(0, shape[axis] - 1) for _ in range(self.upto(1, 3)))),
            Broadcast((2, *shape)), Upsample(tuple(self.upto(1, 2) for _ in shape)),
        ))  # fmt: skip
        return Node(op, (x,))

    def pad(self, x: Node) -> Node:
        scale = x.type.quantized.scale
        value = 0.0 if isinstance(scale, Grid) or self.upto(0, 1) else float(scale)
        pads = tuple((self.upto(0, 1), self.upto(0, 1)) for _ in x.shape)
        if Fraction(value) != (0 if isinstance(scale, Grid) or not value else scale):
            value = 0.0
        return Node(Pad(pads, value), (x,))

    def lookup(self, x: Node) -> Node:
        index = Fixed(self.upto(1, 5), self.upto(-1, 3), bool(self.upto(0, 1)))
        if self.upto(0, 1):
            index = Affine(self.upto(1, 5), bool(self.upto(0, 1)), self.pick(SCALES), self.upto(-2, 3))
        x = Node(Quantize(index), (x,))
        low, high = (int(b) for b in x.type.quantized.bounds)
        return Node(Lookup(low), (x, self.constant((high - low + 1,), self.flat_format())))

    def rescale(self, x: Node) -> Node:
        """Multiplier and shift, for all channels or each."""
        format = Affine(self.upto(2, 9), bool(self.upto(0, 1)), self.pick(SCALES), self.upto(-3, 3))
        count = x.shape[-1] if x.shape and self.upto(0, 1) else 1
        scaling = self.pick(list(Scaling))
        top, down = (2**53, -22) if scaling is Scaling.REAL else (2**31, 0)
        multiplier = tuple(self.pick((0, 1, top // 2, top - 1, self.upto(0, top - 1))) for _ in range(count))
        shift = tuple(self.upto(*self.pick(((-31, 0), (-8, 4)))) + down for _ in range(count))
        low, high = sorted(self.upto(*(int(b) for b in format.bounds)) for _ in range(2))
        return Node(MultiplyShift(format, multiplier, shift, low, high, scaling), (x,))

    def threshold(self, x: Node) -> Node:
        format = self.flat_format()
        count = self.upto(1, 4)
        edges = Node(Constant(Array(np.sort(self.stored((count,), format))), format))
        return Node(Step(), (x, edges, self.constant((count + 1,), self.flat_format())))
