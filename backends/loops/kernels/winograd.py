"""Convolutions of 3 x 3 over floats by Winograd's windows: a quarter, or less than half, of the products.

Filters are turned when the network is compiled, in float64. Blocks of windows are turned, channels as vectors,
multiplied with the filters as n * n products of matrices, and the sums turned back; a block stays in the second cache.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from ....graph import Node
from ..code import Code, Memory, Value, cast, const, index, lanes_from, minimum, spread
from ..contract import Contraction
from ..layout import Layout
from ..machine import Machine
from ..schedule import Tiles
from ..scope import Scope
from ..winograd import Cut, Matrix, cut, free_in_windows, turned_filters, turns
from .frame import Written, along, tile_begin, vectors, written
from .products import Frame, Product

PARTS = 4
"""Parts of windows that threads can share; each has memory of its own."""
SHARES = 2
"""Parts of filters that they can share where all windows are one block; each turns the operand itself."""


def product(
    machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout, tiles: Tiles
) -> Written:
    """Write a convolution by windows or as a product, as ``products.product`` does."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        windows = Winograd(scope, c, end, out, memory, lanes, tiles)
        free = free_in_windows(c, windows.layer, machine).decided(tiles)
        if lanes > 1 and free.tile.windows:
            windows.write(cut(c, machine, free.tile.windows))
        else:
            Product(scope, c, end, out, memory, lanes, tiles).write()
        scope.free = free if lanes > 1 else None

    return written(machine, layouts, out, build, (99,))


class Winograd(Frame):
    """Blocks of windows, all their channels and filters at a time."""

    def write(self, found: Cut) -> None:
        """Write the kernel."""
        c, scope, code = self.c, self.scope, self.code
        self.m, self.n, self.side, self.block = found.m, found.m + 2, found.side, found.block
        self.rows, self.vectors = found.rows, found.vectors
        self.operand = scope.view(c.node.inputs[0], self.x.dtype)
        self.width, full, rest = vectors(c.filters, self.lanes)
        self.starts = [*(i * self.width for i in range(full)), *rest]
        even = c.filters % (SHARES * self.vectors * self.width) == 0
        shares = SHARES if self.split and found.blocks == 1 and even else 1
        self.vectors_of_share = len(self.starts) // shares
        self.total = self.vectors_of_share * self.width
        parts = shares if shares > 1 else min(PARTS, found.blocks) if self.split else 1
        each = -(-found.blocks // parts)
        self.apart, self.sums_apart = (_apart(self.block * k) for k in (c.channels, self.total))
        (self.turned,) = scope.scratch(parts * found.products * self.apart, "float32")
        (self.sums,) = scope.scratch(parts * found.products * self.sums_apart, "float32")
        self.filters = self._filters()
        self.first = scope.table(self.start, "float32")
        with scope.outer(parts, split=self.split) as part, code.loop(each) as i:
            block = code.let(minimum(part * each + i, found.blocks - 1))
            self.first_vector = code.let(part * self.vectors_of_share) if shares > 1 else index(0)
            self.from_turned = code.let(part * (found.products * self.apart))
            self.from_sums = code.let(part * (found.products * self.sums_apart))
            begin = tile_begin(code, block, self.block, found.down * found.side)
            self._turn_operand(begin)
            self._multiply()
            self._turn_result(begin)

    def _filters(self) -> Memory:
        """Put turned filters in the order in which the tiles read them: [n * n][panel][channel][vector][lane]."""
        c = self.c
        u = turned_filters(self.weights.reshape(3, 3, c.channels, c.filters), self.m)
        columns = np.stack([u[..., s : s + self.width] for s in self.starts], axis=1)  # [n * n, vector, channel, lane]
        parts = []
        for k in range(len(u)):
            for v in range(0, len(self.starts), self.vectors):
                parts.append(columns[k, v : v + self.vectors].transpose(1, 0, 2).ravel())
        return self.scope.table(np.concatenate(parts), "float32")

    def _window(self, begin: Value, t: Value) -> tuple[Value, Value]:
        """Give the first row and column of results of a window; one that would end beyond them is shifted back."""
        code, number = self.code, self.code.let(begin + t)
        height, width = self.c.space
        y, x = code.let(number // self.side), code.let(number % self.side)
        return tile_begin(code, y, self.m, height), tile_begin(code, x, self.m, width)

    def _turn_operand(self, begin: Value) -> None:
        code, n, channels = self.code, self.n, self.c.channels
        down, across = self.x.strides[:2]
        matrix = turns(self.m).operand
        with code.loop(self.block) as t:
            y, x = self._window(begin, t)
            base = code.let(index(self.origin()) + y * down + x * across)
            to = code.let(self.from_turned + t * channels)
            for c in along(code, channels, self.lanes):
                at = c + base
                lanes = getattr(at, "lanes", 1)
                held = [code.local("float32", n * lanes, "turned") for _ in range(n)]
                for j in range(n):
                    column = [
                        code.let(cast(self.operand.load(at + (i * down + j * across)), "float32")) for i in range(n)
                    ]
                    for i, v in enumerate(combined(code, matrix, column)):
                        code.store(held[i], j * lanes, v)
                for i in range(n):
                    row = [code.let(held[i].load(j * lanes, lanes)) for j in range(n)]
                    for j, v in enumerate(combined(code, matrix, row)):
                        code.store(self.turned, c + to + (i * n + j) * self.apart, v)

    def _multiply(self) -> None:
        code = self.code
        panels, tail = divmod(self.vectors_of_share, self.vectors)
        with code.loop(self.n * self.n) as k:
            if panels:
                with code.loop(panels) as p:
                    self._panel(k, p * self.vectors, self.vectors)
            if tail:
                self._panel(k, index(panels * self.vectors), tail)

    def _panel(self, k: Value, vector: Value, count: int) -> None:
        code, width, channels = self.code, self.width, self.c.channels
        total = self.total
        weights = code.let((k * len(self.starts) + self.first_vector + vector) * (channels * width))
        with code.loop(-(-self.block // self.rows)) as t:
            row = tile_begin(code, t, self.rows, self.block)
            sums = [[code.local("float32", width, "sum") for _ in range(count)] for _ in range(self.rows)]
            for one in (one for line in sums for one in line):
                code.store(one, 0, const(0.0, "float32", width))
            at = code.let(self.from_turned + k * self.apart + row * channels)
            with code.loop(channels) as c:
                first = weights + c * (count * width)
                ws = [code.let(self.filters.load(first + v * width, width)) for v in range(count)]
                for r, line in enumerate(sums):
                    x = code.let(spread(self.turned.load(at + r * channels + c), width))
                    for one, w in zip(line, ws, strict=True):
                        code.store(one, 0, one.load(0, width) + x * w)
            to = code.let(self.from_sums + k * self.sums_apart + row * total + vector * width)
            for r, line in enumerate(sums):
                for v, one in enumerate(line):
                    code.store(self.sums, to + (r * total + v * width), one.load(0, width))

    def _turn_result(self, begin: Value) -> None:
        code = self.code
        with code.loop(self.block) as t:
            y, x = self._window(begin, t)
            own, full, rest = vectors(self.c.filters, self.lanes)
            with code.loop(min(full, self.vectors_of_share)) as v:
                self._vector(t, y, x, v * own, (self.first_vector + v) * own)
            for b in rest:
                self._vector(t, y, x, index(full * own), index(b))

    def _vector(self, t: Value, y: Value, x: Value, place: Value, filters: Value) -> None:
        """Turn the sums of one vector of filters into m x m results."""
        code, n, m, width = self.code, self.n, self.m, self.width
        total = self.total
        matrix = turns(m).result
        at = code.let(self.from_sums + t * total + place)
        held = [code.local("float32", n * width, "turned") for _ in range(m)]
        for j in range(n):
            column = [code.let(self.sums.load(at + (i * n + j) * self.sums_apart, width)) for i in range(n)]
            for i, v in enumerate(combined(code, matrix, column)):
                code.store(held[i], j * width, v)
        start = code.let(self.first.load(filters, width))
        for i in range(m):
            row = [code.let(held[i].load(j * width, width)) for j in range(n)]
            for j, v in enumerate(combined(code, matrix, row)):
                self.finish((y + i, x + j, lanes_from(filters, width)), code.let(v + start))


def _apart(elements: int) -> int:
    """Give how far apart matrices of so many elements stand: an odd number of lines, so that they share no set."""
    lines = -(-elements // 16)
    return 16 * (lines + (lines % 2 == 0))


def combined(code: Code, matrix: Matrix, values: Sequence[Value]) -> list[Value]:
    """Multiply a matrix with a vector of values; two rows that differ in the sign of some columns share the others."""
    found: list[Value | None] = [None] * len(matrix)
    for i, row in enumerate(matrix):
        if found[i] is not None:
            continue
        partner = next((j for j in range(i + 1, len(matrix)) if found[j] is None and _alike(row, matrix[j])), None)
        if partner is None:
            found[i] = _sum(code, row, values)
            continue
        same = [a if a == b else Fraction(0) for a, b in zip(row, matrix[partner], strict=True)]
        other = [a if a != b else Fraction(0) for a, b in zip(row, matrix[partner], strict=True)]
        a, b = _sum(code, same, values), _sum(code, other, values)
        found[i], found[partner] = code.let(a + b), code.let(a - b)
    return [v for v in found if v is not None]


def _alike(a: Sequence[Fraction], b: Sequence[Fraction]) -> bool:
    signs = {(x == y, x == -y) for x, y in zip(a, b, strict=True) if x or y}
    return signs == {(True, False), (False, True)}


def _sum(code: Code, row: Sequence[Fraction], values: Sequence[Value]) -> Value:
    terms = [(f, v) for f, v in zip(row, values, strict=True) if f]
    terms.sort(key=lambda t: (abs(t[0]) != 1, t[0] < 0))
    (factor, value), *others = terms
    found = value if factor == 1 else value * float(factor)
    for f, v in others:
        found = found + v if f == 1 else found - v if f == -1 else found + v * float(f)
    return code.let(found)
