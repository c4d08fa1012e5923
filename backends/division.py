"""Multiply and shift that equals a rounded division, with the proof.

For v in low .. high, the quotient v * p / d in a rounding mode is floor((v * P + c) / D) with P, D, c from the mode
(c may depend on the sign of v, and round-half-to-even needs two of them). Hardware computes floor((v * M + a) / 2^s)
instead. Both are floors of lines; the first one only takes multiples of 1/D, so the two agree at every integer v of
the interval if

    0 <= (v * M + a) / 2^s - (v * P + c) / D < 1 / D

which, linear in v, need only be checked at the ends. ``approximate`` takes the least s for which there are M and a
that pass: the idea of T. Granlund and P. Montgomery, "Division by invariant integers using multiplication", PLDI
1994, for lines and intervals.

Before that, a fraction of many digits gives way to a simpler one. The rounded quotient changes where v * p / d is a
whole number or a half, that is at fractions p / d whose denominators are at most 2 * max(|low|, |high|). All fractions
between two neighbours among those (a Farey sequence) give the same quotients, and their mediant has few digits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ..graph import Rounding

MAX_SHIFT = 126


@dataclass(frozen=True)
class Quotient:
    """floor((v * multiplier + offset) / 2^shift); ``second`` is the other offset where ``select`` has two."""

    multiplier: int
    offset: int
    second: int
    shift: int


NEAREST = dict.fromkeys((Rounding.RND_ZERO, Rounding.RND_INF, Rounding.RND_CONV), Rounding.RND)
"""What is the same, with one offset, where nothing lies half way between two integers."""
BY_SIGN = (Rounding.TRN_ZERO, Rounding.RND_ZERO, Rounding.RND_INF)


def select(rounding: Rounding) -> int:
    """Say what chooses between the two offsets: 0 nothing, 1 the sign of v, 2 the parity of the quotient."""
    return 1 if rounding in BY_SIGN else 2 if rounding is Rounding.RND_CONV else 0


def lines(ratio: Fraction, rounding: Rounding) -> tuple[int, int, int, int]:
    """Give P, D and the two numerators' constants c (for v >= 0, halves up; and for v < 0, halves down)."""
    p, d = ratio.numerator, ratio.denominator
    if d % 2 and rounding not in (Rounding.TRN, Rounding.TRN_ZERO):  # no halves: every mode takes the nearest integer
        return p, d, d // 2, d // 2
    match rounding:
        case Rounding.TRN:
            return p, d, 0, 0
        case Rounding.TRN_ZERO:
            return p, d, 0, d - 1
        case Rounding.RND:
            return 2 * p, 2 * d, d, d
        case Rounding.RND_MIN_INF:
            return 2 * p, 2 * d, d - 1, d - 1
        case Rounding.RND_ZERO:
            return 2 * p, 2 * d, d - 1, d
        case Rounding.RND_INF | Rounding.RND_CONV:
            return 2 * p, 2 * d, d, d - 1


def quotient(ratio: Fraction, rounding: Rounding, low: int, high: int, shift: int) -> Quotient | None:
    """Give what makes the rounded ``v * ratio`` exact for all v in low .. high; None where ``shift`` is too small."""
    p, d, first, second = lines(ratio, rounding)
    multiplier = ((p << (shift + 1)) // d + 1) >> 1
    above, below = ((max(low, 0), high), (low, min(high, -1))) if select(rounding) == 1 else ((low, high), (low, high))
    offsets = [_offset(p, d, c, multiplier, shift, ends) for c, ends in ((first, above), (second, below))]
    if offsets[0] is None or offsets[1] is None:
        return None
    return Quotient(multiplier, offsets[0], offsets[1], shift)


def _offset(p: int, d: int, c: int, multiplier: int, shift: int, ends: tuple[int, int]) -> int | None:
    """Give the least offset that keeps the difference of the two lines from being negative, if it stays under 1 / d."""
    if ends[0] > ends[1]:
        return 0  # no such v
    needed = [((v * p + c) << shift) - v * multiplier * d for v in ends]  # the offset times d
    offset = -(-max(needed) // d)
    return offset if offset * d - min(needed) < 1 << shift else None


def has_halves(ratio: Fraction, reach: int) -> bool:
    """Whether some product with -reach .. reach lies half way between two integers."""
    return ratio.denominator % 2 == 0 and ratio.denominator <= 2 * reach


def simplest(ratio: Fraction, reach: int) -> Fraction:
    """Give the fraction of fewest digits whose rounded products with -reach .. reach are those of ``ratio``.

    The neighbours are the last two fractions of the continued fraction (G. H. Hardy and E. M. Wright, An Introduction
    to the Theory of Numbers, chapters III and X).
    """
    most = 2 * max(reach, 1)
    if ratio.denominator <= 2 * most:
        return ratio
    (p0, q0), (p1, q1) = (0, 1), (1, 0)
    n, d = ratio.numerator, ratio.denominator
    while q0 + n // d * q1 <= most or not q1:
        a = n // d
        (p0, q0), (p1, q1) = (p1, q1), (p0 + a * p1, q0 + a * q1)
        n, d = d, n - a * d
    k = (most - q0) // q1
    return Fraction(p0 + k * p1 + p1, q0 + k * q1 + q1)


def approximate(
    ratios: Iterable[Fraction], rounding: Rounding, lows: Iterable[int], highs: Iterable[int]
) -> list[Quotient] | None:
    """Give for each ratio and interval the exact quotient, all with the least shift that serves; None beyond 126."""
    cases = [(simplest(r, max(abs(a), abs(b))), a, b) for r, a, b in zip(ratios, lows, highs, strict=True)]
    for shift in range(MAX_SHIFT + 1):
        found: dict[tuple[Fraction, int, int], Quotient] = {}
        for case in dict.fromkeys(cases):
            ratio, low, high = case
            mode = rounding if has_halves(ratio, max(abs(low), abs(high))) else NEAREST.get(rounding, rounding)
            if (one := quotient(ratio, mode, low, high, shift)) is None:
                break
            found[case] = one
        else:
            return [found[case] for case in cases]
    return None
