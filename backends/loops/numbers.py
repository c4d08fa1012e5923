"""Integer arithmetic of one element: change of scale, rounding, overflow. Each does what ``graph.numerics`` does."""

from fractions import Fraction
from functools import cache
from math import ceil, floor

import numpy as np

from ...graph import Node, Overflow, Quantized, Rounding, UnsupportedError
from ...graph.arrays import NDArray, as_array
from ...graph.numerics import Ratio, divide, whole
from ..division import Quotient, approximate
from ..division import select as kind_of
from .code import Code, Value, cast, clip, select
from .layout import Ends, centred_ends, working_type
from .scope import Place, Scope, aligned
from .wide import multiplies_halves, scaled

INT32, INT64 = 1 << 31, 1 << 63
EXACT_FLOAT = 1 << 24
"""Integers up to it are float32."""


def real_scale(node: Node) -> NDArray:
    """Give the scale of a tensor of integers in float64, as an array that broadcasts."""
    return as_array(node.type.quantized.scale).astype(np.float64)


def centred(scope: Scope, node: Node, at: Place) -> Value:
    """Give the integer of a node in units of its scale."""
    format, value = node.type.quantized, scope.at(node, at)
    low, high = centred_ends(node)
    zero = as_array(format.zero)
    if zero.any():
        value = cast(value, _wider(value, working_type(low, high)))
        value = value - scope.constant(zero, at, value.dtype)
    elif (fraction := as_array(getattr(format, "fraction", 0))).ndim:
        value = cast(value, working_type(low, high))
        value = value << scope.constant(fraction.max() - fraction, at, value.dtype)
    return scope.code.let(cast(value, working_type(low, high)))


def _wider(value: Value, dtype: str) -> str:
    return "int64" if "int64" in (value.dtype, dtype) else "int32"


def in_units(scope: Scope, node: Node, at: Place, scale: Ratio) -> Value:
    """Give the integer of a node in units of ``scale``, which divides its own; ``at`` is the node's own place."""
    return _scaled(scope, node, at, at, scale)


def _scaled(scope: Scope, node: Node, own: Place, at: Place, scale: Ratio) -> Value:
    factor = whole(divide(node.type.quantized.scale, scale))
    value = centred(scope, node, own)
    if factor.ndim == 0 and factor == 1:
        return value
    low, high = centred_ends(node)
    ends = [int(f) * end for f in (factor.min(), factor.max()) for end in (low, high)]
    dtype = working_type(min(ends), max(ends))
    return scope.code.let(cast(value, dtype) * scope.constant(factor, at, dtype))


def operand(scope: Scope, node: Node, at: Place, scale: Ratio) -> Value:
    """``in_units`` of an operand that broadcasts to the result's place, as ``scale`` does: it may differ where the
    operand is repeated.
    """
    return _scaled(scope, node, aligned(at, node.shape), at, scale)


def rescaled(
    scope: Scope,
    value: Value,
    at: Place,
    ends: Ends,
    ratio: Ratio,
    rounding: Rounding,
    kept: Ends | None = None,
) -> tuple[Value, Ends]:
    """Give ``value * ratio`` rounded, for a value of ``ends``, and its ends: a product, a sum and a shift that are
    proved equal. A result that is not within ``kept`` need not be equal, only beyond the same end of it.
    """
    cells = as_array(ratio)
    if isinstance(ratio, Fraction) and ratio.denominator == 1:
        after = sorted(int(ratio) * end for end in ends)
        return _times(value, int(ratio), ends), (after[0], after[1])
    ratios, by = tuple(cells.ravel().tolist()), kind_of(rounding)
    exact = _exact(ratios, ends, kept)
    found = _quotients(ratios, rounding, exact)
    if found is None:
        raise UnsupportedError("a change of scale needs over 126 bits", hint="quantize to fewer bits before it")
    if multiplies_halves(scope.machine) and not _in_one_word(found, ends):
        apart = _apart(ratios, rounding, exact)
        found = apart if apart is not None and _in_words(apart, ends) else found
    return shifted(scope, value, at, ends, found, cells.shape, by), _ends_after(found, by, ends)


def _exact(ratios: tuple[Fraction, ...], ends: Ends, kept: Ends | None) -> tuple[Ends, ...]:
    """Give for each ratio the values up to the first on either side whose result may be any that is not kept: results
    grow with values.
    """
    if kept is None:
        return (ends,) * len(ratios)
    least, most = kept[0] - 1, kept[1] + 1
    low, high = ends
    return tuple(
        (max(low, min(high, floor(least / r))), min(high, max(low, ceil(most / r)))) if r else ends for r in ratios
    )


def _ends_after(found: list[Quotient], by: int, ends: Ends) -> Ends:
    """Bound what quotients give; ``by`` as in ``shifted``."""
    if by == 1:
        offsets = [[(q.second if end < 0 else q.offset) for q in found] for end in ends]
    else:
        offsets = [[min(q.offset, q.second) for q in found], [max(q.offset, q.second) for q in found]]
    low, high = ([end * q.multiplier + o >> q.shift for q, o in zip(found, own, strict=True)]
                 for end, own in zip(ends, offsets, strict=True))  # fmt: skip
    return min(low), max(high)


@cache
def _quotients(ratios: tuple[Fraction, ...], rounding: Rounding, exact: tuple[Ends, ...]) -> list[Quotient] | None:
    lows, highs = zip(*exact, strict=True)
    return approximate(ratios, rounding, lows, highs)


@cache
def _apart(ratios: tuple[Fraction, ...], rounding: Rounding, exact: tuple[Ends, ...]) -> list[Quotient] | None:
    """Give quotients with a shift each, raised to 32 or to the greatest among them where the multiplier stays below
    2^31. None where one has more bits.
    """
    found = [_quotients((ratio,), rounding, (own,)) for ratio, own in zip(ratios, exact, strict=True)]
    alone = [q[0] for q in found if q is not None]
    if len(alone) < len(found) or any(q.multiplier >= INT32 for q in alone):
        return None
    most = max(32, *(q.shift for q in alone))
    ups = [min(most - q.shift, 31 - q.multiplier.bit_length()) for q in alone]
    return [
        Quotient(q.multiplier << up, q.offset << up, q.second << up, q.shift + up)
        for q, up in zip(alone, ups, strict=True)
    ]


def _times(value: Value, factor: int, ends: tuple[int, int]) -> Value:
    products = [factor, *(end * factor for end in ends)]
    dtype = working_type(min(products), max(products))
    return cast(value, dtype) * factor if factor != 1 else value


def shifted(
    scope: Scope, value: Value, at: Place, ends: tuple[int, int], found: list[Quotient], shape: tuple[int, ...], by: int
) -> Value:
    """Give ``(value * multiplier + offset) >> shift`` of quotients that differ as ``shape`` says; their shifts do only
    where all fits words. ``by``: what chooses between the two offsets, see ``division.select``.
    """
    shift, one_word = found[0].shift, _in_one_word(found, ends)
    if _most(found, ends) >= INT64 or shift > 63:
        return _long(scope, value, at, max(abs(ends[0]), abs(ends[1])), found, shape, by)
    if not one_word and _in_words(found, ends):
        return _in_halves(scope, value, at, ends, found, shape, by)
    dtype = "int32" if one_word else "int64"
    v = scope.code.let(cast(value, dtype))

    def column(numbers: list[int]) -> Value:
        return scope.constant(np.array(numbers, np.int64).reshape(shape), at, dtype)

    product = scope.code.let(v * column([q.multiplier for q in found]))
    first, second = column([q.offset for q in found]), column([q.second for q in found])
    if by == 1 and ends[0] < 0 and any(q.offset != q.second for q in found):
        return (product + select(v < 0, second, first)) >> shift
    up = (product + first) >> shift
    if by == 2 and any(q.offset != q.second for q in found):
        up = scope.code.let(up)
        return select((up & 1).equals(0), up, (product + second) >> shift)
    return up


def _most(found: list[Quotient], ends: Ends) -> int:
    """Bound what is shifted."""
    reach = max(abs(ends[0]), abs(ends[1]))
    return max(reach * q.multiplier + max(abs(q.offset), abs(q.second)) for q in found)


def _in_one_word(found: list[Quotient], ends: Ends) -> bool:
    """Whether 32 bits hold what is shifted."""
    return _most(found, ends) < INT32 and all(q.shift < 32 for q in found)


def _in_words(found: list[Quotient], ends: Ends) -> bool:
    """Whether 32 bits hold value, multipliers and results."""
    reach = max(abs(ends[0]), abs(ends[1]))
    results = max(_most([q], ends) >> q.shift for q in found)
    return results < INT32 and reach < INT32 and all(q.multiplier < INT32 for q in found)


def _in_halves(
    scope: Scope, value: Value, at: Place, ends: tuple[int, int], found: list[Quotient], shape: tuple[int, ...], by: int
) -> Value:
    """The same where value and factor have 32 bits, and so has the result."""
    m, first, second, shift = (
        np.array([getattr(q, name) for q in found], np.int64).reshape(shape)
        for name in ("multiplier", "offset", "second", "shift")
    )
    shift = shift.ravel()[0] if (shift == shift.flat[0]).all() else shift
    v = scope.code.let(cast(value, "int32"))
    differ = bool((first != second).any())
    fix = first - second if by == 1 and differ and ends[0] < 0 else None
    reach = max(abs(e) for e in ends)
    up = scope.code.let(scaled(scope, v, at, m, first, shift, fix, reach=reach))
    if by == 2 and differ:
        return select((up & 1).equals(0), up, scaled(scope, v, at, m, second, shift, reach=reach))
    return up


def _long(
    scope: Scope, value: Value, at: Place, reach: int, found: list[Quotient], shape: tuple[int, ...], by: int
) -> Value:
    """The same with products of more than 63 bits, whose quotients have at most 63."""
    code = scope.code
    parts = 2 if reach < 1 << 2 * DIGIT else 3
    v = _digits(code, code.let(cast(value, "int64")), parts)

    def column(numbers: list[int], part: int, last: int) -> Value:
        digits = [n >> DIGIT * part if part == last else n >> DIGIT * part & MASK for n in numbers]
        return scope.constant(np.array(digits, np.int64).reshape(shape), at, "int64")

    count = -(-max(q.multiplier.bit_length() for q in found) // DIGIT)
    m = [column([q.multiplier for q in found], k, count) for k in range(count)]
    last = max(parts + count, -(-max(max(q.offset, q.second).bit_length() for q in found) // DIGIT))

    def total(offsets: list[int]) -> Value:
        sums: list[Value] = []
        for k in range(last + 1):
            one = column(offsets, k, last)
            for i, a in enumerate(v):
                if 0 <= k - i < count:
                    one = one + a * m[k - i]
            sums.append(code.let(one + (sums[-1] >> DIGIT) if sums else one))
        return code.let(_shifted_digits(sums, found[0].shift))

    first = total([q.offset for q in found])
    if by == 0:
        return first
    second = total([q.second for q in found])
    return code.let(select(v[-1] < 0, second, first) if by == 1 else select((first & 1).equals(0), first, second))


DIGIT = 31
MASK = (1 << DIGIT) - 1
"""Products of two digits, and the sum of two of them, fit 63 bits."""


def _digits(code: Code, value: Value, count: int) -> list[Value]:
    """Cut an integer into digits, the lowest first; the last has the sign."""
    return [code.let((value >> DIGIT * k) & MASK) for k in range(count - 1)] + [code.let(value >> DIGIT * (count - 1))]


def _shifted_digits(sums: list[Value], shift: int) -> Value:
    """Give the sum of ``sums[k] * 2^(DIGIT * k)``, each carried on to the next, divided by 2^shift, modulo 2^64."""
    result: Value | None = None
    for k, one in enumerate(sums):
        digit = one if k == len(sums) - 1 else one & MASK
        up = DIGIT * k - shift
        if (up <= -DIGIT and k < len(sums) - 1) or up >= 64:
            continue
        part = digit << up if up >= 0 else digit >> min(-up, 63)
        result = part if result is None else result + part
    assert result is not None
    return result


def overflowed(
    scope: Scope, value: Value, at: Place, format: Quantized, mode: Overflow, ends: tuple[int, int]
) -> Value:
    """Bring an integer of ``ends`` into the range of a format in the way that ``mode`` says."""
    low, high = (np.asarray(b) for b in format.bounds)
    if ends[0] >= int(low.max()) and ends[1] <= int(high.min()) and (mode is not Overflow.SAT_SYM or not low.any()):
        return value
    match mode:
        case Overflow.SAT:
            return clip(value, *_bounds(scope, at, value.dtype, low, high))
        case Overflow.SAT_SYM:
            return clip(value, *_bounds(scope, at, value.dtype, np.where(low < 0, -high, 0), high))
        case Overflow.SAT_ZERO:
            zero = np.clip(as_array(format.zero), low, high)
            value = value if abs(int(zero.max())) < INT32 else cast(value, "int64")
            least, most = _bounds(scope, at, value.dtype, low, high)
            outside = [] if least is None else [value < least]
            outside += [] if most is None else [value > most]
            for condition in outside:
                value = select(condition, scope.constant(zero, at, value.dtype), value)
            return value
        case Overflow.WRAP:
            return _wrapped(scope, value, at, format)


def _bounds(scope: Scope, at: Place, dtype: str, low: NDArray, high: NDArray) -> list[Value | None]:
    """Give two bounds in a type; None for one that the type itself has."""
    limit = INT32 if dtype == "int32" else INT64
    found: list[Value | None] = []
    for bound, all_outside in ((low, (low <= -limit).all()), (high, (high >= limit - 1).all())):
        found.append(None if all_outside else scope.constant(np.clip(bound, -limit, limit - 1), at, dtype))
    return found


def _wrapped(scope: Scope, value: Value, at: Place, format: Quantized) -> Value:
    """Keep the lower bits: shift them up to the top and back; with the sign, or the zeros of a mask."""
    bits = 32 if value.dtype == "int32" else 64
    width, signed = as_array(format.width), as_array(format.signed).astype(bool)
    if int(width.max()) >= bits:
        value, bits = cast(value, "int64"), 64
    drop = scope.constant(np.maximum(bits - width, 0), at, value.dtype)
    with_sign = (value << drop) >> drop
    if signed.all():
        return with_sign
    ones = np.array([(1 << min(int(w), bits - 1)) - 1 for w in width.ravel()], np.int64).reshape(width.shape)
    without = value & scope.constant(ones, at, value.dtype)
    if not signed.any():
        return without
    return select(scope.constant(signed.astype(np.int64), at, "int32").equals(1), with_sign, without)


def real(scope: Scope, node: Node, at: Place) -> Value:
    """Give the value of a node in float32."""
    value = scope.at(node, at)
    if not node.type.is_integer:
        return value
    value = centred(scope, node, at)
    low, high = centred_ends(node)
    scale = real_scale(node)
    if max(-low, high) <= EXACT_FLOAT or not scope.machine.doubles:
        return scope.code.let(cast(value, "float32") * scope.constant(scale.astype(np.float32), at, "float32"))
    return scope.code.let(cast(cast(value, "float64") * scope.constant(scale, at, "float64"), "float32"))


def real_operand(scope: Scope, node: Node, at: Place) -> Value:
    """``real`` of an operand that broadcasts to the result's place."""
    return real(scope, node, aligned(at, node.shape))


def fitted(value: Value, low: int, high: int) -> Value:
    """Give a value in the type in which its interval is computed."""
    return cast(value, working_type(low, high))
