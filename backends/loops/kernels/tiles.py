"""Products on a matrix unit: tiles of sums, two by two, over operands that are loaded as tiles too.

A row of a tile of the left operand is one position; its elements are channels, or the channels of all columns of a
window, which stand one behind the other in memory. So the operand of a convolution is read where it stands. The right
operand is packed as [panel][run][chunk][vector][step / G][16][G], G elements filling a word. Sums start from the bias,
which one row of memory says for all rows of a tile, and are stored once for what follows them.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from math import prod

import numpy as np

from ....graph import Node
from ..code import Code, Index, Lanes, Memory, Run, Value, const, index, lanes_from, minimum
from ..contract import Contraction
from ..layout import Layout
from ..machine import GROUP, Dot, Machine
from ..schedule import Free, Tile, Tiles, free_in_product
from ..scope import Scope
from ..tiles import (
    CONFIGURE,
    FILTERS,
    ROW_BYTES,
    SUMS,
    WORD,
    Cut,
    block,
    blocks,
    chunked,
    cut_of_matrices,
    cycles,
    dot_name,
    shapes,
    types_of,
    words,
)
from .frame import SPLIT_ABOVE, Written, along, axes, tile_begin, written
from .matrices import base_of, finish
from .products import Frame, Product, mergeable

Finish = Callable[[int, Value, Value, int, Value], None]
"""Hand on a vector of sums: the tile (downwards), its row, the sums, the vector across, and its first filter in it."""


def product(
    machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout, tiles: Tiles
) -> Written:
    """Write a product of known weights with tiles or without, as ``products.product`` does."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        unit = _Product(scope, c, end, out, memory, lanes, tiles)
        scope.free = free = unit.free().decided(tiles)
        if free.tile.unit:
            unit.write(free.tile)
        else:
            Product(scope, on_vectors(c), end, out, memory, lanes).write(free.tile)

    return written(machine, layouts, out, build, (1, 99) if mergeable(c, layouts[c.node.inputs[0]], out) else (99,))


def matrix_product(
    machine: Machine, layouts: Mapping[Node, Layout], node: Node, packed: tuple[Node, Node], end: Node, out: Layout
) -> Written:
    """Write the product of two ``packed`` matrices, with the operations from it up to ``end``."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        _matrices(scope, memory, node, packed, end, out, lanes)

    return written(machine, layouts, out, build, (99,))


class Unit:
    """The instructions for a block of ``down`` by ``across`` tiles of sums."""

    def __init__(self, scope: Scope, cut: Cut, down: int, dot: str) -> None:
        self.code, self.cut, self.down, self.dot = scope.code, cut, down, dot
        self.sums = "int32" if cut.element == 1 else "float32"
        self.code.add(Run(CONFIGURE, (scope.table(shapes(cut, down)),)))

    def release(self) -> None:
        """Give the tiles back."""
        self.code.add(Run("tile_release"))

    def start(self, across: int, first: tuple[Memory, Value] | None) -> None:
        """Begin all sums with a row of numbers for each vector across; from zero without."""
        for u in range(self.down):
            for v in range(across):
                tile = const(u * across + v)
                if first is None:
                    self.code.add(Run("tile_zero", (tile,)))
                else:
                    memory, at = first
                    self.code.add(Run("tile_load", (tile, memory, at + v * FILTERS, index(0))))

    def multiply(
        self, left: Memory, rows: Sequence[Value], stride: int, right: Memory, at: Value, across: int, size: int
    ) -> None:
        """Add the products of a chunk: ``rows`` are where the tiles of the left operand begin, ``stride`` elements
        from one row to the next; those of the right one stand ``size`` elements apart.
        """
        code = self.code
        for u, begin in enumerate(rows):
            code.add(Run("tile_load", (const(SUMS + u), left, begin, index(stride * self.cut.element))))
        others = SUMS - self.down
        for v in range(across):
            tile = const(SUMS + self.down + v % others)
            code.add(Run("tile_load", (tile, right, at + v * size, index(ROW_BYTES))))
            for u in range(self.down):
                code.add(Run(self.dot, (const(u * across + v), const(SUMS + u), tile)))

    def finish(self, across: int, filters: int, lanes: int, finish: Finish) -> None:
        """Store the sums and hand them on, vectors of up to ``lanes`` one by one."""
        code, size = self.code, self.cut.rows * FILTERS
        kept = [[code.local(self.sums, size, "sums") for _ in range(across)] for _ in range(self.down)]
        for u, row in enumerate(kept):
            for v, memory in enumerate(row):
                code.add(Run("tile_store", (const(u * across + v), memory, index(0), index(ROW_BYTES))))
        for u, row in enumerate(kept):
            with code.loop(self.cut.rows) as i:
                for v, memory in enumerate(row):
                    for k in along(code, min(filters, FILTERS), lanes):
                        begin = k.base if isinstance(k, Lanes) else k
                        finish(u, i, code.let(memory.load(k + i * FILTERS)), v, begin)


class _Product(Frame):
    def free(self) -> Free:
        """Say what is free: blocks of tiles, and vectors instead of them."""
        c = self.c
        self.per_group, filters = c.channels // c.groups, c.filters // c.groups
        self.cut = cut_of(c, self.space[-1], self.x)
        self.outer = c.kernel[: -1 if joins_columns(c) else None] if c.taps > 1 else ()
        self.by_lines = self.cut.tiles == 1 and len(self.space) > 1 and self.space[-2] > 1
        self.count = self.space[-2] if self.by_lines else self.cut.tiles
        self.starts = [max(min(k, filters - FILTERS), 0) for k in range(0, filters, FILTERS)]
        products, vectors = prod(self.outer) * self.cut.chunks, len(self.starts)
        rows_of = self.space[-2] if self.by_lines else 1
        others: dict[Tile, float] = {}
        for down, across in blocks(self.count, vectors):
            both = -(-self.count // down) > 1 and not vectors % across and vectors > across and c.groups == 1
            orders = (False, True) if both else (False,)
            takes = 2 * c.groups * cycles(self.count, vectors, products, down, across) / rows_of
            others |= {Tile(down, across, FILTERS, order, unit=True): takes for order in orders}
        down, across = block(self.count, vectors, products)
        packed = c.taps * self.per_group * c.filters
        outside = packed > self.x.size and Tile(down, across, FILTERS, True, unit=True) in others
        free = replace(free_in_product(c, self.layer, self.scope.machine, self.space[-1]), kind=on_vectors(c).dot)
        return replace(
            free, default=Tile(down, across, FILTERS, outside, unit=True), others=others, unit=c.dot,
            lanes=free.lanes if self._fits_vectors() else (),
        )  # fmt: skip

    def _fits_vectors(self) -> bool:
        """Whether vectors can multiply what stands in memory: an unsigned operand by weights that have a sign."""
        return self.c.dot is Dot.AMX_BF16 or (self.x.dtype == "uint8" and self.weights.max() < 128)

    def write(self, tile: Tile) -> None:
        c, scope, code = self.c, self.scope, self.code
        filters = c.filters // c.groups
        down, self.across = tile.rows, tile.vectors
        self.panels, self.tail = divmod(len(self.starts), self.across)
        kind = "bfloat16" if self.cut.element > 1 else "uint8" if self.weights.max() > 127 else "int8"
        self.packed = self._pack(kind)
        first = np.zeros((c.groups, max(filters, FILTERS)), self.start.dtype)
        first[:, :filters] = self.start.reshape(c.groups, filters)
        rows = [first[g, s : s + FILTERS] for g in range(c.groups) for s in self.starts]
        self.first = scope.table(np.concatenate(rows), self.dtype)
        self.operand = scope.view(c.node.inputs[0], self.x.dtype)
        self.unit = Unit(scope, self.cut, down, dot_name(self.x.dtype, kind))
        lead = self.space[: -2 if self.by_lines else -1]
        count = -(-self.count // down)
        if tile.panels_outside:
            with scope.outer(self.panels, split=self.split) as p, axes(code, lead) as o, code.loop(count) as b:
                self._block(o, b, index(0), p, self.across)  # type: ignore[arg-type]
        elif prod(lead) > 1:
            with scope.outer(lead[0], split=self.split) as i, axes(code, lead[1:]) as o, code.loop(count) as b:
                self._all_panels([i, *o], b)  # type: ignore[list-item]
        else:
            with scope.outer(count, split=self.split) as b:
                self._all_panels([index(0)] * len(lead), b)
        self.unit.release()

    def _all_panels(self, lead: Sequence[Value], b: Value) -> None:
        code = self.code
        with code.loop(self.c.groups) as g:
            if self.panels:
                with code.loop(self.panels) as p:
                    self._block(lead, b, g, p, self.across)
            if self.tail:
                self._block(lead, b, g, index(self.panels), self.tail)

    def _pack(self, dtype: str) -> Memory:
        """Put the weights in the order in which the blocks read them."""
        c, cut = self.c, self.cut
        filters = c.filters // c.groups
        w = self.weights.reshape(c.taps, self.per_group, c.groups, filters).transpose(2, 0, 1, 3)
        runs, columns = prod(self.outer), c.taps // prod(self.outer)
        cell = self.x.strides[-2] if columns > 1 else self.per_group
        whole = np.zeros((c.groups, runs, columns, max(cell, self.per_group), max(filters, FILTERS)), w.dtype)
        whole[:, :, :, : self.per_group, :filters] = w.reshape(c.groups, runs, columns, self.per_group, filters)
        flat = whole.reshape(c.groups * runs, -1, whole.shape[-1])
        flat = np.pad(flat, ((0, 0), (0, max(cut.length - flat.shape[1], 0)), (0, 0)))[:, : cut.length]
        found = words(chunked(flat, cut), self.starts, cut.group)  # [groups * runs, chunk, vector, ...]
        found = found.reshape(c.groups, runs, *found.shape[1:])
        self.chunk_size = cut.step * FILTERS
        self.group_size = int(found[0].size)
        full = self.panels * self.across
        parts = []
        for one in found:
            parts += [one[:, :, p : p + self.across].ravel() for p in range(0, full, self.across)]
            parts += [one[:, :, full:].ravel()] if self.tail else []
        return self.scope.table(np.concatenate(parts), dtype)

    def _block(self, lead: Sequence[Value], b: Value, g: Value, p: Value, across: int) -> None:
        """Write one block of tiles."""
        c, code, cut, unit = self.c, self.code, self.cut, self.unit
        filters = c.filters // c.groups
        tile0 = tile_begin(code, b, unit.down, self.count)
        places = [self._place(lead, tile0 + u) for u in range(unit.down)]
        bases = [self.base(own, first, g * self.per_group) for own, first in places]
        vector0 = g * len(self.starts) + p * self.across
        unit.start(across, (self.first, vector0 * FILTERS))
        panel_size = prod(self.outer) * cut.chunks * self.across * self.chunk_size
        weights = code.let(g * self.group_size + p * panel_size)
        with axes(code, self.outer) as taps:
            away, run = index(0), index(0)
            for k, s, n in zip(taps, self.taps(), self.outer, strict=False):
                assert isinstance(k, Value)
                away, run = away + k * s, run * n + k
            with code.loop(cut.chunks) as k:
                here = _chunk_begin(code, cut, k)
                at = code.let(weights + (run * cut.chunks + k) * (across * self.chunk_size))
                rows = [code.let(base + away + here) for base in bases]
                unit.multiply(self.operand, rows, self.steps()[-1], self.packed, at, across, self.chunk_size)
        tail = self.starts[self.panels * self.across :]

        def finish(u: int, i: Value, total: Value, v: int, k: Value) -> None:
            own, first = places[u]
            regular = p.known is None or p.known < self.panels
            begin = k + g * filters + (_vector_begin(p * self.across + v, filters) if regular else tail[v])
            self.finish(self.place(own, first + i, lanes_from(begin, total.lanes)), total)

        unit.finish(across, filters, self.lanes, finish)

    def _place(self, lead: Sequence[Value], tile: Value) -> tuple[Sequence[Value], Value]:
        """Give the axes before the last one, and where in that one a tile begins."""
        if self.by_lines:
            return [*lead, tile], index(0)
        return lead, tile_begin(self.code, tile, self.cut.rows, self.space[-1])


def _matrices(
    scope: Scope, memory: Memory, node: Node, packed: tuple[Node, Node], end: Node, out: Layout, lanes: int
) -> None:
    """Write a product of computed matrices: chunks of both operands stand one behind the other, filled up with 0."""
    code, cut, (rows, filters) = scope.code, cut_of_matrices(node), node.shape[-2:]
    left, right = (scope.layouts[n] for n in packed)
    a, b = (scope.view(n, scope.layouts[n].dtype) for n in packed)
    total = right.shape[-4]
    down, across = block(cut.tiles, total, cut.chunks)
    unit = Unit(scope, cut, down, dot_name(*types_of(node)))
    lead, count = node.shape[:-2], -(-cut.tiles // down)

    def one(own: Sequence[Index], t: Value, v0: Value, count: int) -> None:
        firsts = [tile_begin(code, t * down + u, cut.rows, rows) for u in range(down)]
        x, y = node.inputs
        a0, b0 = code.let(base_of(own, x.shape[:-2], left, 1)), code.let(base_of(own, y.shape[:-2], right, 1))
        unit.start(count, None)
        with code.loop(cut.chunks) as k:
            begins = [code.let(a0 + first * left.strides[-2] + k * cut.step) for first in firsts]
            vector = right.strides[-4]
            at = code.let(b0 + v0 * vector + k * (cut.step * FILTERS))
            unit.multiply(a, begins, left.strides[-2], b, at, count, vector)

        def hand_on(u: int, i: Value, found: Value, v: int, k: Value) -> None:
            begin = k + _vector_begin(v0 + v, filters)
            finish(scope, memory, out, node, end, (*own, firsts[u] + i, lanes_from(begin, found.lanes)), found)

        unit.finish(count, filters, lanes, hand_on)

    split = node.type.size * node.inputs[0].shape[-1] > SPLIT_ABOVE
    with scope.outer(lead[0] if lead else count, split=split) as o, axes(code, lead[1:]) as others:
        own: list[Index] = [o, *others] if lead else []
        with code.loop(count) if lead else nullcontext(o) as t:
            if total // across:
                with code.loop(total // across) as p:
                    one(own, t, p * across, across)
            if total % across:
                one(own, t, index(total - total % across), total % across)
    unit.release()


def on_vectors(c: Contraction) -> Contraction:
    """Give a product as vectors sum it that stand where tiles could."""
    return replace(c, dot=Dot.VNNI if c.dot is Dot.AMX else Dot.FLOAT)


def joins_columns(c: Contraction) -> bool:
    """Whether the columns of a window are one run of bytes."""
    return c.taps > 1 and c.dilation[-1] == 1 and c.groups == 1 and c.kernel[-1] > 1


def cut_of(c: Contraction, positions: int, x: Layout) -> Cut:
    """Cut a product whose operand stands in ``x``: its ``positions``, and the elements of a run."""
    group = GROUP[c.dot]
    channels = -(-(c.channels // c.groups) // group) * group
    length = channels + ((c.kernel[-1] - 1) * x.strides[-2] if joins_columns(c) else 0)
    return Cut(positions, length, WORD // group)


def _chunk_begin(code: Code, cut: Cut, k: Value) -> Value:
    whole = k * cut.step
    return whole if cut.length == cut.chunks * cut.step else code.let(minimum(whole, cut.length - cut.step))


def _vector_begin(vector: Value, filters: int) -> Value:
    begin = vector * FILTERS
    return minimum(begin, filters - FILTERS) if filters % FILTERS and filters > FILTERS else begin

