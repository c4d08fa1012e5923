"""Compiling a graph to a program: kernels, the memory they work in, calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...graph import Graph, Node, Op, State, UnsupportedError
from ...graph.arrays import NDArray, as_array
from ...graph.evaluate.run import surface_shape
from ...graph.ops import (
    ArgMax,
    AvgPool,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    FixedSoftmax,
    Input,
    MatMul,
    MaxPool,
    Output,
    Reduce,
    Reshape,
    Scan,
    ScatterND,
    Softmax,
    TopK,
    Transpose,
)
from . import elements  # noqa: F401 - registers the rules
from .attention import Attention, attentions
from .code import Value
from .contract import Contraction, contraction
from .cut import cut_products
from .elements.moves import joined
from .halves import bits_of
from .kernels import (
    Written,
    across,
    across_matrices,
    attention,
    by_rows,
    elementwise,
    filled,
    mmla,
    packed,
    packed_ring,
    pools,
    products,
    reductions,
    rows,
    sorting,
    tiles,
    windows,
    winograd,
)
from .kernels.frame import tidied
from .kernels.matrices import kind_of, matrix_product
from .kernels.packing import pack_right
from .layout import Layout, arena_type, bordered, interface_type, plain, row_major
from .machine import Dot, Machine
from .numbers import real
from .phases import convolved
from .plan import Fused, Groups, Style, Work, flat, group, layouts
from .prepare import prepare, sink_moves
from .program import STATUS, Block, Call, Copy, Loop, Pointer, Program, Resident, blocks_of, place_blocks
from .resident import in_place
from .rows import Rows, row_groups
from .schedule import Tiles
from .scope import Place, Scope
from .views import crowded, root, view
from .widths import HALVES, WIDTHS, is_float
from .winograd import suits

MANY = 8
"""Channels, and cells of the axis before them, from which on an output that has its channels first is transposed."""


def make_program(graph: Graph, machine: Machine, tiles: Tiles | None = None) -> Program:
    """Compile a graph to kernels and calls; ``tiles``: what a tuner decided, by the description of a layer.

    Raises UnsupportedError for what cannot be compiled, OptionError for a tile that is not possible.
    """
    graph = prepare(flat(graph))
    if machine.lanes > 1 and not machine.bare:
        graph = sink_moves(cut_products(convolved(graph)))
    builder = Builder(Program(graph, machine), tiles or {})
    builder.network(graph)
    program = builder.program
    in_place(program)
    for block in program.blocks:
        if block.port:  # the caller fills an input before the first step, and reads an output after the last one
            block.first = 0 if block.port.startswith("in") else block.first
            block.last = max(block.last, 0) if block.port.startswith("in") else builder.step + 1
        if block.kept:
            block.first, block.last = 0, builder.step + 1
    program.arena = place_blocks(program.blocks)
    return program


def summed_as(call: Call, machine: Machine) -> Dot | None:
    """Say how a call sums products; None for one that does not."""
    if call.free is not None:
        return call.free.summed
    node: Node | None = call.node if call.macs else None
    while node is not None:
        if (found := contraction(node, machine)) is not None:
            return found.dot
        if isinstance(node.op, MatMul):
            return kind_of(node, machine)
        node = next((i for i in node.inputs if i.shape == node.shape and i.inputs), None)
    return None


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor in memory."""

    layout: Layout
    pointer: Pointer


class Builder:
    """Writes a program, step by step."""

    def __init__(self, program: Program, tiles: Tiles) -> None:
        self.program, self.machine, self.tiles = program, program.machine, tiles
        self.held: dict[Node, Held] = {}
        self.outputs: dict[Node, list[Held]] = {}
        self.constants: dict[bytes, Pointer] = {}
        self.by_key: dict[bytes, str] = {}
        self.pairs: dict[Node, tuple[Node, Node]] = {}
        self.statements = program.statements
        self.step = 0

    def network(self, graph: Graph) -> None:
        """Add a whole network: its surface, its steps, what it leaves to the next run."""
        self.surface(graph)
        fresh = [self.remember(state) for state in graph.states]
        self.run(graph)
        for resident, held in zip(self.program.residents, fresh, strict=True):
            self.advance(resident.state.entry, Held(resident.layout, Pointer(resident.block)), held)

    # Memory

    def remember(self, state: State) -> Held:
        """Make room for a state that stays, and for its next value, which is given."""
        entry = state.entry
        layout = self.machine.stored(plain(entry.shape, *arena_type(entry, self.machine.unsigned_bytes)))
        block = self.block(layout)
        block.kept = True
        stored = (state.initial.data - layout.base).astype(layout.dtype)
        initial = self.constant(np.ascontiguousarray(stored)) if stored.any() else None
        self.program.residents.append(Resident(state, layout, block, initial))
        self.held[entry] = Held(layout, Pointer(block))
        fresh = Held(layout, Pointer(self.block(layout)))
        self.outputs.setdefault(state.next.inputs[0], []).append(fresh)
        return fresh

    def surface(self, graph: Graph) -> None:
        """Give the inputs and outputs their ports, in the layout of the source model."""
        for i, node in enumerate(graph.inputs):
            layout = self.machine.stored(_port_layout(node))
            self.held[node] = Held(layout, Pointer(self.port(layout, f"in{i}")))
        for i, node in enumerate(graph.outputs):
            layout = self.machine.stored(_port_layout(node))
            target = Held(layout, Pointer(self.port(layout, f"out{i}")))
            self.outputs.setdefault(node.inputs[0], []).append(target)

    def port(self, layout: Layout, name: str) -> Block:
        """Give the memory of an input, which is there before the first step, or of an output."""
        made = Block(layout.bytes, name)
        if self.machine.bare:
            made.bytes += -made.bytes % self.machine.alignment
            self.program.blocks.append(made)
        return made

    def block(self, layout: Layout) -> Block:
        """Make room in the arena; a vector may read a little beyond the last element."""
        return self.room(layout.bytes if self.machine.bare else layout.bytes + _slack(layout))

    def room(self, size: int) -> Block:
        """Make room for some bytes."""
        alignment = self.machine.alignment
        made = Block(-(-size // alignment) * alignment)
        self.program.blocks.append(made)
        return made

    def touch(self, pointer: Pointer) -> None:
        """Note that a step uses memory."""
        block = pointer.block
        if block is None:
            return
        block.first, block.last = min(block.first, self.step), max(block.last, self.step)

    def constant(self, data: NDArray) -> Pointer:
        """Put an array among the constants."""
        key = data.dtype.str.encode() + data.tobytes()
        if key not in self.constants:
            self.constants[key] = self.program.append(data)
        return self.constants[key]

    # Steps

    def call(self, made: Written, out: Held, node: Node, macs: int = 0, *, whole: bool = True) -> None:
        """Add a call of a kernel; equal kernels are one function. ``whole``: whether it writes all of its result."""
        made = tidied(made) if self.machine.bare else made
        name, scope = self.kernel(made), made.scope
        arguments = self.arguments(scope, out)
        self.program.flagged |= scope.status is not None
        self.step += 1
        for pointer in arguments:
            self.touch(pointer)
        size = (out.layout.bytes if whole else 0) + sum(data.nbytes for data, _ in scope.constants.values())
        size += sum(self.held[n].layout.bytes for n in {*scope.reads, *(v for v, _ in scope.views)})
        parts = scope.range[2] if scope.range else 0
        self.statements.append(Call(name, tuple(arguments), parts, node, macs, size, scope.free))

    def arguments(self, scope: Scope, out: Held) -> list[Pointer]:
        """Give what a kernel is called with, in the order of its parameters."""
        found = [self.held[n].pointer for n in (*(v for v, _ in scope.views), *scope.reads)]
        found += [self.constant(data) for data, _ in scope.constants.values()]
        if scope.status is not None:
            found.append(Pointer(STATUS))
        for size, parameters in scope.scratches:
            found += [Pointer(self.room(size))] * len(parameters)
        return [*found, out.pointer]

    def kernel(self, made: Written) -> str:
        """Name a kernel; equal ones are one function."""
        name = self.by_key.setdefault(made.function.key, f"k{len(self.by_key)}")
        self.program.kernels.setdefault(name, made.function)
        return name

    @property
    def layouts(self) -> dict[Node, Layout]:
        """Where everything stands so far."""
        return {n: h.layout for n, h in self.held.items()}

    def run(self, graph: Graph) -> None:
        """Add the steps of a graph whose inputs are held."""
        bare, few = self.machine.bare, self.machine.few_steps
        fused = {} if bare or few else _fused(graph, self.machine)
        groups = group(graph, Style(bare, few), fused)
        chosen = {n: self.machine.stored(own) for n, own in layouts(groups, self.machine).items()}
        for work in groups.work:
            try:
                self.compute(groups, work, chosen)
            except UnsupportedError as error:
                raise UnsupportedError(error.what, where=error.where or work.end.where, hint=error.hint) from None
        for node, targets in self.outputs.items():
            for target in targets:
                if self.held.get(node) is not target and node in groups.standing | set(graph.inputs):
                    self.move(node, target)
                elif isinstance(node.op, Constant):
                    self.call(elementwise(self.machine, self.layouts, node, target.layout), target, node)

    def move(self, node: Node, target: Held) -> None:
        """Write a tensor that stands in memory to another place."""
        made = elementwise(self.machine, self.layouts, node, target.layout, lambda s, at: s.load(node, at))
        self.call(made, target, node)

    def scattered(self, node: Node) -> bool:
        """Whether vectors of channels would be written to an output one by one: transposing squares later is faster."""
        return not self.machine.bare and self.machine.lanes > 1 and any(
            len(port.layout.shape) > 1 and min(port.layout.shape[-2:]) >= MANY and port.layout.strides[-1] != 1
            for port in self.outputs.get(node, [])
        )  # fmt: skip

    def target(self, node: Node, wanted: Layout, users: tuple[Node, ...]) -> Held:
        """Choose where a tensor is written: straight to an output that nobody else reads, else to the arena."""
        ports = self.outputs.get(node, [])
        if ports and len(users) == 1:
            return ports[0]
        return Held(wanted, Pointer(self.block(wanted)))

    def compute(self, groups: Groups, work: Work, chosen: Mapping[Node, Layout]) -> None:
        """Add one step."""
        end = work.end
        if work.anchor is None and self.alias(end, chosen, groups):
            return
        if work.anchor is not None and isinstance(work.anchor.op, Scan):
            out = self.target(end, chosen[end], groups.users[end])
            self.border(end, out, chosen[end])
            self.scan(work.anchor, out)
            return
        if work.fused is not None:
            self.readable(work.fused)
        elif work.anchor is not None:
            self.prepare(work.anchor)
        if work.anchor is not None and self.scattered(end):
            out = Held(chosen[end], Pointer(self.block(chosen[end])))
        else:
            out = self.target(end, chosen[end], groups.users[end])
        self.border(end, out, chosen[end])
        for made, macs in self.written(work, out):
            self.call(made, out, end, macs)
        self.held[end] = out

    def alias(self, node: Node, chosen: Mapping[Node, Layout], groups: Groups) -> bool:
        """Take a reshaped tensor as it stands, where that needs no move."""
        if not isinstance(node.op, Reshape) or node in self.outputs:
            return False
        source = node.inputs[0]
        while isinstance(source.op, Reshape) and source not in self.held:
            source = source.inputs[0]
        held, wanted = self.held.get(source), chosen[node]
        if held is None or not held.layout.dense or not wanted.dense:
            return False
        if (held.layout.dtype, held.layout.base) != (wanted.dtype, wanted.base):
            return False
        self.held[node] = Held(plain(node.shape, wanted.dtype, wanted.base), held.pointer)
        return True

    def border(self, node: Node, out: Held, wanted: Layout) -> None:
        """Fill the cells around a tensor with zeros, before anything is written into it."""
        if out.layout is not wanted or (wanted.offset == 0 and wanted.size == _inner(wanted)):
            return
        around = _border(wanted)
        if any(any(b) for b in around):
            zero = 0 if not node.type.is_integer else int(as_array(node.type.quantized.zero).flat[0])
            self.call(filled(self.machine, wanted, around, zero), out, node, whole=False)

    def written(self, work: Work, out: Held) -> list[tuple[Written, int]]:
        """Write the kernels of a step, each with how many products it sums."""
        m, end, anchor = self.machine, work.end, work.anchor
        found = self.layouts
        if isinstance(work.fused, Attention):
            return [(attention(m, found, work.fused, end, out.layout), work.fused.macs)]
        if isinstance(work.fused, Rows):
            return [(by_rows(m, found, work.fused, end, out.layout), 0)]
        if anchor is None:
            if isinstance(end.op, Concat):
                return [(made, 0) for made in _joined(m, found, end, out.layout)]
            return [(elementwise(m, found, end, out.layout), 0)]
        match anchor.op:
            case Dense() | Conv():
                return [self.product(anchor, end, out.layout)]
            case MatMul():
                return [(self.of_matrices(anchor, end, out.layout), matmul_macs(anchor))]
            case ConvTranspose():
                return [(pools.transposed(m, found, anchor, end, out.layout), 0)]
            case MaxPool() | AvgPool():
                return [(pools.pool(m, found, anchor, end, out.layout), 0)]
            case Reduce():
                return [(reductions.reduce(m, found, anchor, end, out.layout), 0)]
        return [(WHOLE[type(anchor.op)](m, found, anchor, out.layout), 0)]

    def product(self, anchor: Node, end: Node, out: Layout) -> tuple[Written, int]:
        """Write a product of known weights, in the way that fits it best."""
        m, found = self.machine, self.layouts
        c = contraction(anchor, m)
        assert c is not None
        if m.bare:
            return _on_bare(c)(m, found, c, end, out), c.macs
        if c.dot in (Dot.AMX, Dot.AMX_BF16):
            return tiles.product(m, found, c, end, out, self.tiles), c.macs
        write_product = mmla.product if c.dot is Dot.MMLA else products.product
        if suits(c, m):
            write_product = winograd.product
        return write_product(m, found, c, end, out, self.tiles), c.macs

    def of_matrices(self, anchor: Node, end: Node, out: Layout) -> Written:
        """Write the product of two computed matrices, in the way that fits it best."""
        kind, what = kind_of(anchor, self.machine), (anchor, self.pairs[anchor], end, out)
        if kind is Dot.AMX:
            return tiles.matrix_product(self.machine, self.layouts, *what)
        if kind is Dot.ACROSS:
            return across_matrices.product(self.machine, self.layouts, *what)
        write_matrices = mmla.matrix_product if kind is Dot.MMLA else matrix_product
        return write_matrices(self.machine, self.layouts, *what, self.tiles)

    # Operands

    def prepare(self, anchor: Node) -> None:
        """Bring the operand of a product into the layout that it reads."""
        if (c := contraction(anchor, self.machine)) is not None:
            self.packed(anchor.inputs[0], c)
        elif isinstance(anchor.op, MatMul):
            self.right(anchor)

    def readable(self, fused: Fused) -> None:
        """Copy operands that stand where they cannot be read well: rows of the same matrix follow each other then."""
        for x, along in fused.repeated.items():
            self.constant_tensor(root(x, self.layouts))
            found = view(x, self.layouts)
            if found is not None and found.dtype == "float32" and not crowded(found, along):
                continue
            order = (*(a for a in range(len(x.shape)) if a != along), along)
            turned = Node(Transpose(order), (x,), x.where)
            wanted = plain(turned.shape, "float32")
            out = Held(wanted, Pointer(self.block(wanted)))
            self.call(elementwise(self.machine, self.layouts, turned, wanted, _of(turned, real)), out, x)
            strides = tuple(wanted.strides[order.index(a)] for a in range(len(order)))
            self.held[x] = Held(replace(wanted, shape=x.shape, strides=strides), out.pointer)

    def packed(self, x: Node, c: Contraction) -> None:
        """Copy an operand where it does not stand as a product wants it."""
        self.constant_tensor(x)
        held = self.held[x]
        if _suits(held.layout, c):
            return
        dtype, base = c.operand_type or arena_type(x, self.machine.unsigned_bytes)
        wanted = self.machine.stored(bordered(x.shape, dtype, c.border, c.multiple, base))
        out = Held(wanted, Pointer(self.block(wanted)))
        zero = 0 if not x.type.is_integer or is_float(dtype) else int(as_array(x.type.quantized.zero).flat[0])
        if any(any(b) for b in c.border):
            self.call(filled(self.machine, wanted, c.border, zero), out, x, whole=False)
        read = real if is_float(dtype) else _as_is
        self.call(elementwise(self.machine, self.layouts, x, wanted, _of(x, read)), out, x)
        self.held[x] = out

    def right(self, anchor: Node) -> None:
        """Pack the right operand of a matrix product, as weights are packed."""
        for operand in anchor.inputs:
            self.constant_tensor(operand)
        pair = list(anchor.inputs)
        pack = across_matrices.pack if kind_of(anchor, self.machine) is Dot.ACROSS else pack_right
        for made, which, layout in pack(self.machine, self.layouts, anchor):
            out = Held(layout, Pointer(self.block(layout)))
            self.call(made, out, anchor)
            pair[which] = Node(Input(f"operand {which}", (1,)), (), anchor.where)  # stands for the packed operand
            self.held[pair[which]] = out
        self.pairs[anchor] = (pair[0], pair[1])

    def constant_tensor(self, node: Node) -> None:
        """Let a constant stand in memory, where a kernel wants a tensor."""
        if isinstance(node.op, Constant) and node not in self.held:
            dtype, base = arena_type(node, self.machine.unsigned_bytes)
            layout = self.machine.stored(plain(node.shape, dtype, base))
            data = node.op.value.data
            if layout.dtype in HALVES:
                stored = bits_of(data, layout.dtype)
            else:
                stored = (data.astype(np.float32 if is_float(dtype) else np.int64) - base).astype(layout.dtype)
            self.held[node] = Held(layout, self.constant(np.ascontiguousarray(stored)))

    # Recurrence

    def scan(self, node: Node, out: Held) -> None:
        """Add a loop over the steps of a scan: its body's inputs are a step of the sequences, the states, the rest."""
        op = node.op
        assert isinstance(op, Scan)
        body = type(self)(self.program, self.tiles)
        body.constants, body.by_key = self.constants, self.by_key
        loop = Loop(op.steps, op.reverse)
        states: list[tuple[Held, Node]] = []
        for i, (operand, entry) in enumerate(zip(node.inputs, op.body.inputs, strict=True)):
            self.constant_tensor(operand)
            layout = _step_layout(entry, self.machine)
            whole_layout = _repeated(layout, op.steps) if i < op.sequences else layout
            held = Held(whole_layout, Pointer(self.block(whole_layout)))
            read = real if is_float(layout.dtype) else _as_is
            self.call(elementwise(self.machine, self.layouts, operand, whole_layout, _of(operand, read)), held, operand)
            stride = layout.bytes if i < op.sequences else 0
            body.held[entry] = Held(layout, Pointer(held.pointer.block, 0, stride, loop if stride else None))
            if op.sequences <= i < op.sequences + op.states:
                states.append((held, entry))
        self.turns(op, loop, body, states, node, out)
        self.held[node] = out

    def turns(
        self, op: Scan, loop: Loop, body: "Builder", states: list[tuple[Held, Node]], node: Node, out: Held
    ) -> None:
        """Fill the loop: the body's steps, the next states, the emission."""
        begin = self.step
        emitted = op.body.outputs[-1]
        one = _step_layout(emitted, self.machine)
        rows_layout = one if op.last else _repeated(one, op.steps)
        store = Held(rows_layout, Pointer(self.block(rows_layout)))
        emission = Held(one, Pointer(store.pointer.block, 0, 0 if op.last else one.bytes, None if op.last else loop))
        nexts: list[tuple[Node, Held, Held]] = []
        body.step, body.statements = self.step, loop.body
        for (held, entry), output in zip(states, op.body.outputs, strict=False):
            layout = body.held[entry].layout
            fresh = Held(layout, Pointer(self.block(layout)))
            body.outputs.setdefault(output.inputs[0], []).append(fresh)
            nexts.append((entry, held, fresh))
        body.outputs.setdefault(emitted.inputs[0], []).append(emission)
        first_block = len(self.program.blocks)
        body.run(op.body)
        for entry, held, fresh in nexts:
            body.advance(entry, held, fresh)
        self.step = body.step
        self.statements.append(loop)
        inside = [*self.program.blocks[first_block:], *blocks_of(loop)]
        for block in inside:  # what a turn leaves may be read in the next one
            if not block.port:
                block.first, block.last = min(block.first, begin), max(block.last, self.step)
        self.held[node] = Held(rows_layout, store.pointer)
        self.move(node, out)

    def advance(self, entry: Node, held: Held, fresh: Held) -> None:
        """Make the next state, at the end of a turn or a run, the one that the next begins with."""
        self.step += 1
        self.touch(held.pointer)
        self.touch(fresh.pointer)
        self.statements.append(Copy(held.pointer, fresh.pointer, fresh.layout.bytes))


WHOLE: dict[type[Op], Callable[[Machine, Mapping[Node, Layout], Node, Layout], Written]] = {
    ArgMax: reductions.argmax, TopK: sorting.topk, ScatterND: sorting.scatter, Softmax: rows.softmax,
    FixedSoftmax: rows.fixed_softmax,
}  # fmt: skip
"""Writers of anchors that nothing follows."""


def _fused(graph: Graph, machine: Machine) -> dict[Node, Fused]:
    """Find what several anchors compute together."""
    found: dict[Node, Fused] = {**attentions(graph, machine)}
    taken = frozenset(n for f in found.values() for n in (*f.inside, f.anchor))
    return {**found, **row_groups(graph, machine, taken)}


def _as_is(scope: Scope, node: Node, at: Place) -> Value:
    return scope.at(node, at)


def _of(node: Node, read: Callable[[Scope, Node, Place], Value]) -> Callable[[Scope, Place], Value]:
    """Read always the same node."""
    return lambda scope, at: read(scope, node, at)


def _step_layout(entry: Node, machine: Machine) -> Layout:
    """Give the layout of a step of a sequence: as many bytes as the machine wants steps to be apart."""
    dtype, base = arena_type(entry, machine.unsigned_bytes)
    own = machine.stored(plain(entry.shape, dtype, base))
    unit = max(1, machine.step_bytes * 8 // WIDTHS[own.dtype])
    return replace(own, size=-(-own.size // unit) * unit)


def _repeated(one: Layout, steps: int) -> Layout:
    """Give the layout of a sequence of steps."""
    return Layout((steps, *one.shape), one.dtype, (one.size, *one.strides), 0, steps * one.size, one.base)


def _suits(layout: Layout, c: Contraction) -> bool:
    """Whether a product can read its operand as it stands."""
    if c.operand_type is not None and (layout.dtype, layout.base) != c.operand_type:
        return False
    if not layout.shape:
        return c.multiple == 1
    if layout.strides[-1] != 1 and layout.shape[-1] > 1:
        return False
    if len(layout.shape) == 1:
        return layout.shape[0] % c.multiple == 0 or layout.size % c.multiple == 0
    if layout.strides[-2] % c.multiple or layout.strides[-2] < layout.shape[-1]:
        return False
    have = _border(layout)
    return have is not None and all(
        a >= c_before and b >= c_after for (a, b), (c_before, c_after) in zip(have, c.border, strict=True)
    )


def _border(layout: Layout) -> tuple[tuple[int, int], ...]:
    """Read from strides and offset how many cells stand around each space axis."""
    strides, shape = layout.strides[:-1], layout.shape[:-1]
    if not shape:
        return ()
    result, rest, above = [], layout.offset, layout.size
    for stride, n in zip(strides, shape, strict=True):
        cells, before = above // stride, rest // stride
        result.append((before, cells - before - n))
        rest, above = rest % stride, stride
    return tuple(result)


def _inner(layout: Layout) -> int:
    """Elements of a bordered layout that hold values, rounding of the channels included."""
    return int(np.prod(layout.shape[:-1])) * (layout.strides[-2] if len(layout.strides) > 1 else layout.size)


def _slack(layout: Layout) -> int:
    return 64 + (-layout.bytes % 64)


def _port_layout(node: Node) -> Layout:
    """Give the layout of an input or output: row-major in the source's order of axes."""
    op, dtype = node.op, interface_type(node)
    assert isinstance(op, Input | Output)
    if op.axes is None:
        return plain(node.shape, dtype)
    strides = row_major(surface_shape(node))
    if isinstance(op, Input):  # ours = source.transpose(axes): our axis i is the source's axes[i]
        own = tuple(strides[a] for a in op.axes)
    else:  # source = ours.transpose(axes): the source's axis i is our axes[i]
        own = tuple(strides[op.axes.index(i)] for i in range(len(op.axes)))
    return Layout(node.shape, dtype, own, 0, node.type.size)


def _joined(machine: Machine, found: Mapping[Node, Layout], node: Node, out: Layout) -> list[Written]:
    """Write each operand of a concatenation into its part of the result."""
    op = node.op
    assert isinstance(op, Concat)
    made, begin = [], 0
    for x in node.inputs:
        offset = out.offset + begin * out.strides[op.axis]
        part = Layout(x.shape, out.dtype, out.strides, offset, out.size, out.base, shared=True)
        made.append(elementwise(machine, found, x, part, _of(x, lambda s, x, at: joined(s, node, x, at))))
        begin += x.shape[op.axis]
    return made


def _on_bare(c: Contraction) -> Callable[[Machine, Mapping[Node, Layout], Contraction, Node, Layout], Written]:
    """Choose what writes a product for a core without an operating system."""
    if c.dot is Dot.ACROSS:
        return windows.depthwise if c.depthwise else across.product
    return packed_ring.depthwise if c.depthwise else packed.product


def matmul_macs(node: Node) -> int:
    """Count the products of a product of matrices."""
    return node.type.size * node.inputs[0].shape[-1]
