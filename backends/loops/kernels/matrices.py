"""Products of two computed matrices: the right one is packed at run time as weights are packed beforehand."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from math import prod

from ....graph import Node
from .. import tiles
from ..code import Index, Memory, Value, cast, const, index, lanes_from, minimum, spread
from ..layout import Layout, centred_ends, plain, working_type
from ..machine import GROUP, Dot, Machine
from ..schedule import Tiles, describe, free_in_matrices, lanes_for
from ..scope import Place, Scope, scalar
from .frame import SPLIT_ABOVE, Written, axes, put_moved, tile_begin, vectors, written
from .products import ACCUMULATOR, dot


def kind_of(node: Node, machine: Machine) -> Dot:
    """Choose how products are summed."""
    if not node.type.is_integer:
        return Dot.FLOAT
    ends = [abs(e) for x in node.inputs for e in centred_ends(x)]
    low, high = centred_ends(node)
    if max(-low, high) >= 1 << 31 or max(ends) >= 1 << 31:
        return Dot.LONG
    (least, most), (low, high) = (centred_ends(x) for x in node.inputs)
    if machine.amx and tiles.suit(node):
        return Dot.AMX
    of_bytes = low >= -128 and high < 128 and ((least >= 0 and most < 256) or (least >= -128 and most < 128))
    if of_bytes and machine.mmla and node.inputs[0].shape[-2] > 1 and node.inputs[0].shape[-1] > GROUP[Dot.SDOT]:
        return Dot.MMLA
    if of_bytes and machine.dot_for_bytes() in (Dot.VNNI, Dot.SDOT):
        return machine.dot_for_bytes()
    if max(ends) < 1 << 15 and machine.dot_for_words() is Dot.PAIRS:
        return Dot.PAIRS
    return Dot.ACROSS if machine.helium and max(ends) < 1 << 15 else Dot.WIDE


TYPES = {
    Dot.VNNI: "int8", Dot.SDOT: "int8", Dot.MMLA: "int8", Dot.FLOAT: "float32", Dot.LONG: "int64",
    Dot.PAIRS: "int16", Dot.WIDE: "int32",
}  # fmt: skip


def types_of(node: Node, kind: Dot) -> tuple[str, str]:
    """Give the types of the packed operands, the left one first."""
    if kind is Dot.AMX:
        return tiles.types_of(node)
    unsigned = kind is Dot.VNNI or (kind is Dot.MMLA and centred_ends(node.inputs[0])[1] >= 128)
    return "uint8" if unsigned else TYPES[kind], TYPES[kind]


def lanes_of(node: Node, machine: Machine) -> int:
    """Lanes of the sums, and of the packed right operand."""
    if kind_of(node, machine) is Dot.AMX:
        return tiles.FILTERS
    return lanes_for(node.shape[-1], kind_of(node, machine), machine)


def right_layout(node: Node, machine: Machine) -> Layout:
    """Give the packed right operand: [*lead, vector, depth, lanes, G]."""
    y = node.inputs[1]
    kind, lanes = kind_of(node, machine), lanes_of(node, machine)
    group = GROUP[kind]
    depth, filters = -(-y.shape[-2] // group), y.shape[-1]
    depth = tiles.cut_of_matrices(node).whole // group if kind is Dot.AMX else depth
    shape = (*y.shape[:-2], -(-filters // lanes), depth, lanes, group)
    return plain(shape, types_of(node, kind)[1])


def lift(node: Node, kind: Dot) -> int:
    """Give what is added to the left operand so that it has no sign, or has one, where it has to."""
    if kind not in (Dot.SDOT, Dot.VNNI):
        return 0
    least, most = centred_ends(node.inputs[0])
    if kind is Dot.SDOT:
        return -128 if most >= 128 else 0
    return 128 if least < 0 else 0


def start_of(own: Sequence[Index], strides: Sequence[int]) -> Value:
    """Give where the matrix (the row) of an index stands."""
    start: Value = index(0)
    for i, s in zip(own, strides, strict=False):
        start = start + scalar(i) * s
    return start


def strides_of(shape: tuple[int, ...], row: int) -> tuple[int, ...]:
    """Give the strides of matrices whose rows stand ``row`` elements apart."""
    lead = shape[:-1]
    return (*(prod(lead[i + 1 :]) * row for i in range(len(lead))), 1)


def matrix_product(
    machine: Machine, layouts: Mapping[Node, Layout], node: Node, packed: tuple[Node, Node], end: Node, out: Layout,
    chosen: Tiles,
) -> Written:
    """Write the product of two ``packed`` matrices with the operations from it up to ``end``; ``chosen``: what is not
    left to the formula.
    """

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        Matrices(scope, memory, node, packed, end, out, chosen).write()

    return written(machine, layouts, out, build, (99,))


class Matrices:
    """One kernel: tiles of rows by vectors, for every pair of matrices."""

    def __init__(
        self, scope: Scope, memory: Memory, node: Node, packed: tuple[Node, Node], end: Node, out: Layout, tiles: Tiles
    ) -> None:
        self.scope, self.memory, self.node, self.end, self.out = scope, memory, node, end, out
        self.kind = kind_of(node, scope.machine)
        layer = describe(node, end, scope.layouts, out, self.kind)
        scope.free = free_in_matrices(node, layer, scope.machine, self.kind).decided(tiles)
        self.tile = scope.free.tile
        self.group, self.width = GROUP[self.kind], self.tile.lanes
        self.total_type = ACCUMULATOR[self.kind]
        self.rows, self.filters = node.inputs[0].shape[-2], node.shape[-1]
        self.depth = -(-node.inputs[0].shape[-1] // self.group)
        self.left, self.right = (scope.layouts[n] for n in packed)
        self.a = self._left(packed[0])
        self.b = scope.view(packed[1], self._kept)
        self.above = lift(node, self.kind)

    @property
    def _kept(self) -> str:
        """Type of what is loaded at once."""
        return "int32" if self.group > 1 else TYPES[self.kind]

    def _left(self, packed: Node) -> Memory:
        return self.scope.view(packed, self._kept)

    def write(self) -> None:
        """Write the kernel."""
        scope, code, node = self.scope, self.scope.code, self.node
        lead = node.shape[:-2]
        mr = min(self.tile.rows, self.rows)
        tiles = -(-self.rows // mr)
        split = node.type.size * node.inputs[0].shape[-1] > SPLIT_ABOVE
        with scope.outer(lead[0] if lead else tiles, split=split) as o, axes(code, lead[1:]) as others:
            own: list[Index] = [o, *others] if lead else []
            with code.loop(tiles) if lead else nullcontext(o) as t:
                first = tile_begin(code, t, mr, self.rows)
                x, y = node.inputs
                a0 = base_of(own, x.shape[:-2], self.left, self.group) + first * (self.left.strides[-2] // self.group)
                b0 = base_of(own, y.shape[:-2], self.right, self.group)
                self._panels(own, first, mr, code.let(a0), code.let(b0))

    def _panels(self, own: Sequence[Index], first: Value, mr: int, a0: Value, b0: Value) -> None:
        full, tail = divmod(self.right.shape[-4], self.tile.vectors)
        if full:
            with self.scope.code.loop(full) as p:
                self._panel(own, first, mr, a0, b0, p * self.tile.vectors, self.tile.vectors)
        if tail:
            self._panel(own, first, mr, a0, b0, index(full * self.tile.vectors), tail)

    def _panel(self, own: Sequence[Index], first: Value, mr: int, a0: Value, b0: Value, v0: Value, count: int) -> None:
        """Write one tile."""
        code, width = self.scope.code, self.width
        piece, full, rest = vectors(min(self.filters, width), width)
        for i, row in enumerate(self._summed(mr, count, a0, b0 + v0 * (self.depth * width))):
            for v, one in enumerate(row):
                begin = minimum((v0 + v) * width, self.filters - width) if self.filters >= width else index(0)
                begin = code.let(begin)
                for k in [*(j * piece for j in range(full)), *rest]:
                    at = (*own, first + i, lanes_from(begin + k, piece))
                    finish(self.scope, self.memory, self.out, self.node, self.end, at, one.load(k, piece))

    def _summed(self, rows: int, count: int, a0: Value, b0: Value) -> list[list[Memory]]:
        """Give the sums of a tile. What was added to the left operand is summed beside it, and taken away then."""
        code, width = self.scope.code, self.width
        sums = [[code.local(self.total_type, width, "sum") for _ in range(count)] for _ in range(rows)]
        extra = [code.local(self.total_type, width, "extra") for _ in range(count if self.above else 0)]
        for one in (*(one for row in sums for one in row), *extra):
            code.store(one, 0, const(0, self.total_type, width))
        self._sum(sums, extra, a0, b0)
        for row in sums:
            for one, more in zip(row, extra, strict=False):
                code.store(one, 0, one.load(0, width) - more.load(0, width))
        return sums

    def _sum(self, sums: list[list[Memory]], extra: list[Memory], a0: Value, b0: Value) -> None:
        code, width, kind, machine = self.scope.code, self.width, self.kind, self.scope.machine
        step = self.left.strides[-2] // self.group
        with code.loop(self.depth) as d:
            found = [self.b.load(b0 + v * (self.depth * width) + d * width, width) for v in range(len(sums[0]))]
            ws = [code.let(w if self.group > 1 else cast(w, self.total_type)) for w in found]
            for one, w in zip(extra, ws, strict=False):
                constant = const(0x80808080 - (1 << 32), "int32", width)  # 128 or -128 in each byte
                code.store(one, 0, dot(kind, machine, one.load(0, width), constant, w))
            for i, row in enumerate(sums):
                e = self.a.load(a0 + i * step + d)
                x = code.let(spread(e if self.group > 1 else cast(e, self.total_type), width))
                for one, w in zip(row, ws, strict=True):
                    code.store(one, 0, dot(kind, machine, one.load(0, width), x, w))


def finish(scope: Scope, memory: Memory, out: Layout, node: Node, end: Node, at: Place, total: Value) -> None:
    """Hand a sum to the operations behind it and write what comes out."""
    found = scope.code.let(total)
    if node.type.is_integer:
        found = cast(found, working_type(*centred_ends(node)))
    scope.given[node] = lambda where: found
    put_moved(scope, memory, out, node, end, at)


def base_of(own: Sequence[Index], shape: tuple[int, ...], layout: Layout, group: int) -> Value:
    """Give where the matrix of an index of the result stands in an operand that broadcasts."""
    base: Value = index(layout.offset // group)
    lead = own[len(own) - len(shape) :] if shape else []
    for i, n, s in zip(lead, shape, layout.strides, strict=False):
        if n > 1:
            assert isinstance(i, Value)
            base = base + i * (s // group)
    return base
