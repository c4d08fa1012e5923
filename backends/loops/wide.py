"""Products of 32 by 32 bits with a sum and a shift, on vectors: even and odd lanes apart.

A change of scale is floor((v * m + c) / 2^s) with a product of up to 63 bits. Converting a vector to 64 bits and back
costs as much as the rest of it; multiplying the even lanes where they are, the odd ones shifted down, does not (x86
vpmuldq). Of both sums the upper words are taken, which is a shift by 32, and the rest of the shift is one of 32 bits:
there is none of 64 bits that keeps the sign before AVX-512.
"""

from dataclasses import dataclass

import numpy as np

from ...graph.arrays import NDArray
from . import rounded
from .code import Lanes, Memory, Value, cast, const, extern, reinterpret, shuffle, wrapped
from .machine import Machine
from .scope import NotFlat, Place, Scope


def scaled(
    scope: Scope,
    value: Value,
    at: Place,
    m: NDArray,
    c: NDArray,
    s: NDArray,
    correction: NDArray | None = None,
    *,
    reach: int = 1 << 31,
    plus: int = 0,
) -> Value:
    """Give ``((value * m + c) >> s) + plus`` for int32 ``value``, within ``reach`` of zero, and a result of 32 bits.

    ``m`` (0 to 2^31 - 1), ``c`` and ``s`` (0 to 62) broadcast to the place's shape from the right. ``correction`` is
    taken away before the shift where the product with the first part of c is negative (see ``elements.formats``).
    """
    made = None
    if _splits(scope, value, at, (m, c, s)):
        words = _upper_words(m, c, s, correction, reach, plus, whole_parts=True)
        made = None if words is None else _by_halves(scope, value, at, words)
    elif scope.machine.helium and value.lanes > 1:
        return rounded.scaled(scope, value, at, m, c, s, correction, reach) + plus
    elif scope.machine.bare:
        words = _upper_words(m, c, s, correction, reach, plus)
        made = None if words is None else _by_extern(scope, value, at, words)
    if made is not None:
        return made
    code = scope.code
    v = code.let(cast(value, "int64"))
    product = code.let(v * scope.constant(m, at, "int64"))
    total = code.let(product + scope.constant(c, at, "int64"))
    if correction is not None:
        total = total - (scope.constant(correction, at, "int64") & (product >> 63))
    return cast(total >> scope.constant(s, at, "int64"), "int32") + plus


@dataclass(frozen=True, eq=False)
class _UpperWords:
    """``((v << up) * m + c - (part where v < 0)) >> s``, ``+ plus``, with ``s`` of 32 to 63; arrays of one shape."""

    up: int
    m: NDArray
    c: NDArray
    s: NDArray
    part: NDArray
    plus: int


def _upper_words(
    m: NDArray,
    c: NDArray,
    s: NDArray,
    correction: NDArray | None,
    reach: int,
    plus: int,
    *,
    whole_parts: bool = False,
) -> _UpperWords | None:
    """Shift by 32 by taking the upper word of the product, and by the rest then.

    Values are shifted up first where some shift is by less, or (``whole_parts``) where a part has bits in the lower
    word; ``plus`` is one of the numbers that are added before the shift. None where numbers leave their words.
    """
    parts = np.zeros(1, np.int64) if correction is None else correction
    m, c, s, part = (np.atleast_1d(a).astype(object) for a in np.broadcast_arrays(m, c, s, parts))
    c, s, part = (np.where(m == 0, e, a) for a, e in ((c, 0), (s, 33), (part, 0)))
    up = max(32 - int(s.min()), 0)
    if whole_parts and part.any():
        up = max(up, 33 - min(int(p & -p).bit_length() for p in part.flat if p))
    c, s, part, products = c << up, np.minimum(s + up, 63), part << up, reach * 2**up * m  # from 63 on: the sign
    inside = plus << s
    if (abs(c + inside) + part + products).max() < 1 << 63:
        c, plus = c + inside, 0
    if reach << up >= 1 << 31 or (abs(c) + part + products).max() >= 1 << 63:
        return None
    return _UpperWords(up, m, c, s, part, plus)


def _by_extern(scope: Scope, value: Value, at: Place, words: _UpperWords) -> Value | None:
    """Take the upper word of a product as cores without vectors do, by a function of the target."""
    up, m, c, s, part, plus = words.up, words.m, words.c, words.s, words.part, words.plus
    if not 0 <= part.min() == part.max() < 1 << 32:
        return None

    def column(numbers: NDArray) -> Value:
        return scope.constant(np.vectorize(lambda n: wrapped(int(n), "int32"), otypes=[np.int64])(numbers), at, "int32")

    shift = column(s - 32)
    high, low = _halves(m, c, s)
    upper = (const(high) << shift) >> 1 if isinstance(high, int) else column(high)
    operands = [value << up, column(m), upper, column(low)]
    operands += [column(part)] if part.any() else []
    found = extern("gw_scaled_away" if part.any() else "gw_scaled", *operands)
    return (scope.code.let(found) >> shift) + plus


def _halves(m: NDArray, c: NDArray, s: NDArray) -> tuple[NDArray | int, NDArray]:
    """Give the upper and lower words of what is added; the upper one as a number t where it is ``t << (s - 32) >> 1``.

    That is so where a half is added before the last shift. For products with 0 the result counts only.
    """
    m, c, s = np.broadcast_arrays(m, c, s)
    rows = np.flatnonzero(m != 0)
    if len(rows) and int(s.min()) > 32:
        added, by = int(c.flat[rows[0]]), int(s.flat[rows[0]]) - 32
        t, rest = (added >> 32) * 2 >> by, added & 0xFFFFFFFF
        like = ((t << s - 32) >> 1 << 32) + rest
        fits = abs(t) << int(s.max()) - 32 < 1 << 31
        if fits and np.where(m != 0, like == c, like >> s == c >> s).all():
            return t, np.array([rest], object)
    return c >> 32, c & 0xFFFFFFFF


def multiplies_halves(machine: Machine) -> bool:
    """Whether vectors of words are multiplied in halves: the shift may then differ by lane at no cost."""
    return machine.is_x86 and machine.has("avx2")


def _splits(scope: Scope, value: Value, at: Place, arrays: tuple[NDArray, ...]) -> bool:
    """Whether halves pay: on x86, for whole vectors, with constants that differ along the last axis at most."""
    lanes = value.lanes
    if not multiplies_halves(scope.machine) or lanes < 4 or lanes % 2 or value.dtype != "int32":
        return False
    last = at[-1] if at else None
    if not isinstance(last, Lanes) or last.stride != 1:
        return False
    return all(a.size == 1 or a.shape[-1] == a.size for a in arrays)


def _by_halves(scope: Scope, value: Value, at: Place, words: _UpperWords) -> Value:
    """Take the upper words of even and odd products, in the order of the lanes."""
    code, lanes = scope.code, value.lanes
    v = code.let(value << words.up)
    both = code.let(reinterpret(v, "int64"))
    sums = []
    for part, half in ((0, (both << 32) >> 32), (1, both >> 32)):
        product = half * _factor(scope, at, words.m, lanes, part)
        sums.append(code.let(reinterpret(code.let(product + _every_other(scope, at, words.c, lanes, part)), "int32")))
    upper = code.let(shuffle(sums, [i + 1 if i % 2 == 0 else lanes + i for i in range(lanes)]))
    if words.part.any():
        upper = upper - (_column(scope, at, words.part >> 32) & (v >> 31))
    return (upper >> _column(scope, at, words.s - 32)) + words.plus


def _column(scope: Scope, at: Place, row: NDArray) -> Value:
    """Give constants of the lanes, as they stand in a register."""
    if (row == row.flat[0]).all():
        return const(int(row.flat[0]))
    return scope.code.let(_row(scope, row, "int32").load(at[-1]))


def _factor(scope: Scope, at: Place, m: NDArray, lanes: int, part: int) -> Value:
    """Give the multipliers of the even or odd lanes, each in the lower half of 64 bits."""
    if (m == m.flat[0]).all():
        return const(int(m.flat[0]), "int64", lanes // 2)
    memory = _row(scope, np.concatenate([m.ravel(), np.zeros(2, np.int64)]), "int32")
    pairs = reinterpret(scope.code.let(memory.load(_first(at) + part, lanes)), "int64")
    return (pairs << 32) >> 32


def _every_other(scope: Scope, at: Place, row: NDArray, lanes: int, part: int) -> Value:
    """Give every other one of a row of 64-bit constants, which stand in memory as they are read from each place on."""
    half = lanes // 2
    if (row == row.flat[0]).all():
        return const(int(row.flat[0]), "int64", half)
    padded = np.concatenate([row.ravel(), np.zeros(lanes, np.int64)])
    columns = np.stack([padded[2 * i : 2 * i + row.size + 1] for i in range(half)], axis=1)
    return scope.code.let(_row(scope, columns, "int64").load((_first(at) + part) * half, half))


def _row(scope: Scope, numbers: NDArray, dtype: str) -> Memory:
    """Give the memory of constants that differ along the last axis."""
    if scope.flat < 1:
        raise NotFlat
    return scope.table(numbers.ravel(), dtype)


def _first(at: Place) -> Value:
    last = at[-1]
    assert isinstance(last, Lanes)
    return last.base
