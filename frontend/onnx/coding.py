"""Tensors of integers with a scale and a zero point: reading both from a call, and going between them and numbers."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...graph import Array, NDArray, Node, Overflow, Rounding
from ...graph.arrays import as_array
from ...graph.formats import bits_for
from ...graph.numerics import Ratio, divide
from ...graph.ops import Add, Constant, Mul, Quantize
from .formats import in_units_of, quantized_format, ratio, whole
from .registry import Call, Coded, Known

INTEGERS = {
    **{f"int{n}": (n, True) for n in (2, 4, 8, 16, 32)},
    **{f"uint{n}": (n, False) for n in (2, 4, 8, 16)},
}
"""Types whose integers can be stored: bits, and whether they have a sign. 32 bits are for accumulators and biases."""


@dataclass(frozen=True, eq=False)
class Coding:
    """``scale * (q - zero)`` with q of ``dtype``; the arrays (float64, int64) broadcast to one sample."""

    dtype: str
    scale: NDArray
    zero: NDArray

    def encode(self, call: Call, x: Node) -> Coded:
        """Quantize: round half to even, saturate."""
        format = quantized_format(*INTEGERS[self.dtype], self.scale, self.zero)
        node = call.node(Quantize(format, Rounding.RND_CONV, Overflow.SAT), x)
        return Coded(node, self.dtype, ratio(self.scale), whole(self.zero), call.lead)

    def decode(self, call: Call, q: Coded) -> Node:
        """Give the real numbers that stored integers mean under this scale and zero point."""
        scale, zero = ratio(self.scale), whole(self.zero)
        if scale == q.scale and zero == q.zero:
            return q.node
        return affine(call, q.node, divide(scale, q.scale), scale, as_array(q.zero) - as_array(zero))


def numbers(call: Call, q: Coded, minus: NDArray | int = 0) -> Node:
    """Give ``q - minus`` as numbers."""
    one = Fraction(1)
    return affine(call, q.node, divide(one, q.scale), one, as_array(q.zero) - minus)


def affine(call: Call, x: Node, factor: Ratio, unit: Ratio, offset: NDArray) -> Node:
    """Give ``x * factor + offset * unit``, exactly."""
    if factor != Fraction(1):
        x = call.node(Mul(), x, _scaled_integers(call, np.ones((), np.int64), factor))
    return x if not offset.any() else call.node(Add(), x, _scaled_integers(call, offset, unit))


def _scaled_integers(call: Call, stored: NDArray, unit: Ratio) -> Node:
    """Give whole numbers in units of any fraction as a constant."""
    shape = np.broadcast_shapes(stored.shape, as_array(unit).shape)
    data = np.broadcast_to(np.asarray(stored, np.int64), shape)
    width = bits_for(min(int(data.min()), -1), int(data.max()))
    return Node(Constant(Array(data), in_units_of(unit, width)), (), call.name)


def read_coding(
    call: Call, scale_input: int, zero_input: int, shape: tuple[int, ...], *, axis: int = 1, block: int = 0,
    sample: bool = True, dtype: str | None = None,
) -> Coding:  # fmt: skip
    """Read scale and zero point of a tensor of ``shape`` (in the source, the batch included).

    For one with a batch (``sample``) they come without it. Raises UnsupportedError where they are computed, differ by
    sample, or are no scale.
    """
    sample = sample and bool(call.lead)
    scale, zero = call.known(scale_input), call.known(zero_input)
    if scale is None:
        raise call.misfit(f"input {scale_input} is missing")
    if scale.dtype != np.float32:
        raise call.refuse(f"a scale of type {scale.dtype}", "convert the model to float32")
    if not np.isfinite(scale).all() or (scale <= 0).any():
        raise call.refuse("a scale that is not positive", "scales are above zero; quantize the model again")
    if zero is not None and zero.shape != scale.shape and zero.size != 1:
        raise call.misfit(f"a zero point of shape {zero.shape} for scales of shape {scale.shape}")
    if zero is not None and dtype is not None and zero.dtype.name != dtype:
        raise call.misfit(f"a zero point of type {zero.dtype} for {dtype}")
    name = dtype or ("uint8" if zero is None else zero.dtype.name)
    if name not in INTEGERS:
        raise call.refuse(f"integers of type {name}", f"supported: {', '.join(INTEGERS)}")
    arrays = [scale.astype(np.float64), np.zeros((), np.int64) if zero is None else zero.astype(np.int64)]
    return Coding(name, *(_spread(call, a, shape, axis, block, sample) for a in arrays))


def _spread(call: Call, values: NDArray, shape: tuple[int, ...], axis: int, block: int, sample: bool) -> NDArray:
    """Bring scales per tensor, axis or block to an array that broadcasts to the tensor (or one sample of it)."""
    if values.size == 1:
        return values.reshape(())
    axis = call.axis(axis, len(shape))
    if not block:
        if values.ndim != 1:
            raise call.misfit(f"scales of shape {values.shape} along an axis")
        _along(call, axis, sample)
        if values.size != shape[axis]:
            raise call.misfit(f"{values.size} scales along axis {axis} of shape {shape}")
        return values.reshape((-1,) + (1,) * (len(shape) - 1 - axis))
    counts = tuple(-(-n // block) if i == axis else n for i, n in enumerate(shape))
    if values.ndim != len(shape) or any(n != m for n, m in list(zip(values.shape, counts, strict=True))[sample:]):
        raise call.misfit(f"scales of shape {values.shape} for blocks of {block} along axis {axis} of {shape}")
    _along(call, axis, sample)
    if sample:
        values, shape, axis = call.sample(Known((values,)), len(shape), "the scale"), shape[1:], axis - 1
    return values.repeat(block, axis=axis).take(np.arange(shape[axis]), axis=axis)


def _along(call: Call, axis: int, sample: bool) -> None:
    if sample and axis == 0:
        raise call.refuse("scales along axis 0, the batch", "give another axis")


def stored_as(name: str, value: Coded) -> Node:
    """Give a node whose stored integers are the numbers of the source's tensor, for an output of the model."""
    width, signed = INTEGERS[value.dtype]
    format = quantized_format(width, signed, as_array(value.scale).astype(np.float64), as_array(value.zero))
    if value.node.type.format == format or value.dtype == "int32":
        return value.node
    return Node(Quantize(format, Rounding.RND_CONV, Overflow.SAT), (value.node,), name)


__all__ = [
    "INTEGERS", "Coding", "affine", "numbers", "read_coding", "stored_as",
]  # fmt: skip
