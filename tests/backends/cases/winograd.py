"""Convolutions of 3 x 3 over floats: sides, channels and filters that fill windows and vectors, and that do not."""

import numpy as np

from gatewright.graph import Node
from gatewright.graph.ops import Add, Conv, Input, Relu

from .common import Case, Trial, everywhere, joined, of, real, sampled

SHAPES = [
    (8, 8, 16, 16, 1), (9, 6, 24, 17, 1), (4, 13, 8, 33, 0), (2, 2, 64, 64, 1), (5, 3, 40, 8, 1), (16, 16, 32, 32, 1),
    (12, 40, 16, 64, 0), (7, 7, 11, 40, 1), (8, 8, 32, 64, 1),
]  # fmt: skip
"""Height and width of the result, channels, filters, padding."""


def convolution(height: int, width: int, channels: int, filters: int, padding: int) -> Node:
    """A layer whose operand is padded or not, with what follows it."""
    rng = np.random.default_rng(height * width)
    side = 2 - 2 * padding
    x = Node(Input(f"x{height}x{width}x{channels}", (height + side, width + side, channels)))
    w = Node(real(rng.normal(0, (9 * channels) ** -0.5, (3, 3, channels, filters))))
    op = Conv((1, 1), ((padding, padding),) * 2, (1, 1))
    y = Node(op, (x, w, Node(real(rng.normal(0, 1, filters)))))
    return Node(Relu(), (Node(Add(), (y, Node(Input(f"r{height}x{width}x{channels}", y.shape)))),))


def cases() -> list[Case]:
    """One for each shape."""
    return [of(f"conv{s[0]}x{s[1]}x{s[2]}", convolution(*s)) for s in SHAPES]


@everywhere
def winograd_windows(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(), share)), count=3)
