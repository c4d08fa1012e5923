"""Quantizers with few values: binary, ternary, their stochastic forms as they are in inference, and powers of two."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ...graph import Node, UnsupportedError
from ...graph.arrays import NDArray
from ...graph.ops import Constant
from ..attributes import Attributes
from .numbers import EPSILON, LN2, f32, least_squares, nearest_power, scaled_constant, scaling_axes, thresholds_of
from .quantizer import Quantizer, Scaled, Stepped, is_slope, read_alpha, read_common, step

MOST_UNROLLS = 1000
TRAINING = {
    "temperature": "shapes probabilities in training",
    "use_real_sigmoid": "shapes probabilities in training",
}


@dataclass(frozen=True)
class Binary(Scaled):
    """binary, and stochastic_binary in inference: the sign, with 0 as +1; 0 and 1 with ``use_01``."""

    use_01: bool = False

    parameters: ClassVar[tuple[str, ...]] = ("use_01", "alpha", "use_stochastic_rounding")

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration."""
        hint = "qkeras itself fails on it in inference; set it to False, which is meant to give the same"
        config.expect("use_stochastic_rounding", False, 0, hint=hint)
        return cls(read_alpha(config), config.boolean("use_01", False))

    def unscaled(self, x: Node, where: str) -> Node:
        """Apply it with alpha 1."""
        return step(x, f32([0.0]), f32([0.0 if self.use_01 else -1.0, 1.0]), where)

    def automatic(self, values: NDArray, where: str, *, power: bool) -> Constant:
        """Give the least-squares scale of each channel (of each element of a vector)."""
        units = f32(np.where(values >= 0, 1, 0 if self.use_01 else -1))
        axes = scaling_axes(values.ndim, None) if values.ndim > 1 else None
        return scaled_constant(units, least_squares(values, units, axes, power), 2)


@dataclass(frozen=True)
class StochasticBinary(Binary):
    """stochastic_binary: in inference it is binary."""

    parameters: ClassVar[tuple[str, ...]] = ("alpha", "temperature", "use_real_sigmoid")

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration."""
        config.ignore_all(TRAINING)
        return cls(read_alpha(config))


@dataclass(frozen=True)
class Ternary(Scaled):
    """ternary, and stochastic_ternary in inference: -1, 0, 1 with 0 where |x| is under the threshold (0.33)."""

    threshold: float | None = None
    unrolls: int = 5

    parameters: ClassVar[tuple[str, ...]] = ("alpha", "threshold", "use_stochastic_rounding", "number_of_unrolls")

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration."""
        stochastic = config.boolean("use_stochastic_rounding", False)
        alpha = read_alpha(config)
        if stochastic and alpha is not None and not isinstance(alpha, str):
            raise config.refusal("use_stochastic_rounding", stochastic, "qkeras takes it with an automatic alpha only")
        unrolls = config.integer("number_of_unrolls", 5, low=0)
        if unrolls > MOST_UNROLLS:
            raise config.refusal("number_of_unrolls", unrolls, f"at most {MOST_UNROLLS}")
        threshold = None if config.take("threshold", None) is None else config.real("threshold")
        return cls(alpha, threshold, unrolls)

    def unscaled(self, x: Node, where: str) -> Node:
        """Apply it with alpha 1."""
        bound = f32(0.33 if self.threshold is None else self.threshold)
        probes = (-2.0 * float(bound), 0.0, 2.0 * float(bound)) if bound > 0 else (-1.0, 0.0, 1.0)
        return step(x, *thresholds_of(lambda v: f32((np.abs(v) >= bound) * np.sign(v)), probes), where)

    def automatic(self, values: NDArray, where: str, *, power: bool) -> Constant:
        """Scale and zeros by turns: two thirds of the greatest weight first, then least squares."""
        if self.threshold is not None:
            what = f"a threshold together with alpha={self.alpha!r}, which chooses the threshold itself"
            raise UnsupportedError(what, where=where, hint="leave the threshold out, or give alpha as a number")
        axes = scaling_axes(values.ndim, None) if values.ndim > 1 else None
        with np.errstate(all="ignore"):
            scale = f32(f32(f32(2) * np.abs(values).max(axis=axes, keepdims=True)) / f32(3))
            scale, units = nearest_power(scale) if power else scale, np.zeros_like(values)
            for _ in range(self.unrolls):
                near = f32(scale * np.rint(f32(values / scale)))
                units = f32((np.abs(near) >= f32(scale / f32(2))) * np.sign(values))
                scale = least_squares(values, units, axes, power)
        return scaled_constant(units, scale, 2)


@dataclass(frozen=True)
class StochasticTernary(Ternary):
    """stochastic_ternary: in inference it is ternary."""

    parameters: ClassVar[tuple[str, ...]] = (
        "alpha", "threshold", "temperature", "use_real_sigmoid", "number_of_unrolls",
    )  # fmt: skip

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration."""
        config.ignore_all(TRAINING)
        return super().read(config)


@dataclass(frozen=True)
class PowerOfTwo(Stepped):
    """quantized_po2: the sign and the nearest power of two, by the logarithm. There is no zero: 0 is 2^least."""

    bits: int = 8
    max_value: float | None = None
    quadratic: bool = False
    floor: bool = False
    slope: float = 0.0

    parameters: ClassVar[tuple[str, ...]] = (
        "bits", "max_value", "use_stochastic_rounding", "quadratic_approximation", "log2_rounding", "qnoise_factor",
        "var_name", "use_ste", "use_variables",
    )  # fmt: skip
    sign_bits: ClassVar[int] = 1

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration."""
        read_common(config)
        bits = config.integer("bits", 8, low=1)
        top = None if config.take("max_value", None) is None else config.real("max_value")
        if top is not None and top < 0:
            raise config.refusal("max_value", top, "qkeras takes 0 or more")
        least = cls.sign_bits + (top is None or top > 1)
        if not least <= bits <= 8 + cls.sign_bits:
            hint = f"{least} (the signs) to {8 + cls.sign_bits} bits; float32 has exponents of 8"
            raise config.refusal("bits", bits, hint)
        floor = config.choice("log2_rounding", "rnd", "floor", default="rnd") == "floor"
        return cls(bits, top, config.boolean("quadratic_approximation", False), floor, **cls._more(config, bits))

    @classmethod
    def _more(cls, config: Attributes, bits: int) -> dict[str, Any]:
        return {}

    @property
    def inexact(self) -> str:
        """Its edges are where a logarithm in float32 rounds."""
        return "values within a last bit of an edge between two powers of two may fall on either side in qkeras"

    @property
    def exponents(self) -> tuple[int, int]:
        """The least and the greatest exponent; a max_value of at most 1 saves the exponent's sign."""
        bits = self.bits - self.sign_bits - (self.max_value is None or self.max_value > 1)
        top = int(2.0**bits - 1)
        return int(-(2.0**bits)), 2 * (top // 2) if self.quadratic else top

    def exponent(self, size: NDArray) -> NDArray:
        """Give the exponent for absolute values, in float32."""
        least, greatest = self.exponents
        clipped = np.maximum(size, EPSILON)
        if self.max_value is not None:
            clipped = np.minimum(clipped, f32(self.max_value))
        with np.errstate(divide="ignore"):
            log = f32(np.log(np.sqrt(clipped) if self.quadratic else clipped) / LN2)
        whole = np.floor(log) if self.floor else np.rint(log)
        power = (2 if self.quadratic else 1) * np.clip(whole, least, greatest)
        return np.asarray(np.where(size < EPSILON, least, power))

    def function(self, x: NDArray) -> NDArray:
        """Compute it in float32."""
        return f32(np.where(x >= 0, 1, -1) * np.exp2(self.exponent(np.abs(x))))

    def probes(self) -> Sequence[float]:
        """Give points closer to each other than the powers of two are, on both sides of every edge."""
        sizes = [1.05 * 2.0 ** (k / 4) for k in range(-4 * 60, 4 * 100)]
        return [0.0, *sizes, *(-s for s in sizes)]


@dataclass(frozen=True)
class ReluPowerOfTwo(PowerOfTwo):
    """quantized_relu_po2: powers of two above zero; below it 2^least, or minus a power of two of ``slope`` times x."""

    parameters: ClassVar[tuple[str, ...]] = (
        "bits", "max_value", "negative_slope", *PowerOfTwo.parameters[2:],
    )  # fmt: skip
    sign_bits: ClassVar[int] = 0

    @classmethod
    def _more(cls, config: Attributes, bits: int) -> dict[str, Any]:
        slope = config.real("negative_slope", 0)
        if slope != 0 and not is_slope(slope):
            raise config.refusal("negative_slope", slope, "qkeras takes 0 or a power of two")
        return {"slope": slope}

    def function(self, x: NDArray) -> NDArray:
        """Compute it in float32."""
        positive = np.exp2(self.exponent(np.maximum(x, f32(0))))
        if not self.slope:
            return f32(positive)
        return f32(np.where(x >= 0, positive, -np.exp2(self.exponent(f32(np.maximum(-x, f32(0)) * f32(self.slope))))))


def quantizers() -> Iterator[tuple[str, type[Quantizer]]]:
    """Give the quantizers of this module by their names."""
    yield from (
        ("binary", Binary),
        ("stochastic_binary", StochasticBinary),
        ("ternary", Ternary),
        ("stochastic_ternary", StochasticTernary),
        ("quantized_po2", PowerOfTwo),
        ("quantized_relu_po2", ReluPowerOfTwo),
    )
