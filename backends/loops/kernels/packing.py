"""The operands of products of two computed matrices, as kernels want them: the right one in words of ``GROUP`` elements
of neighbouring rows, as weights are packed; the left one in rows, filled up. Both are computed where they are packed.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from ....graph import Node
from ....graph.arrays import as_array
from ....graph.ops import Constant, Input, MatMul
from ..code import (
    INDEX,
    Code,
    Index,
    Lanes,
    Memory,
    Value,
    Variable,
    cast,
    const,
    index,
    minimum,
    reinterpret,
    select,
    shuffle,
    spread,
)
from ..layout import Layout
from ..machine import GROUP, Dot, Machine
from ..numbers import centred, real
from ..scope import NotFlat, Place, ScalarsOnly, Scope
from ..walk import parts, statements, values
from ..widths import WIDTHS
from .frame import Written, along, put, transposed, written
from .frame import axes as loops
from .matrices import kind_of, lanes_of, lift, right_layout, start_of, strides_of, types_of


def pack_right(machine: Machine, layouts: Mapping[Node, Layout], node: Node) -> Iterator[tuple[Written, int, Layout]]:
    """Write the kernels that bring operands (by number) into the form that the product reads."""
    assert isinstance(node.op, MatMul)
    x, y = node.inputs
    kind = kind_of(node, machine)
    group, own_type = GROUP[kind], types_of(node, kind)[0]
    layout = right_layout(node, machine)
    candidates = (1, 2) if group * WIDTHS[layout.dtype] == 32 else (1,)
    axis = 1 if group == 1 else next((a for a in candidates if _runs_along(machine, layouts, y, a)), 0)

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        _Right(scope, memory, node, layout, lanes, axis).write()

    yield written(machine, layouts, layout, build, (99,)), 1, layout
    row, above = layout.shape[-3] * group, lift(node, kind)
    left = Layout(x.shape, own_type, strides_of(x.shape, row), 0, prod(x.shape[:-1]) * row)

    def lifted(scope: Scope, at: Place) -> Value:
        return real(scope, x, at) if kind is Dot.FLOAT else cast(centred(scope, x, at) + above, own_type)

    def copy(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        with loops(code, x.shape[:-1]) as own:
            for last in along(code, x.shape[-1], lanes):
                at = (*own, last)
                put(scope, memory, left, at, lifted(scope, at))
            for k in range(x.shape[-1], row):
                code.store(memory, start_of(own, left.strides) + k, const(0, own_type))

    held = layouts.get(x)
    if held is None or not _ready(x, held, kind, own_type, row):
        yield written(machine, layouts, left, copy, (99,)), 0, left


def _ready(x: Node, held: Layout, kind: Dot, dtype: str, row: int) -> bool:
    """Whether a product can read its left operand where it stands. Tiles may read beyond the end of a row: the right
    operand is zero there, but what a user gave has to be behind it.
    """
    if held.dtype != dtype:
        return False
    if kind is Dot.AMX:
        within = row == x.shape[-1] or not isinstance(x.op, Input | Constant)
        return within and held.strides[-1] == 1 and (as_array(x.type.quantized.zero) == held.base).all()
    return held.strides == strides_of(held.shape, row) and held.offset == 0 and dtype == "float32"


class _Right:
    """Packing the right operand: [*lead, vector, depth, lanes, G]. Its elements follow each other along the last
    ``axis`` (1), the one before it (2), or neither (0).
    """

    def __init__(self, scope: Scope, memory: Memory, node: Node, layout: Layout, lanes: int, axis: int) -> None:
        self.scope, self.code, self.memory, self.layout, self.axis = scope, scope.code, memory, layout, axis
        self.y, self.kind = node.inputs[1], kind_of(node, scope.machine)
        self.group, self.width, self.dtype = GROUP[self.kind], lanes_of(node, scope.machine), layout.dtype
        self.depth, self.filters = self.y.shape[-2:]
        if lanes == 1 or self.filters < self.width or self.width == 1:
            self.axis = 0

    def write(self) -> None:
        """Write the kernel."""
        code, layout = self.code, self.layout
        vector_count, groups = layout.shape[-4:-2]
        with loops(code, self.y.shape[:-2]) as own, code.loop(vector_count) as v:
            first: Value = index(0)
            if self.filters >= self.width:
                first = code.let(minimum(v * self.width, self.filters - self.width))
            base = code.let(start_of(own, layout.strides) + v * layout.strides[-4])
            done = 0
            if self.axis == 1:
                done = self.depth // self.group
                with code.loop(done) as d:
                    self._rows(own, first, base, d, self.group)
                if self.depth % self.group:
                    self._rows(own, first, base, index(done), self.depth % self.group)
                    done += 1
            elif self.axis == 2:
                turns = self.depth // (self.group * self.width)
                with code.loop(turns) as t:
                    self._square(own, first, base, t)
                done = turns * self.width
            if done < groups:
                with code.loop(groups - done, done) as d:
                    self._elements(own, first, base, d)

    def _value(self, at: Place) -> Value:
        if self.kind is Dot.FLOAT:
            return real(self.scope, self.y, at)
        return cast(centred(self.scope, self.y, at), self.dtype)

    def _rows(self, own: Sequence[Index], first: Value, base: Value, d: Value, count: int) -> None:
        """Interleave vectors of ``count`` rows, and of zeros."""
        code, width, group = self.code, self.width, self.group
        found = [
            code.let(spread(self._value((*own, d * group + g, Lanes(first, width))), width)) for g in range(count)
        ]
        found += [const(0, self.dtype, width)] * (group - count)
        if group > 1:
            found = [shuffle(found, [g * width + lane for lane in range(width) for g in range(group)])]
        code.store(self.memory, base + d * (width * group), found[0])

    def _square(self, own: Sequence[Index], first: Value, base: Value, t: Value) -> None:
        """Transpose words: as many columns as a vector has lanes, each a vector of words."""
        code, width, group = self.code, self.width, self.group
        columns = []
        for n in range(width):
            pieces = [
                code.let(spread(self._value((*own, Lanes(t * (width * group) + g * width, width), first + n)), width))
                for g in range(group)
            ]
            words = shuffle(pieces, list(range(width * group)))
            columns.append(code.let(reinterpret(words, "int32")))
        for d, one in enumerate(transposed(code, columns)):
            code.store(self.memory, base + (t * width + d) * (width * group), reinterpret(one, self.dtype))

    def _elements(self, own: Sequence[Index], first: Value, base: Value, d: Value) -> None:
        """Pack a group element by element."""
        code, width, group = self.code, self.width, self.group
        for g in range(group):
            k = d * group + g
            with code.loop(width) as lane:
                n = minimum(first + lane, self.filters - 1)
                found = self._value((*own, minimum(k, self.depth - 1), n))
                if self.depth < self.layout.shape[-3] * group:
                    found = select(k < self.depth, found, const(0, self.dtype))
                code.store(self.memory, base + d * (width * group) + lane * group + g, found)


def _runs_along(machine: Machine, layouts: Mapping[Node, Layout], node: Node, axis: int) -> bool:
    """Whether neighbours along an axis, counted from the last one, follow each other in what a node is computed from.

    The node is written at an index with lanes, and its loads are looked at.
    """
    scope = Scope(machine, layouts)
    at: list[Index] = [Value("variable", (Variable(f"at{i}"),), INDEX) for i in range(len(node.shape))]
    begin = at[-axis]
    assert isinstance(begin, Value)
    at[-axis] = Lanes(begin, min(machine.lanes, node.shape[-axis]))
    try:
        scope.code.let(scope.at(node, tuple(at)))
    except (ScalarsOnly, NotFlat):
        return False
    read = {p.memory for p in scope.reads.values()}
    loads = [v for v in _values(scope.code) if v.op == "load" and v.parts[0] in read and v.lanes > 1]
    return bool(loads) and all(v.parts[1].op == "ramp" and v.parts[1].parts[1] == 1 for v in loads)


def _values(code: Code) -> Iterator[Value]:
    """List all values of a code, each once."""
    seen: set[int] = set()
    left = [v for s in statements(code.body()) for v in values(s)]
    while left:
        v = left.pop()
        if id(v) not in seen:
            seen.add(id(v))
            yield v
            left += [p for p in parts(v) if isinstance(p, Value)]
