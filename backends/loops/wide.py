"""Products of 32 by 32 bits with a sum and a shift, on vectors: even and odd lanes apart.

A change of scale is floor((v * m + c) / 2^s) with a product of up to 63 bits. Converting a vector to 64 bits and back
costs as much as the rest of it; multiplying the even lanes where they are, the odd ones shifted down, does not
(x86 vpmuldq, vpmuludq).
"""

import numpy as np

from ...graph.arrays import NDArray
from .code import Lanes, Value, cast, const, extern, reinterpret, shuffle, wrapped
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
    if _splits(scope, value, at, (m, c, s)):
        return _by_halves(scope, value, at, m, c, s, correction) + plus
    if scope.machine.bare and (made := _by_upper_word(scope, value, at, m, c, s, correction, reach, plus)) is not None:
        return made
    code = scope.code
    v = code.let(cast(value, "int64"))
    product = code.let(v * scope.constant(m, at, "int64"))
    found = _shifted(
        scope,
        product,
        scope.constant(c, at, "int64"),
        scope.constant(s, at, "int64"),
        None if correction is None else scope.constant(correction, at, "int64"),
    )
    return cast(found, "int32") + plus


def _by_upper_word(
    scope: Scope,
    value: Value,
    at: Place,
    m: NDArray,
    c: NDArray,
    s: NDArray,
    correction: NDArray | None,
    reach: int,
    plus: int,
) -> Value | None:
    """Shift by 32 by taking the upper word of the product, and by the rest then.

    Values are shifted up first where some shift is by less; ``plus`` is one of the numbers that are added before the
    shift. None where numbers leave their words.
    """
    parts = np.zeros(1, np.int64) if correction is None else correction
    m, c, s, part = (np.atleast_1d(a).astype(object) for a in np.broadcast_arrays(m, c, s, parts))
    c, s, part = (np.where(m == 0, e, a) for a, e in ((c, 0), (s, 33), (part, 0)))
    up = max(32 - int(s.min()), 0)
    c, s, part, products = c << up, np.minimum(s + up, 63), part << up, reach * 2**up * m  # from 63 on: the sign
    inside = plus << s
    if (abs(c + inside) + part + products).max() < 1 << 63:
        c, plus = c + inside, 0
    if reach << up >= 1 << 31 or (abs(c) + part + products).max() >= 1 << 63:
        return None
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
    m, c, s = (a.ravel() for a in np.broadcast_arrays(m, c, s))
    rows = np.flatnonzero(m != 0)
    if len(rows) and int(s.min()) > 32:
        t, rest = (int(c[rows[0]]) >> 32) * 2 >> int(s[rows[0]]) - 32, int(c[rows[0]]) & 0xFFFFFFFF
        like = ((t << s - 32) >> 1 << 32) + rest
        fits = abs(t) << int(s.max()) - 32 < 1 << 31
        if fits and np.where(m != 0, like == c, like >> s == c >> s).all():
            return t, np.array([rest], object)
    return c >> 32, c & 0xFFFFFFFF


def _shifted(scope: Scope, product: Value, c: Value, s: Value, correction: Value | None) -> Value:
    code = scope.code
    if correction is None:
        return (product + c) >> s
    total = code.let(product + c)
    return (total - (correction & (product >> 63))) >> s


def _splits(scope: Scope, value: Value, at: Place, arrays: tuple[NDArray, ...]) -> bool:
    """Whether halves pay: on x86, for whole vectors, with constants that differ along the last axis at most."""
    lanes = value.lanes
    if not scope.machine.is_x86 or lanes < 4 or lanes % 2 or value.dtype != "int32":
        return False
    if not scope.machine.has("avx512f"):
        return False
    last = at[-1] if at else None
    if not isinstance(last, Lanes) or last.stride != 1:
        return False
    return all(a.size == 1 or a.shape[-1] == a.size for a in arrays)


def _by_halves(
    scope: Scope, value: Value, at: Place, m: NDArray, c: NDArray, s: NDArray, correction: NDArray | None
) -> Value:
    code, lanes = scope.code, value.lanes
    whole = code.let(reinterpret(value, "int64"))
    even = (whole << 32) >> 32
    odd = whole >> 32
    halves = []
    for part, x in ((0, even), (1, odd)):
        factor = _factor(scope, at, m, lanes, part)
        product = code.let(x * factor)
        fix = None if correction is None else _every_other(scope, at, correction, lanes, part)
        halves.append(
            code.let(
                _shifted(
                    scope,
                    product,
                    _every_other(scope, at, c, lanes, part),
                    _every_other(scope, at, s, lanes, part),
                    fix,
                )
            )
        )
    a, b = (code.let(reinterpret(h, "int32")) for h in halves)
    picks = [i if i % 2 == 0 else lanes + i - 1 for i in range(lanes)]
    return shuffle([a, b], picks)


def _factor(scope: Scope, at: Place, m: NDArray, lanes: int, part: int) -> Value:
    """Give the multipliers of the even or odd lanes, each in the lower half of 64 bits."""
    if m.size == 1:
        return const(int(m.flat[0]), "int64", lanes // 2)
    if scope.flat < 1:
        raise NotFlat
    last = at[-1]
    assert isinstance(last, Lanes)
    row = np.concatenate([m.ravel(), np.zeros(2, np.int64)])
    memory = scope.table(row, "int32")
    pairs = reinterpret(scope.code.let(memory.load(last.base + part, lanes)), "int64")
    return scope.code.let((pairs << 32) >> 32)


def _every_other(scope: Scope, at: Place, row: NDArray, lanes: int, part: int) -> Value:
    """Give every other one of a row of 64-bit constants."""
    if row.size == 1 or (row == row.flat[0]).all():
        return const(int(row.flat[0]), "int64", lanes // 2)
    if scope.flat < 1:
        raise NotFlat
    last = at[-1]
    assert isinstance(last, Lanes)
    memory = scope.table(row.ravel(), "int64")
    half = lanes // 2
    first = scope.code.let(memory.load(last.base, half))
    second = scope.code.let(memory.load(last.base + half, half))
    return scope.code.let(shuffle([first, second], [part + 2 * i for i in range(half)]))
