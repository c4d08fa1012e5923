"""Recipes that hold graphs: the ``.gw`` file in text, and how to make a graph smaller."""

import io
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace

from gatewright.graph import GatewrightError, Graph, Node
from gatewright.graph.file import archive, from_bytes, to_bytes
from gatewright.graph.ops import Constant, Input, Output

from .core import Recipe


def packed(graph: Graph) -> Recipe:
    """Give a graph as JSON: its text to read, its file to load."""
    return {"text": str(graph).splitlines(), "gw": b64encode(archive(to_bytes(graph))).decode()}


def unpacked(recipe: Recipe) -> Graph:
    """Give the graph back."""
    with zipfile.ZipFile(io.BytesIO(b64decode(recipe["gw"]))) as z:
        return from_bytes(z.read("graph.json"), z.read("weights.npz"))


def smaller_graphs(graph: Graph) -> Iterator[Graph]:
    """Give graphs with fewer nodes: one output, ended sooner, begun later, a node left out."""
    if len(graph.outputs) > 1:
        for output in graph.outputs:
            yield _pruned(replace(graph, outputs=(output,)))
        return
    (end,) = graph.outputs
    inner = [n for n in graph.nodes if not isinstance(n.op, (Input, Constant, Output))]
    for node in inner[:-1]:
        yield _pruned(replace(graph, outputs=(Node(Output("y"), (node,)),)))
    for node in reversed(inner):
        if end.inputs[0] is not node:
            yield from _tried(graph, node, Node(Input(f"cut{len(graph.inputs)}", node.shape, node.type.format)))
    for node in inner:
        for operand in node.inputs:
            if operand.shape == node.shape and operand.type.format == node.type.format:
                yield from _tried(graph, node, operand)


def _tried(graph: Graph, node: Node, by: Node) -> Iterator[Graph]:
    """Put another node in the place of one, where the types that follow allow it."""
    new: dict[Node, Node] = {node: by}
    try:
        for old in graph.nodes:
            if old is not node and old not in new:
                inputs = tuple(new.get(i, i) for i in old.inputs)
                new[old] = old if inputs == old.inputs else replace(old, inputs=inputs)
    except GatewrightError:
        return
    inputs = (*graph.inputs, by) if isinstance(by.op, Input) and by not in graph.inputs else graph.inputs
    changed = replace(graph, inputs=inputs, outputs=tuple(new[o] for o in graph.outputs))
    if all(n.type.is_integer for n in changed.nodes) or not graph.is_integer:
        yield _pruned(changed)


def _pruned(graph: Graph) -> Graph:
    """Leave out inputs that nothing reads any more, but for one."""
    reached = {i for n in graph.nodes for i in n.inputs}
    used = tuple(i for i in graph.inputs if i in reached) or graph.inputs[:1]
    return replace(graph, inputs=used)
