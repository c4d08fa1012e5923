"""Strides, dilations and padding of windows; channels first and last."""

from ....graph import Node
from ....graph.ops import Transpose
from ..registry import Call
from ..values import Flow, Place

Pairs = tuple[tuple[int, int], ...]


def channels_last(call: Call, x: Node) -> Node:
    """Move the channels, axis 0 of a sample, to the end."""
    rank = len(x.shape)
    return x if rank < 2 else call.node(Transpose((*range(1, rank), 0)), x)


def channels_first(call: Call, x: Node) -> Node:
    """Move the channels from the end to axis 0 of a sample."""
    rank = len(x.shape)
    return x if rank < 2 else call.node(Transpose((rank - 1, *range(rank - 1))), x)


def spatial(call: Call, x: Flow, rank: int) -> Flow:
    """Give [batch, channels, *space] with ``rank`` axes of space. Raises ShapeError and UnsupportedError."""
    if x.rank != rank + 2:
        hint = "give the input an axis for the batch, and one for the channels"
        raise call.misfit(f"reads [batch, channels and {rank} axes of space], got {call.shape(x)}", hint)
    return call.front(x)


def first(call: Call, node: Node) -> Flow:
    """Give a result [*space, channels] as the source has it."""
    return Flow(channels_first(call, node), None if call.folding else Place(0))
