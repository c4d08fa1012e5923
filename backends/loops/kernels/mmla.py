"""Products of two rows of bytes by two columns (Armv8.6 SMMLA): a vector of four sums is two positions by two filters.

Eight products go into each sum at once, twice as many as a dot product does (Arm Architecture Reference Manual for
A-profile, C7.2, SMMLA). Two rows of the operand are put into one vector when they are read; weights are packed as those
of other products are, eight channels one behind the other. At the end the sums are put back into rows.
"""

from collections.abc import Callable, Mapping, Sequence

from ....graph import Node
from ..code import Code, Memory, Value, const, index, llvm, reinterpret, shuffle
from ..contract import Contraction
from ..layout import Layout
from ..machine import Machine
from ..schedule import Tiles
from ..scope import Scope
from .frame import Written, axes, tile_begin, written
from .matrices import Matrices
from .products import Product, mergeable

BYTES, WIDTH = 8, 4
"""Bytes of a row that are multiplied at once; filters of a vector of weights, which takes two registers."""
WORDS = BYTES // 4


def product(
    machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout, tiles: Tiles
) -> Written:
    """Write a product of known weights, as ``products.product`` does."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        _Product(scope, c, end, out, memory, lanes, tiles).write()

    return written(machine, layouts, out, build, (1, 99) if mergeable(c, layouts[c.node.inputs[0]], out) else (99,))


def matrix_product(
    machine: Machine, layouts: Mapping[Node, Layout], node: Node, packed: tuple[Node, Node], end: Node, out: Layout,
    tiles: Tiles,
) -> Written:
    """Write a product of two computed matrices, as ``matrices.matrix_product`` does."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        _Matrices(scope, memory, node, packed, end, out, tiles).write()

    return written(machine, layouts, out, build, (99,))


class _Sums:
    """Sums of ``rows`` by ``vectors`` of four filters; an odd row at the end is multiplied beside itself."""

    def __init__(self, code: Code, rows: int, vectors: int) -> None:
        self.code, self.rows = code, rows
        self.held = [
            [[code.local("int32", 4, "sum") for _ in range(2)] for _ in range(vectors)] for _ in range(0, rows, 2)
        ]

    def start(self, first: Sequence[Value]) -> None:
        """Begin every row with a vector of numbers for each vector of filters."""
        for two in self.held:
            for start, columns in zip(first, two, strict=True):
                for k, one in enumerate(columns):
                    self.code.store(one, 0, shuffle([start], [2 * k, 2 * k + 1, 2 * k, 2 * k + 1]))

    def add(self, row: Callable[[int], Value], weights: Memory, places: Sequence[Value]) -> None:
        """Add the products of eight bytes of each row and of the filters, whose vectors stand at ``places``."""
        code = self.code
        columns = [[code.let(reinterpret(weights.load(at + 4 * k, 4), "int8")) for k in range(2)] for at in places]
        for i, two in enumerate(self.held):
            x = code.let(shuffle([row(2 * i), row(min(2 * i + 1, self.rows - 1))], range(2 * BYTES)))
            name = f"llvm.aarch64.neon.{'smmla' if x.dtype == 'int8' else 'usmmla'}.v4i32.v16i8"
            for own, vectors in zip(two, columns, strict=True):
                for one, w in zip(own, vectors, strict=True):
                    code.store(one, 0, llvm(name, "int32", 4, one.load(0, 4), x, w))

    def by_row(self) -> list[list[Memory]]:
        """Give the sums of each row, vector by vector."""
        found = []
        for i in range(self.rows):
            lanes = [2 * (i % 2) + k for k in (0, 1, 4, 5)]
            found.append([self.code.local("int32", 4, "row") for _ in self.held[0]])
            for row, (a, b) in zip(found[-1], self.held[i // 2], strict=True):
                self.code.store(row, 0, shuffle([a.load(0, 4), b.load(0, 4)], lanes))
        return found


class _Product(Product):
    def _view(self) -> Memory:
        return self.scope.view(self.c.node.inputs[0], "int8")

    def _one(self, lead: Sequence[Value], t: Value, g: Value, p: Value, nv: int) -> None:
        code = self.code
        first = tile_begin(code, t, self.rows, self.space[-1])
        base = self.base(lead, first, g * self.per_group)
        vector0 = g * len(self.starts) + p * self.tile.vectors
        sums = _Sums(code, self.rows, nv)
        sums.start([code.let(self.first.load((vector0 + v) * WIDTH, WIDTH)) for v in range(nv)])
        weights = code.let(g * (self.group_size // self.group * WORDS) + p * (self.panel_size // self.group * WORDS))
        self._sum_rows(sums, base, weights, nv)
        tail = self.starts[self.panels * self.tile.vectors :]
        regular = p.known is None or p.known < self.panels
        for i, row in enumerate(sums.by_row()):
            for v, one in enumerate(row):
                begin = p * (self.tile.vectors * WIDTH) + v * WIDTH if regular else index(tail[v])
                self._write_vector(lead, first + i, one, begin + g * (self.c.filters // self.c.groups))

    def _sum_rows(self, sums: _Sums, base: Value, weights: Value, nv: int) -> None:
        """Loop over taps and channels."""
        c, code, step = self.c, self.code, self.steps()[-1]
        kernel = c.kernel if c.taps > 1 else ()
        with axes(code, kernel) as taps:
            at, tap = base, index(0)
            for k, s, n in zip(taps, self.taps(), kernel, strict=False):
                assert isinstance(k, Value)
                at, tap = at + k * s, tap * n + k
            at = code.let(at)
            before = code.let(weights + tap * (self.depth * nv * WIDTH * WORDS))
            with code.loop(self.depth) as d:
                here, w0 = at + d * BYTES, before + d * (nv * WIDTH * WORDS)
                places = [w0 + v * (WIDTH * WORDS) for v in range(nv)]
                sums.add(lambda r: self.operand.load(here + r * step, BYTES), self.packed, places)


class _Matrices(Matrices):
    def _left(self, packed: Node) -> Memory:
        return self.scope.view(packed, self.left.dtype)

    def _summed(self, rows: int, count: int, a0: Value, b0: Value) -> list[list[Memory]]:
        code, step = self.scope.code, self.left.strides[-2]
        sums = _Sums(code, rows, count)
        sums.start([const(0, "int32", WIDTH)] * count)
        with code.loop(self.depth) as d:
            here = code.let((a0 + d) * BYTES)
            places = [(b0 + (v * self.depth + d) * WIDTH) * WORDS for v in range(count)]
            sums.add(lambda r: self.a.load(here + r * step, BYTES), self.b, places)
        return sums.by_row()


__all__ = ["matrix_product", "product"]
