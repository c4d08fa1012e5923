"""Casts, comparisons, choices, truth values, and constants. Kernels: ``cast.cc``, ``comparisons.cc``, ``select.cc``,
``logical.cc``, ``fill.cc``, ``range.cc``, ``one_hot.cc``.
"""

from collections.abc import Callable

import numpy as np

from ....graph import Fixed, NDArray, Node, Overflow, Rounding
from ....graph.ops import Compare, Comparison, Lookup, Maximum, Minimum, Mul, Quantize, Select, Sub, Take
from ..arithmetic import quantize_multiplier, recast, scale_of, stored_as
from ..model import Tensor
from ..registry import Call, Known, operator
from ..tables import multiply_quantized
from .moves import one_number

BOOL = Fixed(1, 1, False)
WHOLE = ("INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "BOOL")


@operator("CAST", versions=8)
def cast(call: Call) -> Node:
    """The number itself in another type; of quantized tensors the stored one, without its scale."""
    info, result = call.info(0), call.result
    call.attributes.ignore("in_data_type", "out_data_type", why="the kernel reads the tensors' types")
    x = call.operand(0)
    if not info.is_float:
        x = recast(call, x, Fixed(int(x.type.quantized.width), int(x.type.quantized.width), _signed(x)))  # type: ignore[arg-type]
    if result.type == "FLOAT32":
        return x if info.is_float else call.node(Mul(), x, call.real(1.0, "one"))
    if result.type not in WHOLE or result.is_quantized:
        raise call.refuse(f"{info.type} to {result.type}", "whole numbers without a scale, and floats, are supported")
    format = result.format
    assert isinstance(format, Fixed)
    if result.type == "BOOL":
        zero = call.real(0.0, "zero") if info.is_float else call.stored(np.int64(0), BOOL, "zero")
        return _not(call, call.node(Compare(Comparison.EQUAL), x, zero))
    if info.is_float:
        if result.type != "INT32":
            raise call.refuse(f"floats to {result.type}", "floats to int32 are supported")
        return call.node(Quantize(format, Rounding.TRN_ZERO, Overflow.SAT), x)
    return call.node(Quantize(format, Rounding.TRN, Overflow.WRAP), x)


def _signed(x: Node) -> bool:
    signed = x.type.quantized.signed
    assert isinstance(signed, bool)
    return signed


def _not(call: Call, x: Node) -> Node:
    return stored_as(call, call.node(Sub(), call.stored(np.int64(1), BOOL, "one"), x), BOOL)


def _comparison(name: str, kind: Comparison, versions: int, *, exchanged: bool = False, negated: bool = False) -> None:
    @operator(name, versions=versions)
    def build(call: Call) -> Node:
        x, y = call.info(0), call.info(1)
        if x.type != y.type or x.type not in ("FLOAT32", *WHOLE):
            raise call.refuse(f"{x.type} with {y.type}")
        sides = call.broadcast(0, 1)
        if x.is_quantized or y.is_quantized:
            sides = [_rounded(call, side, info) for side, info in zip(sides, (x, y), strict=True)]
        made = call.node(Compare(kind), *(reversed(sides) if exchanged else sides))
        return _fit(call, _not(call, made) if negated else made)


def _rounded(call: Call, x: Node, info: Tensor) -> Node:
    """Give what the kernels compare: 256 times the value, rounded twice."""
    if info.type not in ("INT8", "UINT8") or not scale_of(call, info) < 1:
        raise call.refuse(f"{info.type} of scale {info.scale:g}", "int8 and uint8 of scales below 1 are compared right")
    low, high = info.bounds
    units = np.arange(low, high + 1) - info.zero_point
    entries = multiply_quantized(units << 8, *quantize_multiplier(info.scale))
    return call.node(Lookup(low), x, call.stored(entries, Fixed(32, 32), "units"))


_comparison("EQUAL", Comparison.EQUAL, 5)
_comparison("NOT_EQUAL", Comparison.EQUAL, 4, negated=True)
_comparison("LESS", Comparison.LESS, 3)
_comparison("LESS_EQUAL", Comparison.LESS_EQUAL, 3)
_comparison("GREATER", Comparison.LESS, 3, exchanged=True)
_comparison("GREATER_EQUAL", Comparison.LESS_EQUAL, 3, exchanged=True)


def _fit(call: Call, x: Node) -> Node:
    return call.fitted(x)


@operator("LOGICAL_AND", versions=1)
def logical_and(call: Call) -> Node:
    """Both."""
    return stored_as(call, _fit(call, call.node(Minimum(), *_truths(call, 0, 1))), BOOL)


@operator("LOGICAL_OR", versions=1)
def logical_or(call: Call) -> Node:
    """Either."""
    return stored_as(call, _fit(call, call.node(Maximum(), *_truths(call, 0, 1))), BOOL)


@operator("LOGICAL_NOT", versions=1)
def logical_not(call: Call) -> Node:
    """The other."""
    (x,) = _truths(call, 0)
    return _not(call, x)


def _truths(call: Call, *indices: int) -> list[Node]:
    if any(call.info(i).type != "BOOL" for i in indices):
        raise call.misfit(f"truth values of {[call.info(i).type for i in indices]}")
    return call.broadcast(*indices)


@operator("SELECT", versions=4)
def select(call: Call) -> Node:
    """Input 1 where input 0 is true, else input 2; all of one shape, or one truth for all."""
    shapes = [call.info(i).shape for i in range(3)]
    if shapes[1] != shapes[2] or (shapes[0] != shapes[1] and np.prod(shapes[0]) != 1):
        raise call.refuse(f"a choice of shapes {shapes}: one truth a row", "SELECT_V2 broadcasts")
    return _chosen(call)


@operator("SELECT_V2", versions=2)
def select_v2(call: Call) -> Node:
    """Input 1 where input 0 is true, else input 2; the three broadcast."""
    return _chosen(call)


def _chosen(call: Call) -> Node:
    if call.info(0).type != "BOOL" or len({call.info(1).type, call.info(2).type, call.result.type}) != 1:
        raise call.misfit(f"a choice by {call.info(0).type} of {call.info(1).type} and {call.info(2).type}")
    truth, *sides = call.broadcast(0, 1, 2)
    if sides[0].type.is_integer:
        format = call.result.format
        sides = [recast(call, side, format) for side in sides]  # type: ignore[arg-type]
        return stored_as(call, _fit(call, call.node(Select(), truth, *sides)), format)  # type: ignore[arg-type]
    return _fit(call, call.node(Select(), truth, *sides))


# ---- constants


def _folded(name: str, values: Callable[[Call], NDArray], versions: int) -> None:
    @operator(name, versions=versions)
    def build(call: Call) -> NDArray:
        return values(call)


_folded("FILL", lambda call: np.broadcast_to(call.array(1), call.integers(0)), 4)
_folded("RANGE", lambda call: _range(call), 2)
_folded("RANK", lambda call: np.array(len(call.info(0).shape), np.int32), 1)


def _range(call: Call) -> NDArray:
    start, limit, delta = (call.array(i).reshape(()) for i in range(3))
    if delta == 0:
        raise call.misfit("steps of 0")
    return np.asarray(np.arange(start.item(), limit.item(), delta.item()), start.dtype)


@operator("ZEROS_LIKE", versions=1)
def zeros_like(call: Call) -> NDArray:
    """Zeros of the shape and the type of input 0."""
    if call.info(0).is_quantized:
        raise call.refuse("zeros of a quantized type")
    call.value(0)
    return np.zeros(call.result.shape, call.result.dtype(call.place))


@operator("ONE_HOT", versions=1)
def one_hot(call: Call) -> Node:
    """A new axis of length ``depth``, with one value where the index points and another elsewhere."""
    info, depth = call.info(0), one_number(call, 1)
    axis = call.attributes.integer("axis", -1)
    axis = call.axis(axis, len(info.shape) + 1)
    on, off = call.array(2).reshape(()), call.array(3).reshape(())
    whole = call.whole(0) if call.batch == 1 else call.flow(0)
    at = axis if call.batch == 1 else axis - 1
    if at < 0:
        raise call.refuse(f"a new axis before the batch of {call.batch}", "convert the model with a batch of 1")
    if info.type == "INT64":  # what does not fit 32 bits points nowhere either way
        whole = call.node(Quantize(Fixed(32, 32), Rounding.TRN, Overflow.SAT), whole)
    indices = call.reshaped(whole, (*whole.shape[:at], 1, *whole.shape[at:]))
    places = np.arange(depth).reshape(-1, *(1,) * (len(whole.shape) - at))
    hit = call.node(Compare(Comparison.EQUAL), indices, call.stored(places, Fixed(32, 32), "places"))
    format = call.result.format
    made = call.node(Select(), hit, call.stored(on, format, "on"), call.stored(off, format, "off"))
    return stored_as(call, call.fitted(made), format) if made.type.is_integer else call.fitted(made)  # type: ignore[arg-type]


@operator("EMBEDDING_LOOKUP", versions=5)
def embedding_lookup(call: Call) -> Node:
    """Rows of a constant table."""
    info, table = call.info(1), call.inputs[1]
    if not isinstance(table, Known) or info.type != call.result.type:
        raise call.refuse(f"a table of {info.type} giving {call.result.type}", "a constant table of the result's type")
    rows = call.reshaped(call.operand(1), info.shape)
    made = call.fitted(call.node(Take(0), rows, call.operand(0)))
    return recast(call, made, call.result.format) if made.type.is_integer else made  # type: ignore[arg-type]
