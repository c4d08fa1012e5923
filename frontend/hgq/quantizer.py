"""The fixed-point quantizers of HGQ2 as they compute at inference, on a tensor and on stored weights.

Source: hgq/quantizer/internal/fixed_point_quantizer.py of HGQ2 0.2 and quantizers/fixed_point of quantizers 1.2. A
value has ``k`` sign bits (0 or 1), ``i`` integer bits without the sign, ``f`` fraction bits, each per tensor, channel
or element.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ...graph import Array, Fixed, Grid, Node, Overflow, Rounding, ShapeError
from ...graph.arrays import NDArray
from ...graph.formats import exponent_of
from ...graph.ops import Add, Constant, Mul, Quantize
from ..keras.registry import Layer
from ..qkeras.numbers import exact_constant, f32

MOST_BITS = 63
FLOAT_BITS = 24
"""What a float32 holds: beyond, HGQ's own arithmetic rounds."""


@dataclass(frozen=True, eq=False)
class Quantizer:
    """``k``, ``i``, ``f``: int64 arrays, of the shape that the file has (axis 0 is the batch, for tensors).

    ``only_rounds``: neither overflow nor zero bits do anything, as for trainable weights in WRAP mode. ``scaler``
    divides before and multiplies after; ``affine`` then multiplies and adds.
    """

    k: NDArray
    i: NDArray
    f: NDArray
    rounding: Rounding
    overflow: Overflow
    only_rounds: bool = False
    scaler: float = 1.0
    affine: tuple[float, float] = (1.0, 0.0)

    @property
    def bits(self) -> NDArray:
        """Bits of each element with the sign; where there are none, the value is 0."""
        return np.asarray(self.k + self.i + self.f)

    def values(self, x: NDArray) -> NDArray:
        """Quantize float32 values in float32, each operation rounded as TensorFlow does."""
        with np.errstate(over="ignore", invalid="ignore"):
            y = self._fixed(f32(x / f32(self.scaler)) if self.scaler != 1 else f32(x))
            y = f32(y * f32(self.scaler)) if self.scaler != 1 else y
            scale, shift = self.affine
            return y if self.affine == (1.0, 0.0) else f32(f32(y * f32(scale)) + f32(shift))

    def _fixed(self, x: NDArray) -> NDArray:
        k, i, f = f32(self.k), f32(np.maximum(self.i, -self.f)), f32(self.f)
        top = np.exp2(i)
        if self.only_rounds:
            return _rounded(x, np.exp2(f), self.rounding)
        if self.overflow is Overflow.WRAP:
            rounded, bias = _rounded(x, np.exp2(f), self.rounding), f32(k * np.exp2(i + k - 1))
            y = f32(np.mod(f32(rounded + bias), np.exp2(i + k)) - bias)
        else:
            most = f32(top - np.exp2(-f))
            least = f32(-(top if self.overflow is Overflow.SAT else most) * k)
            y = _rounded(np.where(x > most, most, np.where(x < least, least, x)), np.exp2(f), self.rounding)
        return np.where(self.bits > 0, y, f32(0))

    def constant(self, layer: Layer, name: str, values: NDArray) -> Node:
        """Quantize stored weights. Raises ShapeError where they are no numbers or the bits are of another shape."""
        if not np.isfinite(values).all():
            hint = "the training diverged; load an earlier checkpoint"
            raise ShapeError(f"NaN or infinite values in {name!r}", where=layer.place, hint=hint)
        check_broadcast(layer, name, self.bits.shape, values.shape)
        quantized = self.values(f32(values))
        if not np.isfinite(quantized).all():
            what = f"the quantizer of {name!r} leaves the range of float32"
            raise ShapeError(what, where=layer.place, hint="the training diverged; load an earlier checkpoint")
        return Node(exact_constant(quantized), (), f"{layer.name}/{name}")

    def tensor(self, layer: Layer, x: Node, where: str = "") -> Node:
        """Quantize a tensor. Raises UnsupportedError for scales that only float32 defines, ShapeError."""
        where = where or layer.name
        shifted, one = self._shifted(layer), self._of_sample(layer, x)
        format, live = one.format(layer)
        y = Node(Quantize(format, self.rounding, self.overflow), (x,), where)
        if not live.all():
            mask = Node(Constant(Array(live.astype(np.int64)), Fixed(1, 1, False)), (), f"{where}/live")
            y = Node(Mul(), (y, mask), where)
        y = Node(Mul(), (y, _number(shifted[0], where)), where) if shifted[0] != 1 else y
        return Node(Add(), (y, _number(shifted[1], where)), where) if shifted[1] != 0 else y

    def _shifted(self, layer: Layer) -> tuple[float, float]:
        """Give the affine map, checked: short numbers, so that float32 holds what it gives."""
        for number in self.affine:
            if abs(Fraction(number).numerator) >= 1 << 12 or Fraction(number).denominator >= 1 << 12:
                raise layer.unsupported(f"an affine quantizer with {number}", "use numbers of 12 binary digits")
        return self.affine

    def _of_sample(self, layer: Layer, x: Node) -> "Quantizer":
        """Give the quantizer without the batch axis, the scaler moved into the bits."""
        if self.only_rounds:
            hint = "set is_weight=False in the configuration of its quantizer"
            raise layer.unsupported("a quantizer of weights (is_weight) on a tensor does not wrap", hint)
        shape = self.bits.shape
        if shape and (len(shape) != len(x.shape) + 1 or shape[0] != 1):
            what = f"bits of shape {shape} for values of shape {(None, *x.shape)}"
            raise ShapeError(what, where=layer.place, hint="the batch axis has to be homogeneous")
        check_broadcast(layer, "its input", shape[1:], x.shape)
        exponent = exponent_of(Fraction(self.scaler)) if self.scaler > 0 else None
        if exponent is None:
            hint = "use a power of two, which is a shift"
            raise layer.unsupported(f"a quantizer with scaler {self.scaler}: float32 rounds each quotient", hint)
        k, i, f = (v[0] if shape else v for v in (self.k, self.i, self.f))
        return replace(self, k=k, i=i + exponent, f=f - exponent, scaler=1.0)

    def format(self, layer: Layer) -> tuple[Fixed, NDArray]:
        """Give the format (one bit where there are none) and which elements have bits."""
        bits = self.bits
        live = bits > 0
        if int(bits.max(initial=0)) > FLOAT_BITS:
            layer.notes.append(f"{layer.name}: {int(bits.max())} bits are more than float32 holds; HGQ itself rounds")
        if int(bits.max(initial=0)) > MOST_BITS:
            raise layer.unsupported(f"a quantizer of {int(bits.max())} bits", f"at most {MOST_BITS}")
        finest = int(self.f[live].max()) if live.any() else 0
        width = np.where(live, bits, 1)
        integer = np.where(live, self.i + self.k, 1 - finest)
        signed = Grid.of(np.where(live, self.k, 0 if not live.any() else self.k[live].max()))
        kind = signed if isinstance(signed, Grid) else bool(signed)
        return Fixed(_plain(width), _plain(integer), kind), live


def _plain(values: NDArray) -> int | Grid:
    one = Grid.of(values.astype(np.int64))
    return one if isinstance(one, Grid) else int(one)


def _number(value: float, where: str) -> Node:
    return Node(exact_constant(f32(value)), (), f"{where}/affine")


def _rounded(x: NDArray, scale: NDArray, rounding: Rounding) -> NDArray:
    """``x`` rounded to whole multiples of 1 / scale, in the operations (and with the roundings) of float32."""
    u, half = f32(f32(x) * f32(scale)), f32(0.5)
    match rounding:
        case Rounding.TRN:
            r = np.floor(u)
        case Rounding.RND:
            r = np.floor(f32(u + half))
        case Rounding.RND_CONV:
            r = np.rint(u)
        case Rounding.TRN_ZERO:
            r = np.trunc(u)
        case Rounding.RND_ZERO:
            r = -np.floor(f32(-np.abs(u) + half)) * np.sign(u)
        case Rounding.RND_MIN_INF:
            r = -np.floor(f32(-u + half))
        case Rounding.RND_INF:
            r = np.floor(f32(np.abs(u) + half)) * np.sign(u)
    return f32(r / f32(scale))


def check_broadcast(layer: Layer, name: str, bits: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise ShapeError where bits of one shape are not for values of another."""
    try:
        fits = np.broadcast_shapes(bits, shape) == tuple(shape)
    except ValueError:
        fits = False
    if not fits:
        what = f"bits of shape {bits} for {name} of shape {shape}"
        raise ShapeError(what, where=layer.place, hint="configuration and weights are of different models")
