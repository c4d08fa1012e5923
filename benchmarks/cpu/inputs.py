"""The inputs that every engine runs a network on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORDS = 1000
"""Whole numbers of 32 and 64 bits are places in a vocabulary, below this."""


def draw(shape: Sequence[int], dtype: np.dtype[Any], seed: int = 0) -> NDArray[Any]:
    """Normally distributed floats, or integers over a type's range; the same for the same seed."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    if dtype.itemsize >= 4:
        return rng.integers(0, WORDS, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max + 1, shape).astype(dtype)
