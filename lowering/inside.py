"""Passes inside of operations that hold a graph: the body of a scan is lowered as the graph around it is."""

from collections.abc import Callable
from dataclasses import replace

from ..graph import Graph, Node
from ..graph.ops import Scan
from . import rewrite
from .rewrite import again, rebuild


def everywhere(step: Callable[[Graph], Graph], graph: Graph) -> Graph:
    """Apply a pass to the bodies in a graph, innermost first, then to the graph itself."""

    def inside(old: Node, inputs: tuple[Node, ...]) -> Node:
        if not isinstance(old.op, Scan):
            return again(old, inputs)
        body = everywhere(step, old.op.body)
        notes.extend(note for note in body.notes if note not in graph.notes)
        return Node(replace(old.op, body=closed(body, old.op)), inputs, old.where)

    notes: list[str] = []
    if any(isinstance(node.op, Scan) for node in graph.nodes):
        graph = rebuild(graph, inside)
    return step(replace(graph, notes=tuple(dict.fromkeys((*graph.notes, *notes)))))


def closed(body: Graph, op: Scan) -> Graph:
    """Bring each next state back to the format that the body reads it in, where a pass has given it another."""
    entries = body.inputs[op.sequences : op.sequences + op.states]
    nexts = [rewrite.closed(o, entry) for o, entry in zip(body.outputs, entries, strict=False)]
    return replace(body, outputs=(*nexts, *body.outputs[op.states :]))
