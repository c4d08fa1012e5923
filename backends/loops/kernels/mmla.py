"""Products of two rows of bytes by two columns (Armv8.6 SMMLA): a vector of four sums is two positions by two filters.

Eight products go into each sum at once, twice as many as a dot product does (Arm Architecture Reference Manual for
A-profile, C7.2, SMMLA). Two rows of the operand are put into one vector when they are read; weights are packed as those
of other products are, eight channels one behind the other. At the end the sums are put back into rows.
"""

from collections.abc import Mapping, Sequence

from ....graph import Node
from ..code import Memory, Value, index, llvm, reinterpret, shuffle
from ..contract import Contraction
from ..layout import Layout
from ..machine import Machine
from ..schedule import Tiles
from ..scope import Scope
from .frame import Written, axes, tile_begin, written
from .products import Product, mergeable

SMMLA = "llvm.aarch64.neon.smmla.v4i32.v16i8"
BYTES, WIDTH = 8, 4
"""Bytes of a row that are multiplied at once; filters of a vector of weights, which takes two registers."""


def product(
    machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout, tiles: Tiles
) -> Written:
    """Write a product of known weights, as ``products.product`` does."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        _RowsByTwo(scope, c, end, out, memory, lanes, tiles).write()

    return written(machine, layouts, out, build, (1, 99) if mergeable(c, layouts[c.node.inputs[0]], out) else (99,))


class _RowsByTwo(Product):
    """An odd row at the end of a tile is multiplied beside itself."""

    def _view(self) -> Memory:
        return self.scope.view(self.c.node.inputs[0], "int8")

    def _one(self, lead: Sequence[Value], t: Value, g: Value, p: Value, nv: int) -> None:
        code, rows, words = self.code, self.rows, BYTES // 4
        first = tile_begin(code, t, rows, self.space[-1])
        base = self.base(lead, first, g * self.per_group)
        vector0 = g * len(self.starts) + p * self.tile.vectors
        starts = [code.let(self.first.load((vector0 + v) * WIDTH, WIDTH)) for v in range(nv)]
        pairs = range(0, rows, 2)
        sums = [[[code.local("int32", 4, "sum") for _ in range(2)] for _ in range(nv)] for _ in pairs]
        for two in sums:
            for start, columns in zip(starts, two, strict=True):
                for k, one in enumerate(columns):
                    code.store(one, 0, shuffle([start], [2 * k, 2 * k + 1, 2 * k, 2 * k + 1]))
        weights = code.let(g * (self.group_size // self.group * words) + p * (self.panel_size // self.group * words))
        self._sum_rows(sums, base, weights, nv)
        tail = self.starts[self.panels * self.tile.vectors :]
        regular = p.known is None or p.known < self.panels
        for i in range(rows):
            for v, (a, b) in enumerate(sums[i // 2][v] for v in range(nv)):
                row = code.local("int32", 4, "row")
                lanes = [2 * (i % 2) + k for k in (0, 1, 4, 5)]
                code.store(row, 0, shuffle([a.load(0, 4), b.load(0, 4)], lanes))
                begin = p * (self.tile.vectors * WIDTH) + v * WIDTH if regular else index(tail[v])
                self._write_vector(lead, first + i, row, begin + g * (self.c.filters // self.c.groups))

    def _sum_rows(self, sums: list[list[list[Memory]]], base: Value, weights: Value, nv: int) -> None:
        """Loop over taps and channels."""
        c, code, words = self.c, self.code, BYTES // 4
        step = self.steps()[-1]
        kernel = c.kernel if c.taps > 1 else ()
        with axes(code, kernel) as taps:
            at, tap = base, index(0)
            for k, s, n in zip(taps, self.taps(), kernel, strict=False):
                assert isinstance(k, Value)
                at, tap = at + k * s, tap * n + k
            at = code.let(at)
            before = code.let(weights + tap * (self.depth * nv * WIDTH * words))
            with code.loop(self.depth) as d:
                w0 = before + d * (nv * WIDTH * words)
                columns = [[self._columns(w0 + (2 * v + k) * 4) for k in range(2)] for v in range(nv)]
                for i, two in enumerate(sums):
                    last = min(2 * i + 1, self.rows - 1)
                    halves = [self.operand.load(at + (d * BYTES + r * step), BYTES) for r in (2 * i, last)]
                    x = code.let(shuffle(halves, range(2 * BYTES)))
                    for own, vectors in zip(two, columns, strict=True):
                        for one, w in zip(own, vectors, strict=True):
                            code.store(one, 0, llvm(SMMLA, "int32", 4, one.load(0, 4), x, w))

    def _columns(self, at: Value) -> Value:
        """Give eight bytes of two filters."""
        return self.code.let(reinterpret(self.packed.load(at, 4), "int8"))


__all__ = ["product"]
