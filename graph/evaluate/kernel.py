"""What the rules share: the operand, and matrix products that are exact and as fast as the proof allows."""

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from ..arrays import Ints, NDArray
from ..errors import UnsupportedError
from ..node import Op, op_name
from ..numerics import Ratio, dequantize, divide, whole
from ..tensor import Tensor


@dataclass(frozen=True)
class Value:
    """An operand: its type and its data [batch, *shape] (batch is 1 for what depends on no input)."""

    type: Tensor
    data: NDArray

    @property
    def centred(self) -> Ints:
        """Integers in units of the format's scale."""
        return self.type.quantized.centre(self.data)

    @property
    def real(self) -> NDArray:
        """The values in float32."""
        return dequantize(self.data, self.type.quantized).astype(np.float32) if self.type.is_integer else self.data

    def in_units(self, scale: Ratio) -> Ints:
        """Integers in units of ``scale``, which must divide the operand's own; with more axes where ``scale`` has."""
        factor = whole(divide(self.type.quantized.scale, scale))
        if factor.ndim == 0 and factor == 1:
            return self.centred
        return lift(self.centred, max(factor.ndim, len(self.type.shape))) * factor


@singledispatch
def run(op: Op, out: Tensor, *inputs: Value) -> NDArray:
    """Compute one operation. ``out`` is the inferred type; gives stored integers (int64), or float32."""
    raise UnsupportedError(f"nothing says how to evaluate {op_name(op)}")


def lift(v: NDArray, rank: int) -> NDArray:
    """Bring [batch, *shape] to ``rank`` axes after the batch, with new axes of length 1 before the others."""
    return v if v.ndim == rank + 1 else v.reshape(v.shape[0], *((1,) * (rank + 1 - v.ndim)), *v.shape[1:])


def product_type(reach: float) -> type[np.float32 | np.float64 | np.int64]:
    """Give the fastest type in which sums of products up to ``reach`` are exact (24 and 53 bits of mantissa)."""
    return np.float32 if reach < 2**24 else np.float64 if reach < 2**53 else np.int64


def reach_of(x: Value, w: NDArray, axes: tuple[int, ...]) -> float:
    """Bound any partial sum of ``x * w`` over ``axes`` of ``w`` (the axes that are summed)."""
    low, high = x.type.interval
    largest = max(abs(int(low.min())), abs(int(high.max())))
    return float(np.abs(w).astype(np.float64).sum(axis=axes).max(initial=0.0)) * largest
