"""QUANTIZE and DEQUANTIZE. Kernels: ``quantize.cc``, ``dequantize.cc``, ``reference/{quantize,dequantize,
requantize}.h``.
"""

from ....graph import Node, Overflow, Rounding
from ....graph.ops import Mul, Quantize
from ..arithmetic import quantized_format, rescaled, scale_of
from ..registry import Call, operator


@operator("QUANTIZE", versions=4)
def quantize(call: Call) -> Node:
    """Floats to integers (halves away from zero), or integers to those of another scale."""
    x, info, result = call.operand(0), call.info(0), call.result
    format = quantized_format(call, result)
    if info.type == "FLOAT32":
        if result.type not in ("INT8", "UINT8", "INT16"):
            raise call.refuse(f"floats to {result.type}", "int8, uint8 and int16 are supported")
        return call.node(Quantize(format, Rounding.RND_INF, Overflow.SAT), x)
    allowed = {
        "INT16": ("INT8", "INT16", "INT32", "UINT8"), "INT32": ("INT8", "INT16"), "INT8": ("INT8", "UINT8", "INT16"),
        "UINT8": ("INT8", "UINT8"),
    }  # fmt: skip
    if result.type not in allowed.get(info.type, ()):
        raise call.refuse(f"{info.type} to {result.type}", "TFLite has no such kernel")
    return rescaled(call, x, [scale_of(call, info) / scale_of(call, result)], result)


@operator("DEQUANTIZE", versions=7)
def dequantize(call: Call) -> Node:
    """Integers to float32; constants of float16 too."""
    x, info = call.operand(0), call.info(0)
    if call.result.type != "FLOAT32":
        raise call.refuse(f"a result of {call.result.type}")
    if info.type == "FLOAT16":
        return x
    if info.type not in ("INT8", "UINT8", "INT16", "INT4"):
        raise call.refuse(f"integers of {info.type}", "int8, uint8 and int16 are supported")
    return call.node(Mul(), x, call.real(1.0, "one"))
