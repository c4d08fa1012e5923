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

    ``inexact``: resources among dsp and bram whose rule is an estimate here.
    """

    lut: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    ff: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    fixed: dict[Resource, float] = field(default_factory=lambda: defaultdict(float))
    inexact: set[Resource] = field(default_factory=set)
    unknown: str = ""

    def add(self, other: "Amounts") -> None:
        """Add another layer's amounts."""
        for mine, theirs in ((self.lut, other.lut), (self.ff, other.ff)):
            for name, amount in theirs.items():
                mine[name] += amount
        for resource, count in other.fixed.items():
            self.fixed[resource] += count
        self.inexact |= other.inexact
        self.unknown = self.unknown or other.unknown


__all__ = ["Amounts"]
