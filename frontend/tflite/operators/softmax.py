"""Softmax and its logarithm. Kernels: ``activations.cc``, ``reference/softmax.h``, ``reference/log_softmax.h``."""

from ....graph import Affine, Fixed, Node
from ....graph.ops import Activation, FixedSoftmax, Mul, Reduce, Reduction, Softmax, Sub
from .. import tables
from ..arithmetic import quantized_format, scale_of
from ..registry import Call, operator


@operator("SOFTMAX", versions=3)
def softmax(call: Call) -> Node:
    """Along the last axis, of ``beta x``."""
    info, result = call.info(0), call.result
    beta = call.attributes.real("beta")
    x, axis = _last(call)
    if info.is_float:
        scaled = x if beta == 1.0 else call.node(Mul(), x, call.real(beta, "beta"))
        return call.fitted(call.node(Softmax(axis), scaled))
    if (info.type, result.type) == ("INT16", "INT16"):
        return call.fitted(_softmax16(call, x, axis, beta))
    allowed = {"INT8": ("INT8", "INT16"), "UINT8": ("UINT8", "INT16")}
    if result.type not in allowed.get(info.type, ()):
        raise call.refuse(f"{info.type} giving {result.type}", "TFLite has no such kernel")
    format = quantized_format(call, result)
    if result.type == "INT8" and (result.zero_point != -128 or abs(result.scale * 256 - 1) > 1e-3):
        raise call.refuse(f"a result of {format}", "the kernel wants scale 1/256 and zero point -128")
    if not 1.0 < beta * scale_of(call, info) * 2**26 <= 2**30:
        raise call.refuse(f"beta times scale is {beta * info.scale:g}", "the kernel fails there; check the scale")
    table = tables.softmax_exponentials(info.scale, beta)
    row = call.stored(table, Fixed(32, 1), "exponentials")
    assert isinstance(format, Affine)
    return call.fitted(call.node(FixedSoftmax(axis, format), x, row))


def _last(call: Call) -> tuple[Node, int]:
    """Give the operand and its last axis; that of length 1 which was left out as the batch, too."""
    info = call.info(0)
    if not info.shape:
        raise call.misfit("softmax of a scalar")
    axis = call.inside_axis(-1, info)
    if axis is None:
        return call.whole(0), len(info.shape) - 1
    return call.operand(0), axis


def _softmax16(call: Call, x: Node, axis: int, beta: float) -> Node:
    info, result = call.info(0), call.result
    if len(info.shape) > 4:
        raise call.refuse(f"{len(info.shape)} axes of int16", "the kernel has at most 4; reshape before it")
    format = quantized_format(call, result)
    if info.zero_point or result.zero_point or abs(result.scale * 32768 - 1) > 1e-3:
        raise call.refuse(f"int16 giving {format}", "the kernel wants no zero point and a result of scale 1/32768")
    entries = tables.softmax_exponentials16(scale_of(call, info), beta)
    row = call.stored(entries, Fixed(16, 1), "exponentials")
    knots = call.stored(tables.reciprocal_knots(), Fixed(16, 1), "reciprocals")
    assert isinstance(format, Affine)
    return call.node(FixedSoftmax(axis, format), x, row, knots)


@operator("LOG_SOFTMAX", versions=2)
def log_softmax(call: Call) -> Node:
    """``x - log(sum(exp(x)))`` along the last axis, in floating point."""
    if not call.info(0).is_float:
        hint = "let the model end in its logits: the order of the classes is the same"
        raise call.refuse(f"{call.info(0).type}: its logarithm of a sum in fixed point has no operation here", hint)
    x, axis = _last(call)
    greatest = call.node(Reduce(Reduction.MAX, (axis,), True), x)
    shifted = call.node(Sub(), x, greatest)
    total = call.node(Reduce(Reduction.SUM, (axis,), True), call.node(Activation("exp"), shifted))
    return call.fitted(call.node(Sub(), shifted, call.node(Activation("log"), total)))
