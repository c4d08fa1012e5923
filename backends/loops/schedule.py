"""What is free in how a product is computed, and how it is decided: by a formula, or as a tuner measured it.

No choice changes a number of integers: they are summed exactly. Floats are summed in the same order of taps and
channels, but in Winograd's windows, which round otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

from ...graph import Node, OptionError, op_name
from ...graph.ops import Constant
from .contract import Contraction
from .layout import Layout
from .machine import GROUP, Dot, Machine

DEEP = 40
"""Steps of a sum from which on its end does not matter much."""
PACKED_BYTES = 200 << 10
"""Weights above it are walked panel by panel, so that each is read once."""
BUSY = 10.5
"""Dot products of bytes that are under way where the multipliers never wait."""
MOST_ROWS, DEEP_ROWS = 16, 12
"""Rows of a tile, and those that the formula takes: beyond, LLVM's code gets worse."""
MOST_VECTORS, MOST_IN_A_ROW, FORMULA_IN_A_ROW = 4, 14, 8
"""Vectors across a tile; of a tile with one row only; and of the latter what the formula takes."""


@dataclass(frozen=True)
class Tile:
    """``rows`` positions by ``vectors`` of ``lanes`` filters; ``panels_outside``: whether panels (of filters) are the
    outer loop, and positions the inner one; ``windows``: results along each axis of a window of Winograd's, where it
    computes a convolution (0: it does not); ``unit``: whether a matrix unit multiplies, whose tiles are the vectors.
    """

    rows: int
    vectors: int
    lanes: int
    panels_outside: bool
    windows: int = 0
    unit: bool = False


Tiles = Mapping[str, Tile]
"""Tiles by the description of a layer; the others are decided by the formula."""


@dataclass(frozen=True, eq=False)
class Free:
    """What is free in a layer, which ``layer`` describes: ``default`` is the formula's, ``taken`` what a tuner chose.

    ``positions`` (of one of ``lines`` rows) and ``filters`` (of a group) are covered by tiles; ``depth``: steps of a
    sum; ``others``: tiles that are no sums of vectors, each with what it costs; ``kind``: how vectors sum products,
    ``unit``: how those others do.
    """

    layer: str
    kind: Dot
    machine: Machine
    positions: int
    filters: int
    depth: int
    default: Tile
    lanes: tuple[int, ...]
    depthwise: bool = False
    ordered: bool = True
    taken: Tile | None = None
    others: Mapping[Tile, float] = field(default_factory=dict)
    unit: Dot | None = None
    lines: int = 1

    @property
    def summed(self) -> Dot:
        """How products are summed."""
        return self.unit if self.unit is not None and self.tile.unit else self.kind

    @property
    def tile(self) -> Tile:
        """The tile that the kernel is written with."""
        return self.taken or self.default

    def decided(self, tiles: Tiles) -> "Free":
        """Take the tile that is given for the layer. Raises OptionError for one that it cannot have."""
        if (given := tiles.get(self.layer)) is None:
            return self
        if given not in self.tiles:
            what = f"no tile of {given.rows} rows by {given.vectors} vectors of {given.lanes} is possible"
            raise OptionError(what, where=self.layer, hint="tune again: the file is of another version or machine")
        return replace(self, taken=given)

    @cached_property
    def tiles(self) -> tuple[Tile, ...]:
        """Every tile that the registers hold, what the formula holds for the best first."""
        found = {self.default, *self.others}
        for lanes in self.lanes:
            across = 1 if self.depthwise else -(-self.filters // lanes)
            whole = -(-self.filters // lanes)
            for vectors in range(1, min(across, MOST_IN_A_ROW if self.positions == 1 else MOST_VECTORS) + 1):
                room = (self.machine.registers - 1 - vectors) // vectors
                for rows in range(1, min(room, self.positions, MOST_ROWS) + 1):
                    both = self.ordered and whole > vectors and self.positions * self.lines > rows
                    orders = (False, True) if both else (False,)
                    found |= {Tile(rows, vectors, lanes, order) for order in orders}
        return tuple(sorted(found, key=lambda t: (self.cost(t), t.rows, t.vectors, t.lanes, t.panels_outside)))

    def cost(self, tile: Tile) -> float:
        """Estimate what all tiles of a row cost, in products of vectors."""
        if tile in self.others:
            return self.others[tile]
        across = -(-self.filters // tile.lanes)
        tiles = -(-self.positions // tile.rows) * -(-across // tile.vectors)
        other_order = 0.01 * tiles if tile.panels_outside != self.default.panels_outside else 0.0
        if self.depthwise:
            return depthwise_cost(self.positions, tile.rows) * -(-self.filters // tile.lanes) + other_order
        return tile_cost(tile.rows, tile.vectors, self.depth, self.machine, self.kind) * tiles + other_order


def tile_cost(rows: int, vectors: int, depth: int, machine: Machine, kind: Dot) -> float:
    """Estimate what one tile costs, in products of vectors.

    A step of a sum: products, loads of weights and operands, the loop. Dot products of bytes take four or five cycles,
    and two begin in each: with fewer than ten sums under way the next step waits. At the end each sum changes its
    scale, which takes registers: sums beyond half of these are spilled. (The numbers are fitted to some 2,000 measured
    tiles of 54 layers of ResNet-8, DS-CNN and MobileNetV2, AVX-512 VNNI of a Zen 5: what is chosen takes 3 % more than
    the best tile, in the geometric mean; the first three terms alone 10 %.) For other products these three are enough:
    within noise of the best for float32, a few percent off for 16-bit integers with AVX2.
    """
    sums = rows * vectors
    if kind is Dot.MMLA:  # rows go by two, weights of a vector take two registers
        return depth * ((rows + rows % 2) * vectors + 0.6 * rows + 0.8 * vectors + 1.5) + 3 * sums
    if not latency_bound(kind, machine):
        return depth * (sums + 0.4 * (rows + vectors) + 1.5)
    step = max(sums, BUSY) + 1.2 * rows + 0.2 * vectors + 3.6
    return depth * step + 3.6 * sums + 1.9 + 15 * max(0, sums - (machine.registers // 2 - 2))


def latency_bound(kind: Dot, machine: Machine) -> bool:
    """Whether there are registers for as many sums as keep the multipliers of bytes busy."""
    return kind is Dot.VNNI and machine.registers > 16


def depthwise_cost(positions: int, rows: int) -> float:
    """Estimate what a row of depthwise tiles costs, in positions: those that are computed, and each tile's start."""
    return -(-positions // rows) * (rows + 1)


def tile_shape(positions: int, total: int, depth: int, machine: Machine, kind: Dot) -> tuple[int, int]:
    """Choose rows and vectors of a tile: what costs least, within the registers.

    Integers that sum few products keep to fewer sums than there are registers: their change of scale needs some of its
    own, and sums that are spilled cost more than the loads that larger tiles save.
    """
    spare = machine.registers - (4 if machine.registers > 16 else 3)
    deep = latency_bound(kind, machine)
    wide = MOST_VECTORS if deep or kind in (Dot.FLOAT, Dot.MMLA) else 2
    best: tuple[float, int, int] | None = None
    for nv in range(1, min(total, FORMULA_IN_A_ROW if positions == 1 else wide) + 1):
        most = max(1, (spare - nv) // nv)
        if deep:
            most = min(most, DEEP_ROWS)
        elif kind is Dot.MMLA:
            most = min(8, 24 // nv)
        elif kind is not Dot.FLOAT and positions > 1:
            most = min(most, 6 if nv == 1 else 5 if depth < DEEP else 12)
        for mr in range(1, min(most, positions) + 1):
            cost = -(-positions // mr) * -(-total // nv) * tile_cost(mr, nv, depth, machine, kind)
            if best is None or cost < best[0] - 1e-9:
                best = (cost, mr, nv)
    assert best is not None
    return best[1], best[2]


def lanes_for(filters: int, kind: Dot, machine: Machine) -> int:
    """Lanes of an accumulator: those of a vector, or fewer where there are not so many filters."""
    least = least_lanes(kind)
    lanes = max(machine.lanes // (2 if kind is Dot.LONG else 1), least)
    while lanes // 2 >= max(filters, least):
        lanes //= 2
    return lanes


def least_lanes(kind: Dot) -> int:
    """Give the fewest lanes that products of a kind have."""
    return 4 if GROUP[kind] > 1 else 1


def free_in_product(c: Contraction, layer: str, machine: Machine, positions: int) -> Free:
    """Say what is free in a product with known weights, ``positions`` to a row."""
    filters, kind = c.filters // c.groups, c.dot
    lanes = lanes_for(filters, kind, machine)
    depth = c.taps * (c.channels // c.groups) // GROUP[kind]
    rows, vectors = tile_shape(positions, -(-filters // lanes), depth, machine, kind)
    size = c.taps * (c.channels // c.groups) * c.filters * {8: 1, 4: 1, 2: 2, 1: 4}[GROUP[kind]]
    outside = size > PACKED_BYTES and prod(c.space) > rows and filters > vectors * lanes
    default = Tile(rows, vectors, lanes, outside)
    narrower = (lanes // 2,) if lanes // 2 >= max(least_lanes(kind), 2) else ()
    layer = f"{layer}, rows of {positions}"
    lines = prod(c.space) // positions
    return Free(layer, kind, machine, positions, filters, depth, default, (lanes, *narrower), lines=lines)


def free_in_depthwise(c: Contraction, layer: str, machine: Machine, positions: int) -> Free:
    """Say what is free in a product with a filter for each channel.

    The most rows that the formula takes were measured with AVX-512 and AVX2, bytes and float32.
    """
    lanes = machine.lanes
    most = MOST_ROWS if c.dot is Dot.VNNI else machine.registers // 4 + 4
    rows = min(range(1, min(most, positions) + 1), key=lambda r: (depthwise_cost(positions, r), r))
    default = Tile(rows, 1, lanes, c.filters > lanes and positions > rows)
    narrower = (lanes // 2,) if lanes >= 8 and c.filters > lanes // 2 else ()
    layer = f"{layer}, rows of {positions}"
    return Free(layer, c.dot, machine, positions, c.filters, c.taps, default, (lanes, *narrower), depthwise=True)


def free_in_matrices(node: Node, layer: str, machine: Machine, kind: Dot) -> Free:
    """Say what is free in a product of two computed matrices; the lanes are how the right one is packed."""
    rows, filters = node.inputs[0].shape[-2], node.shape[-1]
    lanes = lanes_for(filters, kind, machine)
    depth = node.inputs[0].shape[-1] // GROUP[kind]
    mr, nv = tile_shape(rows, -(-filters // lanes), depth, machine, kind)
    return Free(layer, kind, machine, rows, filters, depth, Tile(mr, nv, lanes, False), (lanes,), ordered=False)


def describe(
    node: Node, end: Node, layouts: Mapping[Node, Layout], out: Layout, kind: Dot, window: tuple[object, ...] = ()
) -> str:
    """Describe a product and what follows it up to ``end``: layers that are described alike take the same time.

    (Whether the positions of all axes are one row, what layouts decide, is added where it is known.)
    """
    names: list[str] = []
    seen = {node}

    def visit(n: Node) -> None:
        if n in seen or isinstance(n.op, Constant):
            return
        seen.add(n)
        for i in n.inputs if n not in layouts else ():
            visit(i)
        names.append(op_name(n.op) if n not in layouts else "tensor")

    visit(end)
    shapes = [x.shape for x in node.inputs[:2]]
    types = [layouts[x].dtype for x in node.inputs[:2] if x in layouts]
    parts = [
        op_name(node.op), *(f"{'x'.join(map(str, s))}" for s in shapes), f"to {'x'.join(map(str, node.shape))}",
        *map(_spelt, window), str(kind), f"{','.join(types)}->{out.dtype}", "+".join(names),
    ]  # fmt: skip
    return " ".join(p for p in parts if p)


def _spelt(part: object) -> str:
    return "x".join(map(str, part)) if isinstance(part, tuple) else str(part)


def window_of(c: Contraction) -> tuple[object, ...]:
    """Give what describes a product beside its shapes: strides, dilation and groups, where they are not 1."""
    plain = prod(c.strides) == prod(c.dilation) == c.groups == 1
    return () if plain else (c.strides, c.dilation, f"/{c.groups}")
