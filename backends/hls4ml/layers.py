"""The network as hls4ml will see it: layers with exact types, before hls4ml is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...graph import Fixed, Node, Op, Overflow, Rounding, Tensor
from .kernel import Kernel, carrier
from .options import Options


@dataclass(frozen=True)
class HlsType:
    """An element type: ``ap_[u]fixed<width, integer, rounding, overflow>``."""

    format: Fixed
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    @property
    def width(self) -> int:
        """Bits in all."""
        assert isinstance(self.format.width, int)
        return self.format.width

    @property
    def integer(self) -> int:
        """Bits before the point, the sign included."""
        assert isinstance(self.format.integer, int)
        return self.format.integer

    @property
    def fraction(self) -> int:
        """Bits after the point."""
        return self.width - self.integer

    @property
    def signed(self) -> bool:
        """Whether the type has a sign."""
        return bool(self.format.signed)


def type_of(tensor: Tensor) -> HlsType:
    """Give the type that carries a tensor, without rounding: nothing that is assigned to it needs any."""
    return HlsType(carrier(tensor))


@dataclass(frozen=True)
class Wire:
    """A tensor between layers. ``node`` is the graph's node whose value it carries (None for a helper's)."""

    name: str
    shape: tuple[int, ...]
    type: HlsType
    node: Node | None = None


@dataclass(frozen=True)
class Layer:
    """One layer of hls4ml's: its class (``kind``), attributes, and the types that it must end up with.

    ``product`` is (n_in, n_out) for layers that multiply by a matrix; strategy and reuse factor come from it.
    """

    kind: str
    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    types: Mapping[str, HlsType] = field(default_factory=dict[str, HlsType])
    product: tuple[int, int] | None = None
    kernel: Kernel | None = None
    name: str = ""

    @property
    def output(self) -> Wire:
        """The only output."""
        (wire,) = self.outputs
        return wire


@dataclass(frozen=True)
class Request:
    """What a rule is asked: to compute ``node`` from ``inputs`` (its operands that are no constants) into ``result``.

    ``result`` may be the format of the one quantizer that reads the node: rounding and overflow are then part of the
    layer.
    """

    node: Node
    inputs: tuple[Wire, ...]
    result: Wire
    options: Options

    @property
    def stream(self) -> bool:
        """Whether tensors travel through FIFOs."""
        return self.options.stream

    def helper(self, suffix: str, shape: tuple[int, ...], type: HlsType) -> Wire:
        """Give a wire inside of this operation."""
        return Wire(f"{self.result.name}_{suffix}", shape, type)


Rule = Callable[[Request], "tuple[Layer, ...] | None"]
"""Gives the layers of hls4ml's own that compute a node exactly, or None where it has none that does."""

NATIVE: dict[type[Op], Rule] = {}
"""Operations that hls4ml has, at least for some attributes and shapes."""


def native(*ops: type[Op]) -> Callable[[Rule], Rule]:
    """Register the rule that uses hls4ml's own layers."""

    def register(rule: Rule) -> Rule:
        for op in ops:
            assert op not in NATIVE, f"two rules for {op.__name__}"
            NATIVE[op] = rule
        return rule

    return register
