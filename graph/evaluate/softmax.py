"""Softmax in fixed point."""

import numpy as np

from ..arrays import Ints, NDArray
from ..fixedpoint import interpolate, leading_zeros, multiply_high, reciprocal, shift_round
from ..ops import FixedSoftmax
from ..tensor import Tensor
from .kernel import Value, run


@run.register
def _(op: FixedSoftmax, out: Tensor, x: Value, exponentials: Value, reciprocals: Value | None = None) -> NDArray:
    axis = op.axis + 1
    table = exponentials.centred[0]
    entries = table[x.data - x.data.max(axis=axis, keepdims=True) + len(table) - 1]
    low, high = (int(b) for b in op.format.bounds)
    if reciprocals is None:
        return np.clip(_newton(entries, axis, op.format.width) + low, low, high)
    return np.clip(_tabled(entries, axis, reciprocals.centred[0]), 0, high)


def _newton(entries: Ints, axis: int, bits: int) -> Ints:
    total = shift_round(entries, 12).sum(axis=axis, keepdims=True)
    scale, over = reciprocal(total, 12)
    return shift_round(multiply_high(scale, entries), over + 31 - bits)


def _tabled(entries: Ints, axis: int, table: Ints) -> Ints:
    total = entries.sum(axis=axis, keepdims=True)
    zeros = leading_zeros(total)
    part = ((total << (zeros - 1)) + (1 << 13)) >> 14  # 1 to 2, in units of 2^-16
    scale = interpolate(np.clip(part - 2**15 - 2**16, -(2**15), 2**15 - 1), table)
    right = 31 - zeros
    half = np.int64(1) << np.maximum(right - 1, 0)
    return (entries * scale + half) >> right
