"""Winograd's minimal filtering: the matrices that turn operands, filters and results, and where it is worth it.

Windows of m x m results overlap in n x n of the operand, n = m + 2. Both the operand's and the filter's n x n are
turned into numbers whose products, summed over channels, are turned back into the results (A. Lavin and S. Gray, Fast
algorithms for convolutional neural networks, CVPR 2016, section 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import prod

import numpy as np

from ...graph.arrays import NDArray
from .contract import Contraction
from .machine import Dot, Machine
from .schedule import Free, Tile, free_in_product, tile_cost, tile_shape

POINTS = {2: (0, 1, -1), 4: (0, 1, -1, Fraction(1, 2), -2)}
"""Where the polynomials are taken, beside infinity, by the results of a window along an axis. (Those of 4 round to a
third of what 0, 1, -1, 2, -2 do: B. Barabasz et al., Error analysis and improving the accuracy of Winograd convolution
for deep neural networks, ACM TOMS 2020.)
"""
Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Turns:
    """The matrices of one axis: operand [n, n], filter [n, 3], result [m, n]."""

    operand: Matrix
    filter: Matrix
    result: Matrix


@cache
def turns(m: int) -> Turns:
    """Give the matrices for ``m`` results of a filter of 3 (Toom and Cook, with one point at infinity)."""
    points = [Fraction(p) for p in POINTS[m]]
    n = m + 2
    assert len(points) == n - 1
    weights = [prod((a - b for b in points if b != a), start=Fraction(1)) for a in points]
    operand = [[*_product([b for b in points if b != a]), Fraction(0)] for a in points] + [_product(points)]
    filters = [[a**k / w for k in range(3)] for a, w in zip(points, weights, strict=True)] + [[0, 0, 1]]
    result = [[a**i for a in points] + [int(i == m - 1)] for i in range(m)]
    return Turns(*(tuple(tuple(map(Fraction, row)) for row in rows) for rows in (operand, filters, result)))


def _product(roots: Sequence[Fraction]) -> list[Fraction]:
    """Give the coefficients of the product of (x - root), the lowest power first."""
    found = [Fraction(1)]
    for root in roots:
        found = [a - root * b for a, b in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return found


def turned_filters(weights: NDArray, m: int) -> NDArray:
    """Give [n * n, channels, filters] of weights [3, 3, channels, filters]."""
    g = np.array(turns(m).filter, np.float64)
    found: NDArray = np.einsum("ik,jl,klcf->ijcf", g, g, weights.astype(np.float64)).astype(np.float32)
    return found.reshape(-1, *weights.shape[2:])


L2, L3 = 336 << 10, 4 << 20
"""Bytes that are held to stay in the second cache, and in the last one."""
MOST_CHANNELS = 512
"""Channels up to which windows of 4 x 4 round to within 6e-6 of the greatest result."""
TURN = {2: 76, 4: 315}
"""What it takes to turn one vector of a window, or of its results, in products of vectors (measured, AVX2)."""
NEAR, FAR = 24, 4
"""Bytes that are read in the time of a product of vectors, from the last cache and from memory (measured, AVX2)."""
HARDLY = 1.04
"""What blocks may take, of the best ones' time, for the sake of memory."""
WORTH, WORTH_BYTES = 0.75, 0.9
"""What windows may take, of the direct product's time, and of that of smaller windows with fewer bytes of filters."""


@dataclass(frozen=True)
class Cut:
    """Windows of ``m`` results along both axes: ``down`` by ``side`` of them, ``block`` together; tiles of ``rows``
    windows by ``vectors`` of filters.
    """

    m: int
    down: int
    side: int
    block: int
    rows: int
    vectors: int

    @property
    def products(self) -> int:
        """Matrices that are multiplied."""
        return (self.m + 2) ** 2

    @property
    def blocks(self) -> int:
        """How often filters are read."""
        return -(-self.down * self.side // self.block)


def cut(c: Contraction, machine: Machine, m: int) -> Cut:
    """Cut a convolution into windows of ``m`` results: so few together that more would hardly take less."""
    down, side = (-(-n // m) for n in c.space)
    across = -(-c.filters // machine.lanes)
    near = max(1, min(down * side, L2 // _bytes(c, machine, m)))
    blocks = [*range(1, near + 1), *([down * side] if down * side > near else [])]
    found = [Cut(m, down, side, b, *tile_shape(b, across, c.channels, machine, Dot.FLOAT)) for b in blocks]
    takes = [cost(c, machine, f) for f in found]
    return next(f for f, t in zip(found, takes, strict=True) if t <= HARDLY * min(takes))


def _bytes(c: Contraction, machine: Machine, m: int) -> int:
    """Bytes of a turned window and its sums."""
    return 4 * (m + 2) ** 2 * (c.channels + -(-c.filters // machine.lanes) * machine.lanes)


def cost(c: Contraction, machine: Machine, found: Cut) -> float:
    """Estimate what windows take, in products of vectors."""
    across, channels = (-(-n // machine.lanes) for n in (c.filters, c.channels))
    tiles = -(-found.block // found.rows) * -(-across // found.vectors)
    sums = tiles * found.products * tile_cost(found.rows, found.vectors, c.channels, machine, Dot.FLOAT)
    filters, block = 4 * found.products * c.channels * c.filters, found.block * _bytes(c, machine, found.m)
    moved = filters / NEAR + max(0, filters - L3) / FAR + (4 * block / NEAR if block > L2 else 0)
    return found.blocks * (sums + moved + found.block * TURN[found.m] * (channels + across))


def suits(c: Contraction, machine: Machine) -> bool:
    """Whether a product can be computed by windows."""
    one = all(n == 1 for n in (*c.strides, *c.dilation, c.groups))
    return c.dot is Dot.FLOAT and c.kernel == (3, 3) and one and min(c.space) >= min(POINTS) and not machine.few_steps


def free_in_windows(c: Contraction, layer: str, machine: Machine) -> Free:
    """Say what is free in a convolution: a direct product's tiles, and windows, with what they are held to take."""
    direct = free_in_product(c, layer, machine, c.space[-1])
    others: dict[Tile, float] = {}
    best, chosen = WORTH * direct.cost(direct.default), direct.default
    for m in POINTS:
        if m > min(c.space) or (m > min(POINTS) and c.channels > MOST_CHANNELS):
            continue
        found = cut(c, machine, m)
        tile = Tile(found.rows, found.vectors, direct.default.lanes, False, m)
        takes = others[tile] = cost(c, machine, found) / c.space[0]
        if takes < best * (WORTH_BYTES if chosen.windows else 1):
            best, chosen = takes, tile
    return replace(direct, default=chosen, others=others)


