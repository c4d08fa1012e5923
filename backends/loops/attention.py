"""Attention in a graph: which products and softmax between them are computed together, block by block.

%3 = mat_mul(%0, %1)        scores [*lead, query, key]
%4 = add(%3, %2)            any pointwise operations: scale, mask, bias
%5 = softmax[axis=-1](%4)
%7 = mat_mul(%5, %6)        values weighed [*lead, query, depth]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...graph import Graph, Node
from ...graph.arrays import NDArray
from ...graph.ops import Add, Constant, MatMul, Mul, Quotient, Remainder, Select, Softmax
from .layout import plain
from .machine import Machine
from .plan import POINTWISE, Fused
from .views import root, view

LONGEST = 12
"""Pointwise operations between the scores and their softmax."""


@dataclass(frozen=True, eq=False)
class Attention(Fused):
    """``scores``: the first product; ``softmax`` of what pointwise operations make of it; ``anchor``: the product of
    that with the values.
    """

    scores: Node
    softmax: Node

    @property
    def queries(self) -> Node:
        """[*lead, query, depth], read once."""
        return self.scores.inputs[0]

    @property
    def keys(self) -> Node:
        """[*lead, depth, key], read for every block of queries."""
        return self.scores.inputs[1]

    @property
    def values(self) -> Node:
        """[*lead, key, depth], read for every block of queries."""
        return self.anchor.inputs[1]

    @cached_property
    def causal(self) -> bool:
        """Whether no query has a weight for keys behind its own: what constants say that they add to the scores, or
        choose instead of them.
        """
        node, (queries, keys) = self.softmax.inputs[0], self.scores.shape[-2:]
        factor = _constant(node.inputs) if isinstance(node.op, Mul) else None
        if factor is not None and (factor >= LEAST_SCALE).all():
            node = next(i for i in node.inputs if not isinstance(i.op, Constant))
        left_out = _left_out(node)
        if left_out is None or left_out.shape[-2:] != (queries, keys):
            return False
        before = np.tri(queries, keys, keys - queries, dtype=bool)
        return bool((left_out | before).all() and (before & ~left_out).any(axis=-1).all())

    @property
    def macs(self) -> int:
        """Products in all."""
        return self.scores.type.size * (self.queries.shape[-1] + self.values.shape[-1])


FAR, LEAST_SCALE = -1e8, 1e-4
"""A score that leaves nothing of its exponential, also when it is scaled (by no less than the latter) before."""


def _left_out(node: Node) -> NDArray | None:
    """Give where a node holds scores that leave nothing, as far as constants say it; None where they say nothing."""
    match node:
        case Node(op=Add(), inputs=inputs) if (added := _constant(inputs)) is not None:
            return np.asarray(added <= FAR)
        case Node(op=Select(), inputs=(Node(op=Constant(value=chosen)), _, Node(op=Constant(value=other)))):
            return np.asarray((chosen.data == 0) & (other.data <= FAR))
        case Node(op=Select(), inputs=(Node(op=Constant(value=chosen)), Node(op=Constant(value=other)), _)):
            return np.asarray((chosen.data != 0) & (other.data <= FAR))
    return None


def _constant(operands: Sequence[Node]) -> NDArray | None:
    """Give the real numbers of a constant among operands."""
    found = (n.op.value.data for n in operands if isinstance(n.op, Constant) and not n.type.is_integer)
    return next(found, None)


Users = Mapping[Node, tuple[Node, ...]]


def attentions(graph: Graph, machine: Machine) -> dict[Node, Attention]:
    """Find what is computed by blocks, by the product that it ends with.

    The scores of a block of queries are vectors over queries: there have to be enough of them to fill one.
    """
    users = graph.users
    found = (_attention(node, users) for node in graph.nodes)
    return {a.anchor: a for a in found if a is not None and a.scores.shape[-2] >= machine.lanes}


def _attention(node: Node, users: Users) -> Attention | None:
    if not isinstance(node.op, MatMul) or node.type.is_integer:
        return None
    softmax, values = node.inputs
    if not isinstance(softmax.op, Softmax) or softmax.op.axis != len(softmax.shape) - 1 or len(users[softmax]) != 1:
        return None
    if (chain := _chain(softmax.inputs[0], users)) is None:
        return None
    scores = chain[-1]
    operands = (scores.inputs[1], values)
    if any(x.type.is_integer for x in operands) or scores.shape != softmax.shape:
        return None
    repeated = {scores.inputs[1]: len(scores.inputs[1].shape) - 2, values: len(values.shape) - 1}
    roots = frozenset(r for r in map(_root, operands) if not isinstance(r.op, Constant))
    return Attention(node, frozenset((softmax, *chain)), frozenset((scores, node)), repeated, roots, scores, softmax)


def _chain(node: Node, users: Users, length: int = 0) -> list[Node] | None:
    """Give the pointwise operations, backwards, from a node to the product of two matrices that they begin with."""
    if node.type.is_integer or len(users[node]) != 1 or length > LONGEST:
        return None
    if isinstance(node.op, MatMul):
        return [node]
    if not isinstance(node.op, POINTWISE) or isinstance(node.op, Quotient | Remainder):
        return None
    for x in node.inputs:
        if x.shape == node.shape and (rest := _chain(x, users, length + 1)) is not None:
            return [node, *rest]
    return None


def _root(operand: Node) -> Node:
    """Give the tensor that has to stand in memory for an operand to be read from it, element by element."""
    found = root(operand, {})
    seen = view(operand, {found: plain(found.shape, "float32")})
    return operand if seen is None else found
