"""Elements of what changes a format: quantizers, tables, steps."""

from fractions import Fraction
from functools import cache
from math import ldexp

import numpy as np

from ....graph import Affine, Fixed, Node, Overflow, Quantized, Rounding
from ....graph.arrays import as_array
from ....graph.numerics import Ratio, common_scale, dequantize, divide, whole
from ....graph.numerics import _units as units_of
from ....graph.ops import Add, DynamicScale, Lookup, MultiplyShift, Output, Quantize, Scaling, Step, Sub
from ....graph.ops.rescale import factors_and_shifts, integer_factor
from ...division import Quotient
from ..code import Value, cast, clip, const, fma, intrinsic, minimum, reinterpret, select, spread
from ..functions import MAGIC
from ..layout import centred_ends, stored_ends, working_type
from ..numbers import EXACT_FLOAT, INT32, INT64, centred, fitted, in_units, overflowed, real, rescaled, shifted
from ..scope import Place, Scope, aligned, element
from ..sums import Factors, factors_of
from ..wide import scaled

FEW_EDGES = 16
SHORT = 1 << 12
"""A sum of integers below it is rounded by a product that is short as it is."""
MAGIC_BITS = int(np.float32(MAGIC).view(np.int32))
NEAREST = (Rounding.RND, Rounding.RND_CONV, Rounding.RND_INF, Rounding.RND_MIN_INF, Rounding.RND_ZERO)


@element.register
def _(op: Output, scope: Scope, node: Node, at: Place) -> Value:
    return scope.at(node.inputs[0], at)


@element.register
def _(op: DynamicScale, scope: Scope, node: Node, at: Place) -> Value:
    return real(scope, node.inputs[0], at)


@element.register
def _(op: Quantize, scope: Scope, node: Node, at: Place) -> Value:
    x = node.inputs[0]
    if not x.type.is_integer:
        return _from_float(scope, scope.at(x, at), at, op)
    format = op.format
    unit = format.scale if isinstance(format, Affine) else units_of(format)
    ratio = divide(x.type.quantized.scale, unit)
    if (found := _of_sum(scope, op, x, ratio)) is not None:
        a, b = (cast(centred(scope, i, aligned(at, i.shape)), "int32") for i in x.inputs)
        value, after = (a * found.first + b * found.second + found.offset) >> found.shift, found.ends
    else:
        value, after = rescaled(scope, centred(scope, x, at), at, centred_ends(x), ratio, op.rounding, _kept(op))
    value, after = _with_zero(scope, value, at, after, as_array(format.zero), op.overflow)
    value = overflowed(scope, value, at, format, op.overflow, after)
    return fitted(value, *stored_ends(node))


def _of_sum(scope: Scope, op: Quantize, x: Node, ratio: Ratio) -> Factors | None:
    """Give factors for a sum that is computed for a quantizer alone."""
    if not isinstance(x.op, Add | Sub) or x in scope.given or x in scope.layouts or not isinstance(ratio, Fraction):
        return None
    scale = x.type.quantized.scale
    if not all(i.type.is_integer and isinstance(i.type.quantized.scale, Fraction) for i in x.inputs):
        return None
    first, second = (int(whole(divide(i.type.quantized.scale, scale))) for i in x.inputs)
    ends = [centred_ends(i) for i in x.inputs]
    units = first, -second if isinstance(x.op, Sub) else second
    if all(abs(unit * end) < SHORT for unit, own in zip(units, ends, strict=True) for end in own):
        return None
    return factors_of(units, ratio, op.rounding, ends[0], ends[1], _kept(op))


def _with_zero(
    scope: Scope, value: Value, at: Place, ends: tuple[int, int], zero: np.ndarray, mode: Overflow
) -> tuple[Value, tuple[int, int]]:
    """Add the zero point. What would leave 64 bits stays within them, but for the bits that wrap."""
    if not zero.any():
        return value, ends
    after = ends[0] + int(zero.min()), ends[1] + int(zero.max())
    value = cast(value, working_type(*after)) if value.dtype == "int32" else value
    if mode is not Overflow.WRAP and (after[0] < -INT64 or after[1] >= INT64):
        least, most = np.where(zero < 0, -INT64 - zero, -INT64), np.where(zero > 0, INT64 - 1 - zero, INT64 - 1)
        value = clip(value, scope.constant(least, at, "int64"), scope.constant(most, at, "int64"))
    return value + scope.constant(zero, at, value.dtype), (max(after[0], -INT64), min(after[1], INT64 - 1))


def _kept(op: Quantize) -> tuple[int, int] | None:
    """Bound the results before the zero point that do not saturate; None where others do not."""
    if op.overflow not in (Overflow.SAT, Overflow.SAT_SYM):
        return None
    low, high = (np.asarray(b) - as_array(op.format.zero) for b in op.format.bounds)
    return int(low.min()), int(high.max())


def _stored(value: Value, format: Quantized) -> Value:
    """Give a stored integer in the type that its format needs."""
    low, high = (int(pick(b)) for pick, b in zip((np.min, np.max), format.bounds, strict=True))
    return cast(value, working_type(low, high))


def _from_float(scope: Scope, x: Value, at: Place, op: Quantize) -> Value:
    """Float32 -> stored integer. What is no number becomes the least one."""
    format = op.format
    if isinstance(format, Affine):
        if (clamped := _clamped(op)) is not None and scope.machine.fuses:
            return _stored(_of_clamped(scope, x, at, op, *clamped), format)
        units = x / scope.constant(as_array(format.scale).astype(np.float32), at, "float32")
    else:
        fraction = as_array(format.fraction)
        kind = "float32" if fraction.min() >= 0 and fraction.max() <= 100 else "float64"
        factor = np.ldexp(1.0, fraction.astype(np.int32)).astype(kind)
        units = cast(x, kind) * scope.constant(factor, at, kind)
    rounded = rounded_real(scope, scope.code.let(units), op.rounding)
    low, high = (np.asarray(b) for b in format.bounds)
    zero = as_array(format.zero)
    if op.overflow is Overflow.SAT and max(abs(int((low - zero).min())), abs(int((high - zero).max()))) < 1 << 53:
        return _stored(_saturated(scope, rounded, at, low - zero, high - zero, zero), format)
    value, ends = _whole(scope, rounded, op.overflow), (-INT64, INT64 - 1)
    value, ends = _with_zero(scope, value, at, ends, zero, op.overflow)
    value = overflowed(scope, value, at, format, op.overflow, ends)
    if op.overflow is Overflow.SAT_ZERO and isinstance(format, Fixed):
        value = select(intrinsic("abs", rounded) < 2.0**63, value, 0)
    return _stored(value, format)


def _clamped(op: Quantize) -> tuple[np.ndarray, np.ndarray] | None:
    """Give the least and the greatest float32 that need be divided by the scale: they round to the format's bounds, as
    what is beyond them does after the division. None where there are none, or a scale has no reciprocal.
    """
    format = op.format
    if op.overflow is not Overflow.SAT or op.rounding not in NEAREST or not isinstance(format, Affine):
        return None
    scale, zero = as_array(format.scale).astype(np.float32), as_array(format.zero)
    whole_ones = (scale.view(np.uint32) & 0x7FFFFF) == 0x7FFFFF  # the mantissas that the proof leaves out
    if whole_ones.any() or (scale < 2.0**-100).any() or (scale > 2.0**100).any():
        return None
    found = []
    for bound in format.bounds:
        units = np.asarray(bound) - zero
        if int(np.abs(units).max()) > EXACT_FLOAT >> 3:
            return None
        edge = (units * scale.astype(np.float64)).astype(np.float32)
        assert (np.rint(edge / scale) == units).all()
        found.append(edge)
    return found[0], found[1]


def _of_clamped(scope: Scope, x: Value, at: Place, op: Quantize, least: np.ndarray, most: np.ndarray) -> Value:
    """Divide what is clamped before by the scale, in three operations that round as a division does: the quotient by
    the rounded reciprocal, and what that leaves (P. Markstein, Computation of elementary functions on the IBM RISC
    System/6000 processor, IBM Journal of Research and Development 34, 1990, theorem 8).
    """
    code, zero, scale = scope.code, as_array(op.format.zero), as_array(op.format.scale).astype(np.float32)

    def constant(numbers: np.ndarray) -> Value:
        return spread(scope.constant(numbers, at, "float32"), x.lanes)

    x = code.let(clip(x, constant(least), constant(most)))
    inverse = code.let(constant(np.float32(1) / scale))
    first = code.let(x * inverse)
    rest = code.let(fma(first, constant(-scale), x))
    units = code.let(fma(rest, inverse, first))
    if op.rounding is Rounding.RND_CONV:  # a sum leaves the nearest integer in its last bits, ties to even
        bits = reinterpret(units + MAGIC, "int32")
        return bits + scope.constant(zero - MAGIC_BITS, at, "int32")
    return cast(rounded_real(scope, units, op.rounding), "int32") + scope.constant(zero, at, "int32")


def _whole(scope: Scope, rounded: Value, mode: Overflow) -> Value:
    """Whole floats -> int64: the nearest that there is, or the one that is equal modulo 2^64 where they will wrap."""
    code = scope.code
    wide = code.let(cast(rounded, "float64"))
    if mode is Overflow.WRAP:
        rest = code.let(wide - intrinsic("trunc", wide * 2.0**-64) * 2.0**64)
        rest = code.let(select(rest >= 2.0**63, rest - 2.0**64, rest))
        return code.let(cast(select(rest < -(2.0**63), rest + 2.0**64, rest), "int64"))
    inside = cast(clip(wide, -(2.0**63), 2.0**63 - 1024), "int64")
    return code.let(select(wide >= 2.0**63, const(INT64 - 1, "int64"), inside))


def _saturated(scope: Scope, rounded: Value, at: Place, least: np.ndarray, most: np.ndarray, zero: np.ndarray) -> Value:
    """Clamp among floats, where they hold the bounds exactly, so that the conversion never overflows."""
    reach = max(abs(int(least.min())), abs(int(most.max())))
    kind = "float32" if reach <= EXACT_FLOAT else "float64"
    dtype = "int32" if reach < INT32 else "int64"
    bounds = [scope.constant(b.astype(kind), at, kind) for b in (least, most)]
    value = cast(clip(cast(rounded, kind), *bounds), dtype)
    dtype = "int32" if reach + int(np.abs(zero).max()) < INT32 else "int64"
    return cast(value, dtype) + scope.constant(zero, at, dtype)


def rounded_real(scope: Scope, u: Value, rounding: Rounding) -> Value:
    """Round floats to whole ones."""
    match rounding:
        case Rounding.TRN:
            return intrinsic("floor", u)
        case Rounding.TRN_ZERO:
            return intrinsic("trunc", u)
        case Rounding.RND_CONV:
            return intrinsic("nearbyint", u)
    code = scope.code
    near = code.let(intrinsic("trunc", u))
    rest = code.let(u - near)
    up = rest >= 0.5 if rounding in (Rounding.RND, Rounding.RND_INF) else rest > 0.5
    down = rest <= -0.5 if rounding in (Rounding.RND_INF, Rounding.RND_MIN_INF) else rest < -0.5
    return near + select(up, 1.0, select(down, const(-1.0, u.dtype, u.lanes), const(0.0, u.dtype, u.lanes)))


@element.register
def _(op: MultiplyShift, scope: Scope, node: Node, at: Place) -> Value:
    x = node.inputs[0]
    low, high = centred_ends(x)
    value = centred(scope, x, at)
    zero = op.format.zero
    assert isinstance(zero, int)
    clamped = op.low >= zero  # results below zero that are clamped to it anyway need not be rounded in their own way
    if op.scaling is Scaling.REAL:
        quotients, shape = _real_factors(op, max(-low, high, 1)), (len(op.multiplier),)
        found = shifted(scope, value, at, (low, high), quotients, shape, 0 if clamped else 1)
        found = clip(found, op.low - zero, op.high - zero)
    else:
        found = _multiplied(scope, value, at, (low, high), *factors_and_shifts(op), plus=zero, nonnegative=clamped)
        return _stored(clip(found, op.low, op.high), op.format)
    return _stored(clip(cast(found, "int32") + zero, op.low, op.high), op.format)


@cache
def _real_factors(op: MultiplyShift, reach: int) -> list[Quotient]:
    """Give integers that multiply as the float64 numbers do, all with one shift."""
    zero = op.format.zero
    assert isinstance(zero, int)
    most = max(abs(op.low - zero), abs(op.high - zero)) + 1
    pairs = [integer_factor(ldexp(m, s - 31), reach, most) for m, s in zip(op.multiplier, op.shift, strict=True)]
    shift = max(d for _, d in pairs)
    return [Quotient(m << shift - d, 1 << shift - 1, (1 << shift - 1) - (1 << shift - d), shift) for m, d in pairs]


def _multiplied(
    scope: Scope,
    value: Value,
    at: Place,
    ends: tuple[int, int],
    m: np.ndarray,
    right: np.ndarray,
    down: np.ndarray,
    *,
    plus: int,
    nonnegative: bool,
) -> Value:
    """``(v * m + half) >> right``, that ``>> down`` with halves away from zero, ``+ plus``: one product and one shift.

    Both floors nest: the second half is added before the first shift, times 2^right.
    """
    total = right + down
    reach = max(abs(e) for e in ends)
    if int(total.max()) > 62 or reach * int(m.max()) + (1 << 62) >= INT64 or reach >= INT32 or int(m.max()) >= INT32:
        return cast(_two_steps(scope, scope.code.let(cast(value, "int64")), at, m, right, down), "int32") + plus
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    later = np.where(down > 0, np.int64(1) << np.maximum(right + down - 1, 0), 0)
    negative = ends[0] < 0 and bool(down.any()) and not nonnegative
    unit = np.where(down > 0, np.int64(1) << right, 0) if negative else None
    return scaled(scope, cast(value, "int32"), at, m, half + later, total, unit, reach=reach, plus=plus)


def _two_steps(scope: Scope, v: Value, at: Place, m: np.ndarray, right: np.ndarray, down: np.ndarray) -> Value:
    code = scope.code
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    product = v * scope.constant(m, at, "int64") + scope.constant(half, at, "int64")
    once = code.let(product >> scope.constant(right, at, "int64"))
    if not down.any():
        return once
    later = scope.constant(np.where(down > 0, np.int64(1) << np.maximum(down - 1, 0), 0), at, "int64")
    twice = (once + later + (once >> 63)) >> scope.constant(down, at, "int64")
    return twice if down.all() else select(scope.constant(down, at, "int64") > 0, twice, once)


@element.register
def _(op: Lookup, scope: Scope, node: Node, at: Place) -> Value:
    x, table = node.inputs
    place = cast(scope.at(x, at) - op.offset, "int32")
    assert table.type.value is not None
    entries = table.type.value.data
    value = scope.table(entries).gather(place) if place.lanes > 1 else scope.table(entries).load(place)
    return cast(value, working_type(int(entries.min()), int(entries.max())))


@element.register
def _(op: Step, scope: Scope, node: Node, at: Place) -> Value:
    x, thresholds, values = node.inputs
    assert values.type.value is not None
    assert thresholds.type.value is not None
    position = _position(scope, x, thresholds, at)
    outcome = values.type.value.data
    if not values.type.is_integer:
        table = scope.table(outcome.astype(np.float32), "float32")
        return table.gather(position) if position.lanes > 1 else table.load(position)
    table = scope.table(outcome)
    found = table.gather(position) if position.lanes > 1 else table.load(position)
    return cast(found, working_type(int(outcome.min()), int(outcome.max())))


def _position(scope: Scope, x: Node, thresholds: Node, at: Place) -> Value:
    """How many thresholds a value reaches."""
    if not x.type.is_integer:
        return _count(scope, scope.at(x, at), _not_below(_reals(thresholds)), None)
    if not thresholds.type.is_integer:
        return _count(scope, _double(scope, x, at), _reals(thresholds), None)
    scale = common_scale(x.type.quantized.scale, thresholds.type.quantized.scale)
    point = in_units(scope, x, at, scale)
    assert thresholds.type.value is not None
    edges = thresholds.type.quantized.centre(thresholds.type.value.data)
    factor = whole(divide(thresholds.type.quantized.scale, scale))
    ends = [int(f) * int(e) for f in (factor.min(), factor.max()) for e in (edges.min(), edges.max())]
    point = point if working_type(min(ends), max(ends)) == "int32" else cast(point, "int64")
    if factor.ndim == 0:
        return _count(scope, point, edges * factor, None)
    return _count(scope, point, edges, scope.constant(factor, at, point.dtype))


def _reals(node: Node) -> np.ndarray:
    assert node.type.value is not None
    data = node.type.value.data
    return dequantize(data, node.type.quantized) if node.type.is_integer else data.astype(np.float64)


def _not_below(edges: np.ndarray) -> np.ndarray:
    """Give the least float32 that is not below each edge: what is below one is below the other."""
    near = edges.astype(np.float32)
    return np.where(near < edges, np.nextafter(near, np.float32(np.inf)), near)


def _double(scope: Scope, x: Node, at: Place) -> Value:
    scale = as_array(x.type.quantized.scale).astype(np.float64)
    return cast(centred(scope, x, at), "float64") * scope.constant(scale, at, "float64")


def _count(scope: Scope, point: Value, edges: np.ndarray, factor: Value | None) -> Value:
    """Count the edges (times a factor) that a point reaches; few are compared one by one, many are searched.

    What is no number reaches all.
    """
    code = scope.code
    zero, one = (const(n, "int32", point.lanes) for n in (0, 1))

    def below(edge: Value) -> Value:
        return point < (edge if factor is None else edge * factor)

    if len(edges) <= FEW_EDGES:
        count = zero
        for edge in edges:
            count = code.let(count + select(below(const(edge.item(), point.dtype)), zero, one))
        return count
    table = scope.table(edges, point.dtype)
    count = zero
    for k in reversed(range(len(edges).bit_length())):
        last = code.let(minimum(count + ((1 << k) - 1), len(edges) - 1))  # the edge that decides about the next 2^k
        edge = table.gather(last) if last.lanes > 1 else table.load(last)
        count = code.let(minimum(count + select(below(edge), zero, one << k), len(edges)))
    return count
