"""Transposed convolutions as convolutions: what stands between two elements of the operand are filters of their own.

A result at stride * t + q is the sum of every stride-th tap, from the q-th on, over neighbours of element t: a filter
for each q. Their results, one behind the other, are moved to where they belong (depth to space).

%2 = conv_transpose[strides=(2, 2)](%0, %1) : 16x16x8   ->   %2 = conv(%0, %1) : 8x8x32
                                                             %3 = reshape, transpose, reshape(%2) : 16x16x8
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ...graph import Array, GatewrightError, Graph, Node
from ...graph.arrays import as_array
from ...graph.ops import Constant, Conv, ConvTranspose, Reshape, Slice, Transpose
from .cut import chosen_of, continued, following, stands_for, with_same_outputs


@dataclass(frozen=True)
class _Axis:
    """One axis: ``taps`` of each filter, ``first`` of the operand's elements to which a result belongs, and how many
    results there are, before ``cut`` are left out.
    """

    stride: int
    kernel: int
    dilation: int
    taps: int
    padding: tuple[int, int]
    count: int
    cut: int

    def tap(self, phase: int, at: int) -> int:
        """Give the tap of the kernel, or one beyond its end."""
        return phase + self.stride * (self.taps - 1 - at)


def convolved(graph: Graph) -> Graph:
    """Write transposed convolutions as convolutions and moves, with the operations on elements between the two."""
    users = graph.users
    new: dict[Node, Node] = {}
    ends: dict[Node, tuple[Node, ...]] = {}

    def change(old: Node, node: Node) -> Node:
        if isinstance(old.op, ConvTranspose) and all(isinstance(i.op, Constant) for i in old.inputs[1:]):
            chain = following(old, users)
            ends[chain[-1]] = chain
        new[old] = node
        if old in ends:
            try:
                made = _convolution(ends[old], new[ends[old][0].inputs[0]])
            except GatewrightError:  # formats of elements, for instance, that no convolution has
                made = None
            if made is not None and stands_for(made, old, users):
                new[old] = made
        return new[old]

    result = graph.rebuilt(change)
    if not ends:
        return graph
    return with_same_outputs(result, graph)


def _convolution(chain: Sequence[Node], x: Node) -> Node | None:
    """Give the end of a chain that begins with a transposed convolution; None where it cuts off too much."""
    node = chain[0]
    op, w = node.op, node.inputs[1]
    assert isinstance(op, ConvTranspose)
    axes = [_axis(op, i, x.shape[i], w.shape[i], node.shape[i]) for i in range(len(op.strides))]
    if any(a is None for a in axes):
        return None
    found = [a for a in axes if a is not None]
    each, phases = w.shape[-2], prod(a.stride for a in found)
    chosen = np.arange(node.shape[-1]).reshape(op.groups, 1, each).repeat(phases, axis=1).ravel()
    weights = _weights(w, op.groups, found)
    made = Node(
        Conv((1,) * len(found), tuple(a.padding for a in found), tuple(a.dilation for a in found), op.groups),
        (x, weights, *(chosen_of(i, chosen) for i in node.inputs[2:])), node.where,
    )  # fmt: skip
    made = continued(made, chain, chosen)
    return _moved(made, found, op.groups, each, chain[-1])


def _axis(op: ConvTranspose, i: int, length: int, kernel: int, results: int) -> _Axis | None:
    stride, dilation, before = op.strides[i], op.dilation[i], op.crop[i][0]
    if stride > 1 and dilation > 1:
        return None
    taps = -(-kernel // stride)
    first, last = before // stride, (before + results - 1) // stride
    padding = (taps - 1) * dilation - first, last - (length - 1)
    if min(padding) < 0:
        return None
    return _Axis(stride, kernel, dilation, taps, padding, last - first + 1, before - first * stride)


def _weights(w: Node, groups: int, axes: Sequence[_Axis]) -> Node:
    """Pick taps: [*kernel, F / groups, C] -> [*taps, C / groups, groups * phases * F / groups]."""
    assert isinstance(w.op, Constant)
    rank, (each, channels) = len(axes), w.shape[-2:]
    data = w.op.value.data
    places = np.arange(data.size).reshape(*w.shape[:rank], each, groups, channels // groups)
    new = np.zeros((*(a.taps for a in axes), channels // groups, groups, *(a.stride for a in axes), each), np.int64)
    inside = np.zeros(new.shape, bool)
    for at in np.ndindex(*(a.taps for a in axes)):
        for phase in np.ndindex(*(a.stride for a in axes)):
            tap = [a.tap(q, t) for a, q, t in zip(axes, phase, at, strict=True)]
            there = all(k < a.kernel for k, a in zip(tap, axes, strict=True))
            here = (*at, slice(None), slice(None), *phase, slice(None))
            new[here] = places[tuple(tap) if there else (0,) * rank].transpose(2, 1, 0)
            inside[here] = there
    shape = (*(a.taps for a in axes), channels // groups, -1)
    new, inside = new.reshape(shape), inside.reshape(shape)
    format = w.type.format.map(w.shape, lambda a: np.broadcast_to(a, w.shape).ravel()[new])
    zero = as_array(format.zero) if w.type.is_integer else np.zeros(())  # type: ignore[union-attr]
    return Node(Constant(Array(np.where(inside, data.ravel()[new], zero).astype(data.dtype)), format), (), w.where)


def _moved(node: Node, axes: Sequence[_Axis], groups: int, each: int, end: Node) -> Node:
    """Move phases to where they belong, and leave out what the transposed convolution does."""
    rank, where = len(axes), node.where
    strides, counts = [a.stride for a in axes], [a.count for a in axes]
    if prod(strides) > 1:
        node = Node(Reshape((*counts, groups, *strides, each)), (node,), where)
        order = [k for i in range(rank) for k in (i, rank + 1 + i)]
        node = Node(Transpose((*order, rank, 2 * rank + 1)), (node,), where)
        whole = [c * s for c, s in zip(counts, strides, strict=True)]
        node = Node(Reshape((*whole, groups * each)), (node,), where)
    if node.shape != end.shape:
        begins = (*(a.cut for a in axes), 0)
        ends = tuple(b + n for b, n in zip(begins, end.shape, strict=True))
        node = Node(Slice(begins, ends, (1,) * (rank + 1)), (node,), where)
    return node

