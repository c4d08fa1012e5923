"""At the edge of 64 bits nothing wraps: values are exact, or the type is a float that says why, or it is refused."""

from fractions import Fraction

import numpy as np
import pytest

from gatewright.graph import Affine, Array, Fixed, Float, Grid, Node, RangeError, ShapeError
from gatewright.graph.ops import (
    OPS,
    Add,
    AvgPool,
    Broadcast,
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
    Pad,
    Quantize,
    Reduce,
    Reduction,
    Relu,
    Step,
    Sub,
    Upsample,
)

from .drawn import SCALES, Draw
from .test_exact import check

SEEDS = range(500)
WIDE_SCALES = (*SCALES, Fraction(1, 3**30), Fraction(5**20, 7**3), Fraction(2**40), Fraction(3, 2**50))


class WideDraw(Draw):
    """Draws formats of up to 64 bits, and never quantizes by itself."""

    def format(self, shape: tuple[int, ...]) -> Fixed | Affine:
        if self.upto(0, 2) == 0:
            return super().format(shape)
        if self.upto(0, 3) == 0:
            return Affine(self.upto(2, 60), bool(self.upto(0, 1)), self.pick(WIDE_SCALES), self.pick((0, 1, -5, 2**40)))
        if self.upto(0, 3) == 0:
            try:
                return Fixed(Grid(self.rng.integers(1, 64, shape[-1:])), Grid(self.rng.integers(-20, 40, shape[-1:])))
            except RangeError:
                return Fixed(64, 30)
        signed = bool(self.upto(0, 1))
        return Fixed(self.pick((8, 20, 31, 40, 52, 61, 62, 63)) + signed, self.upto(-40, 80), signed)

    def flat_format(self) -> Fixed | Affine:
        if self.upto(0, 3) == 0:
            return Affine(self.upto(2, 60), True, self.pick(WIDE_SCALES), 1)
        return Fixed(self.pick((5, 31, 62, 63, 64)), self.upto(-30, 70))

    def narrowed(self, node: Node) -> Node:
        assert node.type.is_integer or self.reasoned(node), node.op
        return node

    def reasoned(self, node: Node) -> bool:
        if not isinstance(node.type.format, Float):
            return False
        return bool(node.type.format.note) or any(map(self.reasoned, node.inputs))


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_graphs_of_wide_formats(seed: int) -> None:
    draw = WideDraw(seed)
    graph = draw.graph()
    samples = [np.stack([draw.stored(n.shape, n.type.quantized) for _ in range(2)]) for n in graph.inputs]
    ends = [np.stack([np.broadcast_to(b, n.shape) for b in n.type.quantized.bounds]) for n in graph.inputs]
    check(graph, [np.concatenate(pair) for pair in zip(samples, ends, strict=True)])


def test_the_drawn_graphs_reach_the_edge() -> None:
    """The test above is about something: many results are within a few bits of 64."""
    reached = set()
    for seed in SEEDS:
        for node in WideDraw(seed).graph().nodes:
            low, high = node.type.interval
            if max(-int(low.min()), int(high.max())) >= 2**57:
                reached.add(type(node.op).__name__)
    assert reached >= {"Add", "Mul", "Dense", "Conv", "Reduce", "AvgPool", "Concat", "Quantize", "Maximum", "Reshape"}
    assert reached <= set(OPS)


def entry(format: Fixed | Affine, *shape: int) -> Node:
    return Node(Input("x", shape, format))


def constant(values: object, format: Fixed | Affine) -> Node:
    return Node(Constant(Array(np.array(values, np.int64)), format))


def reason(node: Node) -> str:
    assert isinstance(node.type.format, Float), node.type
    assert node.type.low is None
    assert node.type.high is None
    return node.type.format.note


WIDE = Fixed(64, 64)
LEAST = -(2**63)


@pytest.mark.parametrize("op", [Add(), Sub(), Mul(), Maximum()])
def test_arithmetic_of_64_bits(op: Add) -> None:
    assert "bits" in reason(Node(op, (entry(WIDE, 2), entry(WIDE, 2))))


@pytest.mark.parametrize("op", [Add(), Sub(), Maximum(), Concat(0)])
def test_scales_without_a_common_unit(op: Add) -> None:
    assert "63 bits" in reason(Node(op, (entry(Fixed(8, 100), 2), entry(Fixed(8, -100), 2))))
    assert "63 bits" in reason(Node(op, (entry(Affine(8, True, Fraction(1, 3**39)), 2), entry(Fixed(8, -10), 2))))


def test_products_of_large_weights() -> None:
    x = entry(Fixed(8, 8), 4)
    assert "accumulator" in reason(Node(Dense(), (x, constant([[LEAST]] * 4, WIDE))))
    assert "accumulator" in reason(Node(Dense(), (x, constant([[2**53]] * 4, WIDE))))
    assert Node(Dense(), (x, constant([[2**52]] * 4, WIDE))).type.is_integer
    image = entry(Fixed(8, 8), 4, 2)
    assert "accumulator" in reason(
        Node(Conv((1,), ((0, 0),), (1,)), (image, constant(np.full((3, 2, 1), LEAST), WIDE)))
    )
    op = ConvTranspose((1,), ((0, 0),), (0,), (1,))
    assert "accumulator" in reason(Node(op, (image, constant(np.full((3, 1, 2), LEAST), WIDE))))
    assert "63 bits" in reason(Node(MatMul(), (entry(WIDE, 2, 2), entry(Fixed(2, 2), 2, 2))))


def test_a_bias_of_another_scale() -> None:
    x, w = entry(Fixed(8, 8), 2), constant([[1], [1]], Fixed(2, 2))
    assert "63 bits" in reason(Node(Dense(), (x, w, constant([1], Fixed(8, -70)))))


def test_sums_over_many_elements() -> None:
    x = entry(Fixed(61, 61), 8)
    for kind in (Reduction.SUM, Reduction.MEAN):
        assert "63 bits" in reason(Node(Reduce(kind, (0,)), (x,)))
    assert "63 bits" in reason(Node(AvgPool((8,), (8,), ((0, 0),), (1,)), (entry(Fixed(61, 61), 8, 1),)))


def test_one_operand_of_64_bits() -> None:
    assert "64 bits" in reason(Node(Relu(), (entry(WIDE, 2),)))
    assert Node(Relu(), (entry(Fixed(62, 62), 2),)).type.is_integer


def test_quantizing_across_too_many_bits_is_refused() -> None:
    with pytest.raises(RangeError):
        Node(Quantize(Fixed(8, 0)), (entry(WIDE, 2),))
    with pytest.raises(RangeError):
        Node(Quantize(Affine(8, True, Fraction(1, 3))), (entry(WIDE, 2),))


def test_thresholds_without_a_common_unit_are_refused() -> None:
    edges, values = constant([0], Fixed(8, 100)), constant([0, 1], Fixed(2, 2))
    with pytest.raises(RangeError, match="thresholds"):
        Node(Step(), (entry(Fixed(8, -100), 2), edges, values))


def test_huge_shapes_are_refused_before_they_are_made() -> None:
    x = entry(Fixed(8, 8), 1, 2)
    huge = 10**12
    for op in (Broadcast((huge, 2)), Upsample((huge, 1)), Pad(((huge, 0), (0, 0)))):
        with pytest.raises(ShapeError, match="elements"):
            Node(op, (x,))
    with pytest.raises(ShapeError):
        Node(MaxPool((1,), (1,), ((huge, 0),), (1,)), (x,))
    with pytest.raises(ShapeError):
        entry(Fixed(8, 8), huge)
    with pytest.raises(ShapeError):
        entry(Fixed(8, 8), 0)
