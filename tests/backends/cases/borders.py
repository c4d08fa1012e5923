"""Windows at the borders of an operand: what they see there, and how many elements."""

from fractions import Fraction
from itertools import product

import numpy as np

from gatewright.graph import Affine, Array, Fixed, Node, Overflow, Rounding
from gatewright.graph.ops import AvgPool, Constant, Conv, Input, Maximum, MaxPool, Quantize

from .common import Case, Trial, drawn, joined, of, once


@once
def means_at_borders() -> Trial:
    """Windows that hold fewer elements at a border: the rounded mean has a scale for each row, as steep as others."""
    made: list[Case] = []
    for i, (format, wide) in enumerate(product((Fixed(19, 2, False), Fixed(16, 3), Fixed(19, 3)), (1, 2, 3))):
        x = Node(Input(f"m{i}", (7, 6, 1), format))
        mean = Node(AvgPool((3, wide), (1, wide), ((1, 1), (0, 0)), (1, 1)), (x,))
        for j, kept in enumerate((Fixed(15, 1, False), Fixed(16, 3))):
            made.append(of(f"m{i}_{j}", Node(Quantize(kept, Rounding.RND, Overflow.SAT), (mean,))))
    return Trial(joined(made), count=64)


@once
def borders_that_no_element_is_near() -> Trial:
    """The zero around an operand is not among its numbers, which few bits would hold."""
    rng = np.random.default_rng(8)
    made: list[Case] = []
    for i, (format, least) in enumerate((
        (Fixed(16, 3), 32700), (Affine(8, True, Fraction(1, 3), -100), 40), (Affine(10, False, Fraction(1, 3)), 1000),
        (Affine(8, False, Fraction(1, 3), 3), 250),
    )):  # fmt: skip
        x = Node(Input(f"b{i}", (6, 5, 3), format))
        far = Node(Maximum(), (x, Node(Constant(Array(np.full(3, least)), format))))
        window = (1, 1), ((1, 1), (1, 1)), (1, 1)
        for j, filters in enumerate((4, 3)):
            w = Node(drawn(rng, (3, 3, 1 if j else 3, filters), Fixed(4, 0)))
            made.append(of(f"b{i}_{j}", Node(Conv(*window, filters if j else 1), (far, w))))
        for kind in (MaxPool, AvgPool):
            made.append(of(f"b{i}_{kind.__name__}".lower(), Node(kind((3, 3), *window), (far,))))
    return Trial(joined(made))


SPACES = (((1,), (2,)), ((2, 1), (3, 3)), ((4, 2), (1, 5)), ((4, 1), (1, 2)), ((4, 2), (2, 3)))
"""Of operands, and windows."""


@once
def windows_wider_than_their_operand() -> Trial:
    """No window lies wholly inside."""
    rng, made = np.random.default_rng(9), []
    for i, (space, kernel) in enumerate(SPACES):
        for j, (channels, filters) in enumerate(((16, 5), (3, 3), (5, 8))):
            x = Node(Input(f"w{i}_{j}_x", (*space, channels), Fixed(8, 3) if i % 2 else Fixed(16, 3)))
            padding = tuple((k // 2, k // 2) for k in kernel)
            groups = channels if channels == filters else 1
            w = Node(drawn(rng, (*kernel, channels // groups, filters), Fixed(6, 0)))
            op = Conv((1,) * len(space), padding, (1,) * len(space), groups)
            made.append(of(f"w{i}_{j}", Node(op, (x, w))))
    return Trial(joined(made))
