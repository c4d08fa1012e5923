"""Rows in a graph: which reductions along the last axis, and what lies between and behind them, are computed together.

%2 = reduce[mean](%1)       of each row of %1
%3 = sub(%1, %2)            pointwise operations on rows, and on what stands for one
%5 = reduce[mean](%4)       further reductions of what they make
%9 = quantize(%8)           where all of them meet again
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ...graph import Graph, Node
from ...graph.ops import Activation, Constant, Quotient, Reduce, Reduction, Remainder, Softmax
from .machine import Machine
from .plan import POINTWISE, Fused

MOST = 32
"""Nodes of a group."""
LONGEST = 1 << 13
"""Elements of a row, which stays in the nearest cache."""


@dataclass(frozen=True, eq=False)
class Rows(Fused):
    """``order``: the nodes in order of execution, the last of which is written; ``anchor`` is the first."""

    order: tuple[Node, ...]

    @property
    def end(self) -> Node:
        """What is written."""
        return self.order[-1]


Users = Mapping[Node, tuple[Node, ...]]


def row_groups(graph: Graph, machine: Machine, taken: frozenset[Node]) -> dict[Node, Rows]:
    """Find what is computed by rows, by the reduction that it begins with. Nothing that is ``taken`` is part of it."""
    if machine.lanes == 1:
        return {}
    users, places = graph.users, {n: i for i, n in enumerate(graph.nodes)}
    found: dict[Node, Rows] = {}
    held = set(taken)
    for node in graph.nodes:
        if node in held or not _along_rows(node):
            continue
        if len(order := _group(node, users, places, held)) > 1:
            held.update(order)
            none = frozenset[Node]()
            found[node] = Rows(node, frozenset(order[:-1]), none, {}, none, tuple(order))
    return found


def _along_rows(node: Node) -> bool:
    """Whether a node folds, or weighs, each row of floats."""
    if node.type.is_integer or not node.inputs or len(node.inputs[0].shape) < 2:
        return False
    last = len(node.inputs[0].shape) - 1
    if not 1 < node.inputs[0].shape[-1] <= LONGEST:
        return False
    match node.op:
        case Reduce(kind=kind, axes=axes, keep=keep):
            return keep and axes == (last,) and kind is not Reduction.PROD
        case Softmax(axis=axis):
            return axis == last
    return False


def _group(start: Node, users: Users, places: Mapping[Node, int], held: set[Node]) -> list[Node]:
    """Give the longest group that begins with a reduction, in order of execution."""
    rows = start.inputs[0].shape
    inside: set[Node] = {start}
    best = [start]
    while len(inside) < MOST:
        ready = [
            u for n in inside for u in users[n]
            if u not in inside and u not in held and _fits(u, rows) and _ready(u, inside, places[start], places)
        ]  # fmt: skip
        if not ready:
            break
        inside.add(min(ready, key=places.__getitem__))
        open_ends = [n for n in inside if any(u not in inside for u in users[n]) or not users[n]]
        if len(open_ends) == 1 and open_ends[0].shape == rows:
            best = sorted(inside, key=places.__getitem__)
            if best[-1] is not open_ends[0]:
                best.remove(open_ends[0])
                best.append(open_ends[0])
    return best


def _fits(node: Node, rows: tuple[int, ...]) -> bool:
    """Whether a node is computed row by row, from rows or from what stands for one."""
    if isinstance(node.op, Quotient | Remainder):
        return False
    if isinstance(node.op, POINTWISE):
        return node.shape in (rows, (*rows[:-1], 1))
    return _along_rows(node) and node.inputs[0].shape == rows


def _ready(node: Node, inside: set[Node], first: int, places: Mapping[Node, int]) -> bool:
    """Whether a node's other operands are there before the group begins."""
    return all(i in inside or isinstance(i.op, Constant) or places[i] < first for i in node.inputs)


def dear(node: Node) -> bool:
    """Whether a node is computed once rather than by each that reads it."""
    return isinstance(node.op, Activation | Softmax)
