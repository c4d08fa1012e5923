"""What makes a graph easier for processors, without changing a number of it."""

from dataclasses import replace

from ...graph import Graph, Node
from ...graph.ops import Conv, Pad


def prepare(graph: Graph) -> Graph:
    """Let convolutions do the padding with zeros before them.

    %1 = pad[padding=((1, 1), (1, 1), (0, 0))](%0)
    %3 = conv[padding=((0, 0), (0, 0))](%1, %2)         ->      %3 = conv[padding=((1, 1), (1, 1))](%0, %2)
    """
    return graph.map(_padded)


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
