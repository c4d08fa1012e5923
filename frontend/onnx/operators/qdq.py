"""QuantizeLinear and DequantizeLinear: the pair is one quantizer of the graph, on exact scales."""

from typing import Any

import numpy as np

from ....graph import NDArray, Node
from ..coding import INTEGERS, read_coding
from ..registry import Call, Coded, Flow, Known, Scaled, Value, operator
from .dynamic import dequantize_by, quantize_by

DOMAINS = ("", "com.microsoft")
MOST_REAL = 2.0**62


@operator("QuantizeLinear", domains=DOMAINS)
def quantize_linear(call: Call) -> Value:
    """``saturate(round_half_even(x / scale) + zero)``; constants are computed at once, in float32."""
    x = call.coded(0) or call.value(0)
    if isinstance(x, Coded):
        raise call.refuse(f"it quantizes a computed tensor of {x.dtype}", "put a DequantizeLinear or a Cast before it")
    axis, block, dtype = _attributes(call)
    call.attributes.ignore("saturate", why="it acts on types of 8-bit floats only, which are refused")
    call.attributes.expect("precision", 0, 1, hint="the division is done in float32")
    if isinstance(x, Flow) and isinstance(call.value(1), Flow):
        kind = dtype or call.type(2) or "uint8"
        if kind not in INTEGERS or call.type(2) not in ("", kind):
            raise call.refuse(f"integers of type {kind}", f"supported: {', '.join(INTEGERS)}")
        return quantize_by(call, kind)
    if isinstance(x, Flow):
        shape = call.full(x.node.shape)[0]
        return read_coding(call, 1, 2, shape, axis=axis, block=block, dtype=dtype).encode(call, x.node)
    return Known.of(*(_encoded(call, call.real(v), axis, block, dtype) for v in x.variants))


def _attributes(call: Call) -> tuple[int, int, str | None]:
    """Give axis, block size and the type that is asked for."""
    axis = call.attributes.integer("axis", 1)
    block = call.attributes.integer("block_size", 0, low=0)
    number = call.attributes.integer("output_dtype", 0)
    return axis, block, _type_name(call, number) if number else None


def _type_name(call: Call, number: int) -> str:
    import onnx

    try:
        return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number)).name)
    except KeyError:
        raise call.attributes.refusal("output_dtype", number, "give a type of integers") from None


def _encoded(call: Call, x: NDArray, axis: int, block: int, dtype: str | None) -> NDArray:
    import onnx

    coding = read_coding(call, 1, 2, x.shape, axis=axis, block=block, sample=False, dtype=dtype)
    if not np.isfinite(x).all():
        raise call.refuse("it quantizes constants with NaN or infinite values", "train the model again")
    width, signed = INTEGERS[coding.dtype]
    with np.errstate(over="ignore"):
        units = np.rint(x / coding.scale.astype(np.float32)).astype(np.float64)
    low, high = (-(2.0 ** (width - 1)), 2.0 ** (width - 1) - 1) if signed else (0.0, 2.0**width - 1)
    kind = getattr(onnx.TensorProto, coding.dtype.upper())
    return np.clip(units + coding.zero, low, high).astype(onnx.helper.tensor_dtype_to_np_dtype(kind))


@operator("DequantizeLinear", domains=DOMAINS)
def dequantize_linear(call: Call) -> Value | Node:
    """``scale * (q - zero)``: what was quantized by the same numbers is itself; constants keep their integers."""
    axis, block, _ = call.attributes.integer("axis", 1), call.attributes.integer("block_size", 0, low=0), None
    call.attributes.expect("output_dtype", 0, 1, hint="only float32")
    if isinstance(call.value(1), Flow):
        return dequantize_by(call)
    q = call.coded(0)
    if q is not None:
        shape = call.full(q.node.shape)[0]
        return read_coding(call, 1, 2, shape, axis=axis, block=block, dtype=q.dtype).decode(call, q)
    x = call.value(0)
    if isinstance(x, Flow):
        raise call.refuse("it reads a tensor that no QuantizeLinear made", "quantize it, or make it an input of int8")
    if len(x.variants) > 1:
        raise call.refuse("its input depends on the length of the batch", "export the model with a fixed batch of 1")
    return scaled_value(call, x.variants[0], axis, block)


def scaled_value(call: Call, q: NDArray, axis: int, block: int) -> Scaled:
    """Give constant integers with their scale; the float32 values are those of the definition."""
    name: Any = q.dtype.name
    if name not in INTEGERS:
        raise call.refuse(f"it dequantizes {name}", f"supported: {', '.join(INTEGERS)}")
    coding = read_coding(call, 1, 2, q.shape, axis=axis, block=block, sample=False, dtype=name)
    stored = q.astype(np.int64)
    with np.errstate(over="ignore", under="ignore"):
        real = (stored.astype(np.float32) - coding.zero.astype(np.float32)) * coding.scale.astype(np.float32)
    if not np.isfinite(real).all():
        raise call.refuse("dequantized constants that float32 does not hold", "a scale is too large; quantize again")
    return Scaled((real.astype(np.float32),), stored, coding.scale, coding.zero)
