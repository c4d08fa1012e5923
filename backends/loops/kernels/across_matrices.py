"""Products of two computed matrices on Helium: the right one is packed at run time as weights are for ``across``.

Rows of the left matrix are what columns are of an operand: each is copied, as bytes or words, into whole vectors.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from ....graph import Node
from ..code import Lanes, Memory, Run, Value, cast, const, index, minimum, select
from ..layout import Layout, centred_ends, plain
from ..machine import Machine
from ..numbers import centred
from ..scope import Place, Scope, scalar
from .across import TOGETHER
from .frame import Written, along, axes, put, tile_begin, written
from .matrices import base_of, finish, start_of, strides_of


@dataclass(frozen=True, eq=False)
class _Shape:
    """How a product is cut into vectors."""

    node: Node

    @property
    def bits(self) -> int:
        """Bits of what is multiplied."""
        ends = [end for x in self.node.inputs for end in centred_ends(x)]
        return 8 if min(ends) >= -128 and max(ends) < 128 else 16

    @property
    def lanes(self) -> int:
        """Products of one instruction."""
        return 128 // self.bits

    @property
    def dtype(self) -> str:
        """Type of the packed operands."""
        return f"int{self.bits}"

    @property
    def depth(self) -> int:
        """Products of a sum."""
        return self.node.inputs[0].shape[-1]

    @property
    def steps(self) -> int:
        """Vectors of a sum."""
        return -(-self.depth // self.lanes)

    @property
    def length(self) -> int:
        """Elements of a packed row or column."""
        return self.steps * self.lanes

    @property
    def rows(self) -> int:
        """Rows of the left matrix."""
        return self.node.inputs[0].shape[-2]

    @property
    def across(self) -> int:
        """Rows that are summed at once."""
        return min(2, self.rows)

    @property
    def beside(self) -> int:
        """Columns of the right matrix whose vectors stand side by side."""
        return 2 if self.across == 2 else TOGETHER

    @property
    def padded(self) -> int:
        """Columns of the right matrix, in whole vectors of sums."""
        return -(-self.node.shape[-1] // TOGETHER) * TOGETHER

    @property
    def left(self) -> Layout:
        """The packed left matrices: rows of whole vectors."""
        shape = self.node.inputs[0].shape
        return Layout(shape, self.dtype, strides_of(shape, self.length), 0, prod(shape[:-1]) * self.length)

    @property
    def right(self) -> Layout:
        """The packed right matrices: [*lead, columns / beside, step, beside, lane]."""
        cut = self.padded // self.beside, self.steps, self.beside, self.lanes
        return plain((*self.node.inputs[1].shape[:-2], *cut), self.dtype)


def pack(machine: Machine, layouts: Mapping[Node, Layout], node: Node) -> Iterator[tuple[Written, int, Layout]]:
    """Write the kernels that bring operands (by number) into the form that the product reads."""
    shape, (x, y) = _Shape(node), node.inputs

    def left(scope: Scope, memory: Memory, lanes: int) -> None:
        with axes(scope.code, x.shape[:-1]) as own:
            for last in along(scope.code, x.shape[-1], lanes):
                at = (*own, last)
                put(scope, memory, shape.left, at, cast(centred(scope, x, at), shape.dtype))

    def right(scope: Scope, memory: Memory, lanes: int) -> None:
        del lanes
        with axes(scope.code, shape.right.shape) as (*own, block, step, beside, lane):
            column = minimum(scalar(block) * shape.beside + scalar(beside), y.shape[-1] - 1)
            k = scope.code.let(scalar(step) * shape.lanes + scalar(lane))
            at: Place = (*own, minimum(k, shape.depth - 1), column)
            value = cast(centred(scope, y, at), shape.dtype)
            if shape.depth % shape.lanes:
                value = select(k < shape.depth, value, const(0, shape.dtype))
            scope.code.store(memory, start_of((*own, block, step, beside, lane), shape.right.strides), value)

    yield written(machine, layouts, shape.right, right, (99,)), 1, shape.right
    yield written(machine, layouts, shape.left, left, (99,)), 0, shape.left


def product(
    machine: Machine, layouts: Mapping[Node, Layout], node: Node, packed: tuple[Node, Node], end: Node, out: Layout
) -> Written:
    """Write the product of two ``packed`` matrices with the operations from it up to ``end``."""

    def build(scope: Scope, memory: Memory, lanes: int) -> None:
        _Product(scope, memory, node, packed, end, out, lanes).write()

    return written(machine, layouts, out, build, (99,))


class _Product:
    """One kernel. ``lanes``: of what is done with the sums."""

    def __init__(
        self, scope: Scope, memory: Memory, node: Node, packed: tuple[Node, Node], end: Node, out: Layout, lanes: int
    ) -> None:
        self.scope, self.memory, self.node, self.end, self.out, self.lanes = scope, memory, node, end, out, lanes
        self.shape = _Shape(node)
        self.a, self.b = (scope.view(n, self.shape.dtype) for n in packed)
        self.zeros = scope.table(np.zeros(TOGETHER, np.int64), "int32")

    def write(self) -> None:
        """Write the kernel."""
        code, shape, (x, y) = self.scope.code, self.shape, self.node.inputs
        whole, rest = divmod(self.node.shape[-1], TOGETHER)
        with axes(code, self.node.shape[:-2]) as own, code.loop(-(-shape.rows // shape.across)) as t:
            first = tile_begin(code, t, shape.across, shape.rows)
            a0 = code.let(base_of(own, x.shape[:-2], shape.left, 1) + first * shape.length)
            b0 = code.let(base_of(own, y.shape[:-2], shape.right, 1))
            if whole:
                with code.loop(whole) as f:
                    self.tile((*own, first), a0, b0, f * TOGETHER, TOGETHER)
            if rest:
                self.tile((*own, first), a0, b0, index(whole * TOGETHER), rest)

    def tile(self, at: Place, a0: Value, b0: Value, column: Value, together: int) -> None:
        """Sum some columns of the right matrix with the rows from ``at`` on."""
        code, shape = self.scope.code, self.shape
        sums = code.local("int32", TOGETHER * shape.across, "sums")
        weights = self.b, b0 + column * shape.length, index(shape.steps)
        name = f"gw_across_{shape.bits}_{shape.across}x4"
        code.add(Run(name, (self.a, a0, *weights, self.zeros, index(0), sums)))
        *own, first = at
        for p in range(shape.across):
            if together == self.lanes == TOGETHER:
                self.finish((*own, first + p, Lanes(column, TOGETHER)), sums.load(p * TOGETHER, TOGETHER))
                continue
            for n in range(together):
                self.finish((*own, first + p, column + n), sums.load(p * TOGETHER + n))

    def finish(self, at: Place, total: Value) -> None:
        """Hand a sum to the operations behind it and write what comes out."""
        finish(self.scope, self.memory, self.out, self.node, self.end, at, total)
