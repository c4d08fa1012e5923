"""Reductions of rows, and what lies between and behind them, in one kernel: row by row, in the nearest cache."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from math import prod

from ....graph import Node
from ....graph.ops import Reduce, Softmax
from ..code import Index, Memory, Value, const, index
from ..functions import exp_below
from ..layout import Layout
from ..machine import Machine
from ..numbers import real
from ..rows import Rows, dear
from ..scope import Scope
from .folds import MAXIMUM, SUM, fold_along
from .frame import MOVE, PARTS, SPLIT_ABOVE, Written, along, put, unravelled, written
from .reductions import fold_row


def by_rows(machine: Machine, layouts: Mapping[Node, Layout], found: Rows, end: Node, out: Layout) -> Written:
    """Write a group of rows up to its ``end``."""
    *lead, length = found.anchor.inputs[0].shape

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        code, count = scope.code, prod(lead)
        split = end.type.size * MOVE * len(found.order) > SPLIT_ABOVE
        each = -(-count // PARTS) if split else count
        parts = -(-count // each)
        with scope.outer(parts, split=split) as part, code.loop(each) as i:
            row = code.let(part * each + i)
            with code.when(row < count) if parts * each > count else nullcontext():
                own = [code.let(n) for n in unravelled(row, lead)]
                _Row(scope, found, own, length, lanes, parts, part).write(memory, end, out)

    return written(machine, layouts, out, build, (99,))


class _Row:
    """One row, at ``own``, in one of several ``parts``."""

    def __init__(
        self, scope: Scope, found: Rows, own: Sequence[Index], length: int, lanes: int, parts: int, part: Value
    ) -> None:
        self.scope, self.code, self.found, self.own, self.lanes = scope, scope.code, found, own, lanes
        self.length, self.parts, self.part = length, parts, part

    def write(self, memory: Memory, end: Node, out: Layout) -> None:
        for node in self.found.order:
            match node.op:
                case Reduce():
                    self._stands_for(node, fold_row(self.scope, node, self.own, self.lanes))
                case Softmax():
                    self._weigh(node)
                case _ if node.shape[-1] == 1 and node is not end:
                    self._stands_for(node, self.code.let(self.scope.at(node, (*self.own, index(0)))))
                case _ if dear(node) and node is not end and self._read_again(node):
                    self._keep(node)
        for k in along(self.code, self.length, self.lanes):
            at = (*self.own, k)
            put(self.scope, memory, out, at, self.scope.at(end, at))

    def _stands_for(self, node: Node, value: Value) -> None:
        self.scope.given[node] = lambda at: value

    def _read_again(self, node: Node) -> bool:
        """Whether more than one loop over the row reads a node."""
        return any(node in other.inputs and not isinstance(other.op, Reduce) for other in self.found.order) and any(
            isinstance(other.op, Reduce | Softmax) and self._leads(node, other.inputs[0]) for other in self.found.order
        )

    def _leads(self, node: Node, end: Node) -> bool:
        """Whether a node of the group is what another one is computed from: all between them are of the group."""
        return node is end or (end in self.found.order and any(self._leads(node, i) for i in end.inputs))

    def _keep(self, node: Node) -> None:
        """Compute a row once."""
        row, base = self._room()
        for k in along(self.code, self.length, self.lanes):
            self.code.store(row, k + base, self.scope.at(node, (*self.own, k)))
        self.scope.given[node] = lambda at: self.code.let(row.load(at[-1] + base))

    def _room(self) -> tuple[Memory, Value]:
        """Give memory for a row, and where it begins there."""
        size = -(-self.length // 16) * 16
        (memory,) = self.scope.scratch(self.parts * size, "float32")
        return memory, self.code.let(self.part * size)

    def _weigh(self, node: Node) -> None:
        """Write a softmax: the exponentials of a row, which its readers multiply with one over their sum."""
        code, scope, length = self.code, self.scope, self.length
        x, (row, base) = node.inputs[0], self._room()
        most = fold_along(scope, length, self.lanes, MAXIMUM, lambda k: real(scope, x, (*self.own, k)))

        def power(k: Index) -> Value:
            e = exp_below(code, code.let(real(scope, x, (*self.own, k)) - most))
            code.store(row, k + base, e)
            return e

        share = code.let(const(1.0, "float32") / fold_along(scope, length, self.lanes, SUM, power))
        scope.given[node] = lambda at: code.let(row.load(at[-1] + base) * share)
