"""Statistics of constant matrices: how many signed digits, zeros, powers of two and shared products they have."""

import numpy as np

from ...graph.arrays import Ints
from .model import Type, WeightStats

MOST_DIGITS = 8
"""Entries of the histogram of digits; the last holds all that have more."""


HARD = 3
"""Digits from which on a product is a multiplier for HLS tools, not a sum of two shifted operands."""


def csd_digits(values: Ints) -> Ints:
    """Count the non-zero digits of the canonical signed-digit form of each number: the bits in which v and 3 v differ.

    (H. Prodinger, *On binary representations of integers with digits -1, 0, 1*, Integers 0, 2000.)
    """
    magnitude = np.abs(values.astype(np.int64))
    different = (magnitude ^ (3 * magnitude)).astype(np.uint64)
    count = np.zeros(values.shape, np.int64)
    for shift in range(0, 64, 8):
        count += _ONES[((different >> np.uint64(shift)) & np.uint64(255)).astype(np.int64)]
    return count


_ONES = np.array([bin(i).count("1") for i in range(256)], np.int64)


def odd_part(values: Ints) -> Ints:
    """Give the odd part of each magnitude: 12 -> 3, -8 -> 1, 0 -> 0."""
    magnitude = np.abs(values.astype(np.int64))
    return magnitude // np.where(magnitude == 0, 1, magnitude & -magnitude)


def statistics(integers: Ints, type: Type | None = None) -> WeightStats:
    """Take the statistics of whole numbers [..., n_in, n_out] (or any shape without sharing: a vector of biases)."""
    digits = csd_digits(integers)
    histogram = np.bincount(np.minimum(digits, MOST_DIGITS).reshape(-1), minlength=MOST_DIGITS + 1)
    shared = hard = None
    if integers.ndim >= 2:
        rows = np.sort(odd_part(integers).reshape(-1, integers.shape[-1]), axis=1)
        first = rows > 1
        first[:, 1:] &= rows[:, 1:] != rows[:, :-1]
        shared, hard = int(first.sum()), int((csd_digits(rows[first]) >= HARD).sum())
    return WeightStats(
        int(integers.size), int((integers == 0).sum()), type, tuple(map(int, histogram)), int(digits.sum()),
        len(np.unique(integers)), shared, hard,
    )  # fmt: skip


__all__ = ["MOST_DIGITS", "csd_digits", "odd_part", "statistics"]
