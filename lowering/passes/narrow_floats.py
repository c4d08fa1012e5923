"""Keep the floats of a network in 16 bits."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...graph import Array, Float, Graph, Node, Op, RangeError
from ...graph.formats import FLOAT
from ...graph.ops import (
    ArgMax,
    AvgPool,
    Broadcast,
    Cast,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    Gather,
    Input,
    MatMul,
    MaxPool,
    Output,
    Pad,
    Reduce,
    Reshape,
    Scan,
    Slice,
    Softmax,
    Take,
    TopK,
    Transpose,
    Upsample,
)
from ..rewrite import again, rebuild

MOVES: tuple[type[Op], ...] = (Reshape, Transpose, Slice, Gather, Broadcast, Upsample, Pad, Concat, Take)
"""What gives values as it reads them."""
STATISTICS: tuple[type[Op], ...] = (Reduce, Softmax, ArgMax, TopK)
"""What is computed in float32, from float32 where nothing else reads the operand."""
KEEPERS: tuple[type[Op], ...] = (Dense, Conv, ConvTranspose, MatMul, MaxPool, AvgPool, Concat, Scan)
"""What reads its operands from memory."""
NEVER: tuple[type[Op], ...] = (Input, Constant, Output, Cast, Reduce, Softmax, Scan, *MOVES)


def narrow_floats(graph: Graph, format: Float) -> Graph:
    """Round to ``format`` what stands in memory: weights, and each tensor that a product, a window or several
    operations read. What one pointwise operation reads at once, sums, softmax and what these read stays in float32, and
    so do the inputs and outputs of the network.

    %2 = conv(%0, %1) : 8x8x16 float32            %2 = conv(%0, %1) : 8x8x16 float32
    %3 = relu(%2) : 8x8x16 float32        ->      %3 = relu(%2) : 8x8x16 float32
    %5 = dense(%3, %4) : 10 float32               %4 = cast(%3) : 8x8x16 float16
                                                  %6 = dense(%4, %5) : 10 float32

    Raises RangeError for weights that the format does not hold.
    """
    kept = {n: _kept(n, graph.users) for n in graph.nodes}

    def fit(old: Node, inputs: tuple[Node, ...]) -> Node:
        if isinstance(old.op, Constant):
            return _constant(old, graph.users[old], format)
        node = again(old, inputs)
        rounds = kept[old] and node.type.format == FLOAT and not isinstance(old.op, NEVER)
        return Node(Cast(format), (node,), old.where) if rounds else node

    return rebuild(graph, fit)


def _kept(node: Node, users: Mapping[Node, tuple[Node, ...]]) -> bool:
    """Whether a tensor stands in memory for the sake of what is computed with it."""
    readers = _readers(node, users)
    asking = [u for u in readers if not isinstance(u.op, (Output, *STATISTICS))]
    return any(isinstance(u.op, KEEPERS) for u in asking) or (bool(asking) and len(readers) > 1)


def _readers(node: Node, users: Mapping[Node, tuple[Node, ...]]) -> list[Node]:
    """List who computes with a node, moved or not; what joins it with others counts as such."""
    found: list[Node] = []
    for user in users[node]:
        through = isinstance(user.op, MOVES) and not isinstance(user.op, Concat)
        found += _readers(user, users) if through else [user]
    return found


def _constant(node: Node, users: tuple[Node, ...], format: Float) -> Node:
    """Round weights of products and tables that are picked from; other constants are few."""
    if node.type.format != FLOAT or not any(_weights(node, u) for u in users):
        return node
    assert isinstance(node.op, Constant)
    rounded = format.rounded(node.op.value.data)
    if not np.isfinite(rounded).all():
        what = f"weights up to {float(np.abs(node.op.value.data).max()):.3g}, which {format} does not hold"
        raise RangeError(what, where=node.where, hint="bf16 has the range of float32")
    return replace(node, op=Constant(Array(rounded), format))


def _weights(node: Node, user: Node) -> bool:
    match user.op:
        case Dense() | Conv() | ConvTranspose():
            return user.inputs[1] is node
        case MatMul() | Take() | Gather():
            return user.inputs[0] is node or (isinstance(user.op, MatMul) and user.inputs[1] is node)
    return False
