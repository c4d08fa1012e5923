"""Weights of four bits and less: every width, evenly spaced numbers, tails of words, operands of all widths."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from gatewright.graph import Affine, Fixed, Format, Node, Op
from gatewright.graph.ops import Constant, Conv, Dense, Input

from .common import Case, Trial, constant, drawn, everywhere, joined, many, of, sampled

OPERANDS: list[Format] = [
    Fixed(8, 3), Affine(8, False, Fraction(1, 3), 7), Fixed(16, 5), Affine(8, True, Fraction(1, 9), -7), Fixed(20, 9),
    Fixed(6, 2), Fixed(33, 12),
]  # fmt: skip
FORMATS: list[Format] = [
    Fixed(4, 1), Fixed(2, 1), Fixed(1, 1, False), Fixed(3, 1), Affine(4, False, Fraction(1, 7), 9),
    Affine(2, True, Fraction(1, 3)),
]  # fmt: skip
SIGNS = Fixed(2, 2)
DENSE = ((1, 1, ()), (7, 5, ()), (35, 3, ()), (8, 8, (3,)), (64, 10, ()), (12, 7, (5,)), (270, 9, (2,)), (33, 6, ()))
"""Inputs, outputs, positions."""
CONV = (
    (3, 8, (3, 3), 1), (4, 6, (3, 3), 1), (8, 5, (1, 1), 1), (8, 6, (3, 2), 2), (5, 5, (3, 3), 5), (8, 8, (3, 3), 8),
    (4, 4, (5, 5), 4), (12, 12, (2, 3), 12),
)  # fmt: skip
"""Channels, filters, window, groups."""


def weights(rng: np.random.Generator, number: int, shape: tuple[int, ...]) -> Constant:
    """Integers of a format; -1 and 1; numbers that are evenly spaced within each filter alone."""
    match number % 8:
        case 6:
            return constant(rng.choice((-1, 1), shape), SIGNS)
        case 7:
            step, least = 1 + np.arange(shape[-1]) % 5, np.arange(shape[-1]) % 7 - 9
            return constant(least + step * rng.integers(0, 4, shape), Fixed(8, 8))
    return drawn(rng, shape, FORMATS[number % 8])


def layers(seed: int) -> Iterator[tuple[Op, tuple[int, ...], tuple[int, ...]]]:
    """Operations with the shapes of operand and weights."""
    for channels, filters, lead in DENSE:
        yield Dense(), (*lead, channels), (channels, filters)
    for i, (channels, filters, window, groups) in enumerate(CONV):
        strides, padding = ((1, 1), (2, 1))[(i + seed) % 2], tuple(((n - 1) // 2, n // 2) for n in window)
        yield Conv(strides, padding, (1, 1), groups), (5, 6, channels), (*window, channels // groups, filters)


def cases(seed: int) -> list[Case]:
    """Each layer with every operand; widths of weights take turns."""
    rng, found = np.random.default_rng([7, seed]), []
    for i, (op, shape, w) in enumerate(layers(seed)):
        for j, format in enumerate(OPERANDS):
            number = i + j + seed
            name = f"narrow_{i}_{j}"
            bias = (Node(drawn(rng, w[-1:], Fixed(10, 4))),) if number % 2 else ()
            x = Node(Input(f"{name}_x", shape, format))
            found.append(of(name, Node(op, (x, Node(weights(rng, number, w)), *bias), where=name)))
    return found


@everywhere
def narrow_weights(share: int, number: int) -> Trial:
    return Trial(joined(sampled(cases(number), share)), count=4)


@many(range(8))
def every_narrow_weight(seed: int) -> Trial:
    return Trial(joined(cases(seed)), count=4)
