"""Arrays for a network's inputs and outputs."""

from collections.abc import Sequence

import numpy as np

from ...graph import NDArray
from ..loops.halves import port_type

ALIGNMENT = 64


def aligned(shape: Sequence[int], dtype: str) -> NDArray:
    """Make an array whose first element stands at a multiple of 64 bytes."""
    size = int(np.prod(shape, dtype=np.int64)) * port_type(dtype).itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -raw.ctypes.data % ALIGNMENT
    return raw[begin : begin + size].view(port_type(dtype)).reshape(shape)
