"""Quantized tanh, sigmoid and mu-law, and the plain functions of qkeras, some under names that Keras has too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ...graph import Node
from ...graph.arrays import NDArray
from ...graph.ops import Activation, Mul
from ..attributes import Attributes
from .numbers import exact_constant, f32
from .quantizer import Quantizer, Stepped, apply, at_least, at_most, minus, plus, rounded, times

MOST = 24


def hard_sigmoid(x: Node, where: str) -> Node:
    """Clip 0.5 x + 0.5 to 0 .. 1 (Keras has another function of this name)."""
    return at_least(at_most(plus(times(x, 0.5, where), 0.5, where), 1.0, where), 0.0, where)


def smooth_sigmoid(x: Node, where: str) -> Node:
    """Clip 0.1875 x + 0.5 to 0 .. 1."""
    line = plus(apply(Mul(), x, exact_constant(f32(0.1875)), where), 0.5, where)
    return at_least(at_most(line, 1.0, where), 0.0, where)


def binary_sigmoid(x: Node, where: str) -> Node:
    """0 or 1: the hard sigmoid rounded, a half to 0."""
    return rounded(hard_sigmoid(x, where), 1, 1, where, signed=False)


def _doubled(sigmoid: Callable[[Node, str], Node]) -> Callable[[Node, str], Node]:
    return lambda x, where: minus(times(sigmoid(x, where), 2.0, where), 1.0, where)


FUNCTIONS: dict[str, Callable[[Node, str], Node]] = {
    "hard_sigmoid": hard_sigmoid,
    "smooth_sigmoid": smooth_sigmoid,
    "binary_sigmoid": binary_sigmoid,
    "hard_tanh": _doubled(hard_sigmoid),
    "smooth_tanh": _doubled(smooth_sigmoid),
    "binary_tanh": _doubled(binary_sigmoid),
}
"""By the names that a layer of qkeras finds before those of Keras."""


@dataclass(frozen=True)
class _Squashed(Quantizer):
    """What tanh and sigmoid share; ``real`` picks the function itself instead of straight lines."""

    bits: int = 8
    symmetric: bool = False
    real: bool = False

    flag: ClassVar[str] = ""

    @property
    def inexact(self) -> str:
        """The real function is not one of float32."""
        return "the real function in float32 may fall on the other side of a tie than here" if self.real else ""

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration."""
        config.ignore("use_stochastic_rounding", why="random in training only; inference rounds to nearest")
        bits = config.integer("bits", 8, low=1)
        if bits > MOST:
            raise config.refusal("bits", bits, f"at most {MOST} bits, beyond which float32 rounds by itself")
        return cls(bits, config.boolean("symmetric", False), config.boolean(cls.flag, False))


class QuantizedTanh(_Squashed):
    """quantized_tanh: -1 .. 1 in ``bits`` with the sign; without ``use_real_tanh`` simply x, clipped."""

    parameters: ClassVar[tuple[str, ...]] = ("bits", "use_stochastic_rounding", "symmetric", "use_real_tanh")
    flag: ClassVar[str] = "use_real_tanh"

    def nodes(self, x: Node, where: str) -> Node:
        """Apply it to a tensor."""
        y = Node(Activation("tanh"), (x,), where) if self.real else x
        return rounded(y, self.bits - 1, 0, where, signed=True, symmetric=self.symmetric)


class QuantizedSigmoid(_Squashed):
    """quantized_sigmoid: 0 .. 1 in ``bits``; symmetric leaves out 0."""

    parameters: ClassVar[tuple[str, ...]] = ("bits", "symmetric", "use_real_sigmoid", "use_stochastic_rounding")
    flag: ClassVar[str] = "use_real_sigmoid"

    def nodes(self, x: Node, where: str) -> Node:
        """Apply it to a tensor."""
        y = Node(Activation("sigmoid"), (x,), where) if self.real else plus(times(x, 0.5, where), 0.5, where)
        level = rounded(y, self.bits, 0, where, signed=False)
        return at_least(level, 2.0**-self.bits, where) if self.symmetric else level


@dataclass(frozen=True)
class QuantizedUlaw(Stepped):
    """quantized_ulaw: mu-law companding of a hard sigmoid. Its values are logarithms, kept as float32 has them."""

    bits: int = 8
    integer: int = 0
    symmetric: bool = False
    u: float = 255.0

    parameters: ClassVar[tuple[str, ...]] = ("bits", "integer", "symmetric", "u")

    @property
    def inexact(self) -> str:
        """Its values are not those of a grid."""
        return "the levels are logarithms in float32, whose last bit differs between machines"

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration."""
        bits, u = config.integer("bits", 8, low=1), config.real("u", 255.0)
        if bits > 16:
            raise config.refusal("bits", bits, "at most 16")
        if u <= 0:
            raise config.refusal("u", u, "above 0")
        integer = config.integer("integer", 0)
        if abs(integer) > 60:
            raise config.refusal("integer", integer, "from -60 to 60")
        return cls(bits, integer, config.boolean("symmetric", False), u)

    def function(self, x: NDArray) -> NDArray:
        """Compute it in float32."""
        unit, levels = f32(2.0**self.integer), f32(2.0 ** (self.bits - 1))
        share = np.clip(f32(f32(0.5) * f32(x / unit) + f32(0.5)), f32(0), f32(1))
        line = f32(f32(2) * f32(np.rint(share * levels) / levels) - f32(1))
        law = f32(np.sign(line) * np.log(f32(1 + f32(self.u) * np.abs(line))) / np.log(f32(1 + self.u)))
        return f32(unit * np.clip(law, f32(-1 + self.symmetric / float(levels)), f32(1 - 1 / float(levels))))

    def probes(self) -> Sequence[float]:
        """Give the centre of every piece."""
        levels = 2 ** (self.bits - 1)
        return [2.0**self.integer * (2 * k / levels - 1) for k in range(levels + 1)]


__all__ = ["FUNCTIONS", "QuantizedSigmoid", "QuantizedTanh", "QuantizedUlaw"]
