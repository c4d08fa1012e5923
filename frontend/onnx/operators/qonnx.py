"""QONNX: quantizers in the domains of qonnx, FINN and Brevitas, with the semantics of qonnx 1.0.

``Quant`` is ``(round(clamp(x / scale + zero, low, high)) - zero) * scale``; qonnx computes it in float32, the graph in
exact fractions of the same scales. Constants are quantized here, in float32, and keep their integers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ....graph import NDArray, Node, Overflow, Rounding
from ....graph.ops import Add, Maximum, Minimum, Mul, Quantize, Relu, Step, Sub
from ..formats import integer_constant, quantized_format
from ..registry import Call, Known, Scaled, Value, operator

DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
MOST_BITS = 32

MODES: dict[str, Rounding] = {
    "ROUND": Rounding.RND_CONV,
    "HALF_EVEN": Rounding.RND_CONV,
    "FLOOR": Rounding.TRN,
    "DOWN": Rounding.TRN_ZERO,
    "ROUND_TO_ZERO": Rounding.TRN_ZERO,
    "HALF_UP": Rounding.RND_INF,
    "HALF_DOWN": Rounding.RND_ZERO,
}
"""Rounding modes that the graph has; CEIL and UP are made of these."""

ARRAYS: dict[str, Callable[[NDArray], NDArray]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "DOWN": np.trunc,
    "ROUND_TO_ZERO": np.trunc,
    "UP": lambda v: np.sign(v) * np.ceil(np.abs(v)),
    "HALF_UP": lambda v: np.sign(v) * np.floor(np.abs(v) + np.float32(0.5)),
    "HALF_DOWN": lambda v: np.sign(v) * np.ceil(np.abs(v) - np.float32(0.5)),
}
"""The same on arrays of float32, as qonnx does it."""


@dataclass(frozen=True, eq=False)
class Range:
    """The integers of a quantizer: the least and the greatest, per tensor or element, after rounding."""

    low: NDArray
    high: NDArray

    @property
    def width(self) -> int:
        """Bits that hold all of them."""
        low, high = int(self.low.min()), int(self.high.max())
        return max(1, high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (low < 0)

    @property
    def signed(self) -> bool:
        """Whether one of them is negative."""
        return bool((self.low < 0).any())

    @property
    def overflow(self) -> Overflow | None:
        """The way in which a format of this width saturates to exactly this range; None where there is none."""
        if self.low.size != 1 or self.high.size != 1:
            return None
        low, high = int(self.low.ravel()[0]), int(self.high.ravel()[0])
        if high != (1 << (self.width - self.signed)) - 1:
            return None
        least = -high - 1 if self.signed else 0
        return Overflow.SAT if low == least else Overflow.SAT_SYM if low == -high else None


@operator("Quant", "IntQuant", domains=DOMAINS)
def quant(call: Call) -> Value | Node:
    """Quantize to ``bit_width`` bits with a scale and a zero point, each per tensor, channel or element."""
    scale, zero, bits = (parameter(call, i) for i in (1, 2, 3))
    signed, narrow = call.attributes.boolean("signed"), call.attributes.boolean("narrow")
    mode = read_mode(call, "ROUND")
    _check(call, scale, bits)
    x = call.value(0)
    bipolar = signed and bool((bits == 1).all())
    if isinstance(x, Known):
        return _constant(call, x, scale, zero, bits, (signed, narrow), mode)
    scale, zero, bits = (per_sample(call, v, x.node) for v in (scale, zero, bits))
    if bipolar:
        return _bipolar(call, shifted(call, x.node, zero, scale), scale, -zero)
    return rounded(call, x.node, scale, zero, integer_range(bits, signed, narrow, mode), mode)


def parameter(call: Call, i: int) -> NDArray:
    """Give a constant input of finite float32."""
    value = call.array(i)
    if not np.isfinite(value).all():
        raise call.refuse(f"input {i} holds NaN or infinite values", "train the model again")
    return value


def read_mode(call: Call, default: str) -> str:
    """Read the rounding mode."""
    mode = call.attributes.text("rounding_mode", default).upper()
    if mode not in ARRAYS:
        raise call.attributes.refusal("rounding_mode", mode, f"supported: {', '.join(ARRAYS)}")
    return mode


def _check(call: Call, scale: NDArray, bits: NDArray) -> None:
    if (scale <= 0).any():
        raise call.refuse("a scale that is not positive", "scales are above zero; train the model again")
    if (bits < 1).any() or (bits > MOST_BITS).any():
        raise call.refuse(f"{bits.min():g} to {bits.max():g} bits", f"1 to {MOST_BITS} bits are supported")


def per_sample(call: Call, values: NDArray, x: Node) -> NDArray:
    """Give scales (float64) that broadcast to one sample."""
    values = np.asarray(values.reshape(()) if values.size == 1 else values, np.float64)
    found = call.sample(Known((values,)), len(x.shape) + 1, "a parameter of the quantizer")
    if not _broadcasts(x.shape, found.shape):
        raise call.misfit(f"parameters of shape {found.shape} for samples of shape {x.shape}")
    return found


def _broadcasts(shape: tuple[int, ...], *others: tuple[int, ...]) -> bool:
    """Whether the others broadcast to ``shape``."""
    try:
        return np.broadcast_shapes(shape, *others) == shape
    except ValueError:
        return False


def _bounds(bits: NDArray, signed: bool, narrow: bool) -> tuple[NDArray, NDArray]:
    """The least and greatest integer, in the type of ``bits``; not whole where the bits are not."""
    if signed:
        half = 2 ** (bits - 1)
        return -half + (1 if narrow else 0), half - 1
    return 0 * bits, 2**bits - (2 if narrow else 1)


def integer_range(bits: NDArray, signed: bool, narrow: bool, mode: str) -> Range:
    """Rounding is monotone: clamping before it, as qonnx does, is clamping after it to the rounded bounds."""
    return Range(*(np.asarray(ARRAYS[mode](v), np.int64) for v in _bounds(bits.astype(np.float64), signed, narrow)))


def _constant(
    call: Call, x: Known, scale: NDArray, zero: NDArray, bits: NDArray, kind: tuple[bool, bool], mode: str
) -> Value:
    """Quantize constants, step by step as qonnx does, in float32."""
    if len(x.variants) > 1:
        raise call.refuse("it quantizes what depends on the length of the batch", "export with a fixed batch of 1")
    value = call.real(x.variants[0])
    if not _broadcasts(value.shape, scale.shape, zero.shape, bits.shape):
        raise call.misfit(f"parameters of shapes {scale.shape}, {zero.shape}, {bits.shape} for shape {value.shape}")
    with np.errstate(all="ignore"):  # what is not finite is refused where it is used
        units = value / scale + zero
        low, high = _bounds(bits, *kind)
        stored = ARRAYS[mode](np.clip(units, low, high))
        stored = np.where(kind[0] & (bits == 1), np.where(units >= 0, np.float32(1), np.float32(-1)), stored)
        real = ((stored - zero) * scale).astype(np.float32)
    if not np.isfinite(real).all() or (zero != np.rint(zero)).any():
        return Known((real,))
    return Scaled((real,), stored.astype(np.int64), scale.astype(np.float64), zero.astype(np.int64))


def shifted(call: Call, x: Node, zero: NDArray, scale: NDArray) -> Node:
    """``x + zero * scale``."""
    return x if not zero.any() else call.node(Add(), x, _offset(call, zero, scale))


def _offset(call: Call, zero: NDArray, scale: NDArray) -> Node:
    """``zero * scale``: exact integers in units of the scale where the zero point is whole."""
    if (zero == np.rint(zero)).all():
        return in_units(call, zero, scale)
    return call.constant(zero * scale)


def in_units(call: Call, counts: NDArray, scale: NDArray) -> Node:
    """Give the constant ``counts * scale`` as integers, the counts."""
    counts, scale = np.broadcast_arrays(counts, scale)
    return integer_constant(counts.astype(np.int64), scale, np.zeros((), np.int64), np.asarray, call.name)


def rounded(call: Call, x: Node, scale: NDArray, zero: NDArray, within: Range, mode: str) -> Node:
    """Round ``x / scale + zero`` into a range, and give the real numbers that these integers mean.

    The zero point is added before rounding, since halves may go to the even side of the sum.
    """
    y = _rounded(call, shifted(call, x, zero, scale), scale, within, mode)
    return y if not zero.any() else call.node(Sub(), y, _offset(call, zero, scale))


def _rounded(call: Call, x: Node, scale: NDArray, within: Range, mode: str) -> Node:
    if mode == "CEIL":  # -floor(-x)
        return _negative(call, _rounded(call, _negative(call, x), scale, Range(-within.high, -within.low), "FLOOR"))
    if mode == "UP":  # away from zero: up where positive, down where negative
        above = Range(np.maximum(within.low, 0), np.maximum(within.high, 0))
        below = Range(np.maximum(-within.high, 0), np.maximum(-within.low, 0))
        up = _rounded(call, call.node(Relu(), x), scale, above, "CEIL")
        if not within.signed:
            return up
        return call.node(Sub(), up, _rounded(call, call.node(Relu(), _negative(call, x)), scale, below, "CEIL"))
    exactly = within.overflow
    format = quantized_format(within.width, within.signed, scale, np.zeros((), np.int64))
    y = call.node(Quantize(format, MODES[mode], exactly or Overflow.SAT), x)
    if exactly is not None:
        return y
    y = call.node(Minimum(), y, in_units(call, within.high, scale))
    return call.node(Maximum(), y, in_units(call, within.low, scale))


def _negative(call: Call, x: Node) -> Node:
    return call.node(Mul(), x, in_units(call, np.array(-1), np.ones(())))


def _bipolar(call: Call, x: Node, scale: NDArray, offset: NDArray) -> Node:
    """``(sign(x) + offset) * scale`` with the sign of 0 taken as +1."""
    signs = in_units(call, np.array([-1, 1]), np.ones(()))
    y = call.node(Step(), x, call.constant(np.zeros(1)), signs)
    return call.node(Mul(), shifted(call, y, offset, np.ones(())), factor(call, scale))


def factor(call: Call, scale: NDArray) -> Node:
    """A factor of any sign, exactly."""
    size = np.abs(scale)
    return in_units(call, np.sign(scale), np.where(size > 0, size, 1.0))


@operator("BipolarQuant", domains=DOMAINS)
def bipolar_quant(call: Call) -> Value | Node:
    """``scale`` where ``x >= 0``, else ``-scale``."""
    scale, x = parameter(call, 1), call.value(0)
    if not isinstance(x, Known):
        return _bipolar(call, x.node, per_sample(call, scale, x.node), np.zeros(()))
    if len(x.variants) > 1:
        raise call.refuse("it quantizes what depends on the length of the batch", "export with a fixed batch of 1")
    value = call.real(x.variants[0])
    if not _broadcasts(value.shape, scale.shape):
        raise call.misfit(f"a scale of shape {scale.shape} for shape {value.shape}")
    sign = np.where(value >= 0, 1, -1)
    real = (sign * scale).astype(np.float32)
    if (scale <= 0).any():
        return Known((real,))
    return Scaled((real,), sign, scale.astype(np.float64), np.zeros((), np.int64))
