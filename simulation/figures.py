"""Figures: a number with its band, its unit, what kind of knowledge it is, and where it comes from."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["exact", "simulated", "estimated", "measured", "vendor"]
"""exact: follows from the template; simulated: a run of a model of the design; estimated: a fit; measured: a run of the
artefact; vendor: a report of the vendor's tool.
"""

KINDS: tuple[Kind, ...] = ("exact", "simulated", "estimated", "measured", "vendor")
"""From the best founded that needs no run to what a tool said; a sum is of the weakest kind of its parts."""
_WEAKNESS: dict[Kind, int] = {"exact": 0, "vendor": 1, "measured": 2, "simulated": 3, "estimated": 4}


@dataclass(frozen=True)
class Figure:
    """``value`` lies between ``low`` and ``high``: the band that covered 90 % in cross-validation, or the value alone
    where it is exact.

    ``source``: the formula, data or run behind it, in a few words.
    """

    value: float
    low: float
    high: float
    unit: str
    kind: Kind
    source: str

    def __post_init__(self) -> None:
        assert all(map(isfinite, (self.low, self.value, self.high))), self
        assert self.low <= self.value <= self.high, self

    @property
    def is_exact(self) -> bool:
        """Whether the band is the value alone."""
        return self.low == self.high

    def scaled(self, factor: float, unit: str) -> "Figure":
        """Give the figure in another unit, or of so many of it."""
        assert factor >= 0
        return replace(self, value=self.value * factor, low=self.low * factor, high=self.high * factor, unit=unit)

    def as_dict(self) -> dict[str, Any]:
        """Give the manifest's entry."""
        return {
            "value": _plain(self.value), "low": _plain(self.low), "high": _plain(self.high), "unit": self.unit,
            "kind": self.kind, "source": self.source,
        }  # fmt: skip


def exact(value: float, unit: str, source: str, kind: Kind = "exact") -> Figure:
    """Give a figure without a band."""
    return Figure(value, value, value, unit, kind, source)


def weakest(figures: Iterable[Figure]) -> Kind:
    """Give the kind of what is computed from all of these."""
    return max((f.kind for f in figures), key=_WEAKNESS.__getitem__, default="exact")


def _plain(value: float) -> float | int:
    """Whole numbers as such; others to six digits, which is more than any of them knows."""
    return int(value) if float(value).is_integer() else float(f"{value:.6g}")


__all__ = ["KINDS", "Figure", "Kind", "exact", "weakest"]
