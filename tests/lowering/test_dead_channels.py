"""Channels that never vary go, and no number changes."""

from fractions import Fraction

import numpy as np
import pytest

import gatewright as gw
from gatewright.graph import Affine, Array, Graph, Node, Overflow, Rounding, evaluate
from gatewright.graph.ops import (
    Add,
    Constant,
    Conv,
    Dense,
    Input,
    MaxPool,
    MultiplyShift,
    Output,
    Quantize,
    Relu,
)
from gatewright.lowering import lower, narrowed
from gatewright.lowering.passes.drop_dead_channels import drop_dead_channels

INT8 = Affine(8, True, Fraction(1, 16), -7)
WEIGHTS = Affine(8, True, Fraction(1, 64))


def constant(data: np.ndarray, scale: Fraction = Fraction(1, 64)) -> Node:
    return Node(Constant(Array(data), Affine(24 if data.ndim == 1 else 8, True, scale)))


def product(
    rng: np.random.Generator, x: Node, filters: int, *, window: int = 1, pad: int = 0, dead: float = 0.4,
    depthwise: bool = False, bias: bool = True, zero_bias: bool = False,
) -> Node:
    """Give a convolution, some of whose filters are all zero, brought back to 8 bits and clamped below by zero."""
    channels = x.shape[-1]
    shape = (window, window, 1 if depthwise else channels, channels if depthwise else filters)
    w = rng.integers(-127, 128, shape)
    gone = rng.random(shape[-1]) < dead
    w[..., gone] = 0
    b = rng.integers(-9000, 9000, shape[-1]) * (0 if zero_bias else 1)
    scale = x.type.quantized.scale * WEIGHTS.scale
    operands = (x, constant(w), *([constant(b, scale)] if bias else []))
    op = Conv((1, 1), ((pad, pad), (pad, pad)), (1, 1), channels if depthwise else 1)
    made = Node(op, operands, "conv")
    multiplier = tuple(int(m) for m in rng.integers(1 << 30, 1 << 31, shape[-1]))
    shift = tuple(int(s) for s in rng.integers(-9, -6, shape[-1]))
    return Node(MultiplyShift(INT8, multiplier, shift, -7, 127), (made,), "rescaled")


def network(seed: int) -> Graph:
    """Draw a chain of products: pointwise, depthwise with and without a border, a residual addition."""
    rng = np.random.default_rng(seed)
    x = Node(Input("x", (5, 6, 3), INT8))
    h = product(rng, x, 8, window=3, pad=1)
    h = product(rng, h, 8, window=3, pad=int(rng.integers(0, 2)), depthwise=True, zero_bias=bool(rng.integers(0, 2)))
    h = product(rng, h, 7, bias=bool(rng.integers(0, 2)))
    if rng.random() < 0.5:
        h = Node(MaxPool((2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1)), (h,))
    if rng.random() < 0.5:
        h = Node(Quantize(INT8, Rounding.RND, Overflow.SAT), (Node(Relu(), (h,)),))
    if rng.random() < 0.5:
        other = product(rng, h, 7)
        h = Node(Quantize(INT8, Rounding.RND, Overflow.SAT), (Node(Add(), (h, other)),))
    h = product(rng, h, 6, window=int(rng.choice([1, 3])), pad=1, zero_bias=True)
    return Graph((x,), (Node(Output("y"), (product(rng, h, 4, dead=0.2),)),))


def inputs(graph: Graph, count: int = 12) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.integers(-128, 128, (count, *graph.inputs[0].shape))


@pytest.mark.parametrize("seed", range(60))
def test_no_number_changes(seed: int) -> None:
    graph = network(seed)
    less = drop_dead_channels(graph)
    x = inputs(graph)
    assert np.array_equal(evaluate(graph, x, integers=True), evaluate(less, x, integers=True))
    assert less.macs <= graph.macs


def test_most_networks_shrink() -> None:
    ratios = [drop_dead_channels(g).macs / g.macs for g in map(network, range(60))]
    assert sum(r < 1 for r in ratios) > 50
    assert min(ratios) < 0.5


def chain(pad: int, bias: int) -> Graph:
    """A pointwise layer of which channel 1 is dead, then a 3x3 layer."""
    x = Node(Input("x", (4, 4, 2), INT8))
    w = np.array([[[[3, 0, -5], [7, 0, 2]]]])
    scale = INT8.scale * WEIGHTS.scale
    first = Node(Conv((1, 1), ((0, 0), (0, 0)), (1, 1)), (x, constant(w), constant(np.array([0, bias, 0]), scale)))
    q = Node(MultiplyShift(INT8, (1 << 30,), (-6,), -128, 127), (first,))
    second = Node(Conv((1, 1), ((pad, pad), (pad, pad)), (1, 1)), (q, constant(np.arange(-27, 27).reshape(3, 3, 3, 2))))
    return Graph((x,), (Node(Output("y"), (second,)),))


@pytest.mark.parametrize(("pad", "bias", "dropped"), [(0, 900, True), (1, 0, True), (1, 900, False), (0, 0, True)])
def test_a_border_keeps_what_is_not_zero(pad: int, bias: int, dropped: bool) -> None:
    graph = chain(pad, bias)
    less = drop_dead_channels(graph)
    assert np.array_equal(evaluate(graph, inputs(graph), integers=True), evaluate(less, inputs(graph), integers=True))
    assert (less is not graph) == dropped
    if dropped:
        convolutions = [n for n in less.nodes if isinstance(n.op, Conv)]
        assert [n.inputs[1].shape for n in convolutions] == [(1, 1, 2, 2), (3, 3, 2, 2)]
        assert any("1 channels hold one number" in text for text in less.notes)


def test_what_somebody_else_reads_stays() -> None:
    graph = chain(0, 900)
    convolution = graph.outputs[0].inputs[0]
    seen = Graph(graph.inputs, (*graph.outputs, Node(Output("z"), (convolution.inputs[0],))))
    assert drop_dead_channels(seen) is seen


def test_all_channels_dead() -> None:
    x = Node(Input("x", (4,), INT8))
    scale = INT8.scale * WEIGHTS.scale
    first = Node(Dense(), (x, constant(np.zeros((4, 3), np.int64)), constant(np.array([5, -6, 7]), scale)))
    second = Node(Dense(), (first, constant(np.arange(6).reshape(3, 2))))
    graph = Graph((x,), (Node(Output("y"), (second,)),))
    less = drop_dead_channels(graph)
    assert np.array_equal(evaluate(graph, inputs(graph), integers=True), evaluate(less, inputs(graph), integers=True))
    assert less.macs < graph.macs


def test_processors_get_it() -> None:
    graph = chain(0, 900)
    boards = gw.boards()
    assert lower(graph) is graph
    assert narrowed(graph, boards["nucleo-l4r5zi"]).macs < graph.macs
    assert narrowed(graph, boards["pynq-z2"]) is graph
    project = gw.compile(graph, board="nucleo-l4r5zi", verify=False)
    found = gw.diff(graph, project, inputs(graph).astype(np.float64))
    assert found.first is None
    assert found.tensors
