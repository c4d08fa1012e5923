"""Quantizers with evenly spaced levels: quantized_bits, quantized_linear, quantized_hswish."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, Self

import numpy as np

from ...graph import Affine, Fixed, Node, Overflow, Rounding, UnsupportedError
from ...graph.arrays import NDArray
from ...graph.formats import exponent_of
from ...graph.ops import Add, Constant, Mul, Quantize, Relu
from ..attributes import Attributes
from .numbers import (
    EPSILON,
    exact_constant,
    f32,
    least_squares,
    nearest_power,
    reciprocal_of,
    scaled_constant,
    scaling_axes,
)
from .quantizer import Quantizer, Scaled, apply, at_most, read_alpha, read_common, rounded, step

BITS = (
    "bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding", "scale_axis", "qnoise_factor",
    "var_name", "use_ste", "use_variables",
)  # fmt: skip
MOST = 60


@dataclass(frozen=True)
class Linear(Scaled):
    """What quantized_bits and quantized_linear share. ``integer`` leaves the sign bit out."""

    bits: int = 8
    integer: int = 0
    symmetric: bool = False
    keep_negative: bool = True
    scale_axis: int | None = None

    default_symmetric: ClassVar[bool] = False

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration; keys that later versions added must say nothing."""
        read_common(config)
        bits = config.integer("bits", 8, low=1)
        integer = config.integer("integer", 0)
        if bits > MOST or not -MOST <= integer <= MOST:
            raise config.refusal("bits", bits, f"at most {MOST} bits")
        for key in ("elements_per_scale", "min_po2_exponent", "max_po2_exponent", "post_training_scale"):
            config.expect(key, None, hint="it is not one of qkeras 0.9; leave it out")
        axis = config.take("scale_axis", None)
        if axis is not None and (isinstance(axis, bool) or not isinstance(axis, int)):
            raise config.refusal("scale_axis", axis, "one axis, or None")
        symmetric = config.boolean("symmetric", cls.default_symmetric)
        keep_negative = config.boolean("keep_negative", True)
        return cls(read_alpha(config), bits, integer, symmetric, keep_negative, axis)

    def trainable(self) -> Quantizer:
        """Without an alpha: ``auto_po2``, and symmetric."""
        return replace(self, alpha="auto_po2", symmetric=True) if self.alpha is None else self


def _sign(x: Node, value: float, where: str) -> Node:
    """Give ``value`` from zero up and ``-value`` below."""
    return step(x, f32([0.0]), f32([-value, value]), where)


@dataclass(frozen=True)
class Bits(Linear):
    """quantized_bits: round half to even, saturate. One signed bit: -1 and +1 (+1 for 0), whatever ``integer`` is."""

    parameters: ClassVar[tuple[str, ...]] = BITS

    def unscaled(self, x: Node, where: str) -> Node:
        """Apply it with alpha 1."""
        if self.bits == self.keep_negative:
            return _sign(x, 1.0, where)
        unsigned = self.bits - self.keep_negative
        return rounded(x, unsigned, self.integer, where, signed=self.keep_negative, symmetric=self.symmetric)

    def automatic(self, values: NDArray, where: str, *, power: bool) -> Constant:
        """Symmetric levels over the greatest weight of each channel, halves rounded away from zero.

        ``auto_po2`` then improves the scale five times by least squares. The sign is kept whatever keep_negative says.
        """
        unit = f32(2.0**self.integer)
        half = 2 ** (self.bits - 1) - 1
        if half == 0 and not power:
            what = "alpha='auto' with one bit divides by zero in qkeras"
            raise UnsupportedError(what, where=where, hint="use binary()")
        x = f32(values / unit)
        axes = scaling_axes(x.ndim, self.scale_axis) if x.ndim > 1 else (0,)
        with np.errstate(all="ignore"):
            scale = f32(f32(np.abs(x).max(axis=axes, keepdims=True) * f32(2)) / f32(2 * half))
            units = _levels(x, nearest_power(scale) if power else scale, half)
            if power:
                scale = nearest_power(scale)
                for _ in range(5):
                    units = _levels(x, scale, half)
                    scale = least_squares(x, units, axes if x.ndim > 1 else None, power=True)
        return scaled_constant(units, f32(scale * unit), max(self.bits, 2))


def _levels(x: NDArray, scale: NDArray, half: int) -> NDArray:
    """Count levels from zero: |x| / scale rounded half up, at most ``half``, with the sign of x."""
    count = np.floor(f32(f32(np.abs(x) / scale) + f32(0.5)))
    return f32(np.sign(x) * np.where(count < half, count, f32(half)))


@dataclass(frozen=True)
class QuantizedLinear(Linear):
    """quantized_linear (qkeras after 0.9.0): alpha is part of the spacing of the levels, unlike in quantized_bits."""

    parameters: ClassVar[tuple[str, ...]] = (*BITS[:9], "use_variables")
    default_symmetric: ClassVar[bool] = True

    @property
    def spacing(self) -> float:
        """The distance between two levels with alpha 1."""
        return float(2.0 ** (self.integer - self.bits + self.keep_negative))

    @property
    def is_sign(self) -> bool:
        """Whether it has the levels -1/2 and +1/2 only."""
        return self.bits == 1 and self.keep_negative

    def nodes(self, x: Node, where: str) -> Node:
        """Apply it to a tensor."""
        if self.alpha is None or isinstance(self.alpha, str):
            return super().nodes(x, where)
        if isinstance(self.alpha, tuple):
            what = "quantized_linear with an alpha for each channel, on an activation"
            raise UnsupportedError(what, where=where, hint="give one number as alpha")
        scale = Fraction(float(f32(self.alpha * self.spacing)))
        if self.is_sign:
            return _sign(x, float(scale) / 2, where)
        exponent = exponent_of(scale)
        width = self.bits
        kind = (
            Affine(width, self.keep_negative, scale)
            if exponent is None
            else Fixed(width, width + exponent, self.keep_negative)
        )
        mode = Overflow.SAT_SYM if self.symmetric else Overflow.SAT
        return Node(Quantize(kind, Rounding.RND_CONV, mode), (x,), where)

    def unscaled(self, x: Node, where: str) -> Node:
        """Apply it with alpha 1."""
        if self.is_sign:
            return _sign(x, self.spacing / 2, where)
        unsigned = self.bits - self.keep_negative
        return rounded(x, unsigned, self.integer, where, signed=self.keep_negative, symmetric=self.symmetric)

    def weights(self, values: NDArray, where: str) -> Constant:
        """Apply it to stored values, with a scale for each channel where alpha has several."""
        if not isinstance(self.alpha, tuple):
            return super().weights(values, where)
        scale = f32(f32(self.alpha) * f32(self.spacing))
        return self._scaled(self._units(f32(values), scale), scale)

    def automatic(self, values: NDArray, where: str, *, power: bool) -> Constant:
        """The widest weight of each channel sets the scale; ``auto_po2`` improves it by least squares."""
        axes = scaling_axes(values.ndim, self.scale_axis)
        low, high = self._bounds()
        top = np.abs(values) * f32(2) if self.keep_negative else values
        scale = np.maximum(f32(top.max(axis=axes, keepdims=True) / f32(high - low)), EPSILON)
        if power:
            scale = nearest_power(scale)
            for _ in range(1 if self.is_sign else 5):
                old, units = scale, self._units(values, scale)
                scale = least_squares(values, units, axes if values.ndim > 1 else None, power=True)
                if np.array_equal(old, scale):
                    break
        return self._scaled(self._units(values, scale), scale)

    def _bounds(self) -> tuple[float, float]:
        if self.is_sign:
            return -0.5, 0.5
        top = 2.0 ** (self.bits - self.keep_negative)
        return self.keep_negative * (-top + self.symmetric), top - 1

    def _units(self, values: NDArray, scale: NDArray) -> NDArray:
        low, high = self._bounds()
        shift = f32(0.5 if self.is_sign else 0.0)
        return f32(np.rint(np.clip(f32(values / scale), f32(low), f32(high)) - shift) + shift)

    def _scaled(self, units: NDArray, scale: NDArray) -> Constant:
        if self.is_sign:
            return scaled_constant(units * 2, f32(scale / 2), 2)
        return scaled_constant(units, scale, self.bits, signed=self.keep_negative)


@dataclass(frozen=True)
class HardSwish(Bits):
    """quantized_hswish: quantized_bits of x * min(max(x + shift, 0), bound) / bound."""

    relu_shift: float = 3.0
    relu_upper_bound: float = 6.0

    parameters: ClassVar[tuple[str, ...]] = (
        *(name for name in BITS if name != "keep_negative"),
        "relu_shift",
        "relu_upper_bound",
    )

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration."""
        shift, bound = config.real("relu_shift", 3.0), config.real("relu_upper_bound", 6.0)
        if shift <= 0 or bound <= 0:
            raise config.refusal("relu_shift", (shift, bound), "qkeras asks for a shift and an upper bound above 0")
        base = super().read(config)
        if not base.keep_negative:
            raise config.refusal("keep_negative", False, "a hard swish keeps it True")
        return replace(base, relu_shift=shift, relu_upper_bound=bound)

    def nodes(self, x: Node, where: str) -> Node:
        """Apply it to a tensor; the product with 1 / bound is exact on integers, ties included."""
        shifted = apply(Add(), x, exact_constant(f32(self.relu_shift)), where)
        gate = at_most(Node(Relu(), (shifted,), where), self.relu_upper_bound, where)
        product = Node(Mul(), (x, gate), where)
        return super().nodes(apply(Mul(), product, reciprocal_of(self.relu_upper_bound), where), where)

    def automatic(self, values: NDArray, where: str, *, power: bool) -> Constant:
        """Apply the function in float32 first."""
        gate = np.clip(f32(values + f32(self.relu_shift)), f32(0), f32(self.relu_upper_bound))
        return super().automatic(f32(f32(values * gate) / f32(self.relu_upper_bound)), where, power=power)
