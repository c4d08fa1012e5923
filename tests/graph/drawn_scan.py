"""Recurrences drawn at random for ``drawn.Draw``: a body of a few operations, one or two states."""

from typing import TYPE_CHECKING

from gatewright.graph import Graph, Node
from gatewright.graph.ops import Add, Input, Output, Quantize, Reduce, Reduction, Scan
from gatewright.graph.tensor import grids

if TYPE_CHECKING:
    from .drawn import Draw


def scan(draw: "Draw", x: Node) -> Node:
    """Over the first axis; another tensor that every step reads is ``x`` itself."""
    if any(grid.data.ndim >= len(x.shape) for grid in grids(x.type.format)):
        x = Node(Quantize(draw.flat_format()), (x,))
    entries = [Node(Input("x", x.shape[1:], x.type.quantized))]
    shapes = [x.shape[1:] or (2,), (3,)][: draw.upto(1, 2)]
    entries += [Node(Input(f"s{i}", shape, draw.flat_format())) for i, shape in enumerate(shapes)]
    if every := draw.upto(0, 3) == 0:
        entries.append(Node(Input("all", x.shape, x.type.quantized)))
    nodes = list(entries)
    for _ in range(draw.upto(1, 3)):
        node = draw.narrowed(draw.step(draw.pick([n for n in nodes if n.shape]), nodes, inside=True))
        if node.type.is_integer and node.type.size <= draw.most:
            nodes.append(node)
    nexts = [next_state(draw, state, draw.pick(nodes)) for state in entries[1 : 1 + len(shapes)]]
    emitted = draw.pick([*nodes, *nexts])
    body = Graph(tuple(entries), tuple(Node(Output(f"o{i}"), (n,)) for i, n in enumerate([*nexts, emitted])))
    starts = [draw.constant(n.shape, n.type.quantized) for n in entries[1 : 1 + len(shapes)]]
    last = bool(draw.upto(0, 1)) and emitted.shape != ()
    op = Scan(body, x.shape[0], 1, len(shapes), bool(draw.upto(0, 1)), last)
    return Node(op, (x, *starts, *([x] if every else [])))


def next_state(draw: "Draw", state: Node, node: Node) -> Node:
    """The state and all that is in another tensor, in the format of the state."""
    total = Node(Reduce(Reduction.MAX, tuple(range(len(node.shape)))), (node,)) if node.shape else node
    new = draw.narrowed(Node(Add(), (state, total)))
    return Node(Quantize(state.type.quantized), (new if new.type.is_integer else state,))
