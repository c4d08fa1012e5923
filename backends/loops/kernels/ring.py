"""Depthwise products on cores without vectors: as many rows of the operand as a window is high stand in a ring.

A row is copied once, with zeros around it, and serves every window that covers it. On cores with SMLAD it is widened to
16 bits on the way; two rows of a window are joined, so that each instruction sums two products of one channel.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ....graph import Node
from ....graph.arrays import NDArray
from ..code import Memory, Run, Value, cast, const, extern, index, maximum, select
from ..contract import Contraction
from ..layout import Layout
from ..machine import Dot, Machine
from ..scope import Scope
from ..widths import WIDTHS
from .columns import pair_of, weights_fit, widening
from .frame import Written, axes, tile_begin, written
from .products import Frame

LARGEST = 16 << 10
"""Bytes of a ring above which windows are looked at in the operand itself."""


def depthwise(
    machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout,
    vectors: "Sequence[type[Depthwise]]" = (),
) -> Written:
    """Write a product with one filter a channel, with the operations from it up to ``end``.

    ``vectors``: how it is written where what follows has several lanes; the first whose memory is not too large.
    """

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        ways = [*(vectors if lanes > 1 else ()), *kinds(c, layouts[c.node.inputs[0]])]
        found = (way(scope, c, end, out, memory) for way in ways)
        next(k for k in found if k.bytes <= LARGEST).write()

    return written(machine, layouts, out, build, (99,))


def kinds(c: Contraction, x: Layout) -> "list[type[Depthwise]]":
    """List the ways to compute a product with one filter a channel, the best first."""
    if len(c.space) > 2:
        return [Windows]
    return [Quads, Ring, Windows] if _quads(c, x) else [Ring, Windows]


def _quads(c: Contraction, x: Layout) -> bool:
    """Whether the operand is bytes whose channels can be read four at a time, cells following each other."""
    if c.dot is not Dot.DUAL or WIDTHS[x.dtype] != 8 or c.channels % 4 or not weights_fit(c.node, 16):
        return False
    return x.offset % 4 == 0 and x.strides[-2] == c.channels and not any(s % 4 for s in x.strides[:-1])


class Depthwise(Frame):
    """What the kinds share."""

    def __init__(self, scope: Scope, c: Contraction, end: Node, out: Layout, memory: Memory) -> None:
        super().__init__(scope, c, end, out, memory)
        self.shape = c.node.inputs[0].shape[:-1]

    @property
    def bytes(self) -> int:
        """Memory that the kernel needs of its own."""
        return 0

    def write(self) -> None:
        """Write the kernel."""
        raise NotImplementedError


class Windows(Depthwise):
    """Every window in the operand itself; each tap is asked whether it lies outside."""

    def write(self) -> None:
        """Write the kernel."""
        c, code, scope = self.c, self.code, self.scope
        source = scope.view(c.node.inputs[0], self.x.dtype)
        weights, first = scope.table(self.weights, self.weight_type), scope.table(self.start, self.dtype)
        total = code.local(self.dtype, 1, "sum")
        with axes(code, (*c.space, c.channels)) as at:
            *spot, channel = (i for i in at if isinstance(i, Value))
            code.store(total, 0, first.load(channel))
            with axes(code, c.kernel) as turning:
                taps = [k for k in turning if isinstance(k, Value)]
                cells = [
                    code.let(o * s - before + k * d)
                    for o, k, s, d, (before, _) in zip(spot, taps, c.strides, c.dilation, c.padding, strict=True)
                ]
                where, tap, inside = channel + self.x.offset, index(0), (cells[0] >= 0) & (cells[0] < self.shape[0])
                for k, n, cell, stride in zip(taps, c.kernel, cells, self.x.strides, strict=False):
                    where, tap = where + cell * stride, tap * n + k
                for cell, length in zip(cells[1:], self.shape[1:], strict=True):
                    inside = inside & (cell >= 0) & (cell < length)
                w = code.let(cast(weights.load(code.let(tap * c.channels + channel)), self.dtype))
                with code.when(inside):
                    code.store(total, 0, total.load(0) + cast(source.load(where), self.dtype) * w)
                if self.zero:
                    with code.when(~inside):
                        code.store(total, 0, total.load(0) + w * self.zero)
            self.finish(self.place(spot[:-1], spot[-1], channel), code.let(total.load(0)))


class Ring(Depthwise):
    """Rows as they are, one channel after the other."""

    together = 1
    """Channels that are read at once."""
    across = 1
    """Positions of a row that are computed at once."""

    def __init__(self, scope: Scope, c: Contraction, end: Node, out: Layout, memory: Memory) -> None:
        super().__init__(scope, c, end, out, memory)
        one = len(c.space) == 1
        self.kernel = (1, *c.kernel) if one else c.kernel
        self.strides = (1, *c.strides) if one else c.strides
        self.dilation = (1, *c.dilation) if one else c.dilation
        self.before = (0, c.padding[0][0]) if one else tuple(b for b, _ in c.padding)
        self.rows, self.columns = (1, *c.space) if one else c.space
        self.height, self.width = (1, *self.shape) if one else self.shape
        self.slots = (self.kernel[0] - 1) * self.dilation[0] + 1
        self.cells = (self.columns - 1) * self.strides[1] + (self.kernel[1] - 1) * self.dilation[1] + 1
        self.cell = c.channels // self.together

    @property
    def bytes(self) -> int:
        """Memory of the ring."""
        return self.slots * self.cells * self.c.channels * WIDTHS[self.x.dtype] // 8

    def make_room(self) -> None:
        """Ask for the ring, weights, and where sums begin."""
        self.source = self.scope.view(self.c.node.inputs[0], self.x.dtype)
        (self.ring,) = self.scope.scratch(self.slots * self.cells * self.c.channels, self.x.dtype)
        self.packed = self.pack()

    def pack(self) -> Memory:
        """Put the weights in the order in which they are read."""
        return self.scope.table(self.weights, self.weight_type)

    def write(self) -> None:
        """Write the kernel."""
        code = self.code
        self.make_room()
        self.first = self.scope.table(self.start, self.dtype)
        own = self.x.strides if len(self.shape) == 2 else (0, *self.x.strides)
        self.row_step, self.cell_step = own[0], own[1]
        with code.loop(self.rows) as r:
            top = code.let(r * self.strides[0])  # counted from the first row of the padding
            fresh = code.let(maximum(top, top - self.strides[0] + self.slots)) if self.rows > 1 else top
            begin = code.let(select(r.equals(0), top, fresh)) if self.rows > 1 else top
            with code.loop(top + self.slots - begin, begin) as row:
                self.fill(code.let(row))
            bases = [
                code.let((top + k * self.dilation[0]) % self.slots * (self.cells * self.cell))
                for k in range(self.kernel[0])
            ]
            self.row(r, bases)

    def row(self, r: Value, bases: Sequence[Value]) -> None:
        """Compute a row of the result; ``bases``: where the rows of its windows begin in the ring."""
        code = self.code
        with code.loop(-(-self.columns // self.across)) as tile:
            j = tile_begin(code, tile, self.across, self.columns)
            at = code.let(j * (self.strides[1] * self.cell))
            with code.loop(self.cell) as q:
                self.cells_of(r, j, q, [code.let(b + at + q) for b in bases])

    def cells_of(self, r: Value, j: Value, q: Value, bases: Sequence[Value]) -> None:
        """Compute the channels that are read at once, at the positions that are."""
        for n, p, total in self.sums(bases, q):
            channel = self.code.let(q * self.together + n) if self.together > 1 else q
            lead = [r] if len(self.c.space) == 2 else []
            self.finish(self.place(lead, j + p, channel), total)

    def weight(self, q: Value, tap: int) -> Value:
        """Read a weight."""
        return self.packed.load(q + tap * self.c.channels)

    def fill(self, row: Value) -> None:
        """Copy a row, which is counted from the first one of the padding, into its place in the ring."""
        code = self.code
        at = code.let(row % self.slots * (self.cells * self.cell))
        left = self.before[1]
        middle = min(self.width, self.cells - left)
        actual = code.let(row - self.before[0]) if self.before[0] else row
        padded = bool(self.before[0]) or (self.rows - 1) * self.strides[0] + self.slots - self.before[0] > self.height

        def copy() -> None:
            self.blank(at, left)
            self.copy(code.let(at + left * self.cell), actual, middle)
            self.blank(code.let(at + (left + middle) * self.cell), self.cells - left - middle)

        if not padded:
            copy()
            return
        inside = (actual >= 0) & (actual < self.height)
        with code.when(inside):
            copy()
        with code.when(~inside):
            self.blank(at, self.cells)

    def blank(self, at: Value, cells: int) -> None:
        """Write cells that lie outside of the operand."""
        if cells:
            with self.code.loop(cells * self.cell) as i:
                self.code.store(self.ring, at + i, const(self.zero, self.ring.dtype))

    def copy(self, at: Value, row: Value, cells: int) -> None:
        """Copy the first cells of a row."""
        code, begin = self.code, self.code.let(row * self.row_step + self.x.offset)
        with axes(code, (cells, self.cell)) as (i, k):
            assert isinstance(i, Value)
            assert isinstance(k, Value)
            code.store(self.ring, at + i * self.cell + k, self.source.load(begin + i * self.cell_step + k))

    def sums(self, bases: Sequence[Value], q: Value) -> Iterator[tuple[int, int, Value]]:
        """Give the sums of the channels that are read at once, at the positions that are: each with its numbers.

        ``bases`` are the rows of the first position's window, at those channels.
        """
        total = self.code.let(self.first.load(q))
        for tap, (k, m) in enumerate(np.ndindex(*self.kernel)):
            x = cast(self.ring.load(bases[k] + m * self.dilation[1] * self.cell), self.dtype)
            w = cast(self.weight(q, tap), self.dtype)
            total = self.code.let(total + x * w)
        yield 0, 0, total


class Quads(Ring):
    """Bytes, four channels at a time: channels 0 and 2 in one word of the ring, 1 and 3 in the next one."""

    together = 4

    @property
    def bytes(self) -> int:
        """Memory of the ring."""
        return 2 * self.slots * self.cells * self.c.channels

    def make_room(self) -> None:
        """Ask for the ring; weights stand as they are multiplied, for each four channels."""
        self.source = self.scope.view(self.c.node.inputs[0], "int32")
        (self.ring,) = self.scope.scratch(2 * self.slots * self.cells * self.cell, "int32")
        self.widen = widening(self.x)
        self.packed = self.pack()

    def pack(self) -> Memory:
        """Put the weights in the order in which they are read, two to a word."""
        return self.scope.table(self.arranged(self.weights).astype(np.int16).view(np.int32), "int32")

    def arranged(self, weights: NDArray) -> NDArray:
        """Give the weights as they are multiplied: [four channels, half, words, 2 of 16 bits].

        Of two rows, for each column, a word with those of the half's first channel, and one of its second; of the last
        row of an odd number a word with those of both channels.
        """
        w = weights.reshape(*self.kernel, self.cell, 2, 2)  # the last: [channel // 2, half]
        w = w.transpose(2, 4, 0, 1, 3)  # [four channels, half, row, column, channel]
        down, across = self.kernel
        parts = [
            w[:, :, k : k + 2].transpose(0, 1, 3, 4, 2).reshape(self.cell, 2, 2 * across, 2)
            for k in range(0, down - 1, 2)
        ]
        if down % 2:
            parts.append(w[:, :, -1])
        return np.ascontiguousarray(np.concatenate(parts, axis=2))

    def blank(self, at: Value, cells: int) -> None:
        """Write cells that lie outside of the operand."""
        if cells:
            with self.code.loop(cells * self.cell * 2) as i:
                self.code.store(self.ring, at * 2 + i, pair_of(self.zero))

    def copy(self, at: Value, row: Value, cells: int) -> None:
        """Widen the first cells of a row: they follow each other."""
        code, begin = self.code, self.code.let((row * self.row_step + self.x.offset) // 4)
        with code.loop(cells * self.cell) as i:
            four = code.let(self.source.load(begin + i))
            place = code.let((at + i) * 2)
            code.store(self.ring, place, extern(self.widen, four))
            code.store(self.ring, place + 1, extern(f"{self.widen}_8", four))

    @property
    def across(self) -> int:  # type: ignore[override]
        """Two positions share the columns that both windows cover."""
        return 2 if self.columns > 1 and self.dilation[1] == 1 else 1

    @property
    def words(self) -> int:
        """Words of weights of two channels."""
        down, across = self.kernel
        return (down // 2 * 2 + down % 2) * across

    def weights_of(self, q: Value, half: int) -> tuple[Memory, Value]:
        """Say where the weights of two of four channels begin."""
        return self.packed, self.code.let((q * 2 + half) * self.words)

    def sums(self, bases: Sequence[Value], q: Value) -> Iterator[tuple[int, int, Value]]:
        """Two channels after the other two; two rows at once, and the last one of an odd number by itself.

        The functions keep their order: compilers spill sums where they mix the instructions of several.
        """
        code, (down, columns) = self.code, self.kernel
        window = [index(self.dilation[1] * self.cell * 2), index(columns)]
        twice = "_twice" if self.across == 2 else ""
        window += [index(self.strides[1])] if twice else []
        for half in range(2):
            sums = code.local("int32", 2 * self.across, "sums")
            starts = [code.let(self.first.load(q * 4 + (2 * n + half))) for n in range(2)]
            for i in range(2 * self.across):
                code.store(sums, i, starts[i % 2])
            weights, at = self.weights_of(q, half)
            rows = [code.let(b * 2 + half) for b in bases]
            operands: tuple[Value | Memory, ...]
            for k in range(0, down - 1, 2):
                operands = (self.ring, *rows[k : k + 2], weights, at + k * columns, *window, sums)
                code.add(Run(f"gw_rows_2{twice}", operands))
            if down % 2:
                operands = (self.ring, rows[-1], weights, at + (down - 1) * columns, *window, sums)
                code.add(Run(f"gw_rows_1{twice}", operands))
            for n in range(2):
                for p in range(self.across):
                    yield 2 * n + half, p, code.let(sums.load(2 * p + n))
