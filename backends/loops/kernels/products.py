"""Dense layers, convolutions and matrix products: register tiles over packed weights.

A tile holds MR positions of the last space axis times NV vectors of filters in registers, sums over taps and
channels, and hands its values to the operations that follow before anything is written. Weights are packed as
[group][panel][tap][channels / G][NV][lanes][G], G being how many products a lane sums at once. What does not fill a
tile is covered by one that is shifted back.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np

from ....graph import Node
from ....graph.arrays import NDArray, as_array
from ....graph.numerics import divide, whole
from ..code import (
    Lanes,
    Memory,
    Value,
    cast,
    index,
    lanes_from,
    llvm,
    reinterpret,
    shuffle,
    spread,
)
from ..contract import Contraction, bias_units, product_scale
from ..layout import Layout, centred_ends, float_type, working_type
from ..machine import GROUP, Dot, Machine
from ..numbers import real_scale
from ..schedule import Tile, Tiles, describe, free_in_depthwise, free_in_product, window_of
from ..scope import Place, Scope, rows_follow
from ..widths import WIDTHS
from .frame import SPLIT_ABOVE, Written, axes, put, tile_begin, vectors, written

ACCUMULATOR = {
    Dot.VNNI: "int32", Dot.AMX: "int32", Dot.AMX_BF16: "float32", Dot.SDOT: "int32", Dot.MMLA: "int32",
    Dot.PAIRS: "int32", Dot.DUAL: "int32", Dot.ACROSS: "int32", Dot.WIDE: "int32", Dot.LONG: "int64",
    Dot.FLOAT: "float32",
}  # fmt: skip


def product(
    machine: Machine, layouts: Mapping[Node, Layout], c: Contraction, end: Node, out: Layout, tiles: Tiles
) -> Written:
    """Write a product of known weights, with the operations from it up to ``end``; ``tiles``: what is not left to the
    formula.
    """

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        if c.depthwise and c.dot is Dot.VNNI and lanes > 1 and c.filters >= 4:
            _DepthwiseDots(scope, c, end, out, memory, lanes, tiles).write()
        elif c.depthwise and c.dot is Dot.PAIRS and lanes > 1 and c.filters >= 4:
            _DepthwisePairs(scope, c, end, out, memory, lanes, tiles).write()
        elif c.depthwise:
            _Depthwise(scope, c, end, out, memory, lanes, tiles).write()
        else:
            Product(scope, c, end, out, memory, lanes, tiles).write()

    return written(machine, layouts, out, build, (1, 99) if mergeable(c, layouts[c.node.inputs[0]], out) else (99,))


def mergeable(c: Contraction, x: Layout, out: Layout) -> bool:
    """Whether the positions of all space axes are one row: no window, and no gaps between the rows."""
    if len(c.space) < 2 or c.taps > 1 or any(s != 1 for s in c.strides):
        return False
    return all(map(rows_follow, (x, out)))


def centred_weights(node: Node) -> NDArray:
    """Give the weights as integers in units of their scale (int64), or in float32."""
    w = node.inputs[1]
    assert w.type.value is not None
    if not w.type.is_integer:
        return w.type.value.data.astype(np.float32)
    found = w.type.quantized.centre(w.type.value.data.astype(np.int64))
    return found if node.type.is_integer else (found * real_scale(w)).astype(np.float32)


def initial(c: Contraction, x: Layout, weights: NDArray) -> tuple[NDArray, int | NDArray, NDArray | None]:
    """Give what the sums start from [filters], the factor of the sums, and what is added after it (None: nothing).

    ``weights``: [taps * channels, filters]. The integers in memory differ from centred ones by a constant: their
    products with it are summed here.
    """
    node = c.node
    if not node.type.is_integer:
        b = node.inputs[2] if len(node.inputs) > 2 else None
        start = np.zeros(c.filters, np.float32)
        if b is not None:
            assert b.type.value is not None
            data = b.type.value.data
            start = (b.type.quantized.centre(data) * real_scale(b) if b.type.is_integer else data).astype(np.float32)
        return start, 1, None
    operand = node.inputs[0].type.quantized
    shift = x.base - int(operand.zero)  # type: ignore[arg-type]
    start = shift * weights.sum(axis=0)
    factor = whole(divide(product_scale(node), node.type.quantized.scale))
    bias = bias_units(node)
    if (factor == 1).all():
        return start + (0 if bias is None else bias), 1, None
    return start, factor, bias


class Frame:
    """What products and depthwise products share: operand, places, the start and the end of a tile."""

    def __init__(
        self,
        scope: Scope,
        c: Contraction,
        end: Node,
        out: Layout,
        memory: Memory,
        lanes: int = 1,
        tiles: Tiles | None = None,
    ) -> None:
        self.scope, self.c, self.end, self.out, self.memory, self.lanes = scope, c, end, out, memory, lanes
        self.code, self.tiles = scope.code, tiles or {}
        self.x = scope.layouts[c.node.inputs[0]]
        merged = scope.flat == 1
        self.space = (prod(c.space),) if merged else c.space
        self.merged = merged
        scope.whole = c.node.shape if merged else ()
        self.dtype = ACCUMULATOR[c.dot]
        self.weights = centred_weights(c.node).reshape(-1, c.filters)
        start, self.factor, self.after = initial(c, self.x, self.weights)
        self.start = np.broadcast_to(start, (c.filters,))
        if self.dtype == "int32":  # sums are taken modulo 2^32, the result fits
            self.start = ((self.start.astype(np.int64) + (1 << 31)) % (1 << 32)) - (1 << 31)
        self.split = c.macs > SPLIT_ABOVE

    @property
    def layer(self) -> str:
        """What tiles of this layer are known by."""
        return describe(self.c.node, self.end, self.scope.layouts, self.out, self.c.dot, window_of(self.c))

    @property
    def weight_type(self) -> str | None:
        """The type of weights in memory; None for the narrowest that holds them."""
        return float_type(self.c.node.inputs[1]) if self.dtype == "float32" else None

    @property
    def zero(self) -> int:
        """What stands in the operand's memory for zero."""
        x = self.c.node.inputs[0].type
        return 0 if not x.is_integer else int(as_array(x.quantized.zero).flat[0]) - self.x.base

    def steps(self) -> tuple[int, ...]:
        """How far apart neighbouring positions of each space axis stand in the operand, strides included."""
        rank = len(self.c.space)
        own = self.x.strides[:-1] if len(self.x.strides) > 1 else (0,)
        if self.merged:
            return (own[max(i for i in range(rank) if self.c.space[i] > 1)] if prod(self.c.space) > 1 else own[-1],)
        return tuple(s * t for s, t in zip(self.c.strides, own, strict=True))

    def origin(self) -> int:
        """Where the first tap of the first position stands."""
        if len(self.x.strides) < 2:
            return self.x.offset
        back = sum(p[0] * s for p, s in zip(self.c.padding, self.x.strides[:-1], strict=True))
        return self.x.offset - back

    def base(self, lead: Sequence[Value], first: Value, channel: Value, unit: int = 1) -> Value:
        """Where a tile begins in the operand, counted in ``unit`` elements: its first tap, at ``channel`` units."""
        *others, along_row = (s // unit for s in self.steps())
        base = index(self.origin() // unit)
        for o, s in zip(lead, others, strict=True):
            base = base + o * s
        return self.code.let(base + first * along_row + channel)

    def place(self, lead: Sequence[Value], last: Value, filters: "Lanes | Value") -> Place:
        """Give the index of a result."""
        if self.merged:
            long = max((i for i in range(len(self.c.space)) if self.c.space[i] > 1), default=0)
            return (*(last if i == long else index(0) for i in range(len(self.c.space))), filters)
        rows = (*lead, last)
        return (*rows, filters) if len(self.c.node.shape) > 1 else (filters,)

    def finish(self, at: Place, total: Value) -> None:
        """Hand a sum to the operations behind it and write what comes out."""
        node, scope = self.c.node, self.scope

        def value(where: Place) -> Value:
            v = total
            if node.type.is_integer:
                kind = working_type(*centred_ends(node))
                v = cast(v, kind)
                if isinstance(self.factor, np.ndarray):
                    v = v * scope.constant(self.factor, where, kind)
                    if self.after is not None:
                        v = v + scope.constant(self.after, where, kind)
            return self.code.let(v)

        scope.given[node] = value
        put(scope, self.memory, self.out, at, scope.at(self.end, at))

    def taps(self) -> list[int]:
        """How far each kernel axis steps in the operand."""
        own = self.x.strides[:-1] if len(self.x.strides) > 1 else (0,)
        return [d * s for d, s in zip(self.c.dilation, own, strict=True)]


class Product(Frame):
    """Tiles of rows by vectors, each vector of a row with sums of its own."""

    def write(self, tile: Tile | None = None) -> None:
        """Write the kernel; with a ``tile`` that was chosen before."""
        c, scope, code = self.c, self.scope, self.code
        self.group = GROUP[c.dot]
        if tile is not None:
            self.tile = tile
        elif self.lanes == 1:
            self.tile = Tile(min(4, self.space[-1]), 1, 1 if c.dot in (Dot.WIDE, Dot.LONG, Dot.FLOAT) else 4, False)
        else:
            scope.free = free_in_product(c, self.layer, scope.machine, self.space[-1]).decided(self.tiles)
            self.tile = scope.free.tile
        self.per_group = c.channels // c.groups
        self.depth = -(-self.per_group // self.group)
        width = self.tile.lanes
        filters = c.filters // c.groups
        regular, shifted = filters // width, filters % width
        starts = [i * width for i in range(regular)]
        if shifted:
            starts.append(filters - width if filters >= width else 0)
        nv = self.tile.vectors
        full = regular // nv
        self.panels = full
        self.tail = starts[full * nv :]
        self.packed = self._pack(starts, width)
        self.first = scope.table(self._start(starts, width), self.dtype)
        self.operand = self._view()
        self.panel_size = c.taps * self.depth * nv * width * self.group
        self.group_size = c.taps * self.depth * len(starts) * width * self.group
        self.starts = starts
        positions = self.space[-1]
        rows = min(self.tile.rows, positions)
        self.rows = rows
        tiles = -(-positions // rows)
        if self.tile.panels_outside:
            self._panels_outside(tiles)
            return
        lead = self.space[:-1]
        if prod(lead) > 1:
            with scope.outer(lead[0], split=self.split) as o, axes(code, lead[1:]) as others, code.loop(tiles) as t:
                self._all_panels([o, *others], t, c.groups)  # type: ignore[list-item]
        else:
            with scope.outer(tiles, split=self.split) as t:
                self._all_panels([index(0)] * len(lead), t, c.groups)

    def _all_panels(self, lead: Sequence[Value], t: Value, groups: int) -> None:
        code = self.code
        with code.loop(groups) as g:
            if self.panels:
                with code.loop(self.panels) as p:
                    self._one(lead, t, g, p, self.tile.vectors)
            if self.tail:
                self._one(lead, t, g, index(self.panels), len(self.tail))

    def _panels_outside(self, tiles: int) -> None:
        code, lead = self.code, self.space[:-1]
        with code.loop(self.c.groups) as g:
            if self.panels:
                split = self.split and not self.tail
                with self.scope.outer(self.panels, split=split) as p, axes(code, lead) as o, code.loop(tiles) as t:
                    self._one(o, t, g, p, self.tile.vectors)  # type: ignore[arg-type]
            if self.tail:
                with axes(code, lead) as o, code.loop(tiles) as t:
                    self._one(o, t, g, index(self.panels), len(self.tail))  # type: ignore[arg-type]

    def _pack(self, starts: list[int], width: int) -> Memory:
        """Put the weights in the order in which the tiles read them."""
        c, g = self.c, self.group
        filters = c.filters // c.groups
        w = self.weights.reshape(c.taps, self.per_group, c.groups, filters)
        whole_depth = np.zeros((c.taps, self.depth * g, c.groups, max(filters, width)), w.dtype)
        whole_depth[:, : self.per_group, :, :filters] = w
        columns = np.stack([whole_depth[..., s : s + width] for s in starts])  # [vector, tap, depth * g, group, width]
        v = columns.reshape(len(starts), c.taps, self.depth, g, c.groups, width)
        nv, full = self.tile.vectors, self.panels
        parts = []
        for i in range(c.groups):
            one = v[:, :, :, :, i]  # [vector, tap, depth, g, width]
            for p in range(full):
                parts.append(one[p * nv : (p + 1) * nv].transpose(1, 2, 0, 4, 3).ravel())
            if self.tail:
                parts.append(one[full * nv :].transpose(1, 2, 0, 4, 3).ravel())
        data = np.concatenate(parts)
        match c.dot:
            case Dot.VNNI | Dot.SDOT | Dot.MMLA:
                return self.scope.table(data.astype(np.int8).view(np.int32), "int32")
            case Dot.PAIRS:
                return self.scope.table(data.astype(np.int16).view(np.int32), "int32")
        if c.dot is Dot.FLOAT:
            return self.scope.table(data, self.weight_type)
        return self.scope.table(data)

    def _start(self, starts: list[int], width: int) -> NDArray:
        c = self.c
        filters = c.filters // c.groups
        start = np.zeros((c.groups, max(filters, width)), self.start.dtype)
        start[:, :filters] = self.start.reshape(c.groups, filters)
        return np.concatenate([start[g, s : s + width] for g in range(c.groups) for s in starts])

    def _view(self) -> Memory:
        if self.group > 1:
            return self.scope.view(self.c.node.inputs[0], "int32")
        return self.scope.view(self.c.node.inputs[0], self.x.dtype)

    def _one(self, lead: Sequence[Value], t: Value, g: Value, p: Value, nv: int) -> None:
        """Write one tile."""
        c, code, width = self.c, self.code, self.tile.lanes
        rows, positions = self.rows, self.space[-1]
        first = tile_begin(code, t, rows, positions)
        base = self.base(lead, first, g * (self.per_group // self.group), self.group)
        vector0 = g * len(self.starts) + p * self.tile.vectors
        sums = [[code.local(self.dtype, width, "sum") for _ in range(nv)] for _ in range(rows)]
        starts = [code.let(self.first.load((vector0 + v) * width, width)) for v in range(nv)]
        for row in sums:
            for one, start in zip(row, starts, strict=True):
                code.store(one, 0, start)
        weights = code.let(g * (self.group_size // self.group) + p * (self.panel_size // self.group))
        self._sum(sums, base, weights, nv, self.steps()[-1] // self.group)
        filters0 = g * (c.filters // c.groups)
        tail = self.starts[self.panels * self.tile.vectors :]
        for i, row in enumerate(sums):
            for v, one in enumerate(row):
                begin = filters0 + (
                    p * (self.tile.vectors * width) + v * width if p.known is None or p.known < self.panels else tail[v]
                )
                self._write_vector(lead, first + i, one, begin)

    def _write_vector(self, lead: Sequence[Value], last: Value, one: Memory, begin: Value) -> None:
        filters, width = self.c.filters // self.c.groups, self.tile.lanes
        own, full, rest = vectors(min(filters, width), width)
        if self.lanes == 1:
            own, full, rest = 1, min(filters, width), []
        for k in [*(i * own for i in range(full)), *rest]:
            total = self.code.let(one.load(k, own))
            self.finish(self.place(lead, last, lanes_from(begin + k, own)), total)

    def _sum(self, sums: list[list[Memory]], base: Value, weights: Value, nv: int, step: int) -> None:
        """Loop over taps and channels."""
        c, code, width = self.c, self.code, self.tile.lanes
        kernel, depth = c.kernel if c.taps > 1 else (), self.depth
        if kernel and c.dilation[-1] == c.groups == 1 and self.x.strides[-2] == depth * self.group:
            kernel, depth = kernel[:-1], kernel[-1] * depth  # columns of a window are one run of elements
        with axes(code, kernel) as taps:
            at, tap = base, index(0)
            for k, s, n in zip(taps, self.taps(), kernel, strict=False):
                assert isinstance(k, Value)
                at, tap = at + k * (s // self.group), tap * n + k
            at = code.let(at)
            before = code.let(weights + tap * (depth * nv * width))
            with code.loop(depth) as d:
                w0 = before + d * (nv * width)
                vectors_of = [code.let(self._weight(w0 + v * width, width)) for v in range(nv)]
                for i, row in enumerate(sums):
                    x = code.let(self._broadcast(at + i * step, d, width))
                    for one, w in zip(row, vectors_of, strict=True):
                        code.store(one, 0, self._dot(one.load(0, width), x, w))

    def _weight(self, at: Value, width: int) -> Value:
        found = self.packed.load(at, width)
        return found if self.group > 1 else cast(found, self.dtype)

    def _broadcast(self, at: Value, d: Value, width: int) -> Value:
        if self.group > 1:
            return spread(self.operand.load(at + d), width)
        return spread(cast(self.operand.load(at + d), self.dtype), width)

    def _dot(self, total: Value, x: Value, w: Value) -> Value:
        return dot(self.c.dot, self.scope.machine, total, x, w)


def dot(kind: Dot, machine: Machine, total: Value, x: Value, w: Value) -> Value:
    """Add the products of two vectors to a third: lanes of 32 bits, each with as many products as ``kind`` sums."""
    lanes = total.lanes
    match kind:
        case Dot.VNNI:
            name = f"llvm.x86.avx512.vpdpbusd.{32 * lanes}"
            return llvm(name, "int32", lanes, total, reinterpret(x, "uint8"), reinterpret(w, "int8"))
        case Dot.SDOT:
            name = f"llvm.aarch64.neon.sdot.v{lanes}i32.v{4 * lanes}i8"
            return llvm(name, "int32", lanes, total, reinterpret(x, "int8"), reinterpret(w, "int8"))
        case Dot.MMLA:
            name = "llvm.aarch64.neon.smmla.v4i32.v16i8"
            return llvm(name, "int32", lanes, total, reinterpret(x, "int8"), reinterpret(w, "int8"))
        case Dot.PAIRS:
            words = reinterpret(x, "int16"), reinterpret(w, "int16")
            if machine.has("avx512vnni") and machine.is_x86:
                return llvm(f"llvm.x86.avx512.vpdpwssd.{32 * lanes}", "int32", lanes, total, *words)
            name = {4: "llvm.x86.sse2.pmadd.wd", 8: "llvm.x86.avx2.pmadd.wd", 16: "llvm.x86.avx512.pmaddw.d.512"}[lanes]
            return total + llvm(name, "int32", lanes, *words)
    return total + x * w


class _Depthwise(Frame):
    """One filter a channel: vectors over channels, neighbouring positions side by side."""

    def write(self) -> None:
        c, scope, code = self.c, self.scope, self.code
        self.operand = scope.view(c.node.inputs[0], self.x.dtype)
        narrow = "int16" if self.dtype != "float32" and np.abs(self.weights).max() < 1 << 15 else None
        self.packed = scope.table(self.weights, narrow or self.weight_type)
        self.first = scope.table(self.start, self.dtype)
        lead, positions = self.space[:-1], self.space[-1]
        if self.lanes == 1:
            self.tile = Tile(min(4, positions), 1, 1, True)
        else:
            scope.free = free_in_depthwise(c, self.layer, scope.machine, positions).decided(self.tiles)
            self.tile = scope.free.tile
        if prod(lead) > 1:
            with scope.outer(lead[0], split=self.split) as o, axes(code, lead[1:]) as others:
                self._all_tiles([o, *others])  # type: ignore[list-item]
        else:
            self._all_tiles([index(0)] * len(lead))

    def _all_tiles(self, lead: Sequence[Value]) -> None:
        if self.tile.panels_outside:
            for channel, width in self._channels():
                for first in self._positions():
                    self._tile(lead, first, channel, width)
        else:
            for first in self._positions():
                for channel, width in self._channels():
                    self._tile(lead, first, channel, width)

    def _channels(self) -> Iterator[tuple[Value, int]]:
        """Give where vectors of channels begin, each in a loop of its own, and their lanes."""
        width, full, rest = vectors(self.c.filters, self.tile.lanes)
        with self.code.loop(full) as v:
            yield v * width, width
        for begin in rest:
            yield index(begin), width

    def _positions(self) -> Iterator[Value]:
        """Give where tiles begin, in a loop."""
        rows, positions = self.tile.rows, self.space[-1]
        with self.code.loop(-(-positions // rows)) as t:
            yield tile_begin(self.code, t, rows, positions)

    def _tile(self, lead: Sequence[Value], first: Value, channel: Value, width: int) -> None:
        code = self.code
        base = self.base(lead, first, channel)
        sums = [code.local(self.dtype, width, "sum") for _ in range(self.tile.rows)]
        start = code.let(self.first.load(channel, width))
        for one in sums:
            code.store(one, 0, start)
        self._sum(sums, base, channel, width)
        for i, one in enumerate(sums):
            self.finish(self.place(lead, first + i, lanes_from(channel, width)), code.let(one.load(0, width)))

    def _sum(self, sums: list[Memory], base: Value, channel: Value, width: int) -> None:
        """Sum over the window."""
        code, c = self.code, self.c
        step = self.steps()[-1]
        for tap, k in enumerate(np.ndindex(*c.kernel)):
            away = sum(i * s for i, s in zip(k, self.taps(), strict=True))
            w = code.let(cast(self.packed.load(channel + tap * c.filters, width), self.dtype))
            for i, one in enumerate(sums):
                x = cast(self.operand.load(base + (away + i * step), width), self.dtype)
                code.store(one, 0, one.load(0, width) + x * w)


class _DepthwiseDots(_Depthwise):
    """Bytes: up to four rows of the window are interleaved, and each lane sums its four products at once.

    A column that is interleaved once serves every position whose window covers it.
    """

    def _sum(self, sums: list[Memory], base: Value, channel: Value, width: int) -> None:
        c, taps = self.c, self.taps()
        down = c.kernel[0] if len(c.kernel) > 1 else 1
        for middle in np.ndindex(*c.kernel[1:-1]):
            away = sum(i * s for i, s in zip(middle, taps[1:-1], strict=True))
            for first in range(0, down, 4):
                self._columns(sums, base, away, range(first, min(first + 4, down)), middle, channel, width)

    def _columns(
        self,
        sums: list[Memory],
        base: Value,
        away: int,
        group: range,
        middle: tuple[int, ...],
        channel: Value,
        width: int,
    ) -> None:
        code, c = self.code, self.c
        taps, across, stride = self.taps(), c.kernel[-1], c.strides[-1]
        cell = self.x.strides[-2]
        quads = [self._quad(group, middle, k, channel, width) for k in range(across)]
        uses: dict[int, list[tuple[int, int]]] = {}
        for i in range(len(sums)):
            for k in range(across):
                uses.setdefault(i * stride + k * c.dilation[-1], []).append((i, k))
        picks = [min(r, len(group) - 1) * width + lane for lane in range(width) for r in range(4)]
        for column, used in sorted(uses.items()):
            bytes_of = [
                code.let(
                    self.operand.load(base + (away + (r * taps[0] if len(c.kernel) > 1 else 0) + column * cell), width)
                )
                for r in group
            ]
            bytes_of += bytes_of[-1:] * (4 - len(bytes_of))  # TVM's Shuffle has no more results than operands
            joined = code.let(reinterpret(shuffle(bytes_of, picks), "int32"))
            for i, k in used:
                code.store(sums[i], 0, dot(Dot.VNNI, self.scope.machine, sums[i].load(0, width), joined, quads[k]))

    def _quad(self, group: range, middle: tuple[int, ...], k: int, channel: Value, width: int) -> Value:
        """Give the weights of up to four rows of a column, interleaved as the rows are."""
        c = self.c
        w = self.weights.reshape(*c.kernel, c.filters)
        rows = [w[(r, *middle, k)] if len(c.kernel) > 1 else w[k] for r in group]
        rows += [np.zeros_like(rows[0])] * (4 - len(rows))
        packed = np.stack(rows, axis=-1).astype(np.int8).reshape(-1).view(np.int32)
        return self.code.let(self.scope.table(packed, "int32").load(channel, width))


Tap = tuple[int, ...]


class _DepthwisePairs(_Depthwise):
    """Integers of 16 bits: two taps of the window are interleaved, and each lane sums their two products at once.

    Rows of the window are taken two by two, so that a column that is interleaved once serves every position whose
    window covers it; what is left is a row whose neighbouring columns are.
    """

    def _sum(self, sums: list[Memory], base: Value, channel: Value, width: int) -> None:
        step = self.steps()[-1]
        pairs = [(a, b, self._factors(a, b, channel, width)) for a, b in _pairs(self.c.kernel)]
        uses: dict[tuple[int, ...], list[tuple[Memory, Value]]] = {}
        for i, one in enumerate(sums):
            for a, b, factors in pairs:
                places = tuple(self._away(tap) + i * step for tap in (a, b or a))
                uses.setdefault(places, []).append((one, factors))
        for place, again in [places for places in uses if places[0] == places[1]]:  # a second factor of 0 takes any
            beside = next((p for p in uses if p[0] == place and p[1] != again), None)
            if beside is not None:
                uses[beside] += uses.pop((place, again))
        loaded: dict[int, Value] = {}
        for places, used in sorted(uses.items(), key=lambda use: self._in_order(use[0])):
            for place in places:
                if place not in loaded:
                    loaded[place] = self.code.let(self.operand.load(base + place, width))
            joined = self._joined(*(loaded[place] for place in places))
            for one, factors in used:
                total = dot(Dot.PAIRS, self.scope.machine, one.load(0, width), joined, factors)
                self.code.store(one, 0, total)

    def _away(self, tap: Tap) -> int:
        """Give how far a tap is from the first one in the operand."""
        return sum(i * s for i, s in zip(tap, self.taps(), strict=True))

    def _in_order(self, places: tuple[int, ...]) -> tuple[int, ...]:
        """Order pairs so that those of a band of rows follow each other, column by column."""
        row = self.taps()[0] if len(self.c.kernel) > 1 else 1 << 30
        return places[0] // row, *places

    def _joined(self, a: Value, b: Value) -> Value:
        """Interleave two vectors of integers of 8 or 16 bits, as pairs of 16."""
        if WIDTHS[a.dtype] > 16:
            a, b = (self.code.let(cast(v, "int16")) for v in (a, b))
        both = shuffle([a, b], [lane + half * a.lanes for lane in range(a.lanes) for half in range(2)])
        return self.code.let(reinterpret(self.code.let(cast(both, "int16")), "int32"))

    def _factors(self, a: Tap, b: Tap | None, channel: Value, width: int) -> Value:
        """Give the weights of two taps, interleaved as their operands are; 0 for one that is not there."""
        w = self.weights.reshape(*self.c.kernel, self.c.filters)
        both = np.stack([w[a], np.zeros_like(w[a]) if b is None else w[b]], axis=-1)
        packed = both.astype(np.int16).reshape(-1).view(np.int32)
        return self.code.let(self.scope.table(packed, "int32").load(channel, width))


def _pairs(kernel: Sequence[int]) -> Iterator[tuple[Tap, Tap | None]]:
    """Cut a window into pairs of taps: of two rows, then of two columns in a row that is left, then one alone."""
    down = kernel[0] if len(kernel) > 1 else 1
    for inner in np.ndindex(*kernel[1:] if len(kernel) > 1 else kernel):
        for row in range(0, down - 1, 2):
            yield (row, *inner), (row + 1, *inner)
    if down % 2 == 0:
        return
    last = (down - 1,) if len(kernel) > 1 else ()
    for outer in np.ndindex(*kernel[1:-1]):
        for column in range(0, kernel[-1], 2):
            a = (*last, *outer, column)
            yield a, (*last, *outer, column + 1) if column + 1 < kernel[-1] else None
