"""quantized_relu: a quantized ReLU, leaky ReLU or half a hard sigmoid, with an upper bound."""

from dataclasses import dataclass
from math import frexp
from typing import ClassVar, Self

from ...graph import Node
from ...graph.ops import Add
from ..attributes import Attributes
from .numbers import f32
from .quantizer import Quantizer, at_least, at_most, is_slope, minus, plus, read_common, rounded, times

MOST = 60


@dataclass(frozen=True)
class QuantizedRelu(Quantizer):
    """``bits`` of them one fewer with a negative slope; ``upper`` is None where the quantizer itself is the bound."""

    bits: int = 8
    integer: int = 0
    use_sigmoid: bool = False
    slope: float = 0.0
    upper: float | None = None

    parameters: ClassVar[tuple[str, ...]] = (
        "bits", "integer", "use_sigmoid", "negative_slope", "use_stochastic_rounding", "relu_upper_bound",
        "is_quantized_clip", "qnoise_factor", "var_name", "use_ste", "use_variables",
    )  # fmt: skip

    @classmethod
    def read(cls, config: Attributes) -> Self:
        """Read the configuration. While is_quantized_clip is true (as in all files) the bound does nothing."""
        read_common(config)
        bits, integer = config.integer("bits", 8, low=1), config.integer("integer", 0)
        if bits > MOST or not -MOST <= integer <= MOST:
            raise config.refusal("bits", bits, f"at most {MOST} bits")
        slope = config.real("negative_slope", 0.0)
        if slope != 0 and not is_slope(slope):
            raise config.refusal("negative_slope", slope, "qkeras takes 0 or a power of two")
        clipped = config.boolean("is_quantized_clip", True)
        upper = config.take("relu_upper_bound", None)
        if upper is not None:
            upper = config.real("relu_upper_bound")
        return cls(bits, integer, config.boolean("use_sigmoid", False), slope, None if clipped or not upper else upper)

    @property
    def plain_bits(self) -> int:
        """Bits of a positive value."""
        return self.bits - (self.slope != 0)

    @property
    def unit(self) -> float:
        """2^integer, where the positive half ends."""
        return float(2.0**self.integer)

    def nodes(self, x: Node, where: str) -> Node:
        """Apply it to a tensor: the positive half, plus the negative one where there is a slope, then the bound."""
        halves = self._sigmoid_halves(x, where) if self.use_sigmoid else self._plain_halves(x, where)
        y = halves[0] if len(halves) == 1 else Node(Add(), tuple(halves), where)
        return y if self.upper is None else at_most(y, self.upper, where)

    def _plain_halves(self, x: Node, where: str) -> list[Node]:
        bits = self.plain_bits
        positive = [rounded(x, bits, self.integer, where, signed=False)] if bits else []
        if not self.slope:
            return positive
        extra = max(0, frexp(self.slope)[1])
        low = rounded(times(x, self.slope, where), bits + extra, self.integer + extra, where, signed=True)
        return [*positive, at_least(at_most(low, 0.0, where), -self.slope * self.unit, where)]

    def _sigmoid_halves(self, x: Node, where: str) -> list[Node]:
        """2 * round(hard_sigmoid(x) * m) / m - 1 is from -1 to 1; each half clips it at 0, the upper one below 1."""
        share = at_least(at_most(plus(times(x, 0.5 / self.unit, where), 0.5, where), 1.0, where), 0.0, where)
        bits = self.plain_bits
        top = float(self.unit * f32(1.0 - f32(2.0**-bits)))
        positive = at_least(self._spread(share, 1.0, where), 0.0, where)
        halves = [at_most(positive, top, where)]
        if not self.slope:
            return halves
        negative = self._spread(times(share, self.slope, where), self.slope, where)
        return [*halves, at_least(at_most(negative, 0.0, where), -self.slope * self.unit, where)]

    def _spread(self, share: Node, slope: float, where: str) -> Node:
        """Round a value from 0 to ``slope`` and stretch it to ``-slope * unit .. slope * unit``."""
        extra = 1 + max(0, frexp(slope)[1])
        level = rounded(share, self.plain_bits + extra, extra, where, signed=False)
        return minus(times(level, 2.0 * self.unit, where), slope * self.unit, where)
