"""Take scales that are no power of two out of the weights: multiply small integers, then scale each channel once."""

from fractions import Fraction

import numpy as np

from ...graph import Affine, Array, Fixed, Graph, NDArray, Node
from ...graph.arrays import as_array
from ...graph.formats import bits_for
from ...graph.ops import (
    Add,
    Constant,
    Conv,
    Dense,
    Maximum,
    Minimum,
    Mul,
    Output,
    Quantize,
    Relu,
    Reshape,
    Slice,
    Sub,
    Transpose,
)
from ..rewrite import STORED, again, rebuild

ALONE = (Relu, Reshape, Slice, Transpose)
BESIDE = (Add, Sub, Mul, Maximum, Minimum)
"""Operations that keep a scale for each channel, alone and beside a constant."""


def split_scales(graph: Graph) -> Graph:
    """Turn weights with a scale per channel into small integers and a multiplication after the sum. Exact: a float32
    scale is dyadic.

    %1 = constant() : 16x8 int4(scale=[0.01..0.2])        %1 = constant() : 16x8 fixed<4,4>
    %3 = dense(%0, %1, %2) : 8 ...                   ->    %3 = dense(%0, %1)
                                                          %4 = mul(%3, scales)
                                                          %5 = add(%4, %2)
    """
    stored = read_as_stored(graph)

    def split(old: Node, inputs: tuple[Node, ...]) -> Node:
        node = again(old, inputs)
        return node if old in stored else _kept(graph, old, node) or _split(node)

    return rebuild(graph, split)


def read_as_stored(graph: Graph) -> set[Node]:
    """Give the nodes whose integers, not what they mean, reach an operation that reads those: up to a quantizer."""
    found: set[Node] = set()
    for node in reversed(graph.nodes):
        if isinstance(node.op, STORED) or (node in found and not isinstance(node.op, Quantize)):
            found.update(node.inputs)
    return found


def _kept(graph: Graph, old: Node, node: Node) -> Node | None:
    """Give a product that needs no multiplication: exact as it is, of values whose scale is no power of two anyway, and
    read by quantizers only, which change the scale of each channel.
    """
    if not isinstance(node.op, (Dense, Conv)) or not node.type.is_integer:
        return None
    affine = any(isinstance(i.type.format, Affine) for i in (node.inputs[0], *node.inputs[2:]))
    return node if affine and ends_in_quantizers(graph, old) else None


def ends_in_quantizers(graph: Graph, node: Node) -> bool:
    """Whether all that reads a value passes it on, channel by channel, until a quantizer or an output."""
    return all(_ends(graph, user) for user in graph.users[node])


def _ends(graph: Graph, user: Node) -> bool:
    if isinstance(user.op, (Quantize, Output)):
        return True
    with_constant = any(isinstance(i.op, Constant) for i in user.inputs)
    if not isinstance(user.op, ALONE) and not (isinstance(user.op, BESIDE) and with_constant):
        return False
    return ends_in_quantizers(graph, user)


def _split(node: Node) -> Node:
    if not isinstance(node.op, (Dense, Conv)) or not isinstance(node.inputs[1].op, Constant):
        return node
    x, w, *bias = node.inputs
    format = w.type.format
    if not isinstance(format, Affine) or not _dyadic(as_array(format.scale)):
        return node
    assert isinstance(w.op, Constant)
    centred = format.centre(w.op.value.data.astype(np.int64))
    low, high = int(centred.min()), int(centred.max())
    width = bits_for(low, high)
    weights = Node(Constant(Array(centred), Fixed(width, width, low < 0)), (), w.where)
    product = Node(
        Mul(), (Node(node.op, (x, weights), node.where), _scales(as_array(format.scale), node.where)), node.where
    )
    return Node(Add(), (product, *bias), node.where) if bias else product


def _dyadic(scales: NDArray) -> bool:
    return all(s.denominator & (s.denominator - 1) == 0 for s in scales.ravel().tolist())


def _scales(scales: NDArray, where: str) -> Node:
    """The scales, exactly, as one fixed-point constant."""
    cells: list[Fraction] = scales.ravel().tolist()
    fraction = max(s.denominator.bit_length() - 1 for s in cells)
    stored = np.array([int(s * 2**fraction) for s in cells], dtype=np.int64)
    width = int(stored.max()).bit_length()
    return Node(Constant(Array(stored.reshape(scales.shape)), Fixed(width, width - fraction, False)), (), where)
