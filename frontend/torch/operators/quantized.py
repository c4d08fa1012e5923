"""PT2E: quantizing and dequantizing, per tensor and per channel.

PyTorch computes ``clamp(round(x * (1 / scale)) + zero_point)`` in float32, halves to even, and ``(q - zero_point) *
scale`` (torch/ao/quantization/fx/_decomposed.py). The scale, a double in the program, meets float32 numbers there and
becomes float32 itself; that is the scale of our formats. Here x is divided by it: where x lies within the rounding of
float32 of the middle between two integers, the two may differ by one step. Everything else is exact.
"""

from dataclasses import dataclass

import numpy as np

from ....graph import Array, NDArray, Node, Overflow, Rounding
from ....graph.ops import Constant, Maximum, Minimum, Quantize
from ...onnx.formats import quantized_format
from ..program import Dtype
from ..registry import REAL, Call, Results, operator
from ..values import Coded, Flow, Known, Scaled

LIMITS = {
    "int8": (-128, 127), "uint8": (0, 255), "int16": (-(2**15), 2**15 - 1), "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
}  # fmt: skip


@dataclass(frozen=True)
class Coding:
    """``scale * (q - zero)``, q from ``low`` to ``high`` of ``dtype``; the arrays broadcast to the source's tensor.

    ``scale`` holds float32 numbers, ``inverse`` what PyTorch multiplies with in place of dividing.
    """

    dtype: str
    scale: NDArray
    inverse: NDArray
    zero: NDArray
    low: int
    high: int


def _numbers(call: Call, rank: int) -> Coding:
    """Read the arguments."""
    dtype = call.arguments.take("dtype")
    if not isinstance(dtype, Dtype) or dtype not in LIMITS:
        raise call.arguments.refusal("dtype", dtype, f"supported: {', '.join(LIMITS)}")
    keys = ("scales", "zero_points") if "scales" in call.arguments else ("scale", "zero_point")
    scale, zero = call.fixed(call.value(keys[0]), keys[0]), call.optional(keys[1], None)
    points = np.zeros((), np.int64) if zero is None else call.fixed(zero, keys[1])
    low, high = (_limit(call, k, d) for k, d in zip(("quant_min", "quant_max"), LIMITS[dtype], strict=True))
    if not LIMITS[dtype][0] <= low < high <= LIMITS[dtype][1]:
        raise call.arguments.refusal("quant_min", low, f"within {dtype}, below quant_max")
    scale, points = scale.astype(np.float64), np.rint(points.astype(np.float64)).astype(np.int64)
    with np.errstate(over="ignore", divide="ignore"):
        inverse, scale = (1.0 / scale).astype(np.float32), scale.astype(np.float32).astype(np.float64)
    if not np.isfinite(scale).all() or (scale <= 0).any():
        raise call.refuse("a scale that is not a positive float32", "quantize the model again")
    if call.op.endswith("per_channel"):
        axis = call.position(call.integer("axis"), rank)
        wide = tuple(-1 if i == axis else 1 for i in range(rank))
        return Coding(dtype, scale.reshape(wide), inverse.reshape(wide), points.reshape(wide), low, high)
    if scale.size != 1 or points.size != 1:
        raise call.misfit(f"{scale.size} scales for one tensor")
    return Coding(dtype, scale.reshape(()), inverse.reshape(()), points.reshape(()), low, high)


def _limit(call: Call, key: str, default: int) -> int:
    value = call.optional(key, None)
    return default if value is None else int(call.fixed(value, key).item())


@operator("quantized_decomposed.quantize_per_tensor", "quantized_decomposed.quantize_per_channel")
def quantize(call: Call) -> Results:
    """Round to integers, saturate."""
    if "eps" in call.arguments:
        raise call.refuse("its scale is computed at run time", "quantize statically")
    x = call.value("input")
    coding = _numbers(call, x.rank if isinstance(x, Flow) else x.at(0).ndim)
    if isinstance(x, Known):
        real = call.real(call.fixed(x, "input"))
        q = np.clip(np.rint(real * coding.inverse).astype(np.float64) + coding.zero, coding.low, coding.high)
        return Known((q.astype(coding.dtype),), coding.dtype)
    x = call.as_flow(x, "input")
    scale, zero = (_sample(call, v, x) for v in (coding.scale, coding.zero))
    return Coded(x.on(_quantized(call, x.node, coding, scale, zero)), coding.dtype, scale, zero)


def _sample(call: Call, values: NDArray, x: Flow) -> NDArray:
    """Give scales as they meet one sample. Raises UnsupportedError for scales along the batch."""
    if not values.ndim or x.place is None:
        return values
    if values.shape[x.place.axis] != 1:
        raise call.refuse("its scales differ along the batch", "give another axis")
    return values.squeeze(x.place.axis) if x.place.pure else values


def _quantized(call: Call, x: Node, coding: Coding, scale: NDArray, zero: NDArray) -> Node:
    """Quantize into the format whose bounds are those of the coding, or clamp to these."""
    low, high = coding.low, coding.high
    width, signed = high.bit_length() + (low < 0), low < 0
    format = quantized_format(max(width, 1 + signed), signed, scale, zero)
    symmetric = low == -high and not zero.any()
    whole = (-(1 << (width - 1)) if signed else 0, (1 << (width - signed)) - 1) == (low, high)
    if whole or symmetric:
        return call.node(Quantize(format, Rounding.RND_CONV, Overflow.SAT_SYM if symmetric else Overflow.SAT), x)
    span = max(-low, high + 1)
    format = quantized_format((span - 1).bit_length() + signed, signed, scale, zero)
    node = call.node(Quantize(format, Rounding.RND_CONV, Overflow.SAT), x)
    for bound, op in ((low, Maximum()), (high, Minimum())):
        node = call.node(op, node, Node(Constant(Array(np.full(np.shape(scale), bound)), format), (), call.name))
    return call.node(Quantize(format, Rounding.RND_CONV, Overflow.SAT), node)


@operator("quantized_decomposed.dequantize_per_tensor", "quantized_decomposed.dequantize_per_channel")
def dequantize(call: Call) -> Results:
    """Give the numbers that integers mean: what a quantized tensor already is in a graph."""
    out = call.arguments.take("out_dtype", None)
    if out is not None and out not in REAL:
        raise call.arguments.refusal("out_dtype", out, "stay in float32")
    value = call.arguments.take("input")
    if isinstance(value, Coded):
        coding = _numbers(call, value.flow.rank)
        scale, zero = (_sample(call, v, value.flow) for v in (coding.scale, coding.zero))
        same = np.array_equal(scale, value.scale) and np.array_equal(zero, value.zero) and coding.dtype == value.dtype
        if not same:
            raise call.refuse("it is dequantized by another scale than it was quantized by", "quantize the model again")
        return value.flow
    known = call.tensor(value, "input")
    if not isinstance(known, Known):
        raise call.refuse(
            "integers that no quantizer made", "give the model real numbers: leave the first quantizer in"
        )
    stored = call.fixed(known, "input").astype(np.int64)
    coding = _numbers(call, stored.ndim)
    real = ((stored - coding.zero).astype(np.float32) * coding.scale.astype(np.float32)).astype(np.float32)
    return Scaled((real,), "float32", stored, coding.scale, coding.zero)
