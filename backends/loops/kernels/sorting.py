"""Sorting, and writing at computed places."""

from collections.abc import Mapping

from ....graph import Node
from ....graph.numerics import divide, whole
from ....graph.ops import ScatterND, TopK
from ..code import Index, Memory, Value, cast, const, index, select
from ..elements.choose import index_at, kept
from ..layout import Layout, centred_ends, working_type
from ..machine import Machine
from ..numbers import centred, fitted, in_units, real
from ..scope import Scope, place
from .frame import Written, axes, put, written
from .reductions import join


def topk(machine: Machine, layouts: Mapping[Node, Layout], node: Node, out: Layout) -> Written:
    """Write the k greatest (least) values along an axis, or where they stand: the rank of each is counted."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, TopK)
    length = x.shape[op.axis]

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code
        shape = [n for a, n in enumerate(x.shape) if a != op.axis]
        with axes(code, shape) as own:

            def at(k: Index) -> tuple[Index, ...]:
                return (*own[: op.axis], k, *own[op.axis :])

            def value(k: Value) -> Value:
                return code.let(centred(scope, x, at(k)) if x.type.is_integer else real(scope, x, at(k)))

            rank = code.local("int32", 1, "rank")
            with code.loop(length) as i:
                mine = value(i)
                code.store(rank, 0, const(0))
                with code.loop(length) as j:
                    other = value(j)
                    before = other > mine if op.largest else other < mine
                    before = before | (other.equals(mine) & (j < i))
                    code.store(rank, 0, rank.load(0) + select(before, const(1), 0))
                found = code.let(rank.load(0))
                with code.when(found < op.k):
                    put(scope, memory, out, at(found), cast(i, "int32") if op.indices else kept(scope, node, x, at(i)))

    return written(machine, layouts, out, build, (99,))


def scatter(machine: Machine, layouts: Mapping[Node, Layout], node: Node, out: Layout) -> Written:
    """Write a tensor with parts replaced at computed places, in the order of the updates."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        made = _Scatter(scope, node, memory, out)
        made.copy()
        made.update()

    return written(machine, layouts, out, build, (99,))


def scatter_apart(machine: Machine, layouts: Mapping[Node, Layout], node: Node, out: Layout) -> tuple[Written, Written]:
    """Write the same as two kernels: the tensor, and the updates; in the second one only the loops over what a place
    holds are independent, and stand outside.
    """

    def copy(scope: Scope, memory: Memory, lanes: int) -> None:
        _Scatter(scope, node, memory, out).copy()

    def update(scope: Scope, memory: Memory, lanes: int) -> None:
        _Scatter(scope, node, memory, out).update(inside=False)

    return written(machine, layouts, out, copy, (99,)), written(machine, layouts, out, update, (99,))


class _Scatter:
    def __init__(self, scope: Scope, node: Node, memory: Memory, out: Layout) -> None:
        self.scope, self.node, self.memory, self.out = scope, node, memory, out
        self.x, self.indices, self.updates = node.inputs
        depth = self.indices.shape[-1]
        self.lead, self.rest = self.indices.shape[:-1], self.x.shape[depth:]
        self.ends = centred_ends(node) if node.type.is_integer else (0, 0)

    def copy(self) -> None:
        with axes(self.scope.code, self.x.shape) as at:
            self._put(tuple(at), self._value(self.x, tuple(at)))

    def update(self, *, inside: bool = True) -> None:
        code = self.scope.code
        if inside:
            with axes(code, self.lead) as m:
                places = self._places(m)
                with axes(code, self.rest) as r:
                    self._one(m, places, r)
            return
        with axes(code, self.rest) as r, axes(code, self.lead) as m:
            self._one(m, self._places(m), r)

    def _places(self, m: list[Index]) -> list[Value]:
        lengths = self.x.shape[: self.indices.shape[-1]]
        return [index_at(self.scope, self.indices, (*m, index(i)), n) for i, n in enumerate(lengths)]

    def _one(self, m: list[Index], places: list[Value], r: list[Index]) -> None:
        node, op = self.node, self.node.op
        assert isinstance(op, ScatterND)
        new = self._value(self.updates, (*m, *r))
        target = (*places, *r)
        if op.reduction is None:
            self._put(target, new)
            return
        held = self.memory.load(place(self.out, target))
        held = held if not node.type.is_integer else cast(held, working_type(*self.ends)) + self.out.base
        put(self.scope, self.memory, self.out, target, join(op.reduction, held, cast(new, held.dtype)))

    def _put(self, at: tuple[Index, ...], value: Value) -> None:
        fitting = fitted(value, *self.ends) if self.node.type.is_integer else value
        put(self.scope, self.memory, self.out, at, fitting)

    def _value(self, n: Node, at: tuple[Index, ...]) -> Value:
        node = self.node
        if not node.type.is_integer:
            return real(self.scope, n, at)
        factor = whole(divide(n.type.quantized.scale, node.type.quantized.scale))
        low, high = (end * int(factor.max()) for end in centred_ends(n))
        return cast(in_units(self.scope, n, at, node.type.quantized.scale), working_type(min(low, 0), max(high, 0)))
