"""Depthwise products on Helium: vectors of channels, from rows of the operand in a ring.

Products of bytes are summed two by two in 16 bits, 16 channels at a time (VMULL), and then in 32; other numbers in 32
bits, four channels at a time.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ....graph import Node
from ....graph.arrays import NDArray
from ..code import Index, Memory, Run, Value, cast, const, index
from ..contract import Contraction
from ..helium import LANES
from ..layout import Layout
from ..machine import Machine
from .columns import weights_fit
from .frame import Written, along, axes, pieces, tile_begin
from .ring import LARGEST, Depthwise, Ring
from .ring import depthwise as written

BLOCK = 16
"""Channels of a vector of bytes."""
WORTH = 12
"""Channels that take as many instructions four at a time as a vector of bytes does (KWS, VWW)."""
PAIR = 255
"""What two weights may be together, without their signs, so that their products with bytes fit 16 bits."""


def depthwise(machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout) -> Written:
    """Write a product with one filter a channel, with the operations from it up to ``end``."""
    bytes_only = layouts[c.node.inputs[0]].dtype == "int8" and weights_fit(c.node, 8)
    full = c.channels >= BLOCK and -(-c.channels // BLOCK) * WORTH <= c.channels
    kinds: list[type[Depthwise]] = [_Blocks] if bytes_only and full else []
    possible = c.channels >= LANES and len(c.space) <= 2
    return written(machine, layouts, c, end, out, [*kinds, _Lanes] if possible else [])


class _Lanes(Ring):
    """Vectors of four channels; weights are read once for two positions."""

    @property
    def across(self) -> int:  # type: ignore[override]
        """Positions that are computed at once."""
        return min(2, self.columns)

    def copy(self, at: Value, row: Value, cells: int) -> None:
        """Copy the first cells of a row."""
        begin = self.code.let(row * self.row_step + self.x.offset)
        if self.cell_step == self.cell:
            self.move(at, begin, cells * self.cell)
            return
        with axes(self.code, (cells,)) as (i,):
            assert isinstance(i, Value)
            self.move(at + i * self.cell, begin + i * self.cell_step, self.cell)

    def move(self, at: Value, begin: Value, length: int) -> None:
        """Copy what stands in a row."""
        for lanes, i in pieces(self.code, length, self.x.dtype, self.ring.dtype):
            self.code.store(self.ring, at + i, self.source.load(begin + i, lanes))

    def blank(self, at: Value, cells: int) -> None:
        """Write cells that lie outside of the operand."""
        for lanes, i in pieces(self.code, cells * self.cell, self.ring.dtype, self.ring.dtype) if cells else ():
            self.code.store(self.ring, at + i, const(self.zero, self.ring.dtype, lanes))

    def row(self, r: Value, bases: Sequence[Value]) -> None:
        """Compute a row of the result; ``bases``: where the rows of its windows begin in the ring."""
        code, lead = self.code, [r] if len(self.c.space) == 2 else []
        with code.loop(-(-self.columns // self.across)) as tile:
            j = tile_begin(code, tile, self.across, self.columns)
            at = code.let(j * (self.strides[1] * self.cell))
            self.channels(lead, j, [code.let(b + at) for b in bases])

    def channels(self, lead: Sequence[Value], j: Value, bases: Sequence[Value]) -> None:
        """Compute all channels at the positions from ``j`` on; ``bases`` are the rows of its window."""
        for q in along(self.code, self.c.channels, LANES):
            for p, total in enumerate(self.vectors(bases, q)):
                self.finish(self.place(lead, j + p, q), total)

    def vectors(self, bases: Sequence[Value], q: Index) -> list[Value]:
        """Give the sums of some channels at each position."""
        code = self.code
        totals = [code.let(self.first.load(q))] * self.across
        for tap, (k, m) in enumerate(np.ndindex(*self.kernel)):
            w = code.let(cast(self.packed.load(q + tap * self.c.channels), self.dtype))
            for p in range(self.across):
                away = (m * self.dilation[1] + p * self.strides[1]) * self.cell
                x = cast(self.ring.load(q + (bases[k] + away)), self.dtype)
                totals[p] = code.let(totals[p] + x * w)
        return totals


class _Blocks(_Lanes):
    """Bytes, 16 channels at a time; the last ones overlap those before them."""

    across = 1
    """Positions that are computed at once."""

    @property
    def bytes(self) -> int:
        """Memory of the ring; more than there is where two products do not fit 16 bits."""
        return super().bytes if self.fits else LARGEST + 1

    @property
    def fits(self) -> bool:
        """Whether the sums of two products, as they are taken, fit 16 bits."""
        sizes = np.abs(self.in_order())
        two = self.kernel[0] // 2 * self.kernel[1] + self.kernel[0] % 2 * (self.kernel[1] // 2)
        return bool((sizes[: 2 * two : 2] + sizes[1 : 2 * two : 2] <= PAIR).all())

    def in_order(self) -> NDArray:
        """Give the weights [taps, channels] as they are read: two rows, column by column, then the last row."""
        w = self.weights.reshape(*self.kernel, -1)
        two = self.kernel[0] // 2 * 2
        pairs = w[:two].reshape(-1, 2, *w.shape[1:]).transpose(0, 2, 1, 3)
        return np.concatenate([pairs.reshape(-1, w.shape[-1]), w[two:].reshape(-1, w.shape[-1])])

    def make_room(self) -> None:
        """Ask for the ring; lay out weights [block][tap][channel]."""
        channels, w = self.c.channels, self.in_order()
        self.source = self.scope.view(self.c.node.inputs[0], self.x.dtype)
        (self.ring,) = self.scope.scratch(self.slots * self.cells * channels, self.x.dtype)
        begins = [*range(0, channels - BLOCK + 1, BLOCK), *([channels - BLOCK] if channels % BLOCK else [])]
        self.packed = self.scope.table(np.stack([w[:, b : b + BLOCK] for b in begins]).ravel(), "int8")

    def channels(self, lead: Sequence[Value], j: Value, bases: Sequence[Value]) -> None:
        """Compute all channels at a position; ``bases`` are the rows of its window."""
        code, (whole, rest) = self.code, divmod(self.c.channels, BLOCK)
        rows = code.local("int32", len(bases), "rows")
        for k, base in enumerate(bases):
            code.store(rows, k, base)
        with code.loop(whole) as b:
            self.block(lead, j, rows, code.let(b * BLOCK), b)
        if rest:
            self.block(lead, j, rows, index(self.c.channels - BLOCK), index(whole))

    def block(self, lead: Sequence[Value], j: Value, rows: Memory, first: Value, number: Value) -> None:
        """Compute the channels from ``first`` on, whose weights have a number."""
        code, (down, columns) = self.code, self.kernel
        sums = code.local("int32", BLOCK, "sums")
        window = index(down), index(columns), index(self.dilation[1] * self.cell)
        weights = self.packed, number * (down * columns * BLOCK)
        code.add(Run("gw_windows", (self.ring, rows, first, *window, *weights, self.first, first, sums)))
        for q in along(code, BLOCK, LANES):
            self.finish(self.place(lead, j, q + first), code.let(sums.load(q)))
