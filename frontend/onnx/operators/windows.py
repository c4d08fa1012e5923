"""Strides, dilations and padding of windows: what Conv and the pools have in common.

Formulas: the definitions of Conv (opset 11), MaxPool and AveragePool (opset 22).
"""

from dataclasses import dataclass

from ....graph import Node
from ....graph.ops import Transpose
from ...padding import same_padding, same_total
from ..registry import Call

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Window:
    """How windows lie over space; ``overhang``: cells after the padding that rounding up the length adds, per axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Pairs
    overhang: tuple[int, ...]


def read_window(call: Call, space: tuple[int, ...], kernel: tuple[int, ...] | None = None) -> Window:
    """Read the attributes of a window over ``space``; ``kernel`` is the weights' where there are any."""
    attributes, rank = call.attributes, len(space)
    shape = kernel_shape(call, rank, kernel)
    strides = attributes.integers("strides", rank, [1] * rank, low=1)
    dilation = attributes.integers("dilations", rank, [1] * rank, low=1)
    reach = tuple((k - 1) * d + 1 for k, d in zip(shape, dilation, strict=True))
    auto = auto_pad(call)
    pads = attributes.integers("pads", 2 * rank, [0] * (2 * rank), low=0)
    if auto != "NOTSET" and any(pads):
        raise attributes.refusal("pads", list(pads), f"auto_pad = {auto} decides the padding; give one of the two")
    ceil = "ceil_mode" in attributes and attributes.boolean("ceil_mode", 0)
    padding = tuple(zip(pads[:rank], pads[rank:], strict=True))
    if auto.startswith("SAME"):
        if kernel is None and reach != shape:
            raise attributes.refusal("auto_pad", auto, "runtimes differ where a dilated pool pads itself; give pads")
        sizes = list(zip(space, reach, strides, strict=True))
        if min((same_total(*size) for size in sizes), default=0) < -1:  # ONNX Runtime then starts within the data
            raise attributes.refusal("auto_pad", auto, "the stride skips cells, on which runtimes differ; give pads")
        padding = tuple(same_padding(*size, lower=auto == "SAME_LOWER") for size in sizes)
    up = ceil and auto == "NOTSET"
    overhang = tuple(
        _overhang(n, r, s, p) if up else 0 for n, r, s, p in zip(space, reach, strides, padding, strict=True)
    )
    return Window(shape, strides, dilation, padding, overhang)


def kernel_shape(call: Call, rank: int, kernel: tuple[int, ...] | None) -> tuple[int, ...]:
    """Read ``kernel_shape``, which the weights decide where there are any."""
    if kernel is None:
        return call.attributes.integers("kernel_shape", rank, low=1)
    said = call.attributes.integers("kernel_shape", rank, list(kernel), low=1)
    if said != kernel:
        raise call.misfit(f"kernel_shape is {said}, the weights have {kernel}")
    return kernel


def auto_pad(call: Call) -> str:
    """Read ``auto_pad``."""
    return str(call.attributes.choice("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", default="NOTSET"))


def _overhang(length: int, reach: int, stride: int, padding: tuple[int, int]) -> int:
    """Count the cells beyond the padding that the last window needs, when the number of windows is rounded up.

    Windows that would start in the padding after the data do not exist (definition of MaxPool, opset 22; PyTorch and
    ONNX Runtime do so in every opset).
    """
    padded = length + sum(padding)
    count = -(-(padded - reach) // stride) + 1
    if (count - 1) * stride >= length + padding[0]:
        count -= 1
    return max((count - 1) * stride + reach - padded, 0)


def channels_last(call: Call, x: Node) -> Node:
    """Move the channels, axis 0 of a sample, to the end."""
    rank = len(x.shape)
    return x if rank < 2 else call.node(Transpose((*range(1, rank), 0)), x)


def channels_first(call: Call, x: Node) -> Node:
    """Move the channels from the end to axis 0 of a sample."""
    rank = len(x.shape)
    return x if rank < 2 else call.node(Transpose((rank - 1, *range(rank - 1))), x)


def spatial(call: Call, x: Node) -> tuple[int, ...]:
    """Give the spatial axes' lengths of an input [channels, *space]. Raises ShapeError where there are none."""
    if len(x.shape) < 2:
        raise call.misfit(f"reads [batch, channels, *space], got {call.shown(x)}")
    return x.shape[1:]
