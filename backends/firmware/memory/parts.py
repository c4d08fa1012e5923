"""Programs of graphs that are computed by stripes: rows are taken, and put together, where they stand."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ....graph import Graph, Node
from ....graph.ops import Concat, Quantize, Slice
from ...loops.builder import Builder, Held
from ...loops.code import Value
from ...loops.kernels import elementwise
from ...loops.layout import Layout, arena_type, plain
from ...loops.machine import Machine
from ...loops.plan import Groups, Work
from ...loops.program import Pointer, Program
from ...loops.scope import Place, Scope
from ...loops.widths import WIDTHS
from .stripes import rows_joined


def row_bytes(node: Node) -> int:
    """Give the bytes of a row of a tensor in the arena."""
    return node.type.size // node.shape[0] * WIDTHS[arena_type(node, unsigned_bytes=False)[0]] // 8


def program_of(graph: Graph, machine: Machine) -> Program:
    """Write the program of a graph that is prepared; it is not placed yet."""
    builder = _Rows(Program(graph, machine), {})
    builder.network(graph)
    return builder.program


class _Rows(Builder):
    """Rows that follow each other in memory are not copied."""

    def __init__(self, program: Program, tiles: Mapping[str, object]) -> None:
        super().__init__(program, {})
        self.joined: dict[Node, Held] = {}
        self.groups: Groups | None = None

    def alias(self, node: Node, chosen: Mapping[Node, Layout], groups: Groups) -> bool:
        """Take rows as they stand, where a row begins at an aligned address."""
        if super().alias(node, chosen, groups):
            return True
        op, source = node.op, node.inputs[0] if node.inputs else node
        if not isinstance(op, Slice) or source not in self.held or node in self.outputs or not _whole_rows(node):
            return False
        held, wanted = self.held[source], chosen[node]
        at = held.pointer.offset + op.starts[0] * row_bytes(source)
        if not held.layout.dense or (held.layout.dtype, held.layout.base) != (wanted.dtype, wanted.base):
            return False
        if not wanted.dense or at % self.machine.alignment or held.pointer.loop is not None:
            return False
        self.held[node] = Held(plain(node.shape, wanted.dtype, wanted.base), replace(held.pointer, offset=at))
        return True

    def target(self, node: Node, wanted: Layout, users: tuple[Node, ...]) -> Held:
        """Write rows straight to their place in the tensor that joins them."""
        join = self.join_of(users[0]) if len(users) == 1 and node not in self.outputs else None
        if join is not None and rows_joined(join).count(node) == 1:
            at = self.offset(join, node)
            if at % self.machine.alignment == 0:
                whole = self.whole(join)
                layout = plain(node.shape, whole.layout.dtype, whole.layout.base)
                return Held(layout, replace(whole.pointer, offset=at))
        return super().target(node, wanted, users)

    def join_of(self, concat: Node) -> Node | None:
        """Give the tensor that stands in memory with the rows that are joined: the node itself, or what only gives
        their numbers their meaning back.
        """
        assert self.groups is not None
        users = self.groups.users.get(concat, ())
        for node in (concat, *users[:1]):
            if rows_joined(node) and node in self.groups.standing and node not in self.outputs:
                again = len(users) == 1 and isinstance(node.op, Quantize) and node.inputs[0] is concat
                return node if node is concat or again else None
        return None

    def offset(self, join: Node, node: Node) -> int:
        """Say where rows begin in the tensor that joins them."""
        rows = rows_joined(join)
        return sum(row_bytes(join) * n.shape[0] for n in rows[: rows.index(node)])

    def whole(self, node: Node) -> Held:
        """Make room for a tensor that joins rows, once."""
        if node not in self.joined:
            layout = plain(node.shape, *arena_type(node, self.machine.unsigned_bytes))
            self.joined[node] = Held(layout, Pointer(self.block(layout)))
        return self.joined[node]

    def compute(self, groups: Groups, work: Work, chosen: Mapping[Node, Layout]) -> None:
        """Add one step; nothing for a tensor whose rows are all written."""
        end, self.groups = work.end, groups
        concat = end if isinstance(end.op, Concat) else end.inputs[0] if rows_joined(end) else None
        join = self.join_of(concat) if concat is not None else None
        if join is None or (join is concat and end is not concat):  # what follows a tensor that stands is a step
            super().compute(groups, work, chosen)
            return
        if join is not end:  # what gives the numbers their meaning back comes next
            return
        whole = self.whole(end)
        for x in rows_joined(end):
            held = self.held.get(x)
            if held is None or held.pointer.block is not whole.pointer.block:  # was not written in place
                layout = plain(x.shape, whole.layout.dtype, whole.layout.base)
                there = Held(layout, replace(whole.pointer, offset=self.offset(end, x)))
                read = partial(_stored, x)
                self.call(elementwise(self.machine, self.layouts, x, layout, read), there, end)
        self.held[end] = whole


def _stored(node: Node, scope: Scope, at: Place) -> Value:
    return scope.at(node, at)


def _whole_rows(node: Node) -> bool:
    op, source = node.op, node.inputs[0]
    assert isinstance(op, Slice)
    rest = zip(op.starts[1:], node.shape[1:], source.shape[1:], strict=True)
    return all(s == 1 for s in op.steps) and all(a == 0 and n == m for a, n, m in rest)
