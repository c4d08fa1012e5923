"""Reports of the vendor's tools beside what was estimated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....simulation.figures import Figure
from .. import numbers
from ..document import LEVELS, NAMES, cost, levels, rows
from ..panel import Document, Panel
from ..template import fill

COSIM = "Co-simulation of the C code and the circuit"
TIMES = {"latency_cycles": "Latency, cycles", "interval_cycles": "Interval, cycles", "clock_ns": "Clock period"}


@dataclass(frozen=True)
class Pair:
    """One figure twice: ``inside`` says whether the reported one lies in the band of the estimate."""

    name: str
    reported: Figure
    estimated: Figure | None

    @property
    def inside(self) -> bool | None:
        """Whether the estimate's band holds what was reported."""
        if self.estimated is None:
            return None
        return self.estimated.low <= self.reported.high and self.reported.low <= self.estimated.high

    @property
    def error(self) -> str:
        """How far the estimate is off, in percent of what was reported."""
        if self.estimated is None or not self.reported.value:
            return ""
        share = self.estimated.value / self.reported.value - 1
        return f"{'+' if share > 0 else numbers.MINUS if share < 0 else ''}{numbers.percent(abs(share))}"


@dataclass(frozen=True)
class Report:
    """An imported report: figures of the whole design, and of its layers by name."""

    title: str
    pairs: tuple[Pair, ...]
    layers: tuple[tuple[str, tuple[Pair, ...]], ...]


def vendor(document: Document) -> Panel | None:
    """Set each imported report beside the estimates of its level."""
    reports = [_report(document, r) for r in document.get("vendor") or () if isinstance(r, Mapping)]
    if not reports:
        return None
    return Panel("vendor", "Reports of the vendor's tools", fill("vendor.html", reports=reports), 800, "Vendor")


def _report(document: Document, entry: Mapping[str, Any]) -> Report:
    level = str(entry.get("level", "hls"))
    tool = " ".join(str(entry[k]) for k in ("tool", "version") if entry.get(k))
    title = ", ".join(t for t in (LEVELS.get(level, COSIM), tool, str(entry.get("file", ""))) if t)
    estimates = levels(document).get(level, {})
    pairs = [_pair(NAMES.get(n, n.upper()), f, estimates.get(n)) for n, f in (entry.get("resources") or {}).items()]
    times = cost(document).get("hls", {}) if level == "hls" else cost(document)
    pairs += [_pair(t, entry.get(n), numbers.read(times.get(n))) for n, t in TIMES.items()]
    return Report(title, tuple(p for p in pairs if p is not None), _by_layer(document, entry, level))


def _by_layer(document: Document, entry: Mapping[str, Any], level: str) -> tuple[tuple[str, tuple[Pair, ...]], ...]:
    """Give what a report says of single layers."""
    known = {row.name: row for row in rows(document)}
    found = []
    for name, counts in (entry.get("layers") or {}).items():
        row = known.get(name)
        pairs = [_pair(NAMES.get(n, n.upper()), c, row.count(level, n) if row else None) for n, c in counts.items()]
        found.append((str(name), tuple(p for p in pairs if p is not None)))
    return tuple(found)


def _pair(name: str, entry: object, estimated: Figure | None) -> Pair | None:
    if isinstance(entry, (int, float)):
        entry = {"value": entry, "kind": "vendor", "source": "the report"}
    reported = numbers.read(entry)
    return None if reported is None else Pair(name, reported, estimated)
