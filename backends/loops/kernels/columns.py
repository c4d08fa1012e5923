"""Products on cores without vectors: the operand's window is copied into a column, then all filters pass over it.

Nothing stands around a tensor: what lies outside of it is written into the column. Two positions times two filters (a
single position: four filters) are summed side by side. Cores that multiply two pairs of 16 bits at once (SMLAD, Arm
DSP extension) have their columns widened to 16 bits when they are filled, once for all filters; weights stay bytes, and
are widened, four at a time, where they are read (SXTB16). (Compare L. Lai, N. Suda, V. Chandra, CMSIS-NN, 2018, 3.2.)
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod

import numpy as np

from ....graph import Node
from ....graph.arrays import NDArray
from ..code import Index, Memory, Run, Value, cast, const, extern, index, wrapped
from ..contract import Contraction
from ..layout import Layout
from ..machine import Dot, Machine
from ..scope import Place, Scope, rows_follow
from ..widths import WIDTHS
from .frame import Written, axes, tile_begin, written
from .products import Frame

WHOLE = ((2, 2), (1, 4))
"""Positions and filters of the tiles that functions of the target sum."""


def product(machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout) -> Written:
    """Write a product of known weights, with the operations from it up to ``end``."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        kind(c, layouts[c.node.inputs[0]])(scope, c, end, out, memory).write()

    return written(machine, layouts, out, build, flats(c, out))


def flats(c: Contraction, out: Layout) -> tuple[int, ...]:
    """Say how many axes of a result can have an index of their own: the channels, or all."""
    return (1, 99) if len(c.space) > 1 and rows_follow(out) else (99,)


def kind(c: Contraction, x: Layout) -> "type[Columns]":
    """Choose how the sums of a product are computed."""
    if _quads(c, x):
        return Quads
    if c.dot is Dot.DUAL:
        return Pairs
    bytes_only = c.dot is Dot.WIDE and WIDTHS[x.dtype] == 8 and weights_fit(c.node, 8)
    return Bytes if bytes_only and (prod(c.space) > 1 or c.filters // c.groups >= 4) else Columns


def _quads(c: Contraction, x: Layout) -> bool:
    """Whether operand and weights are bytes that can be read four at a time."""
    if c.dot is not Dot.DUAL or WIDTHS[x.dtype] != 8 or (c.channels // c.groups) % 4:
        return False
    return not any(s % 4 for s in (x.offset, *x.strides[:-1])) and weights_fit(c.node, 8)


def weights_fit(node: Node, bits: int) -> bool:
    """Whether the centred weights of a product are integers of ``bits`` bits."""
    low, high = node.inputs[1].type.interval
    return -(1 << bits - 1) <= int(low.min()) and int(high.max()) < 1 << bits - 1


def widening(x: Layout) -> str:
    """Name the function that widens two of four bytes; with _8 behind it the other two."""
    return "gw_uxtb16" if x.dtype == "uint8" else "gw_sxtb16"


def pair_of(number: int) -> Value:
    """Give a word with a number of 16 bits in both halves."""
    half = number & 0xFFFF
    return const(wrapped(half << 16 | half, "int32"))


class Columns(Frame):
    """Any numbers: one product after the other."""

    step = 1
    """Products that one step of the sum does, of each position and filter."""

    def __init__(self, scope: Scope, c: Contraction, end: Node, out: Layout, memory: Memory) -> None:
        super().__init__(scope, c, end, out, memory)
        self.per_group, self.filters = c.channels // c.groups, c.filters // c.groups
        self.depth = c.taps * self.per_group
        self.steps_of_sum = -(-self.depth // self.step)
        self.positions = prod(c.space)
        self.across = min(2, self.positions)
        self.together = min(2 if self.across > 1 else 4, self.filters)
        self.first = scope.table(self.beginnings(), self.dtype)
        self.packed = self.pack()
        self.make_room()

    # What differs by kind

    @property
    def room(self) -> int:
        """Steps that a column has room for."""
        return self.steps_of_sum

    def beginnings(self) -> NDArray:
        """Give what the sums of the filters begin with."""
        return self.start

    def make_room(self) -> None:
        """Ask for the memory of the columns."""
        self.source = self.scope.view(self.c.node.inputs[0], self.x.dtype)
        (self.column,) = self.scope.scratch(self.room * self.across, self.x.dtype)

    def pack(self) -> Memory:
        """Put the weights in the order in which they are read: [tile][step][filter]."""
        return self.scope.table(self.tiled(self.weights), self.weight_type)

    def put(self, k: Value, p: int, value: Value) -> None:
        """Write element ``k`` of the column of position ``p``."""
        self.code.store(self.column, k * self.across + p, value)

    def copy(self, k: Value, p: int, at: Value) -> None:
        """Copy the channels of one cell."""
        with self.code.loop(self.per_group) as i:
            self.put(k + i, p, self.source.load(at + i))

    def blank(self, k: Value, p: int) -> None:
        """Write the channels of a cell outside of the operand."""
        with self.code.loop(self.per_group) as i:
            self.put(k + i, p, const(self.zero, self.x.dtype))

    def filled(self) -> None:
        """Do what has to be done with whole columns."""

    def operands(self, step: Value, p: int) -> list[Value]:
        """Read what a step multiplies, of one position."""
        return [self.code.let(cast(self.column.load(step * self.across + p), self.dtype))]

    def factors(self, at: Value) -> list[Value]:
        """Read what a step multiplies with, of one filter."""
        return [self.code.let(cast(self.packed.load(at), self.dtype))]

    def add(self, total: Value, x: Value, w: Value) -> Value:
        """Add a product."""
        return total + x * w

    # What does not

    def tiled(self, weights: NDArray, group: int = 1) -> NDArray:
        """Give weights [taps * channels, filters] as [group][tile][step][filter][step's products]; zeros fill up."""
        c = self.c
        taps = weights.reshape(c.taps, self.per_group, c.groups, self.filters)
        w = taps.transpose(2, 0, 1, 3).reshape(c.groups, self.depth, self.filters)
        w = np.concatenate([w, np.zeros((c.groups, -self.depth % group, self.filters), w.dtype)], 1)
        packed = w.reshape(c.groups, -1, group, self.filters).transpose(0, 1, 3, 2)
        begins = range(0, self.filters, self.together)
        return np.concatenate([
            packed[g, :, f : f + self.together].ravel() for g in range(c.groups) for f in begins
        ])  # fmt: skip

    def write(self) -> None:
        """Write the kernel."""
        c, code = self.c, self.code
        tiles = -(-self.positions // self.across)
        with self.scope.outer(tiles, split=False) as t:
            begin = tile_begin(code, t, self.across, self.positions)
            spots = [code.let(begin + p) for p in range(self.across)]
            with code.loop(c.groups) as g:
                for p, spot in enumerate(spots):
                    self.fill(spot, g, p)
                self.filled()
                whole, rest = divmod(self.filters, self.together)
                if whole:
                    with code.loop(whole) as f:
                        self.tile(spots, g, f, self.together)
                if rest:
                    self.tile(spots, g, index(whole), rest)

    def fill(self, spot: Value, g: Value, p: int) -> None:
        """Fill the column of a position: the channels of every tap, one tap after the other."""
        c, code = self.c, self.code
        own = self.x.strides[:-1] if len(self.x.strides) > 1 else (0,)
        if self.straight:
            self.copy(index(0), p, code.let(spot * own[-1] + self.x.offset + g * self.per_group))
            return
        corner = self.corner(spot)
        with axes(code, c.kernel if c.taps > 1 else ()) as turning:
            taps = [k for k in turning if isinstance(k, Value)] or [index(0)] * len(corner)
            cells = [i + k * d for i, k, d in zip(corner, taps, c.dilation, strict=True)]
            tap, at = index(0), g * self.per_group + self.x.offset
            for k, n, cell, stride in zip(taps, c.kernel, cells, own, strict=True):
                tap, at = tap * n + k, at + cell * stride
            self.cell(cells, code.let(tap * self.per_group), p, at)

    def corner(self, spot: Value) -> list[Value]:
        """Give the index of the first cell of a position's window along every axis."""
        c, code = self.c, self.code
        return [
            code.let(o * s - before) if s != 1 or before else o
            for o, s, (before, _) in zip(self.coordinates(spot), c.strides, c.padding, strict=True)
        ]

    def cell(self, cells: Sequence[Value], k0: Value, p: int, at: Value) -> None:
        """Copy the channels of a cell, which stands at ``at``, or what is zero where it lies outside of the operand."""
        code = self.code
        if (inside := self.inside(cells)) is None:
            self.copy(k0, p, code.let(at))
            return
        with code.when(inside):
            self.copy(k0, p, code.let(at))
        with code.when(~inside):
            self.blank(k0, p)

    @cached_property
    def straight(self) -> bool:
        """Whether the position says where the operand's channels stand."""
        c = self.c
        plain = c.taps == 1 and all(s == 1 for s in c.strides) and not any(map(any, c.padding))
        return plain and rows_follow(self.x)

    def coordinates(self, spot: Value) -> list[Value]:
        """Give the index of a position along every axis."""
        found, rest = [], spot
        for n in reversed(self.c.space[1:]):
            found.append(self.code.let(rest % n))
            rest = self.code.let(rest // n)
        return [rest, *reversed(found)]

    def inside(self, cells: Sequence[Value], neighbours: int = 1) -> Value | None:
        """Say whether a cell, with its neighbours along the last axis, is one of the operand's; None where all are."""
        c, found = self.c, None
        shape = c.node.inputs[0].shape[:-1] or (1,)
        for a, (cell, length) in enumerate(zip(cells, shape, strict=True)):
            before = c.padding[a][0]
            last = (c.space[a] - 1) * c.strides[a] - before + (c.kernel[a] - 1) * c.dilation[a]
            most = length - (neighbours - 1 if a == len(shape) - 1 else 0)
            for condition in ([cell >= 0] if before else []) + ([cell < most] if last >= length else []):
                found = condition if found is None else found & condition
        return found

    def tile(self, spots: Sequence[Value], g: Value, f: Value, together: int) -> None:
        """Sum some filters over the columns, and hand the sums on. ``f``: the number of the tile in the group."""
        code = self.code
        channel = code.let(g * self.filters + f * self.together)
        starts = [code.let(self.first.load(channel + n)) for n in range(together)]
        for n, row in enumerate(self.sums(g, f, channel, starts)):
            for spot, total in zip(spots, row, strict=True):
                self.finish(self.spot_place(spot, channel + n), total)

    def sums(self, g: Value, f: Value, channel: Value, starts: Sequence[Value]) -> list[list[Value]]:
        """Give the sums of each filter of a tile, the first of which is ``channel``, at each position."""
        return self.summed(self.across, starts, self.code.let(channel * self.steps_of_sum))

    def summed(self, across: int, starts: Sequence[Value], begin: Value) -> list[list[Value]]:
        """Give the sums of each filter, of which ``starts`` are the beginnings, at each position."""
        code, together = self.code, len(starts)
        sums = [[code.local(self.dtype, 1, "sum") for _ in range(across)] for _ in starts]
        for row, start in zip(sums, starts, strict=True):
            for total in row:
                code.store(total, 0, start)
        with code.loop(self.steps_of_sum) as step:
            xs = [self.operands(step, p) for p in range(across)]
            for n, row in enumerate(sums):
                ws = self.factors(begin + (step * together + n))
                for total, x in zip(row, xs, strict=True):
                    value = total.load(0)
                    for a, b in zip(x, ws, strict=True):
                        value = self.add(value, a, b)
                    code.store(total, 0, value)
        return [[code.let(total.load(0)) for total in row] for row in sums]

    def whole_tile(
        self, name: str, across: int, starts: Sequence[Value], begin: Value, less: Sequence[Value] = ()
    ) -> list[list[Value]]:
        """Let a function of the target sum a whole tile; ``less`` is taken off the starts of each position."""
        code, together = self.code, len(starts)
        sums = code.local("int32", 4, "sums")
        for p in range(across):
            for n, start in enumerate(starts):
                code.store(sums, p * together + n, start - less[p] if less else start)
        operands = (self.column, self.packed, begin, index(self.steps_of_sum), sums)
        code.add(Run(f"{name}_{across}x{together}", operands))
        return [[code.let(sums.load(p * together + n)) for p in range(across)] for n in range(together)]

    def spot_place(self, spot: Value, channel: Index) -> Place:
        """Give the index of a result."""
        *lead, last = [spot] if self.merged else self.coordinates(spot)
        return self.place(lead, last, channel)


class Bytes(Columns):
    """Bytes on cores that multiply one at a time: columns of words, and weights without a sign.

    All of it can be read with a small offset and no widening, and two words at once (Armv6-M has no more).
    """

    OFFSET = 128
    """What is added to a weight."""

    def make_room(self) -> None:
        """Ask for the columns, and for their sums: [position]."""
        self.source = self.scope.view(self.c.node.inputs[0], self.x.dtype)
        (self.column,) = self.scope.scratch(self.steps_of_sum * self.across, "int32")
        self.totals = self.code.local("int32", self.across, "totals")

    def pack(self) -> Memory:
        """Put the weights in the order in which they are read: [tile][step][filter]."""
        return self.scope.table(self.tiled(self.weights) + self.OFFSET, "uint8")

    def filled(self) -> None:
        """Sum the columns: what the offset of the weights adds."""
        code = self.code
        for p in range(self.across):
            code.store(self.totals, p, const(0))
        with code.loop(self.steps_of_sum) as k:
            for p in range(self.across):
                code.store(self.totals, p, self.totals.load(p) + self.column.load(k * self.across + p))

    def summed(self, across: int, starts: Sequence[Value], begin: Value) -> list[list[Value]]:
        """Whole tiles have functions of their own."""
        code = self.code
        less = [code.let(self.totals.load(p) * self.OFFSET) for p in range(across)]
        if (across, len(starts)) in WHOLE:
            return self.whole_tile("gw_bytes", across, starts, begin, less)
        found = super().summed(across, starts, begin)
        return [[code.let(total - less[p]) for p, total in enumerate(row)] for row in found]


class Pairs(Columns):
    """Integers of up to 16 bits, two products at once; weights with 16 bits."""

    step = 2

    def make_room(self) -> None:
        """Ask for the columns, as words and as their halves."""
        self.source = self.scope.view(self.c.node.inputs[0], self.x.dtype)
        self.column, self.halves = self.scope.scratch(self.room * self.across, "int32", "int16")

    def pack(self) -> Memory:
        """Put two weights into a word."""
        return self.scope.table(self.tiled(self.weights, 2).astype(np.int16).view(np.int32), "int32")

    def put(self, k: Value, p: int, value: Value) -> None:
        """Write a half of a word."""
        self.code.store(self.halves, k + 2 * self.room * p, value)

    def factors(self, at: Value) -> list[Value]:
        """Read two weights."""
        return [self.code.let(self.packed.load(at))]

    def operands(self, step: Value, p: int) -> list[Value]:
        """Read two elements."""
        return [self.code.let(self.column.load(step + self.room * p))]

    def add(self, total: Value, x: Value, w: Value) -> Value:
        """Add two products."""
        return extern("gw_smlad", x, w, total)


class Quads(Pairs):
    """Bytes, four at a time: elements 0 and 2 of them in one word, 1 and 3 in another."""

    step = 4

    def make_room(self) -> None:
        """Ask for the columns: two words for four elements, each beside that of the other position."""
        (self.column,) = self.scope.scratch(2 * self.steps_of_sum * self.across, "int32")
        self.source = self.scope.view(self.c.node.inputs[0], "int32")
        self.widen = widening(self.x)

    def pack(self) -> Memory:
        """Put four weights into a word."""
        return self.scope.table(self.tiled(self.weights, 4).astype(np.int8).view(np.int32), "int32")

    def copy(self, k: Value, p: int, at: Value) -> None:
        """Widen the channels of one cell, four at a time."""
        code = self.code
        first, word = code.let(k // 4), code.let(at // 4)
        with code.loop(self.per_group // 4) as i:
            four = code.let(self.source.load(word + i))
            place = code.let((first + i) * (2 * self.across) + p)
            code.store(self.column, place, extern(self.widen, four))
            code.store(self.column, place + self.across, extern(f"{self.widen}_8", four))

    def blank(self, k: Value, p: int) -> None:
        """Write four channels of a cell outside of the operand at once."""
        code, word = self.code, pair_of(self.zero)
        first = code.let(k // 4)
        with code.loop(self.per_group // 4) as i:
            for half in range(2):
                code.store(self.column, (first + i) * (2 * self.across) + (half * self.across + p), word)

    def operands(self, step: Value, p: int) -> list[Value]:
        """Read four elements."""
        return [self.code.let(self.column.load((step * 2 + half) * self.across + p)) for half in range(2)]

    def factors(self, at: Value) -> list[Value]:
        """Read four weights, and widen them."""
        four = self.code.let(self.packed.load(at))
        return [self.code.let(extern("gw_sxtb16", four)), self.code.let(extern("gw_sxtb16_8", four))]

    def summed(self, across: int, starts: Sequence[Value], begin: Value) -> list[list[Value]]:
        """Whole tiles have functions of their own: compilers spill sums where they order the instructions."""
        if (across, len(starts)) in WHOLE:
            return self.whole_tile("gw_dot", across, starts, begin)
        return super().summed(across, starts, begin)
