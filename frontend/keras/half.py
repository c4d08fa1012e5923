"""Layers that compute in floats of 16 bits: what enters, weights and results are rounded to them, sums are not.

Keras casts the inputs and the variables of a layer to its compute dtype (``Layer.__call__``, ``Variable.value`` within
an ``AutocastScope``). Normalizations compute in float32 and cast what comes out (``BatchNormalization.call``).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...graph import Array, Float, Graph, Node
from ...graph.formats import FLOAT
from ...graph.ops import Cast, Constant, Conv, ConvTranspose, Dense, MatMul, Output, Scan, Take

PRODUCTS = (Dense, Conv, ConvTranspose, MatMul, Take)
"""What reads weights."""


def cast(x: Node, format: Float) -> Node:
    """Round a tensor of real numbers, unless it has the format."""
    if x.type.is_integer or x.type.format == format or format == FLOAT:
        return x
    return Node(Cast(format), (x,), x.where)


def common(inputs: Sequence[Node]) -> Float:
    """Give the format in which a function of tensors computes: that of all real numbers among them, else float32."""
    formats = {str(x.type.format): x.type.format for x in inputs if isinstance(x.type.format, Float)}
    return formats.popitem()[1] if len(formats) == 1 else FLOAT


def rounded(results: Sequence[Node], inputs: Sequence[Node], format: Float) -> list[Node]:
    """Give the results of a layer with its weights, and themselves, in its format."""
    if format == FLOAT:
        return list(results)
    graph = Graph((), tuple(Node(Output(f"{i}"), (r,)) for i, r in enumerate(results)))
    found = [o.inputs[0] for o in _with_weights(graph, set(inputs), format).outputs]
    return [cast(r, format) for r in found]


def _with_weights(graph: Graph, given: set[Node], format: Float) -> Graph:
    """Round the constants that products read; ``given`` and what is before them stay as they are."""
    before: set[Node] = set()
    pending = list(given)
    while pending:
        node = pending.pop()
        if node not in before:
            before.add(node)
            pending.extend(node.inputs)
    new: dict[Node, Node] = {node: node for node in before}
    for node in graph.nodes:
        if node in new:
            continue
        inputs = tuple(
            _weight(new[i], format) if isinstance(node.op, PRODUCTS) and i not in before else new[i]
            for i in node.inputs
        )
        op = node.op
        if isinstance(op, Scan):
            op = replace(op, body=_with_weights(op.body, set(), format))
        same = op is node.op and all(a is b for a, b in zip(inputs, node.inputs, strict=True))
        new[node] = node if same else replace(node, op=op, inputs=inputs)
    return replace(graph, inputs=tuple(new[i] for i in graph.inputs), outputs=tuple(new[o] for o in graph.outputs))


def _weight(node: Node, format: Float) -> Node:
    if not isinstance(node.op, Constant) or node.type.format != FLOAT:
        return node
    data = format.rounded(node.op.value.data)
    return Node(Constant(Array(data), format), (), node.where) if np.isfinite(data).all() else node
