"""Fold multiplications and additions by constants (BatchNormalization) into the weights before them."""

import numpy as np

from ...graph import Array, Float, Graph, Node
from ...graph.arrays import NDArray
from ...graph.ops import Add, Constant, Conv, ConvTranspose, Dense, Mul, Sub
from ..rewrite import again, note, real, rebuild, value_of

Linear = Dense | Conv | ConvTranspose


def fold_scale(graph: Graph) -> Graph:
    """Fold a scale and an offset per channel into float weights; an offset also into a bias of integers, where that
    stays exact.

    %3 = conv(%0, %1, %2)                   %1' = %1 * scale
    %5 = mul(%3, scale)            ->       %2' = %2 * scale + offset
    %7 = add(%5, offset)                    %7 = conv(%0, %1', %2')
    """
    notes: list[str] = []
    folded = rebuild(graph, lambda old, inputs: _fold(graph, old, again(old, inputs), notes))
    return note(folded, *notes)


def _fold(graph: Graph, old: Node, node: Node, notes: list[str]) -> Node:
    split = _by_channel(node)
    if split is None:
        return node
    layer, values = split
    source = next(i for i in old.inputs if not isinstance(i.op, Constant))
    if len(graph.users[source]) != 1:
        return node
    match node.op:
        case Mul() if _float_weights(layer):
            return _scaled(layer, values, node.where)
        case Mul():
            notes.append(
                f"{node.where}: the scale stays a multiplication of its own, because the weights of {layer.where} "
                "have a format of the model"
            )
        case Add():
            return _shifted(layer, node, values, notes)
        case Sub() if node.inputs[0] is layer:
            return _shifted(layer, node, -values, notes)
    return node


def _by_channel(node: Node) -> tuple[Node, NDArray] | None:
    """Split ``op(layer, constant)``, with a constant that differs at most along the last axis, into the two."""
    if not isinstance(node.op, (Mul, Add, Sub)):
        return None
    for layer, other in (node.inputs, node.inputs[::-1]):
        values = value_of(other)
        if values is None or not isinstance(layer.op, Linear) or node.shape != layer.shape:
            continue
        if values.size in (1, layer.shape[-1]) and _last(values):
            return layer, np.asarray(_real(other)).reshape(-1)
    return None


def _last(values: NDArray) -> bool:
    return values.ndim == 0 or values.shape[-1] == values.size


def _real(node: Node) -> NDArray:
    from ...graph.evaluate import values_of

    assert isinstance(node.op, Constant)
    return values_of(node, node.op.value.data).astype(np.float64)


def _float_weights(layer: Node) -> bool:
    return all(isinstance(w.type.format, Float) and isinstance(w.op, Constant) for w in layer.inputs[1:])


def _scaled(layer: Node, scale: NDArray, where: str) -> Node:
    x, w, *bias = layer.inputs
    weights = _real(w) * (
        scale.reshape(-1, 1) if isinstance(layer.op, ConvTranspose) and layer.op.groups == 1 else scale
    )
    if isinstance(layer.op, ConvTranspose) and layer.op.groups > 1 and scale.size > 1:
        return Node(Mul(), (layer, real(scale)), where)
    biases = [real(_real(b) * scale, b.where) for b in bias]
    return Node(layer.op, (x, real(weights, w.where), *biases), layer.where)


def _shifted(layer: Node, node: Node, offset: NDArray, notes: list[str]) -> Node:
    x, w, *bias = layer.inputs
    if not _float_weights(layer):
        return _exact_shift(layer, node)
    total = np.broadcast_to(offset, layer.shape[-1:]) + (_real(bias[0]) if bias else 0.0)
    return Node(layer.op, (x, w, real(total, bias[0].where if bias else node.where)), layer.where)


def _exact_shift(layer: Node, node: Node) -> Node:
    """An addition of integers is a bias where there is none yet: the sum is the same, exactly."""
    other = next(i for i in node.inputs if i is not layer)
    if len(layer.inputs) == 3 or isinstance(other.type.format, Float) or not isinstance(node.op, Add):
        return node
    assert isinstance(other.op, Constant)
    data = np.broadcast_to(other.op.value.data.reshape(-1), layer.shape[-1:])
    bias = Node(Constant(Array(data), other.type.format), (), other.where)
    return Node(layer.op, (*layer.inputs, bias), layer.where)
