"""Masks: which steps of a sequence count. A mask is a tensor of 0 and 1 that goes beside another, as Keras has it.

Keras 3 hands the mask of a tensor to a layer where the layer takes one and no other tensor is given to it, and writes
it into the file as an argument where it can; tf-keras hands it on in any case.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...graph import Array, Node
from ...graph.ops import BOOLEAN, Broadcast, Constant, Maximum, Minimum, Mul, Reduce, Reduction, Reshape, Step, Sub
from .calls import leaves
from .registry import Dialect, Kind, Layer, Masking

BIT = BOOLEAN
DROPPED_BY_TF_KERAS = ("Identity", "Rescaling", "Normalization")
"""Layers that hand a mask on in Keras 3 only."""


def mask_of(layer: Layer, x: Node) -> Node | None:
    """Give the mask that goes with a tensor. Raises UnsupportedError where it depends on the order of the calls."""
    if x in layer.masks.lost and not _reads(layer, layer.masks.lost[x]):
        hint = "give the attention layer a copy (Identity) or attention_mask="
        raise layer.unsupported("an attention layer takes the mask of a tensor that others read, too", hint)
    mask = layer.masks.of.get(x)
    if mask is not None:
        layer.masks.used.add(x)
    return mask


def _reads(layer: Layer, wanted: Node) -> bool:
    """Whether what the layer is called with comes, however far, from ``wanted``."""
    pending, seen = list(layer.reads), set()
    while pending:
        node = pending.pop()
        if node is wanted:
            return True
        if node not in seen:
            seen.add(node)
            pending.extend(node.inputs)
    return False


def given_mask(layer: Layer, key: str = "mask") -> Any:
    """Give the mask that the call itself names: a node, a list of nodes and None, or None."""
    value = layer.call.take(key, None)
    if value is not None and not isinstance(value, Node) and not list(leaves(value, Node)):
        raise layer.call.refusal(key, value, "masks are only taken as tensors of the model")
    return value


def masks_of(layer: Layer, inputs: Sequence[Node]) -> list[Node | None]:
    """Give the mask of each input: those of the call, else those of the tensors."""
    given = given_mask(layer)
    if isinstance(given, Node):
        return [given, *(None for _ in inputs[1:])]
    if given is not None:
        return [m if isinstance(m, Node) else None for m in given]
    return [mask_of(layer, x) for x in inputs]


def single_mask(layer: Layer, x: Node) -> Node | None:
    """Give the mask of the only sequence that a layer reads."""
    given = given_mask(layer)
    if given is not None:
        return given if isinstance(given, Node) else next(leaves(given, Node))
    alone = len(layer.reads) == 1 or layer.dialect is Dialect.TF_KERAS
    return mask_of(layer, x) if alone else None


def settle(layer: Layer, kind: Kind, inputs: list[Node], results: list[Node]) -> list[Node]:
    """Give the results of a layer with the masks that belong to them."""
    masked = [x for x in inputs if x in layer.masks.of]
    if kind.masking is Masking.OWN:
        return results
    if kind.masking is Masking.REFUSE and masked:
        raise layer.unsupported("a masked sequence enters it", "cut or pad the sequences before the model")
    passes = kind.masking is Masking.PASS and not (
        layer.dialect is Dialect.TF_KERAS and layer.class_name in DROPPED_BY_TF_KERAS
    )
    mask = masks_of(layer, inputs[:1])[0] if passes and inputs else None
    fresh = [copy(layer, r) if r in layer.masks.of and layer.masks.of[r] is not mask else r for r in results]
    if mask is not None:
        layer.masks.of.update(dict.fromkeys(fresh, mask))
    return fresh


def copy(layer: Layer, x: Node) -> Node:
    """Give a tensor of the same values that is another node, so that it can have another mask."""
    return layer.node(Reshape(x.shape), x)


# What masks are made of: each a node of 0 and 1


def bits(layer: Layer, x: Node, thresholds: Sequence[float], levels: Sequence[int]) -> Node:
    """Give ``levels[k]``, k being how many of the thresholds ``x`` reaches."""
    table = Node(Constant(Array(np.array(levels, np.int64)), BIT), (), layer.name)
    return layer.node(Step(), x, layer.constant(np.array(thresholds, np.float32)), table)


def differs(layer: Layer, x: Node, value: float) -> Node:
    """Give 1 where ``x`` is not ``value``, a float32 number."""
    there = np.float32(value)
    return bits(layer, x, [float(there), float(np.nextafter(there, np.float32(np.inf)))], [1, 0, 1])


def both(layer: Layer, masks: Sequence[Node]) -> Node:
    """Give 1 where all masks are 1."""
    total = masks[0]
    for mask in masks[1:]:
        total = layer.node(Minimum(), total, mask)
    return total


def either(layer: Layer, masks: Sequence[Node]) -> Node:
    """Give 1 where a mask is 1."""
    total = masks[0]
    for mask in masks[1:]:
        total = layer.node(Maximum(), total, mask)
    return total


def some(layer: Layer, mask: Node, axis: int, keep: bool = False) -> Node:
    """Give 1 where a mask is 1 anywhere along an axis."""
    return layer.node(Reduce(Reduction.MAX, (axis,), keep), mask)


def opposite(layer: Layer, mask: Node) -> Node:
    """Give 1 where a mask is 0."""
    return layer.node(Sub(), one(layer), mask)


def one(layer: Layer) -> Node:
    """Give the number 1 of a mask."""
    return Node(Constant(Array(np.array(1, np.int64)), BIT), (), layer.name)


def constant_mask(layer: Layer, values: Any) -> Node:
    """Give a mask that is known."""
    return Node(Constant(Array(np.asarray(values, np.int64)), BIT), (), layer.name)


def widened(layer: Layer, mask: Node, shape: tuple[int, ...]) -> Node:
    """Give a mask of the first axes of a tensor with an axis of length 1 for each of the others."""
    if len(mask.shape) == len(shape):
        return mask
    return layer.node(Reshape((*mask.shape, *(1,) * (len(shape) - len(mask.shape)))), mask)


def spread(layer: Layer, mask: Node, shape: tuple[int, ...]) -> Node:
    """Give a mask in the shape of a tensor."""
    mask = widened(layer, mask, shape)
    return mask if mask.shape == shape else layer.node(Broadcast(shape), mask)


def kept(layer: Layer, mask: Node, x: Node) -> Node:
    """Give ``x`` with 0 where its mask is 0."""
    return layer.node(Mul(), x, widened(layer, mask, x.shape))


def replaced(layer: Layer, inputs: Sequence[Node]) -> Layer:
    """Give the layer as if it was called with these tensors only."""
    return replace(layer, reads=tuple(inputs))
