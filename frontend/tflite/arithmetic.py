"""Scales, multipliers and clamps as TensorFlow Lite's kernels prepare them: every step in the type that they use.

Sources: ``tensorflow/lite/kernels/internal/quantization_util.cc`` (multiplier and shift of a real factor) and
``tensorflow/lite/kernels/kernel_util.cc`` (ranges of activations).
"""

from fractions import Fraction
from math import frexp

import numpy as np

from ...graph import Affine, Array, Fixed, Float, Grid, Node, Overflow, Rounding
from ...graph.ops import Add, Constant, Maximum, Minimum, Mul, MultiplyShift, Quantize, Scaling
from .model import Tensor
from .registry import Call

INT32 = 2**31


def round_half_away(value: float) -> int:
    """Give the nearest integer, halves away from zero: C's ``round``."""
    whole = int(value)
    return whole + (1 if value - whole >= 0.5 else -1 if value - whole <= -0.5 else 0)


def quantize_multiplier(factor: float) -> tuple[int, int]:
    """Give ``m, s`` with ``factor`` about ``m * 2^(s - 31)``: what QuantizeMultiplier does. Tiny factors become 0."""
    if factor == 0:
        return 0, 0
    fraction, shift = frexp(factor)
    multiplier = round_half_away(fraction * 2.0**31)
    if multiplier == INT32:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def real_multiplier(factor: float) -> tuple[int, int]:
    """Give ``m, s`` with ``factor`` exactly ``m * 2^(s - 31)``."""
    fraction, exponent = frexp(factor)
    return int(fraction * 2.0**53), exponent + 31 - 53


def clamp_range(call: Call, activation: str, info: Tensor) -> tuple[int, int]:
    """Give the least and greatest stored integer that a fused activation leaves of a quantized tensor.

    The kernels know RELU, RELU6 and RELU_N1_TO_1 and take anything else for none.
    """
    low, high = info.bounds
    match activation:
        case "RELU":
            low = max(low, info.zero_point)
        case "RELU6":
            low, high = max(low, info.zero_point), min(high, _stored(call, 6.0, info))
        case "RELU_N1_TO_1":
            low, high = max(low, _stored(call, -1.0, info)), min(high, _stored(call, 1.0, info))
        case "TANH" | "SIGN_BIT":
            raise call.attributes.refusal("fused_activation_function", activation, "TFLite's kernels ignore it here")
    if low > high:
        raise call.refuse(f"its activation leaves no value: {low} to {high}", "the output's scale is damaged")
    return low, high


def _stored(call: Call, value: float, info: Tensor) -> int:
    with np.errstate(all="ignore"):
        units = np.float32(value) / np.float32(info.scale)
    if not abs(float(units)) < INT32:
        raise call.refuse(f"{value} is beyond 32 bits in units of the output's scale", "convert the model again")
    return info.zero_point + round_half_away(float(units))


def rescaled(
    call: Call,
    x: Node,
    factors: list[float],
    info: Tensor,
    clamp: tuple[int, int] | None = None,
    scaling: Scaling = Scaling.DOUBLE,
) -> Node:
    """Bring centred integers to the format of ``info``, times the real ``factors`` (one, or one a channel)."""
    pairs = [(real_multiplier if scaling is Scaling.REAL else quantize_multiplier)(f) for f in factors]
    return multiplied(call, x, pairs, quantized_format(call, info), clamp or info.bounds, scaling)


def multiplied(
    call: Call,
    x: Node,
    pairs: list[tuple[int, int]],
    format: Affine | Fixed,
    clamp: tuple[int, int],
    scaling: Scaling = Scaling.DOUBLE,
) -> Node:
    """Apply multipliers and shifts; one pair serves all channels where all are equal."""
    if len(set(pairs)) == 1:
        pairs = pairs[:1]
    if any(s > 30 for _, s in pairs) and scaling is not Scaling.REAL:
        raise call.refuse("a factor between scales is beyond 2^30", "the file's scales are damaged")
    multipliers, shifts = zip(*pairs, strict=True)
    return call.node(MultiplyShift(format, multipliers, shifts, *clamp, scaling), x)


def quantized_format(call: Call, info: Tensor) -> Affine | Fixed:
    """Give the format of an integer tensor that needs one scale. Raises UnsupportedError where it has none."""
    format = info.format
    if len(info.scales) != 1 or not isinstance(format, Affine):
        raise call.refuse(f"tensor {info.name!r} of type {info.type} needs one scale, has {len(info.scales)}")
    return format


def scale_of(call: Call, info: Tensor) -> float:
    """Give the one scale of a quantized tensor (a float32). Raises UnsupportedError where it has several or none."""
    quantized_format(call, info)
    return info.scale


def recast(call: Call, x: Node, format: Affine | Fixed) -> Node:
    """Give the same stored integers another meaning: what an operator does that copies bytes.

    ``s (q - z)`` times ``s' / s``, which leaves the integers, plus ``s' (z - z')``: all exact.
    """
    own = x.type.quantized
    if own == format:
        return x
    if isinstance(own.scale, Grid) or isinstance(format.scale, Grid):
        raise call.refuse(f"it copies numbers of {own} as {format}", "only tensors with one scale can change it")
    shift = int(np.asarray(own.zero if isinstance(own.zero, int) else 0)) - int(format.zero)  # type: ignore[arg-type]
    if own.scale != format.scale:
        x = call.node(Mul(), x, call.stored(np.int64(1), Affine(2, True, format.scale / own.scale), "scale"))
    if shift:
        x = call.node(Add(), x, call.stored(np.int64(shift), Affine(33, True, format.scale), "zero"))
    return stored_as(call, x, format)


def raw(call: Call, x: Node) -> Node:
    """Give the stored integers themselves, in the unit of the tensor's scale, with zero point 0."""
    own = x.type.quantized
    return recast(call, x, Affine(int(own.width) + 1, True, Fraction(own.scale)))  # type: ignore[arg-type]


def stored_as(call: Call, x: Node, format: Affine | Fixed) -> Node:
    """Write values that the format has in it: no rounding, saturating what is beyond."""
    if x.type.format == format:
        return x
    return call.node(Quantize(format, Rounding.RND, Overflow.SAT), x)


def clamped(call: Call, x: Node, info: Tensor, clamp: tuple[int, int]) -> Node:
    """Clamp to stored integers of ``info``, whose unit ``x`` has, and store in its format."""
    format = quantized_format(call, info)
    assert isinstance(format, Affine)
    low, high = (c - info.zero_point for c in clamp)
    unit = Affine(40, True, format.scale)
    if int(x.type.interval[0].min()) < low:
        x = call.node(Maximum(), x, call.stored(np.int64(low), unit, "low"))
    if int(x.type.interval[1].max()) > high:
        x = call.node(Minimum(), x, call.stored(np.int64(high), unit, "high"))
    return stored_as(call, x, format)


def float_activation(call: Call, x: Node, activation: str) -> Node:
    """Apply a fused activation to floating point, as the kernels clamp it."""
    bounds = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}
    if activation == "NONE":
        return x
    if activation not in bounds:
        raise call.attributes.refusal("fused_activation_function", activation, "TFLite's kernels ignore it here")
    low, high = bounds[activation]
    x = call.node(Maximum(), x, call.real(low, "low"))
    return x if high is None else call.node(Minimum(), x, call.real(high, "high"))


def is_float(call: Call, *infos: Tensor) -> bool:
    """Whether all of these tensors are float32. Raises UnsupportedError where only some are, or of another width."""
    kinds = {info.type for info in infos}
    if kinds == {"FLOAT32"}:
        return True
    if any(info.is_float for info in infos):
        hint = "hybrid kernels quantize activations by each sample's own range; convert with a representative dataset"
        raise call.refuse(f"types {', '.join(sorted(kinds))} in one operator", hint)
    return False


__all__ = ["Array", "Constant", "Float", "clamp_range", "multiplied", "quantize_multiplier", "recast", "rescaled"]
