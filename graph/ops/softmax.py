"""Softmax in fixed point, as quantized runtimes define it: a table of exponentials, a sum, a reciprocal, products."""

from dataclasses import dataclass

import numpy as np

from ..errors import ShapeError, UnsupportedError
from ..formats import Affine
from ..node import Op, infer
from ..tensor import Tensor, full, grids

KNOTS = 513
"""Entries of a table that is read with straight lines between them (``fixedpoint.interpolate``)."""


@dataclass(frozen=True)
class FixedSoftmax(Op):
    """``exp(x) / sum(exp(x))`` along ``axis`` in 32-bit fixed point, by the arithmetic of TensorFlow Lite's reference
    kernels (``internal/reference/softmax.h``).

    Inputs: ``x`` [...], of one format, taken as stored; ``exponentials`` [n], entry ``n - 1 + d`` for d = x - max(x).
    Alone, they are in units of 2^-31: each is divided by 2^12 with rounding and summed, the sum's reciprocal is found
    by three steps of Newton's, multiplied with each entry, and rounded to ``format``'s width. With a third input, the
    ``reciprocals`` [513] of 1 / (1 + t) for t from 0 to 1, both are in units of 2^-15, and the reciprocal is
    read from that table. The result is counted from ``format``'s least integer, or from 0 with the third input.
    """

    axis: int
    format: Affine


@infer.register
def _(op: FixedSoftmax, x: Tensor, exponentials: Tensor, reciprocals: Tensor | None = None) -> Tensor:
    if not 0 <= op.axis < len(x.shape):
        raise ShapeError(f"softmax along axis {op.axis} of shape {x.shape}", hint="axes are counted without the batch")
    tables = [exponentials, *([] if reciprocals is None else [reciprocals])]
    plain = all(t.value is not None and t.is_integer and len(t.shape) == 1 for t in tables)
    if not x.is_integer or grids(x.format) or not plain:
        raise UnsupportedError("a softmax in fixed point reads integers of one format and constant rows of entries")
    if reciprocals is not None and reciprocals.shape != (KNOTS,):
        raise ShapeError(f"a table of reciprocals has {KNOTS} entries, not {reciprocals.shape}")
    span = int(x.interval[1].max()) - int(x.interval[0].min())
    if span >= exponentials.size:
        raise ShapeError(f"{exponentials.size} exponentials for differences up to {span}")
    _check_sum(op, x, exponentials, reciprocals is None)
    return full(x.shape, op.format)


def _check_sum(op: FixedSoftmax, x: Tensor, exponentials: Tensor, newton: bool) -> None:
    low, high = (int(pick(v)) for pick, v in zip((np.min, np.max), exponentials.interval, strict=True))
    top, entry = (2**31 - 1, 2**19) if newton else (2**15 - 1, 2**15 - 1)
    if low < 0 or high > top or exponentials.interval[0].ravel()[-1] <= 0:
        raise ShapeError(f"exponentials from {low} to {high}", hint=f"they go from 0 to {top}, the last is exp(0)")
    if entry * x.shape[op.axis] >= 2**31:
        most = (2**31 - 1) // entry
        raise ShapeError(f"a softmax over {x.shape[op.axis]} values in 32 bits", hint=f"at most {most}")


__all__ = ["KNOTS", "FixedSoftmax"]
