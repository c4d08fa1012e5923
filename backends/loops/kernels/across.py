"""Products on Helium: columns as on other cores without wide vectors, multiplied a vector at a time.

One instruction (VMLADAVA) sums 16 products of bytes, or 8 of 16 bits, into a register. Two positions times two filters
are summed side by side, four filters one pair after the other; their sums change scale as one vector. What a column has
beyond its last element is multiplied by weights of zero.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ....graph import Node
from ..code import Lanes, Memory, Run, Value, const, index
from ..contract import Contraction
from ..layout import Layout
from ..machine import Machine
from ..scope import Scope
from .columns import Columns, flats, weights_fit
from .frame import Written, axes, pieces, written

TOGETHER = 4
"""Filters whose sums make one vector."""


def product(machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout) -> Written:
    """Write a product of known weights, with the operations from it up to ``end``."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        _Across(scope, c, end, out, memory, lanes).write()

    return written(machine, layouts, out, build, flats(c, out))


class _Across(Columns):
    """Bytes, or integers of 16 bits. ``lanes``: of what is done with the sums."""

    def __init__(self, scope: Scope, c: Contraction, end: Node, out: Layout, memory: Memory, lanes: int) -> None:
        x = scope.layouts[c.node.inputs[0]]
        self.bits = 8 if x.dtype == "int8" and weights_fit(c.node, 8) else 16
        self.step = 128 // self.bits
        super().__init__(scope, c, end, out, memory)
        self.lanes, self.together = lanes, min(TOGETHER, self.filters)

    @property
    def length(self) -> int:
        """Elements of a column."""
        return self.steps_of_sum * self.step

    @property
    def padded(self) -> int:
        """Filters of a group, in whole vectors."""
        return -(-self.filters // TOGETHER) * TOGETHER

    def make_room(self) -> None:
        """Ask for the columns, one behind the other, and lay out where sums begin."""
        self.source = self.scope.view(self.c.node.inputs[0], self.x.dtype)
        (self.column,) = self.scope.scratch(self.length * self.across, f"int{self.bits}")
        starts = np.zeros((self.c.groups, self.padded), np.int64)
        starts[:, : self.filters] = self.start.reshape(self.c.groups, self.filters)
        self.first = self.scope.table(starts.ravel(), "int32")

    def pack(self) -> Memory:
        """Put the weights in the order in which they are read: [group][filters / n][step][n][lane].

        n is 2 where two positions are summed at once, else 4.
        """
        c, n = self.c, 2 if self.across == 2 else TOGETHER
        w = np.zeros((c.groups, self.padded, self.length), np.int64)
        taps = self.weights.reshape(c.taps, self.per_group, c.groups, self.filters)
        w[:, : self.filters, : self.depth] = taps.transpose(2, 3, 0, 1).reshape(c.groups, self.filters, self.depth)
        packed = w.reshape(c.groups, self.padded // n, n, self.steps_of_sum, self.step).transpose(0, 1, 3, 2, 4)
        return self.scope.table(np.ascontiguousarray(packed).ravel(), "int8" if weights_fit(c.node, 8) else "int16")

    # Columns

    def fill(self, spot: Value, g: Value, p: int) -> None:
        """Fill the column of a position: neighbouring cells at once where all are inside of the operand."""
        c, code = self.c, self.code
        cell = self.x.strides[-2] if len(self.x.strides) > 1 else 0
        apart = c.kernel[-1] == 1 or c.dilation[-1] != 1 or cell != self.per_group
        if self.straight or apart or c.kernel[-1] > c.node.inputs[0].shape[-2]:
            super().fill(spot, g, p)
            return
        corner = self.corner(spot)
        with axes(code, c.kernel[:-1]) as turning:
            taps = [k for k in turning if isinstance(k, Value)]
            lead = [i + k * d for i, k, d in zip(corner, taps, c.dilation, strict=False)]
            row, at = index(0), corner[-1] * cell + self.x.offset
            for k, n, i, stride in zip(taps, c.kernel, lead, self.x.strides, strict=False):
                row, at = row * n + k, at + i * stride
            k0, at, neighbours = code.let(row * (c.kernel[-1] * cell)), code.let(at), c.kernel[-1]
            whole = self.inside([*lead, corner[-1]], neighbours)
            if whole is None:
                self.move(k0, p, at, neighbours * cell)
                return
            with code.when(whole):
                self.move(k0, p, at, neighbours * cell)
            with code.when(~whole), code.loop(neighbours) as k:
                self.cell([*lead, corner[-1] + k], k0 + k * cell, p, at + k * cell)

    def copy(self, k: Value, p: int, at: Value) -> None:
        """Copy the channels of one cell."""
        self.move(k, p, at, self.per_group)

    def move(self, k: Value, p: int, at: Value, length: int) -> None:
        """Copy what stands in a row."""
        for lanes, i in pieces(self.code, length, self.x.dtype, self.column.dtype):
            self.code.store(self.column, k + i + p * self.length, self.source.load(at + i, lanes))

    def blank(self, k: Value, p: int) -> None:
        """Write the channels of a cell outside of the operand."""
        for lanes, i in pieces(self.code, self.per_group, self.column.dtype, self.column.dtype):
            self.code.store(self.column, k + i + p * self.length, const(self.zero, self.column.dtype, lanes))

    # Sums

    def tile(self, spots: Sequence[Value], g: Value, f: Value, together: int) -> None:
        """Sum some filters over the columns, and hand the sums on. ``f``: the number of the tile in the group."""
        code, across = self.code, len(spots)
        channel = code.let(g * self.filters + f * self.together)
        place = code.let(g * self.padded + f * self.together)
        sums = code.local("int32", TOGETHER * across, "sums")
        weights = self.packed, place * self.length, index(self.steps_of_sum)
        code.add(Run(f"gw_across_{self.kind}_{across}x4", (self.column, index(0), *weights, self.first, place, sums)))
        for p, spot in enumerate(spots):
            if together == self.lanes == TOGETHER:
                total = code.let(sums.load(p * TOGETHER, TOGETHER))
                self.finish(self.spot_place(spot, Lanes(channel, TOGETHER)), total)
                continue
            for n in range(together):
                self.finish(self.spot_place(spot, channel + n), code.let(sums.load(p * TOGETHER + n)))

    @property
    def kind(self) -> str:
        """What the functions are called that sum such columns with such weights."""
        return "16_8" if self.bits == 16 and self.packed.dtype == "int8" else str(self.bits)
