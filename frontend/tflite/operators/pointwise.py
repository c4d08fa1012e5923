"""Arithmetic of two tensors, broadcast.

Kernels: ``add.cc``, ``sub.cc``, ``mul.cc``, ``squared_difference.cc``, ``maximum_minimum.cc``, ``div.cc``, ``pow.cc``.
Quantized sums bring both operands to twice the larger of their scales over 2^20 (2^15 of int16), add, and rescale.
"""

from collections.abc import Callable
from fractions import Fraction
from math import log2

import numpy as np

from ....graph import Affine, Fixed, Node, Overflow, Rounding
from ....graph.ops import Add, Div, Maximum, Minimum, Mul, Power, Quantize, Sub
from ..arithmetic import (
    clamp_range,
    clamped,
    float_activation,
    is_float,
    multiplied,
    quantize_multiplier,
    quantized_format,
    recast,
    rescaled,
    scale_of,
    stored_as,
)
from ..registry import Call, operator

Pair = type[Add | Sub | Mul | Maximum | Minimum]


@operator("ADD", versions=5)
def add(call: Call) -> Node:
    """A sum."""
    return _sum(call, Add)


@operator("SUB", versions=5)
def sub(call: Call) -> Node:
    """A difference."""
    return _sum(call, Sub)


def _sum(call: Call, op: Pair) -> Node:
    activation = call.activation()
    power_of_two = call.attributes.boolean("pot_scale_int16", False)
    a, b = call.broadcast(0, 1)
    infos = call.info(0), call.info(1), call.result
    if is_float(call, *infos):
        return _fit(call, float_activation(call, call.node(op(), a, b), activation))
    kind = _one_type(call)
    if kind in ("INT32", "INT64"):
        return _wrapped(call, call.node(op(), *_plain(call, a, b)), activation)
    if kind == "INT16" and power_of_two and all(_is_power(i.scale) and not i.zero_point for i in infos):
        return _shifted_sum(call, op, a, b, activation)
    return _rescaled_sum(call, op, a, b, 15 if kind == "INT16" else 20, activation)


def _one_type(call: Call) -> str:
    kinds = {call.info(0).type, call.info(1).type, call.result.type}
    if len(kinds) > 1:
        raise call.refuse(f"types {', '.join(sorted(kinds))} in one operator", "the kernels want one")
    return kinds.pop()


def _fit(call: Call, y: Node) -> Node:
    """Bring a broadcast result to the shape of the output: leading axes of length 1 may be too many or too few."""
    return call.fitted(y)


def _plain(call: Call, *xs: Node) -> list[Node]:
    """Take integers for what they are, whatever scale the file gives them, as the kernels do."""
    width = 64 if call.result.type == "INT64" else 32
    return [recast(call, x, Fixed(width, width)) for x in xs]


def _wrapped(call: Call, y: Node, activation: str) -> Node:
    """Whole numbers of 32 or 64 bits; what does not fit wraps."""
    if activation != "NONE":
        raise call.attributes.refusal("fused_activation_function", activation, "not on whole numbers")
    if not y.type.is_integer:
        raise call.refuse(f"whole numbers of {call.result.type} that could wrap in 64 bits", "use INT32")
    width = 64 if call.result.type == "INT64" else 32
    y = call.node(Quantize(Fixed(width, width), Rounding.TRN, Overflow.WRAP), y)
    return _fit(call, recast(call, y, call.result.format))  # type: ignore[arg-type]


def _common(call: Call, a: Node, b: Node, left: int) -> tuple[Node, Node, float]:
    """Bring both operands to 2^-left of twice the larger scale; gives that scale too."""
    scales = [scale_of(call, call.info(i)) for i in (0, 1)]
    twice = 2.0 * max(scales)
    format = Affine(32, True, Fraction(twice) / 2**left)
    result = []
    for x, scale in zip((a, b), scales, strict=True):
        finer = call.node(Quantize(Affine(33, True, Fraction(scale) / 2**left)), x)  # exact: a shift to the left
        pair = quantize_multiplier(scale / twice)
        result.append(multiplied(call, finer, [pair], format, (-(2**31), 2**31 - 1)))
    return result[0], result[1], twice


def _below_one(call: Call, factor: float) -> float:
    if not 0 < factor < 1:
        what = f"the factor to the output's scale is {factor:g}"
        raise call.refuse(what, "the kernel takes only factors below 1: the output's scale is damaged")
    return factor


def _rescaled_sum(call: Call, op: Pair, a: Node, b: Node, left: int, activation: str) -> Node:
    x, y, twice = _common(call, a, b, left)
    result = call.result
    factor = _below_one(call, twice / float(2**left * np.float32(scale_of(call, result))))
    total = call.node(op(), x, y)
    return _fit(call, rescaled(call, total, [factor], result, clamp_range(call, activation, result)))


def _is_power(scale: float) -> bool:
    """Whether the kernels take a scale for a power of two (within 0.07 %)."""
    return scale > 0 and abs(log2(scale) - round(log2(scale))) < 1e-3


def _shifted_sum(call: Call, op: Pair, a: Node, b: Node, activation: str) -> Node:
    """int16 with scales that are powers of two: one operand is shifted to the other's, the sum saturates."""
    result = quantized_format(call, call.result)
    exponents = [round(log2(i.scale)) for i in (call.info(0), call.info(1), call.result)]
    shifts = [exponents[2] - e for e in exponents[:2]]
    if min(shifts) < 0 or 0 not in shifts or a.shape != b.shape:
        raise call.refuse("int16 operands of which neither has the output's scale, or that broadcast", POT_HINT)
    unit = Fraction(call.result.scale)
    xs = []
    for x, shift in zip((a, b), shifts, strict=True):
        x = recast(call, x, Affine(16, True, unit / 2**shift))
        xs.append(call.node(Quantize(Affine(17, True, unit), Rounding.RND_INF), x) if shift else x)
    total = call.node(Quantize(result), call.node(op(), *xs))
    return clamped(call, total, call.result, clamp_range(call, activation, call.result))


POT_HINT = "the kernel for power-of-two scales shifts one operand only; set pot_scale_int16 to false"


@operator("MUL", versions=7)
def mul(call: Call) -> Node:
    """A product."""
    activation = call.activation()
    a, b = call.broadcast(0, 1)
    infos = call.info(0), call.info(1), call.result
    if is_float(call, *infos):
        return _fit(call, float_activation(call, call.node(Mul(), a, b), activation))
    kind = _one_type(call)
    if kind in ("INT32", "INT64"):
        return _wrapped(call, call.node(Mul(), *_plain(call, a, b)), activation)
    if kind == "INT16" and any(i.zero_point for i in infos):
        raise call.refuse("int16 with a zero point", "the kernel wants none")
    first, second, third = (np.float32(scale_of(call, i)) for i in infos)
    with np.errstate(all="ignore"):
        factor = float(np.float32(np.float32(first * second) / third))  # in float32, as the kernel has it
    if not 0 < factor < 2.0**30:
        raise call.refuse(f"the factor to the output's scale is {factor:g}", "the file's scales are damaged")
    product = call.node(Mul(), a, b)
    return _fit(call, rescaled(call, product, [factor], call.result, clamp_range(call, activation, call.result)))


@operator("SQUARED_DIFFERENCE", versions=2)
def squared_difference(call: Call) -> Node:
    """``(x - y)^2``."""
    a, b = call.broadcast(0, 1)
    if is_float(call, call.info(0), call.info(1), call.result):
        difference = call.node(Sub(), a, b)
        return _fit(call, call.node(Mul(), difference, difference))
    kind = _one_type(call)
    if kind == "INT32":
        difference = call.node(Sub(), *_plain(call, a, b))
        difference = call.node(Quantize(Fixed(32, 32), Rounding.TRN, Overflow.WRAP), difference)
        return _wrapped(call, call.node(Mul(), difference, difference), "NONE")
    if kind != "INT8":
        raise call.refuse(f"type {kind}", "float32, int8 and int32 are supported")
    x, y, twice = _common(call, a, b, 7)
    result = call.result
    factor = _below_one(call, twice * twice / float(2**14 * np.float32(scale_of(call, result))))
    difference = call.node(Sub(), x, y)
    return _fit(call, rescaled(call, call.node(Mul(), difference, difference), [factor], result))


@operator("MAXIMUM", versions=4)
def maximum(call: Call) -> Node:
    """The greater."""
    return _extreme(call, Maximum)


@operator("MINIMUM", versions=4)
def minimum(call: Call) -> Node:
    """The lesser."""
    return _extreme(call, Minimum)


def _extreme(call: Call, op: Pair) -> Node:
    a, b = call.broadcast(0, 1)
    if is_float(call, call.info(0), call.info(1), call.result):
        return _fit(call, call.node(op(), a, b))
    _one_type(call)
    format = call.result.format  # the kernels compare stored numbers, whatever the operands' scales are
    x, y = (recast(call, v, format) for v in (a, b))  # type: ignore[arg-type]
    return _fit(call, stored_as(call, call.node(op(), x, y), format))  # type: ignore[arg-type]


@operator("DIV", versions=2)
def div(call: Call) -> Node:
    """A quotient of floats."""
    return _floats(call, lambda a, b: float_activation(call, call.node(Div(), a, b), call.activation()))


@operator("POW", versions=1)
def power(call: Call) -> Node:
    """A power of floats."""
    return _floats(call, lambda a, b: call.node(Power(), a, b))


def _floats(call: Call, build: Callable[[Node, Node], Node]) -> Node:
    a, b = call.broadcast(0, 1)
    if not is_float(call, call.info(0), call.info(1), call.result):
        raise call.refuse(f"type {call.info(0).type}", "float32 is supported")
    return _fit(call, build(a, b))
