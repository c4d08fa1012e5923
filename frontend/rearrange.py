"""Cheapest ways to bring the elements of a tensor into another order."""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from ..graph import Array, Format, NDArray, Node, Op
from ..graph.ops import Constant, Reshape, Transpose, mover

Axes = tuple[int, ...]


def inverse(axes: Sequence[int]) -> Axes:
    """Give the order that undoes ``axes``."""
    return tuple(int(i) for i in np.argsort(axes))


def keeps_order(shape: tuple[int, ...], axes: Axes) -> bool:
    """Whether a transpose only moves axes of length 1, so that the elements stay in the same order."""
    real = [a for a in axes if shape[a] != 1]
    return real == sorted(real)


def transposed(node: Node, axes: Axes) -> Node:
    """Give ``node.transpose(axes)`` in the cheapest way: nothing, a moved constant, a reshape, or one transpose."""
    if axes == tuple(range(len(axes))):
        return node
    if isinstance(node.op, Constant):
        return moved_constant(node, mover(Transpose(axes)))
    if keeps_order(node.shape, axes):
        return reshaped(node, tuple(node.shape[a] for a in axes))
    return Node(Transpose(axes), (node,), node.where)


def reshaped(node: Node, shape: tuple[int, ...]) -> Node:
    """Give ``node.reshape(shape)``; reshapes of reshapes become one."""
    if node.shape == shape:
        return node
    if isinstance(node.op, Constant):
        return moved_constant(node, mover(Reshape(shape)))
    if isinstance(node.op, Reshape):
        return reshaped(node.inputs[0], shape)
    return Node(Reshape(shape), (node,), node.where)


def moved_constant(node: Node, move: Callable[[NDArray], NDArray], op: Op | None = None) -> Node:
    """Move the elements of a constant and of its format; of any other node by the operation ``op``."""
    if not isinstance(node.op, Constant):
        assert op is not None
        return Node(op, (node,), node.where)
    format: Format = node.op.format.map(node.shape, move)
    return Node(Constant(Array(move(node.op.value.data)), format), (), node.where)


def trimmed(node: Node) -> Node:
    """Drop leading axes of length 1 of a constant: broadcasting puts them back."""
    shape = node.shape
    while shape and shape[0] == 1:
        shape = shape[1:]
    return reshaped(node, shape)


def groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Pair the least runs of axes (without those of length 1) that hold the same number of elements."""
    a, b = ([i for i, n in enumerate(s) if n != 1] for s in (old, new))
    pairs = []
    while a:
        left, right = [a.pop(0)], [b.pop(0)]
        while (p := prod(old[i] for i in left)) != (q := prod(new[i] for i in right)):
            (left if p < q else right).append((a if p < q else b).pop(0))
        pairs.append((left, right))
    return pairs
