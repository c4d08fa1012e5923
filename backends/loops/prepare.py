"""What makes a graph easier for processors, without changing a number of it."""

from dataclasses import replace

from ...graph import Graph, Node
from ...graph.arrays import as_array
from ...graph.ops import Conv, Pad, Reshape, Transpose
from ...graph.tensor import grids
from .plan import beside


def prepare(graph: Graph) -> Graph:
    """Let convolutions do the padding with zeros before them.

    %1 = pad[padding=((1, 1), (1, 1), (0, 0))](%0)
    %3 = conv[padding=((0, 0), (0, 0))](%1, %2)         ->      %3 = conv[padding=((1, 1), (1, 1))](%0, %2)
    """
    return graph.map(_padded)


def sink_moves(graph: Graph) -> Graph:
    """Let operations on each element come before a change of shape or order, so that they follow what computed it.

    %3 = reshape(%2) : 197x3x64                 %3 = quantize(%2) : 197x192
    %4 = quantize(%3) : 197x3x64        ->      %4 = reshape(%3) : 197x3x64
    """
    users = graph.users
    moves: set[Node] = set()  # those that one node reads

    def change(old: Node, node: Node) -> Node:
        made = _sunk(node, moves)
        made = made if made.type.format == old.type.format else node
        if isinstance(made.op, Reshape | Transpose) and len(users[old]) == 1:
            moves.add(made)
        return made

    return graph.rebuilt(change)


def _sunk(node: Node, moves: set[Node]) -> Node:
    """Give a node of what its operand, one of the ``moves``, moves, and the move behind it; else the node itself."""
    found = [i for i in node.inputs if i in moves]
    if len(found) != 1:
        return node
    (move,), x = found, found[0].inputs[0]
    if isinstance(node.op, Reshape) and isinstance(move.op, Reshape):
        return Node(node.op, (x,), node.where)
    if not _each_alone(node, move):
        return node
    before = Node(node.op, tuple(x if i is move else i for i in node.inputs), node.where)
    return Node(move.op, (_sunk(before, moves),), node.where)


def _each_alone(node: Node, x: Node) -> bool:
    """Whether an operation does the same to each element of one of its operands."""
    constants = beside(node, x)
    if constants is None or any(i.type.size > 1 for i in constants):
        return False
    return not any(grids(n.type.format) or as_array(getattr(n.type.format, "scale", 1)).ndim for n in (node, x))


def _padded(node: Node) -> Node:
    if not isinstance(node.op, Conv) or not isinstance(node.inputs[0].op, Pad):
        return node
    before = node.inputs[0]
    pad, x = before.op, before.inputs[0]
    assert isinstance(pad, Pad)
    if pad.value != 0 or any(pad.padding[-1]) or before.type.format != x.type.format:
        return node
    padding = tuple((a + c, b + d) for (a, b), (c, d) in zip(node.op.padding, pad.padding[:-1], strict=True))
    merged = replace(node, op=replace(node.op, padding=padding), inputs=(x, *node.inputs[1:]))
    return merged if merged.type.format == node.type.format and merged.type.shape == node.type.shape else node
