"""Quantization by the range that a tensor has at run time, as ``quantize_dynamic`` of ONNX Runtime writes it.

The numbers are exact in a float graph: float32 for the scale, integers for the products. Lowering refuses the graph.
"""

from fractions import Fraction

import numpy as np

from ....graph import Fixed, Node, Overflow, Rounding
from ....graph.ops import (
    Activation,
    Add,
    Compare,
    Comparison,
    Div,
    DynamicScale,
    Maximum,
    Minimum,
    Mul,
    Quantize,
    Reduce,
    Reduction,
    Select,
    Sub,
)
from ..registry import Call, Coded, Flow, operator
from .qoperator import computed_scalar, integer_product

BYTE = Fixed(8, 8, signed=False)
NOTE = "DynamicQuantizeLinear: each sample is quantized by its own range, as the source does with a batch of 1"
MICROSOFT = ("com.microsoft",)
ENDS = ((Maximum(), Reduction.MAX), (Minimum(), Reduction.MIN))


@operator("DynamicQuantizeLinear")
def dynamic_quantize_linear(call: Call) -> tuple[Coded, Flow, Coded]:
    """Give ``x`` in uint8, its scale and its zero point: numbers of the sample, without a batch axis."""
    q, scale, zero = quantized(call)
    return _stored(q, call.lead), Flow(scale, "float32", 0), _stored(zero, 0)


def _stored(node: Node, lead: int) -> Coded:
    return Coded(node, "uint8", Fraction(1), 0, lead)


def quantized(call: Call) -> tuple[Node, Node, Node]:
    """Give ``clip(round(x / scale) + zero)``, ``scale`` and ``zero`` of input 0; all in float32, half to even.

    scale = (max(x, 0) - min(x, 0)) / 255, 1 / 255 where all is 0; zero = round(clip(0 - min / scale)).
    """
    x = call.flow()
    if call.lead and not call.batch.is_open and call.batch.lengths != (1,):
        raise call.refuse("its range is that of all samples together", "export the model with a batch of 1, or open")
    if call.lead and NOTE not in call.notes:
        call.notes.append(NOTE)
    none = call.constant(np.float32(0))
    most, least = (call.node(pick, _extreme(call, x, kind), none) for pick, kind in ENDS)
    flat = call.node(Compare(Comparison.EQUAL), most, least)
    span = call.node(Select(), flat, call.constant(np.float32(1)), call.node(Sub(), most, least))
    ratio = call.node(Div(), span, call.constant(np.float32(255)))
    scale = call.node(DynamicScale(call.op), ratio)
    zero = call.node(Sub(), none, call.node(Div(), least, scale))
    zero = _byte(call, call.node(Minimum(), zero, call.constant(np.float32(255))))
    steps = call.node(Activation("round"), call.node(Div(), x, scale))
    return _byte(call, call.node(Add(), steps, zero)), scale, zero


def _extreme(call: Call, x: Node, kind: Reduction) -> Node:
    return call.node(Reduce(kind, tuple(range(len(x.shape)))), x) if x.shape else x


def _byte(call: Call, x: Node) -> Node:
    return call.node(Quantize(BYTE, Rounding.RND_CONV, Overflow.SAT), x)


@operator("DynamicQuantizeMatMul", domains=MICROSOFT)
def dynamic_quantize_matmul(call: Call) -> Flow:
    """``quantized(a) @ (b - b_zero) * (a_scale * b_scale) + bias`` with constant ``b``."""
    q, scale, zero = quantized(call)
    call.inputs = [_stored(q, call.lead), *[*call.inputs[1:], None, None, None][:4], _stored(zero, 0)]
    return _real(call, integer_product(call, 5, 3).node, scale, 2, 4)


@operator("MatMulIntegerToFloat", domains=MICROSOFT)
def matmul_integer_to_float(call: Call) -> Flow:
    """``(a - a_zero) @ (b - b_zero) * (a_scale * b_scale) + bias``."""
    product = integer_product(call, 4, 5).node
    scale = call.value(2)
    first = computed_scalar(call, 2) if isinstance(scale, Flow) else call.constant(_one(call, 2))
    return _real(call, product, first, 3, 6)


def _one(call: Call, i: int) -> np.float32:
    value = call.scalar(i)
    if value is None:
        raise call.misfit(f"input {i} is missing")
    return np.float32(value)


def _real(call: Call, product: Node, first: Node, scale: int, bias: int) -> Flow:
    """Scale an exact sum in float32, and add the bias."""
    columns = product.shape[-1:]
    if isinstance(call.value(scale), Flow):
        second = computed_scalar(call, scale)
    else:
        array = call.array(scale)
        if array.size != 1 and array.shape != columns:
            raise call.misfit(f"scales of shape {array.shape} for {columns} columns")
        second = call.constant(array.reshape(()) if array.size == 1 else array, "scale")
    real = call.node(Mul(), product, call.node(Mul(), first, second))
    if call.optional(bias) is not None:
        array = call.array(bias)
        if array.shape != columns:
            raise call.misfit(f"a bias of shape {array.shape} for {columns} columns")
        real = call.node(Add(), real, call.constant(array, "bias"))
    return Flow(real, "float32", call.lead)
