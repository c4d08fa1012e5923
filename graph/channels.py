"""Some of the channels of a tensor: constants and operations with numbers of each channel, as they are for these."""

from dataclasses import replace

from .arrays import Array, NDArray
from .node import Node, Op
from .ops import Constant, MultiplyShift, Quantize


def taken(constant: Node, chosen: NDArray, axis: int) -> Node:
    """Pick along an axis of a constant."""
    assert isinstance(constant.op, Constant)
    data = constant.op.value.data
    format = constant.type.format.map(data.shape, lambda a: a.take(chosen, axis))
    return Node(Constant(Array(data.take(chosen, axis)), format), (), constant.where)


def channelwise(op: Op, shape: tuple[int, ...], chosen: NDArray) -> Op:
    """Give an operation on a tensor of ``shape`` for some of its channels."""
    match op:
        case MultiplyShift() if len(op.multiplier) > 1:
            return replace(
                op, multiplier=tuple(op.multiplier[i] for i in chosen), shift=tuple(op.shift[i] for i in chosen)
            )
        case Quantize():
            return replace(op, format=op.format.map(shape, lambda a: a[..., chosen]))
    return op
