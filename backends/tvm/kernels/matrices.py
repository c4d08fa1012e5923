"""Products of two computed matrices: the right one is packed at run time as weights are packed beforehand."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from ....graph import Node
from ....graph.ops import MatMul
from ..layout import Layout, centred_ends, plain, working_type
from ..machine import GROUP, Dot, Machine
from ..numbers import centred, real
from ..scope import Place, Scope, scalar
from ..tir import Index, Lanes, Memory, Value, cast, const, index, llvm, minimum, reinterpret, select, spread
from .frame import SPLIT_ABOVE, Written, axes, put, vectors, written
from .products import Tile, dot, tile_shape


def kind_of(node: Node, machine: Machine) -> Dot:
    """Choose how products are summed."""
    if not node.type.is_integer:
        return Dot.FLOAT
    ends = [abs(e) for x in node.inputs for e in centred_ends(x)]
    low, high = centred_ends(node)
    if max(-low, high) >= 1 << 31 or max(ends) >= 1 << 31:
        return Dot.LONG
    if max(ends) < 1 << 15 and machine.dot_for_words() is Dot.PAIRS:
        return Dot.PAIRS
    return Dot.WIDE


TYPES = {Dot.FLOAT: "float32", Dot.LONG: "int64", Dot.PAIRS: "int16", Dot.WIDE: "int32"}


def tile_of(node: Node, machine: Machine) -> Tile:
    """Choose the tile as for a product with known weights."""
    rows, filters = node.inputs[0].shape[-2], node.shape[-1]
    kind = kind_of(node, machine)
    lanes = max(1, machine.lanes // (2 if kind is Dot.LONG else 1))
    least = 4 if kind is Dot.PAIRS else 1
    while lanes // 2 >= max(filters, least):
        lanes //= 2
    lanes = max(lanes, least)
    depth = node.inputs[0].shape[-1] // GROUP[kind]
    mr, nv = tile_shape(rows, -(-filters // lanes), depth, machine, kind)
    return Tile(mr, nv, lanes, False)


def right_layout(node: Node, machine: Machine) -> Layout:
    """Give the packed right operand: [*lead, vector, depth, lanes, G]."""
    y = node.inputs[1]
    kind, tile = kind_of(node, machine), tile_of(node, machine)
    group = GROUP[kind]
    depth, filters = -(-y.shape[-2] // group), y.shape[-1]
    shape = (*y.shape[:-2], -(-filters // tile.lanes), depth, tile.lanes, group)
    return plain(shape, TYPES[kind])


def pack_right(machine: Machine, layouts: Mapping[Node, Layout], node: Node) -> Iterator[tuple[Written, int, Layout]]:
    """Write the kernels that bring operands (by number) into the form that the product reads."""
    assert isinstance(node.op, MatMul)
    x, y = node.inputs
    kind, tile = kind_of(node, machine), tile_of(node, machine)
    group, dtype = GROUP[kind], TYPES[kind]
    depth = -(-x.shape[-1] // group)
    layout = right_layout(node, machine)

    def value(scope: Scope, n: Node, at: Place) -> Value:
        return real(scope, n, at) if kind is Dot.FLOAT else cast(centred(scope, n, at), dtype)

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        filters, width = y.shape[-1], tile.lanes
        lead = y.shape[:-2]
        vector_count = layout.shape[-4]
        with axes(code, lead) as own, code.loop(vector_count) as v, code.loop(depth) as d:
            first = minimum(v * width, filters - width) if filters >= width else index(0)
            base = _start(own, layout.strides) + v * layout.strides[-4] + d * layout.strides[-3]
            for g in range(group):
                k = d * group + g
                inside = minimum(k, x.shape[-1] - 1)
                whole = lanes > 1 and group == 1 and filters >= width
                if whole and width > 1:
                    code.store(memory, base, value(scope, y, (*own, inside, Lanes(first, width))))
                    continue
                with code.loop(width) as lane:
                    n = minimum(first + lane, filters - 1)
                    found = value(scope, y, (*own, inside, n))
                    if x.shape[-1] % group:
                        found = select(k < x.shape[-1], found, const(0, dtype))
                    code.store(memory, base + lane * group + g, found)

    yield written(machine, layouts, layout, build, (99,)), 1, layout
    row = -(-x.shape[-1] // group) * group
    left = Layout(x.shape, dtype, _strides(x.shape, row), 0, prod(x.shape[:-1]) * row)

    def copy(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        with axes(code, x.shape[:-1]) as own:
            width, full, rest = vectors(x.shape[-1], lanes)
            with code.loop(full) as i:
                at = (*own, Lanes(i * width, width) if width > 1 else i)
                put(scope, memory, left, at, value(scope, x, at))
            for begin in rest:
                at = (*own, Lanes(index(begin), width) if width > 1 else index(begin))
                put(scope, memory, left, at, value(scope, x, at))
            for k in range(x.shape[-1], row):
                code.store(memory, _start(own, left.strides) + k, const(0, dtype))

    held = layouts.get(x)
    if held is None or not _ready(held, dtype, row):
        yield written(machine, layouts, left, copy, (99,)), 0, left


def _start(own: Sequence[Index], strides: Sequence[int]) -> Value:
    """Give where the matrix (the row) of an index stands."""
    start: Value = index(0)
    for i, s in zip(own, strides, strict=False):
        start = start + scalar(i) * s
    return start


def _strides(shape: tuple[int, ...], row: int) -> tuple[int, ...]:
    lead = shape[:-1]
    return (*(prod(lead[i + 1 :]) * row for i in range(len(lead))), 1)


def _ready(layout: Layout, dtype: str, row: int) -> bool:
    return (
        layout.dtype == dtype
        and layout.base == 0
        and layout.strides == _strides(layout.shape, row)
        and (layout.offset == 0 and dtype == "float32")
    )


def matrix_product(
    machine: Machine, layouts: Mapping[Node, Layout], node: Node, packed: tuple[Node, Node], end: Node, out: Layout
) -> Written:
    """Write the product of two ``packed`` matrices with the operations from it up to ``end``."""
    x, y = node.inputs
    left, right = packed
    kind, tile = kind_of(node, machine), tile_of(node, machine)
    group, width, nv = GROUP[kind], tile.lanes, tile.vectors
    total_type = {Dot.FLOAT: "float32", Dot.LONG: "int64"}.get(kind, "int32")
    rows, filters = x.shape[-2], y.shape[-1]
    depth = -(-x.shape[-1] // group)

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        a_layout, b_layout = layouts[left], layouts[right]
        kept = "int32" if group > 1 else TYPES[kind]
        a, b = scope.view(left, kept), scope.view(right, kept)
        lead = node.shape[:-2]
        mr = min(tile.rows, rows)
        vector_count = b_layout.shape[-4]
        split = node.type.size * x.shape[-1] > SPLIT_ABOVE
        outer = lead[0] if lead else -(-rows // mr)
        with scope.outer(outer, split=split) as o, axes(code, lead[1:]) as others:
            own: list[Index] = [o, *others] if lead else []
            with code.loop(-(-rows // mr)) if lead else _same(o) as t:
                first = code.let(minimum(t * mr, rows - mr) if rows % mr else t * mr)
                a0 = _base(own, x.shape[:-2], a_layout, group) + first * (a_layout.strides[-2] // group)
                b0 = _base(own, y.shape[:-2], b_layout, group)
                full, tail = vector_count // nv, vector_count % nv
                if full:
                    with code.loop(full) as p:
                        panel(scope, memory, own, first, mr, code.let(a0), code.let(b0), p * nv, nv, a, b, a_layout)
                if tail:
                    last = index(full * nv)
                    panel(scope, memory, own, first, mr, code.let(a0), code.let(b0), last, tail, a, b, a_layout)

    def panel(
        scope: Scope,
        memory: Memory,
        own: Sequence[Index],
        first: Value,
        mr: int,
        a0: Value,
        b0: Value,
        v0: Value,
        count: int,
        a: Memory,
        b: Memory,
        a_layout: Layout,
    ) -> None:
        code = scope.code
        sums = [code.local(total_type, count * width, "sum") for _ in range(mr)]
        for one in sums:
            for v in range(count):
                code.store(one, v * width, const(0, total_type, width))
        row_step = a_layout.strides[-2] // group
        with code.loop(depth) as d:
            ws = [
                code.let(
                    cast(b.load(b0 + (v0 + v) * (depth * width) + d * width, width), total_type)
                    if group == 1
                    else b.load(b0 + (v0 + v) * (depth * width) + d * width, width)
                )
                for v in range(count)
            ]
            for i, one in enumerate(sums):
                e = a.load(a0 + i * row_step + d)
                xv = code.let(spread(e if group > 1 else cast(e, total_type), width))
                for v in range(count):
                    code.store(one, v * width, dot(kind, scope.machine, one.load(v * width, width), xv, ws[v]))
        for i, one in enumerate(sums):
            for v in range(count):
                begin = minimum((v0 + v) * width, filters - width) if filters >= width else index(0)
                begin = code.let(begin)
                piece, full, rest = vectors(min(filters, width), width)
                for k in [*(j * piece for j in range(full)), *rest]:
                    at = (*own, first + i, Lanes(begin + k, piece) if piece > 1 else begin + k)
                    _finish(scope, memory, out, node, end, at, one.load(v * width + k, piece))

    return written(machine, layouts, out, build, (99,))


def _finish(scope: Scope, memory: Memory, out: Layout, node: Node, end: Node, at: Place, total: Value) -> None:
    """Hand a sum to the operations behind it and write what comes out."""
    found = scope.code.let(total)
    if node.type.is_integer:
        found = cast(found, working_type(*centred_ends(node)))
    scope.given[node] = lambda where: found
    put(scope, memory, out, at, scope.at(end, at))


class _same:  # noqa: N801 - stands in for a loop
    def __init__(self, value: Value) -> None:
        self.value = value

    def __enter__(self) -> Value:
        return self.value

    def __exit__(self, *_: object) -> None:
        return None


def _base(own: Sequence[Index], shape: tuple[int, ...], layout: Layout, group: int) -> Value:
    """Give where the matrix of an index of the result stands in an operand that broadcasts."""
    base: Value = index(layout.offset // group)
    lead = own[len(own) - len(shape) :] if shape else []
    for i, n, s in zip(lead, shape, layout.strides, strict=False):
        if n > 1:
            assert isinstance(i, Value)
            base = base + i * (s // group)
    return base


__all__ = ["llvm", "matrix_product", "pack_right", "reinterpret", "right_layout"]
