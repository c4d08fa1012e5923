"""Normalization in floating point. Kernel: ``l2norm.cc``."""

from ....graph import Node
from ....graph.ops import Activation, Div, Maximum, Mul, Reduce, Reduction
from ..registry import REFUSED, Call, operator

EPSILON = 1e-6


@operator("L2_NORMALIZATION", versions=2)
def l2_normalization(call: Call) -> Node:
    """``x / max(sqrt(sum(x x)), 1e-6)`` along the last axis."""
    if call.activation() != "NONE":
        raise call.refuse("a fused activation", "the kernel has none here")
    if not call.info(0).is_float:
        hint = "leave it in floating point: exclude it from quantization when the model is converted"
        raise call.refuse(f"{call.info(0).type}: its reciprocal root of a sum has no operation here", hint)
    x = call.flow(0)
    axis = len(x.shape) - 1
    total = call.node(Reduce(Reduction.SUM, (axis,), True), call.node(Mul(), x, x))
    root = call.node(Activation("sqrt"), total)
    return call.node(Div(), x, call.node(Maximum(), root, call.real(EPSILON, "epsilon")))


REFUSED["LOCAL_RESPONSE_NORMALIZATION"] = (
    "TensorFlow's reference kernel leaves out the last channel of each window, its other kernels do not: "
    "use another normalization"
)
