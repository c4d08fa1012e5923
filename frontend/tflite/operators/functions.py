"""Functions of one value. Of 8 and 16 bits they are tables, whose entries are what the kernels compute (``tables``).

Kernels: ``activations.cc``, ``elementwise.cc``, ``exp.cc``, ``neg.cc``, ``floor.cc``, ``ceil.cc``, ``round.cc``,
``sign.cc``.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ....graph import Affine, NDArray, Node
from ....graph.ops import FUNCTIONS, Activation, Add, Lookup, Maximum, Minimum, Mul, Relu, Scaling, Sub
from .. import tables
from ..arithmetic import float_activation, multiplied, quantize_multiplier, quantized_format, scale_of, stored_as
from ..model import Tensor
from ..registry import Call, operator
from ..tables import Stored

Table = Callable[[Stored, Stored], NDArray]
WITHOUT = "TFLite has no such kernel"


def stored(call: Call, info: Tensor) -> Stored:
    """Give how the integers of a tensor are stored, as the tables need it."""
    return Stored(*info.bounds, scale_of(call, info), info.zero_point)


def tabled(call: Call, table: Table, *types: str) -> Node:
    """Look the result up: one entry for each integer of the operand. ``types``: those that have a kernel."""
    info, result = call.info(0), call.result
    if info.type not in types or result.type != info.type:
        raise call.refuse(f"{info.type} giving {result.type}", WITHOUT)
    x, y = stored(call, info), stored(call, result)
    if x.wide and (x.zero or y.zero):
        raise call.refuse("int16 with a zero point", "the kernels want them symmetric")
    try:
        entries = table(x, y)
    except OverflowError as error:
        raise call.refuse(str(error), "the kernels leave it undefined; check the scales") from None
    row = call.stored(entries, quantized_format(call, result), "table")
    return call.node(Lookup(x.low), call.operand(0), row)


def unary(
    call: Call, function: str, *types: str, table: Table | None = None, parameters: tuple[float, ...] = ()
) -> Node:
    """A real function in floating point, or a table of what the kernels make of it."""
    if call.info(0).is_float:
        return call.node(Activation(function, parameters), call.operand(0))
    if not types:
        raise call.refuse(f"{call.info(0).type}", WITHOUT)

    def real(v: NDArray) -> NDArray:
        if function in tables.STEPS and v.dtype == np.float32:
            return tables.STEPS[function](v)
        return FUNCTIONS[function].call(v.astype(np.float64), *parameters)

    def rounded(x: Stored, y: Stored) -> NDArray:
        return tables.function_table(real, x, y)

    return tabled(call, table or rounded, *types)


@operator("LOGISTIC", versions=3)
def logistic(call: Call) -> Node:
    """Of 8 bits a table; of 16 bits straight lines in a table of the kernel's own."""
    _expect_scale(call, {"INT8": 256, "UINT8": 256, "INT16": 32768})
    if call.info(0).type == "INT16":
        return tabled(call, lambda x, y: tables.logistic16(x), "INT16")
    return unary(call, "sigmoid", "INT8", "UINT8")


@operator("TANH", versions=3)
def tanh(call: Call) -> Node:
    """As the logistic function."""
    _expect_scale(call, {"INT16": 32768})
    if call.info(0).type == "INT16":
        return tabled(call, lambda x, y: tables.tanh16(x), "INT16")
    return unary(call, "tanh", "INT8", "UINT8")


def _expect_scale(call: Call, units: dict[str, int]) -> None:
    """Refuse results of another scale than the kernels prepare for; they refuse it too."""
    result = call.result
    if result.type in units and scale_of(call, result) != 1.0 / units[result.type]:
        raise call.refuse(f"a result of scale {result.scale:g}", f"the kernel wants 1/{units[result.type]}")


@operator("RELU", versions=3)
def relu(call: Call) -> Node:
    """``max(x, 0)``."""
    if call.info(0).is_float:
        return call.node(Relu(), call.operand(0))
    return tabled(call, lambda x, y: tables.clip_table(x, y, 0.0, None), "INT8", "UINT8", "INT16")


@operator("RELU6", versions=3)
def relu6(call: Call) -> Node:
    """``min(max(x, 0), 6)``."""
    return _clip(call, "RELU6", 0.0, 6.0, "INT8", "UINT8", "INT16")


@operator("RELU_N1_TO_1", versions=1)
def relu_n1_to_1(call: Call) -> Node:
    """``min(max(x, -1), 1)``."""
    return _clip(call, "RELU_N1_TO_1", -1.0, 1.0, "INT8", "UINT8")


@operator("RELU_0_TO_1", versions=1)
def relu_0_to_1(call: Call) -> Node:
    """``min(max(x, 0), 1)``."""
    return _clip(call, "RELU_0_TO_1", 0.0, 1.0, "INT8", "UINT8")


def _clip(call: Call, name: str, low: float, high: float, *types: str) -> Node:
    if call.info(0).is_float:
        return float_activation(call, call.operand(0), name)
    return tabled(call, lambda x, y: tables.clip_table(x, y, low, high), *types)


@operator("LEAKY_RELU", versions=2)
def leaky_relu(call: Call) -> Node:
    """``x`` where it is positive, else ``alpha x``."""
    alpha = call.attributes.real("alpha")

    def table(x: Stored, y: Stored) -> NDArray:
        return tables.leaky_relu_table(x, y, alpha)

    return unary(call, "leaky_relu", "INT8", "UINT8", "INT16", table=table, parameters=(alpha,))


@operator("ELU", versions=1)
def elu(call: Call) -> Node:
    """``exp(x) - 1`` below zero. The reference resolver has no ELU; this is the builtin kernel's."""
    return unary(call, "elu", "INT8", parameters=(1.0,))


@operator("GELU", versions=2)
def gelu(call: Call) -> Node:
    """``x`` times the normal distribution, or its approximation with tanh."""
    return unary(call, "gelu_tanh" if call.attributes.boolean("approximate") else "gelu", "INT8", "UINT8")


@operator("HARD_SWISH", versions=1)
def hard_swish(call: Call) -> Node:
    """``x relu6(x + 3) / 6``."""
    return unary(call, "hard_silu", "INT8", "UINT8", table=tables.hard_swish_table, parameters=(1 / 6, 0.5))


@operator("EXP", versions=2)
def exp(call: Call) -> Node:
    """The exponential function."""
    return unary(call, "exp", "INT8", "INT16")


@operator("LOG", versions=2)
def log(call: Call) -> Node:
    """The natural logarithm; the least value of all where there is none."""

    def table(x: Stored, y: Stored) -> NDArray:
        least = np.float32(y.low - y.zero) * np.float32(y.scale)

        def function(v: NDArray) -> NDArray:
            return np.where(v <= 0, least, np.log(np.maximum(v.astype(np.float64), 1e-300)))

        return tables.function_table(function, x, y)

    return unary(call, "log", "INT8", "INT16", table=table)


@operator("RSQRT", versions=3)
def rsqrt(call: Call) -> Node:
    """``1 / sqrt(x)``; where the kernel fails, below zero, the greatest value."""

    def table(x: Stored, y: Stored) -> NDArray:
        if not x.wide:
            return tables.rsqrt_table(x, y)
        greatest = np.float32(32767) * np.float32(y.scale)

        def function(v: NDArray) -> NDArray:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(v <= 0, greatest, np.float32(1) / np.sqrt(v))

        return tables.function_table(function, x, y)

    return unary(call, "rsqrt", "INT8", "INT16", table=table)


@operator("ABS", versions=5)
def absolute(call: Call) -> Node:
    """The absolute value."""
    if call.info(0).type == "INT32":
        raise call.refuse("INT32", "whole numbers without a scale are not computed with at run time")
    return unary(call, "abs", "INT8", "INT16", table=tables.abs_table)


@operator("NEG", versions=1)
def negative(call: Call) -> Node:
    """``-x``; of integers the stored number's negative, whatever the scales are."""
    x = call.operand(0)
    if call.info(0).is_float:
        return call.node(Sub(), call.real(0.0, "zero"), x)
    return tabled(call, lambda x, y: tables.negative_table(x), "INT8", "INT16")


@operator("SQUARE", versions=1)
def square(call: Call) -> Node:
    """``x x``."""
    if not call.info(0).is_float:
        raise call.refuse(call.info(0).type, WITHOUT)
    return call.node(Mul(), call.operand(0), call.operand(0))


def _float_only(name: str, function: str) -> None:
    @operator(name, versions=2 if name in ("SQRT", "SIGN") else 1)
    def build(call: Call) -> Node:
        if not call.info(0).is_float:
            raise call.refuse(call.info(0).type, "quantized models leave it in floating point; so can this one")
        return unary(call, function)


for _name, _function in {
    "SQRT": "sqrt", "SIN": "sin", "COS": "cos", "FLOOR": "floor", "CEIL": "ceil", "ROUND": "round", "SIGN": "sign",
}.items():  # fmt: skip
    _float_only(_name, _function)


@operator("PRELU", versions=1)
def prelu(call: Call) -> Node:
    """``x`` where it is positive, else ``alpha x``; ``alpha`` broadcasts, or is computed."""
    info, slope, result = call.info(0), call.info(1), call.result
    x, alpha = call.broadcast(0, 1)
    if len(alpha.shape) > len(x.shape):
        raise call.misfit(f"slopes of shape {slope.shape} for {info.shape}")
    zero = call.real(0.0, "zero") if info.is_float else call.stored(np.int64(0), unit_of(call, info), "zero")
    above, below = call.node(Maximum(), x, zero), call.node(Minimum(), x, zero)
    if info.is_float:
        return call.node(Add(), above, call.node(Mul(), below, alpha))
    if {info.type, slope.type, result.type} not in ({"INT8"}, {"UINT8"}):
        raise call.refuse(f"{info.type} and {slope.type} giving {result.type}", WITHOUT)
    return _prelu_of_integers(call, above, call.node(Mul(), below, alpha))


def unit_of(call: Call, info: Tensor, width: int = 40) -> Affine:
    """Give a wide format with the scale of a tensor and no zero point."""
    scale = quantized_format(call, info).scale
    assert isinstance(scale, Fraction)
    return Affine(width, True, scale)


def _prelu_of_integers(call: Call, above: Node, below: Node) -> Node:
    """Both halves scaled on their own; one of the two is zero."""
    info, slope, result = call.info(0), call.info(1), call.result
    format = quantized_format(call, result)
    wide = unit_of(call, result)
    first = float(np.float32(info.scale) / np.float32(result.scale))
    second = float(np.float32(info.scale) * np.float32(slope.scale) / np.float32(result.scale))
    parts = [
        multiplied(call, part, [quantize_multiplier(factor)], wide, (-(2**39), 2**39 - 1), Scaling.DOUBLE)
        for part, factor in ((above, first), (below, second))
    ]
    return stored_as(call, call.node(Add(), *parts), format)
