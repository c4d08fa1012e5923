"""Reductions and softmax where results are few and rows are long: all threads of a block share a row."""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod

from ...graph import Node
from ...graph.ops import Reduce, Reduction, Softmax
from ..loops.code import Index, Memory, Parameter, Value, cast, const, function, index, maximum
from ..loops.functions import exp
from ..loops.kernels.frame import arguments, put
from ..loops.kernels.reductions import join, neutral, reach
from ..loops.layout import Layout, centred_ends, stored_ends, working_type
from ..loops.numbers import centred, fitted, real
from ..loops.plan import Work
from ..loops.scope import Place, Scope
from .fusion import Fused
from .grid import GridCode
from .machine import THREADS, GpuMachine
from .threads import WARP, Kernel, grid_of, one_block

LONG = 64
"""Elements of a row from which on threads share it."""


def shares(machine: GpuMachine, rows: int, length: int) -> bool:
    """Whether threads share rows: where they are long, and too few to give each thread one."""
    return length >= LONG and rows < machine.units * THREADS


class _Rows:
    """A kernel with a block for each row: ``own`` is the index of the row among ``shape``."""

    def __init__(self, machine: GpuMachine, layouts: Mapping[Node, Layout], shape: Sequence[int], length: int) -> None:
        self.code = GridCode()
        self.scope = Scope(machine, layouts, self.code)
        self.length = length
        self.threads = WARP
        while self.threads < min(THREADS, length):
            self.threads *= 2
        self.turns = -(-length // self.threads)
        self.turn: Value = index(0)
        self.blocks = grid_of(prod(shape))
        self.me = self.code.thread()
        row = self.code.let(one_block(self.code, self.blocks))
        self.rows, self.row = prod(shape), row
        self.own: list[Index] = []
        for i, n in enumerate(shape):
            place = row // prod(shape[i + 1 :]) if n > 1 else index(0)
            self.own.append(self.code.let(place % n if n > 1 else place))

    def reduced(
        self, value: Callable[[Value], Value], join: Callable[[Value, Value], Value], start: float, dtype: str
    ) -> Value:
        """Fold all elements of the row: each thread those of its own places, then halves of the threads."""
        code, me = self.code, self.me
        total = code.local(dtype, 1, "total")
        code.store(total, 0, const(start, dtype))
        self.each(lambda k: code.store(total, 0, join(total.load(0), value(k))))
        parts = code.shared(dtype, self.threads, "parts")
        code.store(parts, me, total.load(0))
        half = self.threads // 2
        while half:
            code.barrier()
            with code.when(me < half):
                code.store(parts, me, join(parts.load(me), parts.load(me + half)))
            half //= 2
        code.barrier()
        return code.let(parts.load(0))

    def each(self, body: Callable[[Value], None]) -> None:
        """Do something for every place of the row that is this thread's."""
        code = self.code
        with code.loop(self.turns) as turn:
            self.turn = turn
            k = code.let(turn * self.threads + self.me)
            if self.length % self.threads:
                with code.when(k < self.length):
                    body(k)
            else:
                body(k)

    def kernel(self, result: Parameter) -> Kernel:
        """Give the kernel."""
        whole = function((*arguments(self.scope), result), self.code)
        return Kernel(whole, self.scope, self.blocks, self.threads, self.code.indices)


def _result(out: Layout) -> tuple[Parameter, Memory]:
    result = Parameter.pointer("y", out.dtype)
    assert result.memory is not None
    return result, result.memory


def reduce(machine: GpuMachine, layouts: Mapping[Node, Layout], node: Node, end: Node, out: Layout) -> Kernel | None:
    """Write a reduction with the operations from it up to ``end``; None where a thread for each result is better."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Reduce)
    kept = [a for a in range(len(x.shape)) if a not in op.axes]
    length = prod(x.shape[a] for a in op.axes)
    if not shares(machine, node.type.size, length):
        return None
    rows = _Rows(machine, layouts, [x.shape[a] for a in kept], length)
    found = _folded(rows, node, kept)
    rows.scope.given[node] = lambda at: found
    result, memory = _result(out)
    own = dict(zip(kept, rows.own, strict=True))
    at = tuple(own.get(a, index(0)) for a in range(len(x.shape)) if op.keep or a in own)
    with rows.code.when(rows.me.equals(0) & (rows.row < rows.rows)):
        put(rows.scope, memory, out, at, rows.scope.at(end, at))
    return rows.kernel(result)


def _folded(rows: _Rows, node: Node, kept: Sequence[int]) -> Value:
    """Give what a reduction over all but the axes ``kept``, which are the row's index, gives."""
    op, x, scope, integer = node.op, node.inputs[0], rows.scope, node.type.is_integer
    assert isinstance(op, Reduce)
    dtype = working_type(*reach(node, x, op)) if integer else "float32"
    folded = sorted(op.axes)
    own = dict(zip(kept, rows.own, strict=True))

    def value(k: Value) -> Value:
        at = dict(own)
        for i, a in enumerate(folded):
            place = k // prod(x.shape[b] for b in folded[i + 1 :])
            at[a] = rows.code.let(place % x.shape[a] if i else place)
        where: Place = tuple(at[a] for a in range(len(x.shape)))
        return cast(centred(scope, x, where) if integer else real(scope, x, where), dtype)

    found = rows.reduced(value, partial(join, op.kind), neutral(op, node, x), dtype)
    if integer:
        return fitted(found, *centred_ends(node))
    return rows.code.let(found * (1.0 / rows.length)) if op.kind is Reduction.MEAN else found


def fused(machine: GpuMachine, layouts: Mapping[Node, Layout], steps: Fused, out: Layout) -> Kernel:
    """Write steps within rows as one kernel: what is between them each thread keeps for its own places."""
    shape = steps.end.shape
    rows = _Rows(machine, layouts, shape[:-1], shape[-1])
    scope, code = rows.scope, rows.code
    for work in steps.works[:-1]:
        if work.anchor is None and work.end.shape == shape:
            _hold_step(rows, work.end)
        else:
            _number_step(rows, work, shape)
    result, memory = _result(out)

    def one(k: Value) -> None:
        at = (*rows.own, k)
        with code.when(rows.row < rows.rows):
            put(scope, memory, out, at, scope.at(steps.end, at))

    rows.each(one)
    return rows.kernel(result)


def _number_step(rows: _Rows, work: Work, shape: tuple[int, ...]) -> None:
    """Write what gives a number for a row, which all threads have: a reduction and what follows it, or such alone."""
    if work.anchor is not None:
        found = _folded(rows, work.anchor, range(len(rows.own)))
        rows.scope.given[work.anchor] = lambda at: found
    if work.end is not work.anchor:
        at = tuple(rows.own) if len(work.end.shape) < len(shape) else (*rows.own, index(0))
        value = rows.code.let(rows.scope.at(work.end, at))
        rows.scope.given[work.end] = lambda at: value


def _hold_step(rows: _Rows, node: Node) -> None:
    """Write a tensor of whole rows: each thread holds its places of the row."""
    code, scope = rows.code, rows.scope
    dtype = working_type(*stored_ends(node)) if node.type.is_integer else "float32"
    held = code.local(dtype, rows.turns, "held")
    rows.each(lambda k: code.store(held, rows.turn, scope.at(node, (*rows.own, k))))
    scope.given[node] = lambda at: code.let(held.load(rows.turn))


def softmax(machine: GpuMachine, layouts: Mapping[Node, Layout], node: Node, out: Layout) -> Kernel | None:
    """Write exp(x - max) / sum along an axis; None where a thread for each row is better."""
    op, x = node.op, node.inputs[0]
    assert isinstance(op, Softmax)
    length = x.shape[op.axis]
    shape = [n for a, n in enumerate(x.shape) if a != op.axis]
    if not shares(machine, prod(shape), length):
        return None
    rows = _Rows(machine, layouts, shape, length)
    scope, code = rows.scope, rows.code

    def at(k: Value) -> Place:
        return (*rows.own[: op.axis], k, *rows.own[op.axis :])

    most = rows.reduced(lambda k: real(scope, x, at(k)), maximum, float("-inf"), "float32")

    def raised(k: Value) -> Value:
        return exp(code, code.let(real(scope, x, at(k)) - most))

    total = rows.reduced(raised, operator.add, 0.0, "float32")
    share = code.let(const(1.0, "float32") / total)
    result, memory = _result(out)

    def one(k: Value) -> None:
        with code.when(rows.row < rows.rows):
            put(scope, memory, out, at(k), raised(k) * share)

    rows.each(one)
    return rows.kernel(result)
