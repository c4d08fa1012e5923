"""What a layer is made of: amounts of primitives, whose costs are fitted.

An amount is a count that follows from the layer: bits of adders, multipliers, bits of multiplexers, elements looked up.
``rules`` gives them; ``costs`` holds what one of each takes at the level of the HLS report.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from ..design import Resource


@dataclass
class Amounts:
    """``lut`` and ``ff``: amounts by primitive; ``fixed``: counts that are exact by the template; ``dsp``: multipliers.

    ``inexact``: resources among dsp and bram whose rule is an estimate here; ``most``: what such a count cannot exceed.
    """

    lut: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    ff: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    fixed: dict[Resource, float] = field(default_factory=lambda: defaultdict(float))
    inexact: set[Resource] = field(default_factory=set)
    most: dict[Resource, float] = field(default_factory=lambda: defaultdict(float))
    unknown: str = ""

    def add(self, other: "Amounts") -> None:
        """Add another layer's amounts."""
        for mine, theirs in ((self.lut, other.lut), (self.ff, other.ff)):
            for name, amount in theirs.items():
                mine[name] += amount
        for resource in self.most.keys() | other.most.keys():
            self.most[resource] = self.bound(resource) + other.bound(resource)
        for resource, count in other.fixed.items():
            self.fixed[resource] += count
        self.inexact |= other.inexact
        self.unknown = self.unknown or other.unknown

    def bound(self, resource: Resource) -> float:
        """Give what a count cannot exceed: the count itself where its rule says no more."""
        return max(self.most.get(resource, 0.0), self.fixed.get(resource, 0.0))


__all__ = ["Amounts"]
