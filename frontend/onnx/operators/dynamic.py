"""Quantization by the range that a tensor has at run time, as ``quantize_dynamic`` of ONNX Runtime writes it.

The numbers are exact in a float graph: float32 for the scale, integers for the products. Lowering refuses the graph.
"""

from fractions import Fraction
from typing import Any

import numpy as np

from ....graph import Fixed, NDArray, Node, Overflow, Rounding
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
from ..coding import INTEGERS
from ..registry import Call, Coded, Flow, operator
from .qoperator import centred, computed_scalar, integer_product

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
    return _byte(call, _steps(call, x, scale, zero)), scale, zero


def _steps(call: Call, x: Node, scale: Node, zero: Node) -> Node:
    return call.node(Add(), call.node(Activation("round"), call.node(Div(), x, scale)), zero)


def _extreme(call: Call, x: Node, kind: Reduction) -> Node:
    return call.node(Reduce(kind, tuple(range(len(x.shape)))), x) if x.shape else x


def _byte(call: Call, x: Node) -> Node:
    return call.node(Quantize(BYTE, Rounding.RND_CONV, Overflow.SAT), x)


def run_time_scale(call: Call, i: int) -> Node:
    """Give a scale that is computed, one number for the tensor, marked as one."""
    scale = computed_scalar(call, i)
    return scale if isinstance(scale.op, DynamicScale) else call.node(DynamicScale(call.op), scale)


def quantize_by(call: Call, dtype: str) -> Coded:
    """``saturate(round(x / scale) + zero)`` with a computed scale (input 1) and a zero point of any kind (input 2)."""
    width, signed = INTEGERS[dtype]
    known = None if isinstance(call.optional(2), Flow) else call.known(2)
    number = 0 if known is None else int(_single(call, known, 2))
    zero = computed_scalar(call, 2) if isinstance(call.optional(2), Flow) else call.constant(np.int64(number))
    steps = _steps(call, call.flow(), run_time_scale(call, 1), zero)
    node = call.node(Quantize(Fixed(width, width, signed), Rounding.RND_CONV, Overflow.SAT), steps)
    return Coded(node, dtype, Fraction(1), 0, call.lead)


def dequantize_by(call: Call) -> Node:
    """``(q - zero) * scale`` with a computed scale."""
    return call.node(Mul(), centred(call, 0, 2), run_time_scale(call, 1))


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
    return np.float32(_single(call, call.array(i), i))


def _single(call: Call, value: NDArray, i: int) -> Any:
    if value.size != 1:
        raise call.refuse(f"input {i} of shape {value.shape}", "one scale and one zero point for the tensor")
    return value.ravel()[0]


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
