"""What every quantizer of qkeras has in common: its two uses, on stored weights and on a tensor that passes through."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, frexp
from typing import ClassVar, Self

import numpy as np

from ...graph import Array, Fixed, Graph, Node, Op, Overflow, Rounding, UnsupportedError, trace
from ...graph.arrays import NDArray
from ...graph.formats import narrowest
from ...graph.ops import Add, Constant, Input, Maximum, Minimum, Mul, Output, Quantize, Step, Sub
from ..attributes import Attributes
from .numbers import exact_constant, f32, power_of_two_of, real_values, scaled_constant, thresholds_of

Alpha = None | str | float | tuple[float, ...]
"""The scale of a quantizer: none (1; on a kernel ``auto_po2``), ``auto``, ``auto_po2``, or numbers by channel."""

FLOAT_BITS = 24
"""Beyond as many bits without the sign, float32 rounds qkeras's upper bound ``2^bits - 1`` to ``2^bits``."""


@dataclass(frozen=True)
class Quantizer(ABC):
    """A quantizer with its parameters. Subclasses say how it is read, what it does to a tensor, and to weights."""

    parameters: ClassVar[tuple[str, ...]] = ()
    """The names in the order of the constructor, for quantizers written as text."""

    @property
    def inexact(self) -> str:
        """Why float32 may give other values on a tensor than exact arithmetic; empty where it does not."""
        return ""

    @classmethod
    @abstractmethod
    def read(cls, config: Attributes) -> Self:
        """Make one from its configuration. Raises UnsupportedError for what is random or mixes floats in."""

    @abstractmethod
    def nodes(self, x: Node, where: str) -> Node:
        """Apply it to a tensor, in the name ``where``."""

    def trainable(self) -> "Quantizer":
        """Give what a layer makes of it for its kernel: without an alpha, qkeras chooses powers of two itself."""
        return self

    def weights(self, values: NDArray, where: str) -> Constant:
        """Apply it to stored float32 values. The result means exactly what qkeras's quantizer is meant to give."""
        shown = Input("weights", values.shape)
        source = Node(shown)
        result = self.nodes(source, where)
        graph = Graph((source,), (Node(Output("q"), (result,)),))
        stored = trace(graph, f32(values)[None])[result][0]
        return Constant(Array(stored), result.type.format)

    def compute(self, values: NDArray) -> NDArray:
        """Apply it to float32 values, in float32: the function that ``nodes`` and ``weights`` stand for."""
        return real_values(self.weights(f32(values), ""))


@dataclass(frozen=True)
class Scaled(Quantizer):
    """A quantizer with an ``alpha``. ``auto`` and ``auto_po2`` take the scale from the values: they are for weights."""

    alpha: Alpha = None

    def trainable(self) -> "Quantizer":
        """Without an alpha, qkeras uses ``auto_po2`` on what is trained."""
        return replace(self, alpha="auto_po2") if self.alpha is None else self

    @abstractmethod
    def unscaled(self, x: Node, where: str) -> Node:
        """Apply it to a tensor with alpha 1."""

    @abstractmethod
    def automatic(self, values: NDArray, where: str, *, power: bool) -> Constant:
        """Quantize weights with a scale computed from them: a power of two (``power``) or any."""

    def nodes(self, x: Node, where: str) -> Node:
        """Apply it to a tensor. Raises UnsupportedError where alpha depends on the data."""
        if isinstance(self.alpha, str):
            what = f"alpha={self.alpha!r} on an activation takes its scale from each batch: there is no fixed function"
            raise UnsupportedError(what, where=where, hint="give the quantizer alpha=1 (or a number) and train again")
        y = self.unscaled(x, where)
        return y if self.alpha is None or self.alpha == 1.0 else apply(Mul(), y, scale_constant(self.alpha), where)

    def weights(self, values: NDArray, where: str) -> Constant:
        """Apply it to stored values, with the scale that alpha says."""
        if isinstance(self.alpha, str):
            if values.ndim == 0:
                what = f"alpha={self.alpha!r} has no channel to take a scale from on a single number"
                raise UnsupportedError(what, where=where, hint="use alpha=1")
            return self.automatic(f32(values), where, power=self.alpha == "auto_po2")
        return super().weights(values, where)


def read_alpha(config: Attributes) -> Alpha:
    """Read ``alpha``: None, a word, a number or several. Raises UnsupportedError for others, and for 0 and below."""
    alpha = config.take("alpha", None)
    if alpha is None or alpha in ("auto", "auto_po2"):
        return None if alpha is None else str(alpha)
    cells = np.asarray(alpha, dtype=object) if not isinstance(alpha, np.ndarray) else alpha
    try:
        numbers = cells.astype(np.float32)
    except (TypeError, ValueError):
        raise config.refusal("alpha", alpha, "None, 'auto', 'auto_po2' or a number") from None
    if not (np.isfinite(numbers).all() and (numbers > 0).all()) or isinstance(alpha, (str, bool)):
        raise config.refusal("alpha", alpha, "a scale is a number above zero")
    if numbers.size == 1 and numbers.ndim <= 1:
        return float(numbers.reshape(()))
    if any(n != 1 for n in numbers.shape[:-1]):
        raise config.refusal("alpha", alpha, "one scale a channel (the last axis) is what a tensor can have")
    return tuple(float(v) for v in numbers.ravel())


def scale_constant(alpha: Alpha) -> Constant:
    """Give numeric alphas as a constant: one unit of an exact scale each."""
    scale = f32(alpha)
    return scaled_constant(np.ones(scale.shape), scale, 1, signed=False)


NO_EFFECT = {
    "var_name": "names a TensorFlow variable",
    "use_variables": "where qkeras keeps the parameters while training",
    "use_ste": "how gradients flow; with qnoise_factor 1 the values are the same",
}


def read_common(config: Attributes) -> None:
    """Read what most quantizers share. Raises UnsupportedError for a noise factor under 1."""
    if config.real("qnoise_factor", 1.0) != 1.0:
        hint = "quantized values mixed with float ones have no integer meaning; end the training with qnoise_factor 1"
        raise config.refusal("qnoise_factor", config.peek("qnoise_factor"), hint)
    config.ignore("use_stochastic_rounding", why="random in training only; inference rounds to nearest")
    config.ignore_all(NO_EFFECT)


def is_slope(value: float) -> bool:
    """Whether a number is a power of two that keeps clear of the ends of float32."""
    return frexp(value)[0] == 0.5 and 2.0**-60 <= value <= 2.0**60


def apply(op: Op, x: Node, y: Constant, where: str) -> Node:
    """Apply an operation of two operands to a tensor and a constant."""
    return Node(op, (x, Node(y, (), f"{where}/{type(op).__name__.lower()}")), where)


def times(x: Node, power: float, where: str) -> Node:
    """Multiply by a power of two."""
    return x if power == 1.0 else apply(Mul(), x, power_of_two_of(power), where)


def plus(x: Node, value: float, where: str) -> Node:
    """Add a number."""
    return apply(Add(), x, exact_constant(f32(value)), where) if value else x


def minus(x: Node, value: float, where: str) -> Node:
    """Subtract a number."""
    return apply(Sub(), x, exact_constant(f32(value)), where) if value else x


def at_least(x: Node, value: float, where: str) -> Node:
    """Clip from below."""
    return apply(Maximum(), x, exact_constant(f32(value)), where)


def at_most(x: Node, value: float, where: str) -> Node:
    """Clip from above."""
    return apply(Minimum(), x, exact_constant(f32(value)), where)


def to_fixed(x: Node, width: int, integer: int, where: str, *, signed: bool, symmetric: bool = False) -> Node:
    """Round to nearest, halves to even, and saturate: what ``tf.round`` and a clip do."""
    mode = Overflow.SAT_SYM if symmetric else Overflow.SAT
    return Node(Quantize(Fixed(width, integer, signed), Rounding.RND_CONV, mode), (x,), where)


def rounded(x: Node, bits: int, integer: int, where: str, *, signed: bool, symmetric: bool = False) -> Node:
    """Quantize to ``bits`` (no sign counted), ``integer`` of them before the point, with the bounds of float32."""
    if bits <= FLOAT_BITS:
        return to_fixed(x, bits + signed, integer + signed, where, signed=signed, symmetric=symmetric)
    wide = to_fixed(x, bits + 1 + signed, integer + 1 + signed, where, signed=signed)
    top = at_most(wide, 2.0**integer, where)
    return at_least(top, -(2.0**integer), where) if signed else top


def step(x: Node, thresholds: NDArray, values: NDArray, where: str) -> Node:
    """Give a piecewise constant function of a tensor."""
    edges = Node(_threshold_constant(x, f32(thresholds)), (), f"{where}/thresholds")
    return Node(Step(), (x, edges, Node(exact_constant(values), (), f"{where}/values")), where)


def _threshold_constant(x: Node, thresholds: NDArray) -> Constant:
    """Give the thresholds as floats, or for a tensor of integers in its own units: x >= t is q >= ceil(t / scale)."""
    if not x.type.is_integer or not isinstance(scale := x.type.quantized.scale, Fraction):
        return Constant(Array(thresholds))
    low, high = (int(v) for v in (x.type.interval[0].min(), x.type.interval[1].max()))
    units = [min(max(ceil(Fraction(float(t)) / scale), low), high + 1) for t in thresholds]
    return Constant(Array(np.array(units, np.int64)), narrowest(scale, min(units), max(units)))


class Stepped(Quantizer):
    """A quantizer that is a piecewise constant function, given by its float32 arithmetic."""

    @abstractmethod
    def function(self, x: NDArray) -> NDArray:
        """Compute it in float32, as qkeras does."""

    @abstractmethod
    def probes(self) -> Sequence[float]:
        """Give points of which at least one lies in every piece."""

    def nodes(self, x: Node, where: str) -> Node:
        """Apply it to a tensor: thresholds and values."""
        thresholds, values = thresholds_of(self.function, self.probes())
        return step(x, thresholds, values, where) if thresholds.size else self._constant(x, values, where)

    def _constant(self, x: Node, values: NDArray, where: str) -> Node:
        """Apply a function of one value: a step that both sides of have it."""
        return step(x, f32([0.0]), np.repeat(values, 2), where)

    def weights(self, values: NDArray, where: str) -> Constant:
        """Apply it to stored values; the format is as narrow as the results allow."""
        return exact_constant(self.function(f32(values)))
