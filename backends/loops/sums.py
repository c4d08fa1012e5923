"""Sums of two integers of different scales that are quantized: two products of 32 bits instead of the exact ones.

The exact sum counts in units that divide both scales, which takes over 40 bits where these come from floats. Where both
operands are bytes, what it rounds to can be looked at for all pairs: factors of 22 bits or so, and an offset, that give
the same for every one of them are searched, and found nearly always.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np

from ...graph import Rounding
from ...graph.arrays import NDArray
from ...graph.numerics import multiply_divide
from .layout import Ends

MOST_PAIRS = 1 << 18
TRIES = 4
"""Shifts that are tried, the longest first."""


@dataclass(frozen=True)
class Factors:
    """``(a * first + b * second + offset) >> shift``, and the ends of that."""

    first: int
    second: int
    offset: int
    shift: int
    ends: Ends


@cache
def factors_of(
    units: tuple[int, int], ratio: Fraction, rounding: Rounding, a: Ends, b: Ends, kept: Ends | None
) -> Factors | None:
    """Find factors for ``a * units[0] + b * units[1]`` times ``ratio``, rounded; ``kept``: results beyond which any
    beyond the same end will do. None where there are none.
    """
    if (a[1] - a[0] + 1) * (b[1] - b[0] + 1) > MOST_PAIRS:
        return None
    reach = sum(abs(u) * max(map(abs, ends)) for u, ends in zip(units, (a, b), strict=True))
    if reach >= 1 << 62:
        return None
    x, y = (v.ravel() for v in np.meshgrid(np.arange(a[0], a[1] + 1), np.arange(b[0], b[1] + 1)))
    wanted = multiply_divide(x * units[0] + y * units[1], ratio, rounding)
    exact = [ratio * u for u in units]
    most = [max(map(abs, ends)) for ends in (a, b)]
    size = float(sum(abs(e) * m for e, m in zip(exact, most, strict=True)))
    longest = next((s for s in range(30, 0, -1) if (size + 2) * 2.0**s < 1 << 31), 0)
    for shift in range(longest, max(longest - TRIES, 0), -1):
        near = [round(e * (1 << shift)) for e in exact]
        for away in sorted(product((0, 1, -1), repeat=2), key=lambda d: abs(d[0]) + abs(d[1])):
            first, second = near[0] + away[0], near[1] + away[1]
            if (offset := _offset(x * first + y * second, wanted, shift, kept)) is not None:
                found = (x * first + y * second + offset) >> shift
                if max(abs(first), abs(second), abs(offset)) < 1 << 31:
                    return Factors(first, second, offset, shift, (int(found.min()), int(found.max())))
    return None


def _offset(total: NDArray, wanted: NDArray, shift: int, kept: Ends | None) -> int | None:
    """Give what to add so that ``total`` shifted is what is wanted, and no sum leaves 32 bits; None for nothing."""
    unit = 1 << shift
    least, most = wanted * unit - total, wanted * unit - total + (unit - 1)
    if kept is not None:
        least = np.where(wanted < kept[0], np.iinfo(np.int64).min, least)
        most = np.where(wanted > kept[1], np.iinfo(np.int64).max, most)
        least = np.where(wanted > kept[1], (kept[1] + 1) * unit - total, least)
        most = np.where(wanted < kept[0], kept[0] * unit - 1 - total, most)
    low, high = int(least.max()), int(most.min())
    low, high = max(low, -(1 << 31) - int(total.min())), min(high, (1 << 31) - 1 - int(total.max()))
    return (low + high) // 2 if low <= high else None
