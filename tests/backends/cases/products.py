"""Dense layers, convolutions, matrix products, windows and reductions of integers: exact, whatever the shape."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np

from gatewright.graph import (
    Affine,
    Array,
    Fixed,
    Float,
    Format,
    GatewrightError,
    Graph,
    Grid,
    Node,
    Op,
    Overflow,
    Rounding,
)
from gatewright.graph.ops import (
    Add,
    ArgMax,
    AvgPool,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Input,
    MatMul,
    MaxPool,
    Mul,
    MultiplyShift,
    Output,
    Quantize,
    Reduce,
    Reduction,
    Relu,
    TopK,
    Transpose,
)

from .common import Case, Trial, case, drawn, everywhere, graphs_joined, joined, many, of, once, real, sampled

CHANNELS = (1, 3, 4, 5, 7, 10, 17, 33)


def by_channel(count: int) -> Affine:
    return Affine(8, True, Grid(np.array([Fraction(1 + k, 7 + 3 * k) for k in range(count)], dtype=object)))


OPERANDS: list[Format] = [
    Affine(8, True, Fraction(1, 255), -128), Affine(8, False, Fraction(1, 3), 7), Fixed(8, 3), Fixed(16, 6),
    Affine(16, True, Fraction(1, 3)), Fixed(9, 9, False), Fixed(20, 10), Fixed(33, 12), Fixed(1, 1, False),
    Affine(8, True, Fraction(1, 3), 100), Fixed(12, 4, False), Affine(7, False, Fraction(1, 3), 64),
]  # fmt: skip
WEIGHTS: list[Format] = [Affine(8, True, Fraction(1, 77)), Fixed(6, 1), Fixed(16, 2), Fixed(2, 2), Fixed(20, 3),
                         Affine(8, False, Fraction(1, 5), 130)]  # fmt: skip


def weight(rng: np.random.Generator, number: int, shape: tuple[int, ...]) -> object:
    if number % 3 == 0 and shape[-1] > 1:
        return drawn(rng, shape, by_channel(shape[-1]))
    return drawn(rng, shape, WEIGHTS[number % len(WEIGHTS)])


def reach(node: Node) -> int:
    low, high = node.type.interval
    return max(-int(low.min()), int(high.max()))


def finished(rng: np.random.Generator, node: Node, number: int) -> Node:
    """What follows a product: nothing, a runtime's change of scale, a quantizer, a sum, a product."""
    channels = node.shape[-1]
    match number % 5:
        case 1:
            m = tuple(int(v) for v in rng.integers(1 << 30, 1 << 31, channels))
            bits = reach(node).bit_length()
            if bits > 30:
                return node
            shift = (-max(bits - 8, 0),) * channels
            return Node(MultiplyShift(Affine(8, True, Fraction(1, 9), 3), m, shift, -100, 127), (node,))
        case 2:
            return Node(Quantize(Fixed(8, 4), Rounding.RND_CONV, Overflow.SAT), (node,))
        case 3:
            y = Node(Relu(), (node,))
            return Node(Add(), (y, Node(drawn(rng, (channels,), Fixed(6, 3)))))
        case 4 if reach(node) < 1 << 40:
            return Node(Mul(), (node, Node(drawn(rng, (channels,), Fixed(6, 3)))))
    return node


def cases(made: Iterator[tuple[str, Node]]) -> list[Case]:
    return [of(name, node) for name, node in made]


def layer(rng: np.random.Generator, name: str, number: int, op: Op, shape: tuple[int, ...], w: tuple[int, ...],
          filters: int) -> Iterator[tuple[str, Node]]:  # fmt: skip
    """One product on an input; what is not exact in 63 bits is left out."""
    x = Node(Input(f"{name}_x", shape, OPERANDS[number % len(OPERANDS)]))
    weights = Node(weight(rng, number, w))  # type: ignore[arg-type]
    bias = (Node(drawn(rng, (filters,), Fixed(10, 4))),) if number % 2 else ()
    try:
        node = Node(op, (x, weights, *bias), where=name)
        if node.type.is_integer:
            yield name, finished(rng, node, number)
    except GatewrightError:
        return


def dense(seed: int) -> Iterator[tuple[str, Node]]:
    rng = np.random.default_rng([1, seed])
    for i, (k, n) in enumerate(product(CHANNELS, CHANNELS)):
        lead = ((), (1,), (5,), (2, 3))[int(rng.integers(4))]
        yield from layer(rng, f"dense_{k}_{n}", i + seed, Dense(), (*lead, k), (k, n), n)


def conv(seed: int, count: int) -> Iterator[tuple[str, Node]]:
    rng = np.random.default_rng([2, seed])
    for i in range(count):
        rank = int(rng.choice([1, 2, 2, 2, 3]))
        kernel = tuple(int(v) for v in rng.integers(1, 4, rank))
        strides, dilation = (tuple(int(v) for v in rng.integers(1, 3, rank)) for _ in range(2))
        padding = tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (rank, 2))) if i % 3 else ((0, 0),) * rank
        space = tuple(int(rng.integers(1, 5)) + (k - 1) * d for k, d in zip(kernel, dilation, strict=True))
        kind = i % 4
        channels = int(rng.choice(CHANNELS))
        groups = channels if kind == 1 else 2 if kind == 2 else 1
        channels = channels * 2 if kind == 2 else channels
        filters = channels * int(rng.integers(1, 3)) if kind == 1 else groups * int(rng.choice(CHANNELS))
        op = Conv(strides, padding, dilation, groups)
        w = (*kernel, channels // groups, filters)
        yield from layer(rng, f"conv{i}", i + seed, op, (*space, channels), w, filters)


def conv_transpose(seed: int, count: int) -> Iterator[tuple[str, Node]]:
    rng = np.random.default_rng([3, seed])
    for i in range(count):
        rank = int(rng.choice([1, 2, 2, 3]))
        kernel, strides, dilation = (tuple(int(v) for v in rng.integers(1, 4, rank)) for _ in range(3))
        crop = tuple((int(rng.integers(0, k)), int(rng.integers(0, k))) for k in kernel)
        groups = int(rng.choice([1, 1, 2, 3]))
        channels, per = groups * int(rng.choice([1, 3, 5])), int(rng.choice([1, 3, 7, 17]))
        space = tuple(int(v) for v in rng.integers(2, 5, rank))
        op = ConvTranspose(strides, crop, tuple(int(v) for v in rng.integers(0, 3, rank)), dilation, groups)
        x = Node(Input(f"t{i}_x", (*space, channels), OPERANDS[(i + seed) % len(OPERANDS)]))
        w = Node(drawn(rng, (*kernel, per, channels), WEIGHTS[i % len(WEIGHTS)]))
        bias = (Node(drawn(rng, (per * groups,), Fixed(10, 4))),) if i % 2 else ()
        try:
            node = Node(op, (x, w, *bias))
            if node.type.is_integer:
                yield f"t{i}", finished(rng, node, i)
        except GatewrightError:
            continue


def matmul(seed: int) -> Iterator[tuple[str, Node]]:
    rng = np.random.default_rng([4, seed])
    shapes = [((1, 1), (1, 1)), ((3, 5), (5, 7)), ((2, 3, 17), (17, 10)), ((2, 4, 3), (2, 3, 33)), ((7, 33), (33, 3)),
              ((2, 1, 3, 7), (5, 7, 2)), ((1, 10), (3, 10, 1)), ((5, 4), (4, 16))]  # fmt: skip
    for i, (a, b) in enumerate(shapes):
        for j in range(4):
            f, g = (OPERANDS[(i + k * j + seed) % len(OPERANDS)] for k in (1, 3))
            x, y = Node(Input(f"m{i}_{j}_x", a, f)), Node(Input(f"m{i}_{j}_y", b, g))
            y = Node(drawn(rng, b, g)) if j == 3 else y
            node = Node(MatMul(), (x, y))
            if node.type.is_integer:
                yield f"m{i}_{j}", finished(rng, node, i + j)


def pools(seed: int, count: int) -> Iterator[tuple[str, Node]]:
    rng = np.random.default_rng([5, seed])
    for i in range(count):
        rank = int(rng.choice([1, 2, 2, 3]))
        window, strides, dilation = (tuple(int(v) for v in rng.integers(1, 4, rank)) for _ in range(3))
        pads = tuple((int(rng.integers(0, k)), int(rng.integers(0, k))) for k in window)
        space = tuple(int(rng.integers(1, 5)) + (k - 1) * d for k, d in zip(window, dilation, strict=True))
        x = Node(Input(f"p{i}_x", (*space, int(rng.choice(CHANNELS))), OPERANDS[(i + seed) % len(OPERANDS)]))
        clipped = tuple(int(rng.integers(0, p[1] + 1)) for p in pads) if i % 3 else ()
        ops: list[Op] = [MaxPool(window, strides, pads, dilation)]
        ops += [AvgPool(window, strides, pads, dilation, bool(i % 2), clipped)]
        for op in ops:
            try:
                node = Node(op, (x,))
                yield f"{type(op).__name__}{i}".lower(), node
                if node.type.is_integer and i % 2:
                    q = Quantize(Affine(8, True, Fraction(1, 3), -4), Rounding.RND_INF)
                    yield f"{type(op).__name__}{i}q".lower(), Node(q, (node,))
            except GatewrightError:
                continue


def reductions() -> Iterator[tuple[str, Node]]:
    shapes = [(1,), (17,), (3, 5), (4, 33), (2, 3, 7), (5, 1, 10), (2, 3, 2, 3), (2, 1, 3, 2, 5)]
    for i, shape in enumerate(shapes):
        x = Node(Input(f"r{i}", shape, OPERANDS[i % len(OPERANDS)]))
        subsets = [tuple(a for a in range(len(shape)) if bits >> a & 1) for bits in range(1 << len(shape))]
        for j, axes in enumerate(s for s in subsets if len(s) != 3 or len(shape) < 5):
            for kind in (Reduction.SUM, Reduction.MEAN, Reduction.MAX, Reduction.MIN):
                yield f"r{i}_{j}_{kind}".lower(), Node(Reduce(kind, axes, bool((i + j) % 2)), (x,))


def places() -> Iterator[tuple[str, Node]]:
    """Where extremes stand, and sorting; values repeat."""
    for i, shape in enumerate([(1,), (17,), (5, 4), (2, 33), (3, 5, 2), (2, 2, 3, 3)]):
        for j, format in enumerate((Fixed(3, 3), Affine(8, True, Fraction(1, 3), -9), Fixed(40, 20), None)):
            x = Node(Input(f"o{i}_{j}", shape) if format is None else Input(f"o{i}_{j}", shape, format))
            for axis, a, b in product(range(len(shape)), (False, True), (False, True)):
                yield f"arg{i}_{j}_{axis}_{a}_{b}".lower(), Node(ArgMax(axis, bool((i + j) % 2), a, b), (x,))
                k = 1 + (i * 3 + j + axis) % shape[axis]
                yield f"top{i}_{j}_{axis}_{a}_{b}".lower(), Node(TopK(k, axis, a, b), (x,))


@everywhere
def dense_layers(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(dense(number)), share)))


@everywhere
def convolutions(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(conv(number, 72)), share)))


@everywhere
def transposed_convolutions(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(conv_transpose(0, 24)), share)), count=4)


@everywhere
def matrix_products(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(matmul(number)), share)))


@everywhere
def windows(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(pools(number, 30)), share)))


@everywhere
def reduced_axes(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(reductions()), share * 2)))


@everywhere
def places_of_extremes_and_sorting(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(places()), share * 2)))


@many(range(10, 30))
def many_convolutions(seed: int) -> Trial:
    return Trial(joined(cases(conv(seed, 60))))


@many(range(10, 30))
def many_transposed_convolutions_and_pools(seed: int) -> Trial:
    return Trial(joined([*cases(conv_transpose(seed, 30)), *cases(pools(seed, 40))]))


@many(range(10, 30))
def many_products(seed: int) -> Trial:
    return Trial(joined([*cases(dense(seed)), *cases(matmul(seed))]))


@everywhere
def layers_behind_each_other(share: int, number: int) -> Trial:
    """Borders and rounded channels of what one layer writes and others read, with several readers."""
    rng = np.random.default_rng(9)
    x = Node(Input("x", (9, 9, 3), Affine(8, True, Fraction(1, 255), -3)))

    def quantized(node: Node) -> Node:
        return Node(Quantize(Affine(8, True, Fraction(1, 31), 5)), (node,))

    a = quantized(Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (x, Node(drawn(rng, (3, 3, 3, 5), WEIGHTS[0])))))
    b = quantized(Node(Conv((2, 2), ((0, 1), (0, 1)), (1, 1)), (a, Node(drawn(rng, (3, 3, 5, 7), WEIGHTS[0])))))
    c = quantized(Node(Conv((2, 2), ((2, 2), (3, 1)), (2, 2)), (a, Node(drawn(rng, (3, 3, 5, 7), WEIGHTS[0])))))
    d = quantized(Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 5), (a, Node(drawn(rng, (3, 3, 1, 5), WEIGHTS[0])))))
    e = Node(AvgPool((9, 9), (1, 1), ((0, 0),) * 2, (1, 1)), (a,))
    f = Node(Dense(), (d, Node(drawn(rng, (5, 17), WEIGHTS[2]))))
    g = Node(MaxPool((3, 3), (2, 2), ((1, 1), (0, 1)), (1, 1)), (a,))
    ends = [a, b, Node(Add(), (d, a)), e, f, g, c]
    return Trial(Graph((x,), tuple(Node(Output(f"y{i}"), (n,)) for i, n in enumerate(ends))))


ALIKE: tuple[tuple[Op, tuple[int, ...], bool], ...] = (
    (Conv((1, 1), ((0, 0), (0, 0)), (1, 1)), (1, 1), False), (Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (3, 3), False),
    (Conv((2, 2), ((0, 1), (0, 1)), (1, 1)), (3, 3), False), (Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (3, 3), True),
    (Conv((2, 2), ((0, 1), (0, 1)), (1, 1)), (3, 3), True), (Conv((1, 2), ((2, 0), (1, 3)), (2, 1)), (2, 3), True),
    (Dense(), (), False),
)  # fmt: skip


@once
def layers_that_are_alike() -> Trial:
    """Products, each in two sizes, of operands with other zero points: their loops differ only in numbers."""
    rng, made = np.random.default_rng(16), []
    for i, (op, kernel, depthwise) in enumerate(ALIKE):
        for j, (side, channels, filters) in enumerate(((4, 8, 16), (6, 12, 20))):
            format = Affine(8, True, Fraction(1, 255), 9 * j - 7)
            x = Node(Input(f"x{i}_{j}", (*[side] * len(kernel), channels), format))
            own = replace(op, groups=channels) if depthwise and isinstance(op, Conv) else op
            shape = (*kernel, 1, channels) if depthwise else (*kernel, channels, filters)
            w, b = drawn(rng, shape, Affine(8, True, Fraction(1, 77))), drawn(rng, shape[-1:], Fixed(10, 4))
            y = Node(own, (x, Node(w), Node(b)))
            made.append(of(f"alike{i}_{j}", finished(rng, y, 1)))
    return Trial(joined(made), count=4)


@once
def weights_that_are_quantized_in_the_graph() -> Trial:
    rng = np.random.default_rng(11)
    x, b = Node(Input("x", (5, 4, 3))), Node(real(rng.normal(0, 1, 6)))
    w, v = (Node(Quantize(Fixed(5, 2)), (Node(real(rng.normal(0, 1, s))),)) for s in ((3, 6), (2, 2, 3, 6)))
    made = [of("dense", Node(Dense(), (x, w, b))), of("conv", Node(Conv((1, 1), ((0, 0),) * 2, (1, 1)), (x, v, b)))]
    return Trial(joined(made))


def weights_of_an_input() -> Graph:
    """Not written: weights are laid out by the compiler."""
    return joined([of("computed", Node(Dense(), (Node(Input("y", (3,))), Node(Input("w", (3, 6))))))])


@once
def an_operand_with_a_zero_point_for_each_channel() -> Trial:
    rng = np.random.default_rng(10)
    x = Node(Input("x", (4, 4, 3), Affine(8, True, Fraction(1, 3), Grid(np.array([3, -100, 7])))))
    y = Node(Input("y", (4, 4, 3), Fixed(Grid(np.array([3, 8, 5])), 2, Grid(np.array([True, False, True])))))
    made = []
    for name, v in (("x", x), ("y", y)):
        made.append(of(f"dense_{name}", Node(Dense(), (v, Node(drawn(rng, (3, 5), Fixed(6, 2)))))))
        op = Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 3)
        made.append(of(f"conv_{name}", Node(op, (v, Node(drawn(rng, (3, 3, 1, 3), Fixed(6, 2)))))))
        made.append(of(f"pool_{name}", Node(MaxPool((2, 2), (2, 2), ((0, 0),) * 2, (1, 1)), (v,))))
        made.append(of(f"mean_{name}", Node(AvgPool((3, 3), (2, 2), ((1, 1),) * 2, (1, 1)), (v,))))
        made.append(of(f"sum_{name}", Node(Reduce(Reduction.SUM, (0, 1)), (v,))))
    made.append(case("case", Relu(), ((3, 3), Fixed(4, 4))))
    return Trial(joined(made))


@once
def one_kernel_for_a_constant_and_a_tensor() -> Trial:
    """The same product with a known operand and with one that is computed."""
    rng, made = np.random.default_rng(14), []
    for i, format in enumerate((Fixed(8, 3), Fixed(16, 6), Fixed(20, 10), Fixed(33, 12))):
        known = Node(drawn(rng, (5, 7), format))
        for j, other in enumerate((known, Node(Input(f"y{i}", (5, 7), format)), known)):
            x = Node(Input(f"x{i}_{j}", (3, 5), Fixed(6, 3)))
            made.append(of(f"m{i}_{j}", Node(MatMul(), (x, other))))
            made.append(of(f"a{i}_{j}", Node(ArgMax(0, False, False, False), (other,))))
    return Trial(joined(made))


@once
def rows_taken_together_do_not_mislead_what_is_added() -> Trial:
    return Trial(graphs_joined(map(rows_taken_together, ("bordered", "moved", "row"))))


def rows_taken_together(other: str) -> Graph:
    rng = np.random.default_rng(7)

    def weights(*shape: int) -> Node:
        return Node(Constant(Array(rng.standard_normal(shape).astype(np.float32))))

    x = Node(Input("x", (6, 5, 8), Float(32)))
    y = Node(Relu(), (x,))
    wide = Node(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), (y, weights(3, 3, 8, 8)))  # its operand stands with a border
    match other:
        case "bordered":
            added = y
        case "moved":
            added = Node(Transpose((1, 0, 2)), (Node(Input("t", (5, 6, 8), Float(32))),))
        case _:
            added = Node(Input("r", (1, 5, 8), Float(32)))
    narrow = Node(Conv((1, 1), ((0, 0), (0, 0)), (1, 1)), (wide, weights(1, 1, 8, 16)))
    back = Node(Conv((1, 1), ((0, 0), (0, 0)), (1, 1)), (narrow, weights(1, 1, 16, 8)))
    last = Node(Add(), (back, added))
    entries = tuple(n for n in Graph((), (Node(Output("y"), (last,)),)).nodes if isinstance(n.op, Input))
    return Graph(entries, (Node(Output("y"), (last,)),), "rows")
