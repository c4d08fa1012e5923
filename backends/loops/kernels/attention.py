"""Attention by blocks of queries: scores, softmax and the weighted sum of values, without a tensor of scores.

Vectors go over queries. Of a block of them, [depth, query], every key gives a row of scores [query]: keys are read one
element after the other as they stand, and the softmax of a query is that of a lane. The exponentials [key, query]
stay in the nearest caches and are multiplied with the values, vectors of which are read as they stand as well; their
sum divides the result (M. Milakov and N. Gimelshein, Online normalizer calculation for softmax, 2018; T. Dao et al.,
FlashAttention, NeurIPS 2022, section 3.1).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod

import numpy as np

from ....graph import Array, Node
from ....graph.ops import Constant
from ..attention import Attention
from ..code import Code, Index, Lanes, Memory, Value, const, index, lanes_from, maximum, minimum, shuffle, spread
from ..functions import exp_below
from ..layout import Layout
from ..machine import Dot, Machine
from ..numbers import real
from ..plan import POINTWISE
from ..schedule import tile_cost
from ..scope import Place, Scope, aligned, place
from ..views import root, view
from .frame import PARTS, SPLIT_ABOVE, Written, along, put_moved, tile_begin, unravelled, vectors, written

READ = 0.4
"""Products of vectors that a vector of keys or values costs, which each block brings into the nearest cache anew."""
LOWEST = -3.0e38
"""What the greatest score of a query begins with."""


def attention(machine: Machine, layouts: Mapping[Node, Layout], found: Attention, end: Node, out: Layout) -> Written:
    """Write attention with the operations from it up to ``end``."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        _Blocks(scope, found, end, out, memory, lanes).write()

    return written(machine, layouts, out, build, (99,))


@dataclass(frozen=True)
class Tiles:
    """``vectors`` of queries are a block, ``keys`` by these a tile of scores; ``rows`` by ``across`` vectors of depth
    one of the result.
    """

    vectors: int
    keys: int
    rows: int
    across: int


def tiles_for(queries: int, keys: int, depth: int, across: int, lanes: int, machine: Machine) -> Tiles:
    """Choose what costs least of what the registers hold; ``across``: vectors of the result's depth."""
    room = machine.registers - 1

    def cost(t: Tiles) -> float:
        scores = -(-keys // t.keys) * tile_cost(t.keys, t.vectors, depth, machine, Dot.FLOAT)
        panels = [t.across] * (across // t.across) + ([across % t.across] if across % t.across else [])
        result = sum(tile_cost(t.rows, nv, keys, machine, Dot.FLOAT) for nv in panels)
        reading = READ * keys * (depth + across * lanes) / lanes
        tiles = -(-t.vectors * lanes // t.rows)
        return -(-queries // (t.vectors * lanes)) * (scores + tiles * result + reading)

    found = [
        Tiles(nq, kt, rows, nv)
        for nq in range(1, min(4, queries // lanes) + 1)
        for kt in range(1, min((room - nq) // nq, keys) + 1)
        for nv in range(1, min(4, across) + 1)
        for rows in range(1, min((room - nv) // nv, nq * lanes) + 1)
    ]
    return min(found, key=cost)


class _Blocks:
    """One kernel."""

    def __init__(self, scope: Scope, found: Attention, end: Node, out: Layout, memory: Memory, lanes: int) -> None:
        self.scope, self.code, self.found, self.end, self.out, self.memory = scope, scope.code, found, end, out, memory
        self.lead = found.scores.shape[:-2]
        self.queries, self.keys = found.scores.shape[-2:]
        self.depth, self.across = found.queries.shape[-1], found.values.shape[-1]
        self.lanes = lanes
        own, full, rest = vectors(self.across, lanes)
        self.width, self.starts = own, [*(i * own for i in range(full)), *rest]
        self.tiles = tiles_for(self.queries, self.keys, self.depth, len(self.starts), lanes, scope.machine)
        self.block = self.tiles.vectors * lanes
        self.reach: Value = index(self.keys)
        self.key_view, self.value_view = (self._view(n) for n in (found.keys, found.values))

    def _view(self, node: Node) -> tuple[Memory, Layout]:
        """Give the memory in which an operand stands, and where its elements are."""
        layout = view(node, self.scope.layouts)
        assert layout is not None
        return self.scope.view(root(node, self.scope.layouts), layout.dtype), layout

    def write(self) -> None:
        """Write the kernel: parts of blocks, each of one matrix of each operand."""
        code, scope = self.code, self.scope
        tiles = -(-self.queries // self.block)
        count = prod(self.lead) * tiles
        split = self.found.macs > SPLIT_ABOVE
        each = -(-count // PARTS) if split else count
        parts = -(-count // each)
        size = self.block * (self.depth + self.keys + 1)
        size += -size % 16
        (self.room,) = scope.scratch(parts * size, "float32")
        with scope.outer(parts, split=split) as part, code.loop(each) as i:
            block = code.let(part * each + i)
            self.base = code.let(part * size)
            with code.when(block < count) if parts * each > count else nullcontext():
                own = [code.let(n) for n in unravelled(code.let(block // tiles), self.lead)]
                self._block(own, tile_begin(code, code.let(block % tiles), self.block, self.queries))

    def _block(self, own: Sequence[Value], first: Value) -> None:
        code, base = self.code, self.base
        self.held = code.let(base + self.block * self.depth)
        self.shares = code.let(self.held + self.block * self.keys)
        if self.found.causal:  # keys behind the last query of a block have no weight
            self.reach = code.let(minimum(first + (self.block + self.keys - self.queries), self.keys))
        self._queries(own, first)
        self._softmax(self._scores(own, first))
        self._values(own, first)

    def _queries(self, own: Sequence[Value], first: Value) -> None:
        """Put the queries of a block in the order [depth, query]."""
        code, found, lanes = self.code, self.found, self.lanes
        lead = aligned((*own, index(0), index(0)), found.queries.shape)[:-2]
        for vector in range(self.tiles.vectors):
            for k in along(code, self.depth, lanes):
                rows = [
                    code.let(real(self.scope, found.queries, (*lead, first + (vector * lanes + r), k)))
                    for r in range(lanes)
                ]
                start = k if isinstance(k, Value) else k.base
                for j, column in enumerate(_turned(code, rows)):
                    at = self.base + (start + j) * self.block + vector * lanes
                    code.store(self.room, code.let(at), column)

    def _scores(self, own: Sequence[Value], first: Value) -> list[Memory]:
        """Write the scores [key, query] of a block, and give the greatest of each query."""
        code, found, lanes = self.code, self.found, self.lanes
        nq, kt = self.tiles.vectors, self.tiles.keys
        best = [code.local("float32", lanes, "best") for _ in range(nq)]
        for one in best:
            code.store(one, 0, const(LOWEST, "float32", lanes))
        self._turn_constants(found.softmax.inputs[0])
        keys, layout = self.key_view
        start = code.let(_start(own, layout))
        with code.loop((self.reach + (kt - 1)) // kt) as t:
            key = tile_begin(code, t, kt, self.keys)
            sums = [[code.local("float32", lanes, "sum") for _ in range(nq)] for _ in range(kt)]
            for one in (one for row in sums for one in row):
                code.store(one, 0, const(0.0, "float32", lanes))
            rows = [code.let(start + (key + i) * layout.strides[-1]) for i in range(kt)]
            with code.loop(self.depth) as d:
                qs = [code.let(self.room.load(self.base + d * self.block + v * lanes, lanes)) for v in range(nq)]
                for at, row in zip(rows, sums, strict=True):
                    x = code.let(spread(keys.load(at + d * layout.strides[-2]), lanes))
                    for one, q in zip(row, qs, strict=True):
                        code.store(one, 0, one.load(0, lanes) + x * q)
            for i, row in enumerate(sums):
                for v, one in enumerate(row):
                    query, total = lanes_from(first + v * lanes, lanes), code.let(one.load(0, lanes))
                    score = self._score(own, query, key + i, total)
                    code.store(self.room, self.held + (key + i) * self.block + v * lanes, score)
                    code.store(best[v], 0, maximum(best[v].load(0, lanes), score))
        return best

    def _score(self, own: Sequence[Value], query: Index, key: Value, total: Value) -> Value:
        """Give what the operations between the product and its softmax make of it."""
        self.scope.given[self.found.scores] = lambda where: total
        return self.code.let(spread(real(self.scope, self.found.softmax.inputs[0], (*own, query, key)), self.lanes))

    def _turn_constants(self, node: Node) -> None:
        """Let constants that differ by query and key stand as [key, query], so that vectors of them can be read."""
        for x in node.inputs:
            if isinstance(x.op, Constant) and x not in self.scope.given and len(x.shape) > 1 and min(x.shape[-2:]) > 1:
                self.scope.given[x] = self._turned_constant(x)
            elif isinstance(x.op, POINTWISE) and x in self.found.inside:
                self._turn_constants(x)

    def _turned_constant(self, node: Node) -> Callable[[Place], Value]:
        assert isinstance(node.op, Constant)
        data = np.ascontiguousarray(np.swapaxes(node.op.value.data, -1, -2))
        turned = Node(Constant(Array(data), node.type.format), (), node.where)
        return lambda at: self.scope.at(turned, (*at[:-2], at[-1], at[-2]))

    def _softmax(self, best: Sequence[Memory]) -> None:
        """Put exponentials where the scores are, and one over their sum, of each query, behind them."""
        code, lanes = self.code, self.lanes
        most = [code.let(one.load(0, lanes)) for one in best]
        totals = [code.local("float32", lanes, "total") for _ in best]
        for total in totals:
            code.store(total, 0, const(0.0, "float32", lanes))
        with code.loop(self.reach) as k:
            for v, (total, m) in enumerate(zip(totals, most, strict=True)):
                at = code.let(self.held + k * self.block + v * lanes)
                e = exp_below(code, code.let(self.room.load(at, lanes) - m))
                code.store(self.room, at, e)
                code.store(total, 0, total.load(0, lanes) + e)
        for v, total in enumerate(totals):
            share = const(1.0, "float32", lanes) / total.load(0, lanes)
            code.store(self.room, self.shares + v * lanes, share)

    def _values(self, own: Sequence[Value], first: Value) -> None:
        """Sum the values of all keys for each query, in tiles of queries by vectors of depth."""
        code, rows, nv = self.code, self.tiles.rows, self.tiles.across
        start = code.let(_start(own, self.value_view[1]))
        panels = [self.starts[i : i + nv] for i in range(0, len(self.starts), nv)]
        with code.loop(-(-self.block // rows)) as t:
            row = tile_begin(code, t, rows, self.block)
            for panel in panels:
                self._tile(own, first, start, row, panel)

    def _tile(self, own: Sequence[Value], first: Value, start: Value, row: Value, panel: Sequence[int]) -> None:
        code, width, (values, layout) = self.code, self.width, self.value_view
        sums = [[code.local("float32", width, "sum") for _ in panel] for _ in range(self.tiles.rows)]
        for one in (one for line in sums for one in line):
            code.store(one, 0, const(0.0, "float32", width))
        held, along = code.let(self.held + row), layout.strides[-1]
        with code.loop(self.reach) as k:
            at = start + k * layout.strides[-2]
            vs = [code.let(values.load(_lanes(at + n * along, width, along))) for n in panel]
            for r, line in enumerate(sums):
                x = code.let(spread(self.room.load(held + k * self.block + r), width))
                for one, v in zip(line, vs, strict=True):
                    code.store(one, 0, one.load(0, width) + x * v)
        for r, line in enumerate(sums):
            share = code.let(self.room.load(self.shares + row + r))
            for n, one in zip(panel, line, strict=True):
                self._finish((*own, first + row + r), index(n), code.let(one.load(0, width) * spread(share, width)))

    def _finish(self, lead: Sequence[Value], begin: Value, total: Value) -> None:
        """Hand a vector of the result to the operations behind it and write what comes out."""
        self.scope.given[self.found.anchor] = lambda where: total
        at = (*lead, lanes_from(begin, self.width))
        put_moved(self.scope, self.memory, self.out, self.found.anchor, self.end, at)


def _start(own: Sequence[Value], layout: Layout) -> Value:
    """Give where the matrix of an index of the result begins in an operand that broadcasts."""
    whole = (*own, index(0), index(0))
    found = place(layout, aligned(whole, layout.shape))
    assert isinstance(found, Value)
    return found


def _lanes(begin: Value, width: int, stride: int) -> Index:
    return Lanes(begin, width, stride) if width > 1 else begin


def _turned(code: Code, rows: Sequence[Value]) -> list[Value]:
    """Turn rows into columns: ``rows`` are as many vectors as the columns have lanes."""
    width = rows[0].lanes
    groups = [_square(code, rows[i : i + width]) for i in range(0, len(rows), width)]
    while len(groups) > 1:
        pairs = zip(groups[::2], groups[1::2], strict=True)
        lanes = range(2 * groups[0][0].lanes)
        groups = [[code.let(shuffle([a, b], list(lanes))) for a, b in zip(*two, strict=True)] for two in pairs]
    return groups[0]


def _square(code: Code, rows: Sequence[Value]) -> list[Value]:
    """Turn as many vectors as they have lanes, in steps of two that change places."""
    found, width = list(rows), len(rows)
    step = 1
    while step < width:
        for i in (i for i in range(width) if not i & step):
            a, b = found[i], found[i + step]
            low = [lane if not lane & step else width + lane - step for lane in range(width)]
            high = [lane + step if not lane & step else width + lane for lane in range(width)]
            found[i], found[i + step] = (code.let(shuffle([a, b], picks)) for picks in (low, high))
        step *= 2
    return found
