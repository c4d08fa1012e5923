"""Settling the layout: transposes vanish from networks as they are drawn up, and no value changes."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from gatewright.frontend.layout import settle_layout
from gatewright.graph import Array, Fixed, Graph, Grid, NDArray, Node, Op, evaluate
from gatewright.graph.ops import (
    Activation,
    Add,
    AvgPool,
    Broadcast,
    Concat,
    Constant,
    Conv,
    Dense,
    Gather,
    Input,
    MatMul,
    Maximum,
    MaxPool,
    Mul,
    Output,
    Pad,
    Quantize,
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

FORMAT = Fixed(6, 3)
RNG = np.random.default_rng(0)


def image(name: str = "x", shape: tuple[int, ...] = (3, 4, 6)) -> Node:
    """A channels-first input of integers."""
    return Node(Input(name, shape, FORMAT), (), name)


def ints(*shape: int, seed: int = 0) -> Node:
    """A constant of integers."""
    return Node(Constant(Array(np.random.default_rng(seed).integers(-8, 8, shape)), FORMAT), (), "c")


def apply(op: Op, *inputs: Node) -> Node:
    return Node(op, inputs, type(op).__name__.lower())


def last(x: Node) -> Node:
    rank = len(x.shape)
    return apply(Transpose((*range(1, rank), 0)), x)


def first(x: Node) -> Node:
    rank = len(x.shape)
    return apply(Transpose((rank - 1, *range(rank - 1))), x)


def conv(x: Node, filters: int, seed: int = 0, stride: int = 1) -> Node:
    """A 3 x 3 convolution of a channels-first tensor, quantized again."""
    op = Conv((stride, stride), ((1, 1), (1, 1)), (1, 1))
    y = first(apply(op, last(x), ints(3, 3, x.shape[0], filters, seed=seed), ints(filters, seed=seed + 1)))
    return apply(Quantize(FORMAT), y)


def graph(inputs: list[Node], *outputs: Node) -> Graph:
    return Graph(tuple(inputs), tuple(Node(Output(f"y{i}"), (o,), f"y{i}") for i, o in enumerate(outputs)))


def transposes(g: Graph) -> list[Node]:
    """The nodes that move values at run time for the layout's sake."""
    return [n for n in g.nodes if isinstance(n.op, (Transpose, Gather))]


def unchanged(g: Graph) -> Graph:
    """Settle, and compare every output exactly."""
    settled = settle_layout(g)
    rng = np.random.default_rng(1)
    x = {}
    for op in g.input_ops:
        shape = op.shape if op.axes is None else tuple(op.shape[op.axes.index(i)] for i in range(len(op.shape)))
        x[op.name] = rng.integers(-32, 32, (3, *shape)) / 8  # every value of FORMAT
    before, after = (evaluate(v, x) for v in (g, settled))
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    for a, b in zip(g.outputs, settled.outputs, strict=True):
        (low, high), (least, greatest) = a.type.real_range or (0, 0), b.type.real_range or (1, -1)
        assert low <= least <= greatest <= high  # narrower where x * x is seen to be a square
    return settled


def pooled(x: Node) -> Node:
    return first(apply(MaxPool((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), last(x)))


def classifier(x: Node) -> Node:
    """Residual, concatenation, batch normalization, pooling; then dense over all pixels."""
    a = apply(Relu(), conv(x, 4))
    b = apply(Quantize(FORMAT), apply(Add(), apply(Mul(), conv(a, 4, 2), ints(4, 1, 1)), a))
    c = pooled(apply(Concat(0), b, a))
    flat = apply(Reshape((8 * 2 * 3,)), c)
    return apply(Dense(), apply(Relu(), flat), ints(48, 5), ints(5))


def globally_pooled(x: Node) -> Node:
    mean = apply(Reduce(Reduction.MEAN, (1, 2), keep=True), conv(x, 4))
    return apply(Dense(), apply(Reshape((4,)), mean), ints(4, 2))


def squeeze_and_excite(x: Node) -> Node:
    """A vector scales the channels of a picture."""
    a = conv(x, 4)
    mean = apply(Reduce(Reduction.SUM, (1, 2)), a)
    gate = apply(Quantize(FORMAT), apply(Dense(), mean, ints(4, 4)))
    return conv(apply(Quantize(FORMAT), apply(Mul(), a, apply(Reshape((4, 1, 1)), gate))), 2)


def decoder(x: Node) -> Node:
    """Padding, growing and cutting between convolutions."""
    a = apply(Pad(((0, 1), (2, 0), (1, 0))), conv(x, 3))
    b = apply(Upsample((1, 2, 3)), a)
    c = apply(Slice((1, 0, 11), (4, None, 0), (1, 2, -2)), b)
    return conv(apply(Gather(0, (2, 0)), c), 2)


def shuffled(x: Node) -> Node:
    """Channel shuffle, as ShuffleNet writes it."""
    a = conv(x, 6)
    split = apply(Transpose((1, 0, 2, 3)), apply(Reshape((2, 3, 4, 6)), a))
    return conv(apply(Reshape((6, 4, 6)), split), 2)


def two_branches(x: Node) -> Node:
    """Two flattened pictures joined into one vector."""
    a, b = conv(x, 2), pooled(conv(x, 3, 5))
    flat = [apply(Reshape((v.type.size,)), v) for v in (a, b)]
    return apply(Dense(), apply(Relu(), apply(Concat(0), *flat, ints(2))), ints(68, 3))


def scaled_by_channel(x: Node) -> Node:
    """A quantizer with other bits for each channel."""
    format = Fixed(Grid(np.array([4, 6, 8]).reshape(3, 1, 1)), 3, True)
    return conv(apply(Quantize(format), apply(Mul(), x, ints(3, 1, 1, seed=4))), 2)


def vector_arithmetic(x: Node) -> Node:
    """Constants and another flattened tensor meet a flattened picture."""
    a = conv(x, 2)
    flat = apply(Add(), apply(Reshape((48,)), a), ints(48, seed=3))
    both = apply(Maximum(), flat, apply(Reshape((48,)), apply(Relu(), a)))
    return apply(Dense(), apply(Sub(), both, ints(1)), ints(48, 3))


def input_met_directly(x: Node) -> Node:
    """The input goes into a convolution and around it."""
    return apply(
        Concat(0),
        apply(Add(), conv(x, 3), x),
        apply(Broadcast((3, 4, 6)), apply(Reduce(Reduction.MAX, (1, 2), keep=True), x)),
    )


NETWORKS: list[Callable[[Node], Node]] = [
    classifier,
    globally_pooled,
    squeeze_and_excite,
    decoder,
    shuffled,
    two_branches,
    scaled_by_channel,
    vector_arithmetic,
    input_met_directly,
]


@pytest.mark.parametrize("network", NETWORKS)
def test_nothing_is_transposed_at_run_time(network: Callable[[Node], Node]) -> None:
    x = image()
    settled = unchanged(graph([x], network(x)))
    assert settled.input_ops[0].axes == (1, 2, 0)
    meant = {shuffled: 1, decoder: 1}  # swapping halves of the channels and picking channels are part of those
    assert len(transposes(settled)) == meant.get(network, 0)


def test_text() -> None:
    """The picture of the docstring."""
    x = image(shape=(3, 8, 8))
    y = apply(Dense(), apply(Reshape((256,)), apply(Relu(), conv(x, 4))), ints(256, 2))
    ops = [type(n.op).__name__ for n in settle_layout(graph([x], y)).nodes if not isinstance(n.op, Constant)]
    assert ops == ["Input", "Conv", "Quantize", "Relu", "Reshape", "Dense", "Output"]


def test_outputs_take_up_what_is_left() -> None:
    x = image()
    settled = unchanged(graph([x], conv(x, 4), apply(Relu(), conv(x, 2))))
    assert [o.axes for o in settled.output_ops] == [(2, 0, 1), (2, 0, 1)]
    assert not transposes(settled)


def test_a_flattened_output_is_put_in_order() -> None:
    x = image()
    settled = unchanged(graph([x], apply(Reshape((48,)), conv(x, 2))))
    assert len(transposes(settled)) == 1


def test_axes_that_are_there_already_are_composed() -> None:
    x = Node(Input("x", (4, 6, 3), FORMAT, axes=(1, 2, 0)), (), "x")
    settled = unchanged(graph([x], conv(apply(Transpose((2, 0, 1)), x), 2)))
    assert settled.input_ops[0].axes == (1, 2, 0)
    other = Node(Output("y", (1, 0, 2)), (conv(apply(Transpose((2, 0, 1)), x), 2),), "y")
    unchanged(Graph((x,), (other,)))


def test_a_graph_without_transposes_is_the_same_object() -> None:
    x = image()
    g = graph([x], apply(Relu(), x))
    assert settle_layout(g) is g


def test_settled_graphs_stay() -> None:
    x = image()
    once = settle_layout(graph([x], classifier(x)))
    assert str(settle_layout(once)) == str(once)


def test_attention_keeps_its_transposes() -> None:
    x = image(shape=(5, 8))
    heads = apply(Transpose((1, 0, 2)), apply(Reshape((5, 2, 4)), apply(Dense(), x, ints(8, 8))))
    small = apply(Quantize(FORMAT), heads)
    scores = apply(Quantize(FORMAT), apply(MatMul(), small, apply(Transpose((0, 2, 1)), small)))
    mixed = apply(MatMul(), scores, small)
    back = apply(Reshape((5, 8)), apply(Transpose((1, 0, 2)), mixed))
    unchanged(graph([x], back))


def drawn(seed: int) -> Graph:
    """A random network of moves, arithmetic and windows over tensors in any layout."""
    rng = random.Random(seed)
    inputs = [image("x"), image("z", (4, 6))]
    pool = list(inputs)
    for step in range(rng.randint(4, 14)):
        new = _drawn_node(rng, pool, step)
        if new.type.is_integer and new.type.size < 2000:
            pool.append(apply(Quantize(FORMAT), new) if rng.random() < 0.7 or new.type.quantized.width > 12 else new)  # type: ignore[operator]
    return graph(inputs, *pool[-3:])


def _drawn_node(rng: random.Random, pool: list[Node], step: int) -> Node:
    x = rng.choice(pool)
    rank, shape = len(x.shape), x.shape
    axis = rng.randrange(rank) if rank else 0
    kind = rng.randrange(15 if rank else 1)
    match kind:
        case 1 | 2 | 3:
            return apply(Transpose(tuple(rng.sample(range(rank), rank))), x)
        case 4:
            like = [p for p in pool if p.shape == shape]
            return apply(rng.choice([Add(), Sub(), Maximum(), Mul()]), x, rng.choice(like))
        case 5:
            other = [rng.choice([1, n]) for n in shape][rng.randrange(rank) :]
            pair = (x, ints(*other, seed=step))
            return apply(rng.choice([Add(), Sub(), Mul()]), *(pair if rng.random() < 0.5 else pair[::-1]))
        case 6:
            return apply(Concat(axis), x, apply(Relu(), x))
        case 7:
            return apply(Reduce(rng.choice([Reduction.SUM, Reduction.MAX]), (axis,), keep=rng.random() < 0.5), x)
        case 8:
            return apply(Reshape(_drawn_shape(rng, shape)), x)
        case 0:
            return apply(Relu(), x)
        case _:
            return _drawn_move(rng, x, kind, step)


def _drawn_move(rng: random.Random, x: Node, kind: int, step: int) -> Node:
    """Operations on single axes."""
    rank, shape = len(x.shape), x.shape
    axis = rng.randrange(rank)
    match kind:
        case 9:
            return apply(Pad(tuple((rng.randint(0, 1), rng.randint(0, 2)) for _ in shape)), x)
        case 10:
            return apply(Upsample(tuple(rng.randint(1, 2) for _ in shape)), x)
        case 11:
            return apply(Gather(axis, tuple(rng.randrange(shape[axis]) for _ in range(2))), x)
        case 12:
            return apply(Dense(), x, ints(shape[-1], 3, seed=step))
        case 13 if rank > 2:
            still, one = ((0, 0),) * (rank - 2), (1,) * (rank - 1)
            return apply(AvgPool((*one[:-1], 2), one, (*still, (0, 1)), one), x)
        case 14:
            return apply(Slice((0,) * rank, tuple(max(n - 1, 1) for n in shape), (1,) * rank), x)
        case _:
            return apply(Relu(), x)


def _drawn_shape(rng: random.Random, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Join two neighbours, split one, put in or take out axes of length 1, or flatten."""
    kind, i = rng.randrange(4), rng.randrange(len(shape))
    if kind == 0 and i + 1 < len(shape):
        return (*shape[:i], shape[i] * shape[i + 1], *shape[i + 2 :])
    if kind == 1 and shape[i] % 2 == 0:
        return (*shape[:i], 2, shape[i] // 2, *shape[i + 1 :])
    if kind == 2:
        return (*shape[:i], 1, *shape[i:])
    return (int(np.prod(shape)),)


@pytest.mark.parametrize("seed", [*range(120), 1601, 2152])
def test_drawn_networks(seed: int) -> None:
    unchanged(drawn(seed))


@pytest.mark.slow
def test_many_drawn_networks() -> None:
    for seed in range(1000, 6000):
        unchanged(drawn(seed))


def test_floats() -> None:
    """In floating point only sums may differ, in the order of their terms."""
    x = Node(Input("x", (3, 4, 6)), (), "x")
    weights = Node(Constant(Array(RNG.normal(size=(3, 3, 3, 4)).astype(np.float32))), (), "w")
    y = first(apply(Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), last(x), weights))
    y = apply(Softmax(0), apply(Activation("tanh"), y))
    y = apply(Reduce(Reduction.MEAN, (1, 2)), y)
    g = graph([x], y)
    values: NDArray = RNG.normal(size=(2, 3, 4, 6)).astype(np.float32)
    np.testing.assert_allclose(evaluate(settle_layout(g), values), evaluate(g, values), rtol=1e-6)  # type: ignore[arg-type]
    assert not transposes(settle_layout(g))


def test_a_constant_with_the_most_axes_keeps_them() -> None:
    """What a constant [1, n] makes of a vector has two axes, also where the constant is trimmed to one."""
    x = image()
    flat = apply(Reshape((72,)), apply(Relu(), apply(Transpose((2, 0, 1)), last(x))))
    cut = apply(Slice((0,), (5,), (1,)), flat)
    row = apply(Relu(), apply(Add(), ints(1, 5), cut))
    graph = Graph((x,), (Node(Output("y"), (apply(Concat(0), row, row),), "y"),))
    settled = settle_layout(graph)
    samples = np.random.default_rng(1).integers(-8, 8, (2, 3, 4, 6)) / 8
    np.testing.assert_array_equal(evaluate(settled, samples), evaluate(graph, samples))
