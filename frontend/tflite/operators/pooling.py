"""Pools. Kernels: ``pooling.cc``, ``reference/integer_ops/pooling.h``."""

from ....graph import Affine, Node, Rounding
from ....graph.ops import Activation, AvgPool, MaxPool, Mul, Quantize
from ..arithmetic import clamp_range, clamped, float_activation, is_float, quantized_format, raw, recast
from ..registry import Call, operator
from .linear import pictures, window

Window = tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[int, int], ...], tuple[int, ...]]


def _window(call: Call) -> tuple[Node, Window]:
    """Give the input, and window, strides, padding and dilation over it."""
    x, lead = pictures(call)
    kernel = tuple(call.attributes.integer(f"filter_{n}", low=1) for n in ("height", "width"))
    strides, padding, dilation = window(call, x.shape[lead : lead + 2], kernel, dilated=False)
    ones = (1,) * lead
    return x, ((*ones, *kernel), (*ones, *strides), (*((0, 0),) * lead, *padding), (*ones, *dilation))


@operator("AVERAGE_POOL_2D", versions=3)
def average_pool(call: Call) -> Node:
    """Mean of each window's cells that are no padding; of stored integers themselves, halves away from zero."""
    x, along = _window(call)
    activation = call.activation()
    op = AvgPool(*along)
    if is_float(call, call.info(0), call.result):
        return float_activation(call, call.node(op, x), activation)
    _check(call)
    stored = raw(call, x)
    unit = stored.type.quantized.scale
    mean = call.node(op, stored)
    width = call.info(0).bounds[1].bit_length() + 2
    whole = call.node(Quantize(Affine(width, True, unit), Rounding.RND_INF), mean)
    y = recast(call, whole, quantized_format(call, call.result))
    return clamped(call, y, call.result, clamp_range(call, activation, call.result))


def _check(call: Call) -> None:
    info, result = call.info(0), call.result
    if info.type != result.type or info.type not in ("INT8", "UINT8", "INT16"):
        raise call.refuse(f"{info.type} to {result.type}", "float32, int8, uint8 and int16 are supported")
    if abs(info.scale - result.scale) > 1e-6 or info.zero_point != result.zero_point:
        raise call.refuse(f"its output has format {result.format}, its input {info.format}", "the kernel wants one")


@operator("MAX_POOL_2D", versions=3)
def max_pool(call: Call) -> Node:
    """The greatest of each window."""
    x, along = _window(call)
    activation = call.activation()
    y = call.node(MaxPool(*along), x)
    if is_float(call, call.info(0), call.result):
        return float_activation(call, y, activation)
    _check(call)
    y = recast(call, y, quantized_format(call, call.result))
    return clamped(call, y, call.result, clamp_range(call, activation, call.result))


@operator("L2_POOL_2D", versions=1)
def l2_pool(call: Call) -> Node:
    """Square root of the mean square of each window's cells that are no padding."""
    x, along = _window(call)
    activation = call.activation()
    if not is_float(call, call.info(0), call.result):
        raise call.refuse(f"type {call.info(0).type}", "float32 is supported")
    mean = call.node(AvgPool(*along), call.node(Mul(), x, x))
    return float_activation(call, call.node(Activation("sqrt"), mean), activation)
