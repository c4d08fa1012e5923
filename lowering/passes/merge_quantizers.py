"""Drop quantizers that change no value that can occur."""

from ...graph import Fixed, Graph, Node, Quantized
from ...graph.ops import Quantize, Relu
from ..rewrite import STATE, again, is_plain, rebuild


def merge_quantizers(graph: Graph) -> Graph:
    """Remove a quantizer of ours whose operand's proved values all survive it unchanged in no more bits.

    %2 = relu(%1) : 8 ufixed<6,2>
    %3 = quantize[inserted=...](%2) : 8 fixed<16,6>      ->      %2 = relu(%1) : 8 ufixed<6,2>
    """
    return rebuild(graph, lambda old, inputs: _merge(again(old, inputs)))


def _merge(node: Node) -> Node:
    match node:
        case Node(op=Quantize(inserted=reason)) if reason == STATE:
            return node
        case Node(op=Quantize(inserted=reason, format=target), inputs=(x,)) if reason and _unchanged(x, target):
            return x
        case Node(op=Relu(), inputs=(x,)) if x.type.is_integer and int(x.type.interval[0].min()) >= 0:
            return x
        case _:
            return node


def _unchanged(x: Node, target: Quantized) -> bool:
    source = x.type.format
    if not (isinstance(source, Fixed) and isinstance(target, Fixed) and is_plain(source) and is_plain(target)):
        return False
    if (
        source.common_fraction > target.common_fraction
        or not isinstance(source.width, int)
        or not isinstance(target.width, int)
    ):
        return False
    scale = 2 ** (target.common_fraction - source.common_fraction)
    low, high = target.bounds
    inside = int(x.type.interval[0].min()) * scale >= int(low) and int(x.type.interval[1].max()) * scale <= int(high)
    return inside and source.width <= target.width
