"""Small networks that the tests of the CPU back end compile."""

from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

import gatewright
from gatewright.graph import Affine, Array, Graph, Grid, Node, Op, Rounding
from gatewright.graph.ops import AvgPool, Constant, Conv, Dense, Input, MultiplyShift, Output, Quantize, Reshape

ROOT = Path(__file__).parents[3]


@cache
def digits() -> Graph:
    """The example, made of integers."""
    return gatewright.lower(gatewright.load(ROOT / "examples" / "digits_qkeras.h5"), board="host")


def _scales(rng: np.random.Generator, count: int, factor: Fraction = Fraction(1)) -> Grid:
    cells = [Fraction(int(k), 4096) * factor for k in rng.integers(3, 40, count)]
    return Grid(np.array(cells, dtype=object))


def _layer(rng: np.random.Generator, op: Op, x: Node, shape: tuple[int, ...], where: str) -> Node:
    """A product by int8 weights with a scale for each channel, and the fixed-point multiplication behind it."""
    filters = shape[-1]
    scale = _scales(rng, filters)
    assert isinstance(x.type.format, Affine)
    assert isinstance(x.type.format.scale, Fraction)
    product = Grid(np.array([s * x.type.format.scale for s in scale.data], dtype=object))
    w = Node(Constant(Array(rng.integers(-127, 128, shape)), Affine(8, True, scale)), (), f"{where}/weight")
    b = Node(Constant(Array(rng.integers(-3000, 3000, filters)), Affine(32, True, product)), (), f"{where}/bias")
    multiplier = tuple(int(m) for m in rng.integers(1 << 30, (1 << 31) - 1, filters))
    shift = tuple(int(s) for s in rng.integers(-8, -5, filters))
    requantize = MultiplyShift(Affine(8, True, Fraction(1, 13), -128), multiplier, shift, -128, 127)
    return Node(requantize, (Node(op, (x, w, b), where),), where)


@cache
def small_cnn() -> Graph:
    """What TFLite makes of a small convolutional network in int8: odd channels, depthwise, a mean, a dense layer."""
    rng = np.random.default_rng(7)
    one = ((1, 1), (1, 1))
    x = Node(Input("image", (9, 7, 3), Affine(8, True, Fraction(1, 50), 5), Rounding.RND_INF))
    y = _layer(rng, Conv((2, 2), one, (1, 1)), x, (3, 3, 3, 12), "first")
    y = _layer(rng, Conv((1, 1), one, (1, 1), 12), y, (3, 3, 1, 12), "depthwise")
    y = _layer(rng, Conv((1, 1), ((0, 0), (0, 0)), (1, 1)), y, (1, 1, 12, 20), "pointwise")
    mean = Node(AvgPool((5, 4), (5, 4), ((0, 0), (0, 0)), (1, 1)), (y,), "mean")
    y = Node(Quantize(y.type.quantized, Rounding.RND_INF), (mean,), "mean")
    y = Node(Reshape((20,)), (y,), "flatten")
    y = _layer(rng, Dense(), y, (20, 10), "dense")
    return Graph((x,), (Node(Output("scores"), (y,)),), "small-cnn")


@cache
def large() -> Graph:
    """A convolution with enough products for its outer loop to be cut into parts, which vectors compute everywhere:
    of 16 bits, which no matrix unit takes.
    """
    rng = np.random.default_rng(3)
    x = Node(Input("x", (32, 32, 16), Affine(16, True, Fraction(1, 8000), 3)))
    y = _layer(rng, Conv((1, 1), ((1, 1), (1, 1)), (1, 1)), x, (3, 3, 16, 24), "conv")
    return Graph((x,), (Node(Output("y"), (y,)),), "large")
