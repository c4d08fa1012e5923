"""A part of a network computed by stripes of rows: its inner tensors are never whole.

    %1 = conv(%0)              %1 = conv(slice(%0, rows 0 to 6))      %3 = conv(slice(%0, rows 2 to 8))
    %2 = conv(%1)      ->      %2 = conv(%1), rows 0 to 3             %4 = conv(%3), rows 4 to 7       concat(%2, %4)

Rows of inner tensors that two stripes need are computed twice. (Compare patch-based inference: J. Lin et al.,
MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning, 2021, section 3.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

from ....graph import GatewrightError, Graph, Node, Op
from ....graph.ops import AvgPool, Concat, Constant, Conv, MaxPool, Output, Quantize, Slice
from ....graph.size import macs
from ....graph.tensor import grids
from ...loops.plan import POINTWISE

Rows = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Part:
    """What stands between two tensors that everything passes through: ``entry``, ``nodes`` in order, ``exit`` last."""

    entry: Node
    nodes: tuple[Node, ...]

    @property
    def exit(self) -> Node:
        """The tensor that it gives."""
        return self.nodes[-1]


def passages(graph: Graph) -> list[tuple[int, Node]]:
    """List the tensors that everything on the way to the outputs passes through, each with its number among the graph's
    nodes. What only becomes a state comes after all else, and may read what it wants.
    """
    numbers = {node: i for i, node in enumerate(graph.nodes)}
    shown = set(replace(graph, states=()).nodes)
    last = {node: max((numbers[u] for u in graph.users[node] if u in shown), default=0) for node in graph.nodes}
    entries = [*graph.inputs, *(s.entry for s in graph.states)]
    waiting = set(entries)
    found: list[tuple[int, Node]] = []
    for i, node in enumerate(graph.nodes):
        if isinstance(node.op, Constant | Output) or (node not in shown and node not in entries):
            continue
        waiting = {n for n in waiting if last[n] > i} | {node}
        if waiting == {node} and i >= len(entries) - 1:
            found.append((i, node))
    return found


def part(graph: Graph, first: int, last: int) -> Part | None:
    """Give the part between the nodes of two numbers; None where it cannot be cut into rows."""
    nodes = tuple(n for n in graph.nodes[first + 1 : last + 1] if not isinstance(n.op, Constant))
    entry = graph.nodes[first]
    rank = len(entry.shape)
    inside = {entry, *nodes}
    if rank < 2 or not nodes or any(isinstance(u.op, Output) for u in graph.users[nodes[-1]]):
        return None
    for node in nodes:
        if not _by_rows(node, inside, rank) or any(isinstance(u.op, Output) for u in graph.users[node]):
            return None
    if any(u not in inside for node in nodes[:-1] for u in graph.users[node]):
        return None
    return Part(entry, nodes)


def rows_joined(node: Node) -> tuple[Node, ...]:
    """Give the tensors whose rows a node holds one behind the other, as numbers of the same meaning; () for others."""
    source = node.inputs[0] if isinstance(node.op, Quantize) else node
    same = isinstance(source.op, Concat) and source.op.axis == 0
    return source.inputs if same and all(i.type.format == node.type.format for i in source.inputs) else ()


def _by_rows(node: Node, inside: set[Node], rank: int) -> bool:
    """Whether rows of a node depend on rows of what it reads, and on nothing else."""
    if len(node.shape) != rank or any(g.data.ndim == rank and g.data.shape[0] > 1 for g in grids(node.type.format)):
        return False
    match node.op:
        case Conv() | MaxPool():
            return node.inputs[0] in inside and not any(i in inside for i in node.inputs[1:])
        case AvgPool(count_padding=counted, clipped=clipped):
            return not counted and not any(clipped)
        case Concat(axis=axis):
            return axis > 0 and all(i in inside for i in node.inputs)
    if not isinstance(node.op, POINTWISE):
        return False
    return all(i.shape == node.shape if i in inside else _same_in_rows(i, rank) for i in node.inputs)


def _same_in_rows(node: Node, rank: int) -> bool:
    return isinstance(node.op, Constant) and (len(node.shape) < rank or node.shape[0] == 1)


def _window(node: Node) -> tuple[int, int, int, int]:
    """Give kernel, stride, dilation and padding before the first row; 1, 1, 1, 0 for what has no window."""
    match node.op:
        case Conv(strides=strides, padding=padding, dilation=dilation):
            return node.inputs[1].shape[0], strides[0], dilation[0], padding[0][0]
        case MaxPool() | AvgPool():
            return node.op.window[0], node.op.strides[0], node.op.dilation[0], node.op.padding[0][0]
    return 1, 1, 1, 0


def _wanted(node: Node, rows: Rows) -> Rows:
    """Say which rows of its operands some rows of a node read, those outside of them included."""
    kernel, stride, dilation, before = _window(node)
    return rows[0] * stride - before, (rows[1] - 1) * stride - before + (kernel - 1) * dilation + 1


def _inside(rows: Rows, length: int) -> Rows:
    return max(rows[0], 0), min(rows[1], length)


def needs(found: Part, rows: Rows) -> dict[Node, Rows]:
    """Say which rows of each tensor of a part some rows of its exit depend on."""
    need: dict[Node, Rows] = {found.exit: rows}
    for node in reversed(found.nodes):
        if node not in need:
            continue
        for i in node.inputs:
            if i is found.entry or i in found.nodes:
                low, high = _inside(_wanted(node, need[node]), i.shape[0])
                before = need.get(i, (low, high))
                need[i] = min(low, before[0]), max(high, before[1])
    return need


def striped(graph: Graph, found: Part, rows: int) -> Graph | None:
    """Compute a part by stripes of so many rows of its exit. None where a stripe would be another computation."""
    length = found.exit.shape[0]
    try:
        stripes = [_stripe(found, (low, min(low + rows, length))) for low in range(0, length, rows)]
        joined = Node(Concat(0), tuple(stripes), found.exit.where)
        if joined.type.format != found.exit.type.format and found.exit.type.is_integer:
            joined = Node(Quantize(found.exit.type.quantized), (joined,), found.exit.where)
        if joined.type.format != found.exit.type.format or joined.shape != found.exit.shape:
            return None
        return graph.map(lambda node: joined if node is found.exit else node)
    except GatewrightError:
        return None


def _stripe(found: Part, rows: Rows) -> Node:
    need = needs(found, rows)
    made = {found.entry: _cut(found.entry, (0, found.entry.shape[0]), need[found.entry])}
    for node in found.nodes:
        if node not in need:
            continue
        low, high = _wanted(node, need[node])
        inputs = []
        for i in node.inputs:
            if i not in made:
                inputs.append(i)
                continue
            inputs.append(_cut(made[i], need[i], _inside((low, high), i.shape[0])))
        length = node.inputs[0].shape[0]
        made[node] = replace(node, op=_padded(node, (max(-low, 0), max(high - length, 0))), inputs=tuple(inputs))
    return made[found.exit]


def _padded(node: Node, rows: Rows) -> Op:
    op = node.op
    if isinstance(op, Conv | MaxPool | AvgPool):
        return replace(op, padding=(rows, *op.padding[1:]))
    return op


def _cut(node: Node, have: Rows, wanted: Rows) -> Node:
    """Take rows of a tensor that holds some rows."""
    if have == wanted:
        return node
    starts = (wanted[0] - have[0], *(0 for _ in node.shape[1:]))
    stops = (wanted[1] - have[0], *node.shape[1:])
    return Node(Slice(starts, stops, (1,) * len(starts)), (node,), node.where)


def extra(found: Part, rows: int) -> int:
    """Count the products that are done again."""
    length, total = found.exit.shape[0], 0
    for low in range(0, length, rows):
        need = needs(found, (low, min(low + rows, length)))
        total += sum(macs(n) // n.shape[0] * (b - a) for n, (a, b) in need.items() if n in found.nodes)
    return total - sum(macs(n) for n in found.nodes)


def size(found: Part, rows: int, bytes_of: Mapping[Node, int]) -> int:
    """Estimate the bytes that a part takes by stripes: what it reads and gives, laid over each other, and a stripe."""
    length = found.exit.shape[0]
    low = (length // rows // 2) * rows
    need = needs(found, (low, min(low + rows, length)))

    def held(node: Node) -> int:
        a, b = need.get(node, (0, 0))
        return bytes_of[node] // max(node.shape[0], 1) * (b - a)

    inner = [held(n) for n in found.nodes if n in bytes_of and n in need]
    most = max(inner[0], *(a + b for a, b in pairwise(inner))) if len(inner) > 1 else sum(inner)
    return max(bytes_of[found.entry], bytes_of[found.exit]) + most


def choices(length: int, multiple: int) -> Sequence[int]:
    """Give heights of stripes that are worth a try: multiples of ``multiple`` rows, at least two stripes."""
    counts = (2, 3, 4, 6, 8, 12, 16)
    found = {ceil(ceil(length / count) / multiple) * multiple for count in counts}
    return sorted((rows for rows in found if rows < length), reverse=True)
