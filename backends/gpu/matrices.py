"""Products of two computed matrices: attention and what else has no weights."""

from collections.abc import Callable, Mapping, Sequence
from math import prod

from ...graph import Node
from ...graph.ops import MatMul
from ..loops.code import Memory, Parameter, Value, cast, const, function, index, minimum, select
from ..loops.kernels.frame import arguments, put
from ..loops.layout import Layout, centred_ends, working_type
from ..loops.machine import GROUP, Dot
from ..loops.numbers import centred, real
from ..loops.scope import Scope
from .gemm import Product, packed
from .grid import GridCode
from .machine import GpuMachine
from .schedules import write
from .threads import Kernel
from .tiles import Tile, tile_for


def kind_of(node: Node, machine: GpuMachine) -> Dot:
    """Choose how products are summed."""
    if not node.type.is_integer:
        return Dot.FLOAT
    ends = [abs(e) for x in node.inputs for e in centred_ends(x)]
    low, high = centred_ends(node)
    if max(-low, high) >= 1 << 31 or max(ends) >= 1 << 31:
        return Dot.LONG
    bytes_ = all(low >= -128 and high < 128 for low, high in (centred_ends(x) for x in node.inputs))
    return machine.dot_for_bytes() if bytes_ else Dot.WIDE


def matrix_product(machine: GpuMachine, layouts: Mapping[Node, Layout], node: Node, end: Node, out: Layout) -> Kernel:
    """Write the products of all pairs of matrices, with the operations from them up to ``end``."""
    assert isinstance(node.op, MatMul)
    code = GridCode()
    scope = Scope(machine, layouts, code)
    result = Parameter.pointer("y", out.dtype)
    assert result.memory is not None
    kind = kind_of(node, machine)
    x = node.inputs[0]
    rows, columns, length = x.shape[-2], node.shape[-1], x.shape[-1]
    matrices = prod(node.shape[:-2])
    tile = tile_for(rows, columns, -(-length // GROUP[kind]), matrices, kind, machine)
    made = _Pairs(scope, kind, node, end, out, result.memory, tile)
    write(made)
    across, down = made.blocks
    whole = function((*arguments(scope), result), code)
    return Kernel(whole, scope, (across, down, matrices), tile.threads, code.indices)


class _Pairs(Product):
    """Each pair of matrices is one layer of blocks."""

    def __init__(self, scope: Scope, kind: Dot, node: Node, end: Node, out: Layout, memory: Memory, tile: Tile) -> None:
        self.node, self.end, self.out, self.memory = node, end, out, memory
        x, self.length = node.inputs[0], node.inputs[0].shape[-1]
        super().__init__(scope, kind, x.shape[-2], node.shape[-1], -(-self.length // GROUP[kind]), tile)
        self.own = self._matrix(node.shape[:-2])

    def _matrix(self, shape: Sequence[int]) -> list[Value]:
        """Give the index of this block's pair."""
        found: list[Value] = []
        for i, n in enumerate(shape):
            place = self.code.block(2) // prod(shape[i + 1 :]) if n > 1 else index(0)
            found.append(self.code.let(place % n if n > 1 and prod(shape[:i]) > 1 else place))
        return found

    def _value(self, operand: Node, row: Value, column: Value) -> Value:
        lead = operand.shape[:-2]
        own = self.own[len(self.own) - len(lead) :] if lead else []
        at = (*(index(0) if n == 1 else i for i, n in zip(own, lead, strict=True)), row, column)
        if self.kind is Dot.FLOAT:
            return real(self.scope, operand, at)
        return cast(centred(self.scope, operand, at), self.dtype)

    def _word(self, step: Value, one: Callable[[Value], Value]) -> Value:
        """Give an element, or four of them in a word; those beyond the end are zero."""
        if self.group == 1:
            return one(step)
        parts = []
        for i in range(self.group):
            k = self.code.let(step * self.group + i)
            if self.length % self.group == 0:
                parts.append(one(k))
            else:
                inside = self.code.let(minimum(k, self.length - 1))
                parts.append(self.code.let(select(k < self.length, one(inside), const(0, "int32"))))
        return packed(self.code, parts)

    def row_starts(self, row: Value) -> tuple[Value, ...]:
        return (row,)

    def left(self, starts: tuple[Value, ...], step: Value) -> Value:
        return self._word(step, lambda k: self._value(self.node.inputs[0], starts[0], k))

    def right(self, place: Value, step: Value, column: Value) -> Value:
        return self._word(step, lambda k: self._value(self.node.inputs[1], k, column))

    def finish(self, row: Value, column: Value, total: Value) -> None:
        node, found = self.node, total
        if node.type.is_integer:
            found = self.code.let(cast(found, working_type(*centred_ends(node))))
        self.scope.given[node] = lambda where: found
        at = (*self.own, row, column)
        put(self.scope, self.memory, self.out, at, self.scope.at(self.end, at))
