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
    op, (x, indices, updates) = node.op, node.inputs
    assert isinstance(op, ScatterND)
    depth = indices.shape[-1]
    lead, rest = indices.shape[:-1], x.shape[depth:]

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code = scope.code

        def value(n: Node, at: tuple[Index, ...]) -> Value:
            if not node.type.is_integer:
                return real(scope, n, at)
            factor = whole(divide(n.type.quantized.scale, node.type.quantized.scale))
            low, high = (end * int(factor.max()) for end in centred_ends(n))
            return cast(in_units(scope, n, at, node.type.quantized.scale), working_type(min(low, 0), max(high, 0)))

        ends = centred_ends(node) if node.type.is_integer else (0, 0)
        with axes(code, x.shape) as at:
            put(
                scope,
                memory,
                out,
                tuple(at),
                fitted(value(x, tuple(at)), *ends) if node.type.is_integer else value(x, tuple(at)),
            )
        with axes(code, lead) as m:
            places = [index_at(scope, indices, (*m, index(i)), n) for i, n in enumerate(x.shape[:depth])]
            with axes(code, rest) as r:
                new = value(updates, (*m, *r))
                target = (*places, *r)
                if op.reduction is not None:
                    held = memory.load(place(out, target))
                    held = held if not node.type.is_integer else cast(held, working_type(*ends)) + out.base
                    new = join(op.reduction, held, cast(new, held.dtype))
                elif node.type.is_integer:
                    new = fitted(new, *ends)
                put(scope, memory, out, target, new)

    return written(machine, layouts, out, build, (99,))
