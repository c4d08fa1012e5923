"""What the kernels share: loops over an index with vectors along the last axis, stores, and the attempts at each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod

from ....graph import Node
from ....graph.ops import Constant, Lookup, Reshape, Step, Transpose
from .. import helium
from ..code import (
    Code,
    Function,
    Index,
    Lanes,
    Memory,
    Parameter,
    Value,
    cast,
    const,
    function,
    index,
    lanes_from,
    minimum,
    shuffle,
    spread,
)
from ..elements.moves import reshaped
from ..layout import Layout, row_major
from ..machine import Machine
from ..merge import merged
from ..plan import POINTWISE
from ..scope import NotFlat, Place, ScalarsOnly, Scope, place, rows_follow
from ..tidy import tidy
from ..widths import is_float

SPLIT_ABOVE = 1_000_000
"""Products of a kernel from which on its outer loop is one that threads can share. They take some 20 us with AVX2; a
call of TVM's pool of threads costs 5 to 10.
"""
PARTS = 8
"""Parts that threads can share of a kernel that gives memory of its own to each."""
MOVE = 8
"""Products in whose time an element is read, changed and written."""

Build = Callable[[Scope, Memory, int], None]
"""Write a kernel into a scope: the memory of its result, and how many lanes vectors have."""


@dataclass(frozen=True, eq=False)
class Written:
    """A kernel with the arguments that it takes, in order: views and reads of tensors, constants, the result."""

    function: Function
    scope: Scope


def written(
    machine: Machine, layouts: Mapping[Node, Layout], out: Layout, build: Build, flats: Sequence[int]
) -> Written:
    """Write a kernel in the best way that its operations allow: vectors before scalars, ``flats`` in their order."""
    made = attempt(machine, layouts, out, build, flats)
    assert made is not None, "a kernel with one lane and a loop for each axis can always be written"
    return made


def attempt(
    machine: Machine, layouts: Mapping[Node, Layout], out: Layout, build: Build, flats: Sequence[int]
) -> Written | None:
    """Write a kernel as ``written`` does; None where its operations allow no way."""
    for lanes in machine.widths:
        for flat in flats:
            scope = Scope(machine, layouts, flat=flat)
            result = Parameter.pointer("y", out.dtype)
            assert result.memory is not None
            try:
                build(scope, result.memory, lanes)
            except (NotFlat, ScalarsOnly):
                continue
            made = function([*arguments(scope), result, *numbers(scope)], scope.code)
            if machine.helium and not helium.fits(made):
                continue
            return Written(merged(scope, made) if machine.bare else made, scope)
    return None


def tidied(made: Written) -> Written:
    """Write a kernel without what nobody reads, arguments among it, and without names for what is used once."""
    scope = made.scope
    function = tidy(made.function, frozenset(p.memory for _, p in scope.constants.values() if p.memory is not None))
    kept = set(function.parameters)
    pruned = replace(
        scope,
        views=[(n, p) for n, p in scope.views if p in kept],
        reads={n: p for n, p in scope.reads.items() if p in kept},
        constants={k: (data, p) for k, (data, p) in scope.constants.items() if p in kept},
        status=scope.status if scope.status in kept else None,
        scratches=[(n, found) for n, ps in scope.scratches if (found := tuple(p for p in ps if p in kept))],
    )
    return Written(function, pruned)


def arguments(scope: Scope) -> list[Parameter]:
    """Give the pointers that a kernel takes, but for its result."""
    pointers = [*(p for _, p in scope.views), *scope.reads.values(), *(p for _, p in scope.constants.values())]
    pointers += [scope.status] if scope.status is not None else []
    return [*pointers, *(p for _, own in scope.scratches for p in own)]


def numbers(scope: Scope) -> list[Parameter]:
    """Give the numbers that a kernel takes: the range of its outer loop."""
    return [] if scope.range is None else list(scope.range[:2])


def kept(value: Value, memory: Memory, layout: Layout) -> Value:
    """Give what stands in memory for a stored value: its distance from the layout's base."""
    return value if is_float(memory.dtype) or not layout.base else value - layout.base


def put(scope: Scope, memory: Memory, layout: Layout, at: Place, value: Value) -> None:
    """Write a stored value where its element stands."""
    value = kept(value, memory, layout)
    where = place(layout, at)
    if value.lanes == 1 and isinstance(where, Lanes):
        value = spread(value, where.lanes)
    scope.code.store(memory, where, value)


def put_moved(scope: Scope, memory: Memory, layout: Layout, anchor: Node, end: Node, at: Place) -> None:
    """Write what ends with moves of whole rows, at a place of the ``anchor``; vectors go along the last axis."""
    moves: list[Node] = []
    while isinstance(end.op, Transpose | Reshape) and end is not anchor:
        moves.append(end)
        end = end.inputs[0]
    value = scope.at(end, at)
    width = at[-1].lanes if isinstance(at[-1], Lanes) else 1
    begin: Place = (*at[:-1], at[-1].base if isinstance(at[-1], Lanes) else at[-1])
    for node in reversed(moves):
        if isinstance(node.op, Transpose):
            begin = tuple(begin[a] for a in node.op.axes)
        else:
            begin = reshaped(begin, node.inputs[0].shape, node.shape)
    last = begin[-1]
    assert isinstance(last, Value)
    put(scope, memory, layout, (*begin[:-1], lanes_from(last, width)), value)


def vectors(length: int, lanes: int) -> tuple[int, int, list[int]]:
    """Cut an axis into vectors: their lanes, how many stand side by side, and where the others begin.

    What is left over at the end is covered by a vector that is shifted back; some elements are computed twice.
    """
    width = lanes
    while width > length:
        width //= 2
    full = length // width
    rest = [length - width] if length % width else []
    return width, full, rest


@contextmanager
def axes(code: Code, shape: Sequence[int]) -> Iterator[list[Index]]:
    """Loop over all indices of a shape."""
    if not shape:
        yield []
        return
    with code.loop(shape[0]) as i, axes(code, shape[1:]) as others:
        yield [i, *others]


def along(code: Code, length: int, lanes: int) -> Iterator[Index]:
    """Give the places of the last axis, each in a loop of its own."""
    width, full, rest = vectors(length, lanes)
    with code.loop(full) as i:
        yield lanes_from(i * width, width)
    for begin in rest:
        yield lanes_from(index(begin), width)


def unravelled(flat: Value, shape: Sequence[int]) -> list[Value]:
    """Give the indices of a flat index."""
    own: list[Value] = []
    for axis, n in enumerate(shape):
        below = prod(shape[axis + 1 :])
        own.append(index(0) if n == 1 else (flat // below) % n if any(m > 1 for m in shape[:axis]) else flat // below)
    return own


def pieces(code: Code, length: int, source: str, target: str) -> Iterator[tuple[int, Value]]:
    """Cut a row that is copied into Helium's vectors: how many elements each has, and where it begins.

    What is left over at the end is covered by one that is shifted back.
    """
    lanes = next(n for n in (16, 8, 4, 1) if n <= min(length, helium.widest(source, target)))
    with code.loop(length // lanes) as i:
        yield lanes, i * lanes
    if length % lanes:
        yield lanes, index(length - lanes)


def tile_begin(code: Code, tile: Value, rows: int, length: int) -> Value:
    """Give where a tile of an axis begins: one that would end beyond the axis is shifted back."""
    return code.let(minimum(tile * rows, length - rows) if length % rows else tile * rows)


def elementwise(
    machine: Machine, layouts: Mapping[Node, Layout], node: Node, out: Layout, read: "Read | None" = None
) -> Written:
    """Compute a tensor element by element."""
    value = read or (lambda scope, at: scope.at(node, at))
    if machine.lanes > 1 and (made := _interleaved(machine, layouts, node, out, value)) is not None:
        return made
    if machine.lanes > 1 and (made := _turned(machine, layouts, node, out, value)) is not None:
        return made

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        shape = node.shape or (1,)
        together = max(len(shape) - scope.flat, 0)
        lead, own = shape[: len(shape) - scope.flat] if together else (), shape[together:]
        if scope.flat == 0:
            lead, own = (), (prod(shape),)
        size = prod(shape)
        code = scope.code
        outer = [prod(lead)] if together and scope.flat else []
        loops = [*outer, *own]

        def finish(at: Place) -> None:
            whole = _unfolded(at, shape, scope.flat) if together or scope.flat == 0 else at
            whole = whole if node.shape else ()
            put(scope, memory, out, whole, value(scope, whole))

        if len(loops) == 1:
            for last in along(code, loops[0], lanes):
                finish((last,))
            return
        with scope.outer(loops[0], split=size * MOVE > SPLIT_ABOVE) as first, axes(code, loops[1:-1]) as between:
            for last in along(code, loops[-1], lanes):
                finish((first, *between, last))

    return written(machine, layouts, out, build, flats(node, layouts, out) if read is None else (99,))


Read = Callable[[Scope, Place], Value]
FEW = 4
"""Channels up to which vectors go along the axis before them."""


def _interleaved(
    machine: Machine, layouts: Mapping[Node, Layout], node: Node, out: Layout, value: Read
) -> "Written | None":
    """Write a tensor of few channels: vectors along the axis before the channels, which are interleaved at the end.

    Channels that a layout rounds up are written with what is at hand: nothing reads them.
    """
    shape = node.shape
    if len(shape) < 2 or shape[-1] > FEW or shape[-2] < 8 or out.strides[-1] != 1:
        return None
    cells = out.strides[-2]
    if cells > FEW or cells < shape[-1] or (out.shared and cells != shape[-1]):
        return None

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        if lanes == 1:
            raise ScalarsOnly
        code = scope.code
        width, full, rest = vectors(shape[-2], lanes)
        kind = memory.dtype

        def group(lead: Sequence[Index], first: Value) -> None:
            parts = []
            for c in range(shape[-1]):
                found = kept(value(scope, (*lead, Lanes(first, width), index(c))), memory, out)
                parts.append(code.let(cast(spread(found, width), kind)))
            where = place(out, (*lead, first, index(0)))
            if cells == 1:
                code.store(memory, where, parts[0])
                return
            parts += [parts[-1]] * (cells - len(parts))
            code.store(memory, where, shuffle(parts, [c * width + p for p in range(width) for c in range(cells)]))

        with scope.outer(shape[0], split=False) if len(shape) > 2 else _nothing() as o, axes(code, shape[1:-2]) as more:
            lead: list[Index] = [o, *more] if len(shape) > 2 else []
            with code.loop(full) as i:
                group(lead, i * width)
            for begin in rest:
                group(lead, index(begin))

    return attempt(machine, layouts, out, build, (99,))


def _turned(
    machine: Machine, layouts: Mapping[Node, Layout], node: Node, out: Layout, value: Read
) -> "Written | None":
    """Write a tensor in which neighbours along the last axis, and in its operand those along the axis before it, or
    the other way round, stand side by side: squares of both axes are transposed in registers.
    """
    shape = node.shape
    width = machine.lanes
    while len(shape) > 1 and width > min(shape[-2:]):
        width //= 2
    if len(shape) < 2 or width < 4:
        return None
    down = out.strides[-1] == 1  # vectors are read along the axis before the last one, and written along the last
    if not (down or out.strides[-2] == 1) or not any(_side_by_side(x, 2 if down else 1) for x in _read(node, layouts)):
        return None

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        if lanes == 1:
            raise ScalarsOnly
        code = scope.code

        def square(lead: Sequence[Index], row: Value, column: Value) -> None:
            vectors = []
            for i in range(width):
                at = (*lead, Lanes(row, width), column + i) if down else (*lead, row + i, Lanes(column, width))
                found = kept(value(scope, at), memory, out)
                vectors.append(code.let(cast(spread(found, width), memory.dtype)))
            for i, one in enumerate(transposed(code, vectors)):
                at = (*lead, row + i, Lanes(column, width)) if down else (*lead, Lanes(row, width), column + i)
                code.store(memory, place(out, at), one)

        rows, columns = ((shape[axis], -(-shape[axis] // width)) for axis in (-2, -1))
        split = prod(shape) * MOVE > SPLIT_ABOVE and len(shape) > 2
        with scope.outer(shape[0] if len(shape) > 2 else 1, split=split) as o, axes(code, shape[1:-2]) as more:
            lead: list[Index] = [o, *more] if len(shape) > 2 else []
            with code.loop(rows[1]) as i, code.loop(columns[1]) as k:
                square(lead, tile_begin(code, i, width, rows[0]), tile_begin(code, k, width, columns[0]))

    return attempt(machine, layouts, out, build, (99,))


def transposed(code: Code, rows: Sequence[Value]) -> list[Value]:
    """Transpose as many vectors as each has lanes: in each step the first half is interleaved with the second."""
    count = len(rows)
    picks = [lane + half * count for lane in range(count) for half in range(2)]
    found = list(rows)
    for _ in range(count.bit_length() - 1):
        pairs = zip(found[: count // 2], found[count // 2 :], strict=True)
        found = [code.let(shuffle(pair, own)) for pair in pairs for own in (picks[:count], picks[count:])]
    return found


def _side_by_side(layout: Layout, axis: int) -> bool:
    """Whether neighbours along an axis, counted from the last one, follow each other in memory."""
    return len(layout.strides) >= axis and layout.strides[-axis] == 1


def _read(node: Node, layouts: Mapping[Node, Layout]) -> list[Layout]:
    """Give the layouts of the tensors of a node's own shape that it is computed from, element by element."""
    if node in layouts:
        return [layouts[node]]
    if not isinstance(node.op, POINTWISE) or node.shape == ():
        return []
    return [own for i in _operands(node) if i.shape == node.shape for own in _read(i, layouts)]


@contextmanager
def _nothing() -> Iterator[Value]:
    yield index(0)


def _unfolded(at: Place, shape: Sequence[int], flat: int) -> Place:
    """Put the index of axes that are taken together at the last of them that is longer than 1."""
    if flat == 0:
        long = [i for i, n in enumerate(shape) if n > 1] or [len(shape) - 1]
        return tuple(at[0] if i == long[-1] else const(0) for i in range(len(shape)))
    lead = len(shape) - flat
    long = [i for i, n in enumerate(shape[:lead]) if n > 1] or [lead - 1]
    return tuple(at[0] if i == long[-1] else const(0) for i in range(lead)) + tuple(at[1:])


def flats(node: Node, layouts: Mapping[Node, Layout], out: Layout) -> list[int]:
    """Say how many axes can be taken together: all, all but the last, none."""
    shape = node.shape
    found: list[Layout] = [out]
    narrow_constant = False

    def visit(n: Node) -> bool:
        nonlocal narrow_constant
        if n in layouts and n is not node:
            found.append(layouts[n])
            return n.shape == shape
        if isinstance(n.op, Constant):
            size = n.type.size
            narrow_constant |= size > 1
            return size == 1 or (size == n.shape[-1] == shape[-1])
        return isinstance(n.op, POINTWISE) and n.shape == shape and all(visit(i) for i in _operands(n))

    same = visit(node) and len(shape) > 0
    if not same:
        return [99]
    result = []
    if all(one.strides == row_major(shape) for one in found) and not narrow_constant:
        result.append(0)
    if len(shape) > 2 and all(map(rows_follow, found)):
        result.append(1)
    return [*result, 99]


def _operands(node: Node) -> tuple[Node, ...]:
    return node.inputs[:1] if isinstance(node.op, Lookup | Step) else node.inputs


def filled(machine: Machine, layout: Layout, border: Sequence[tuple[int, int]], zero: int) -> Written:
    """Write the integer that means zero into the cells around a tensor's space."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        space = [n + sum(b) for n, b in zip(layout.shape[:-1], border, strict=True)]
        channels = layout.strides[-2] if len(layout.strides) > 1 else layout.size
        cell = const(zero - layout.base if not is_float(memory.dtype) else 0, memory.dtype)
        wide = lanes * 32 // max(8, 8 if memory.dtype.endswith("8") else 16 if memory.dtype.endswith("16") else 32)

        def run(begin: Value, length: int) -> None:
            for i in along(code, length, wide if lanes > 1 else 1):
                code.store(memory, i + begin, spread(cell, i.lanes) if isinstance(i, Lanes) else cell)

        def axis(k: int, base: Value) -> None:
            if k == len(space):
                return
            below = prod(space[k + 1 :]) * channels
            before, after = border[k]
            if before:
                run(base, before * below)
            if after:
                run(base + (space[k] - after) * below, after * below)
            if any(any(b) for b in border[k + 1 :]):
                with code.loop(space[k] - before - after) as i:
                    axis(k + 1, base + (i + before) * below)

        axis(0, index(0))

    return written(machine, {}, layout, build, (99,))
