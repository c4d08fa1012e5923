"""What a vendor's report says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ...graph import FileError
from ...simulation.figures import Figure, exact

Level: TypeAlias = Literal["hls", "synthesis", "implementation", "cosim"]
UNITS = {
    "lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "BRAM18", "uram": "URAM", "alm": "ALM", "m20k": "M20K",
    "memory_bits": "bit",
}  # fmt: skip


@dataclass(frozen=True)
class VendorReport:
    """``tool`` and ``version`` as the report names them; ``level``: what was counted; ``top``: the design's name there.

    ``resources``: counts (``bram`` in 18-kbit blocks); ``clock``: target, estimated or achieved period in nanoseconds;
    ``latency`` and ``interval``: least and most cycles; ``modules``: counts of parts by their names.
    """

    tool: str
    version: str
    level: Level
    file: str = ""
    sha256: str = ""
    top: str = ""
    part: str = ""
    resources: Mapping[str, float] = field(default_factory=dict[str, float])
    clock: Mapping[str, float] = field(default_factory=dict[str, float])
    latency: tuple[float, float] | None = None
    interval: tuple[float, float] | None = None
    modules: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])

    @property
    def source(self) -> str:
        """The report in a few words."""
        return f"{self.tool} {self.version}, {self.file}"

    def as_dict(self) -> dict[str, Any]:
        """Give the manifest's entry."""
        found: dict[str, Any] = {
            "tool": self.tool, "version": self.version, "level": self.level, "file": self.file, "sha256": self.sha256,
            "top": self.top, "part": self.part,
            "resources": {n: self._figure(v, UNITS.get(n, n)) for n, v in self.resources.items()},
            "modules": {name: dict(counts) for name, counts in self.modules.items()},
        }  # fmt: skip
        if self.clock:
            found["clock"] = dict(self.clock)
        reached = self.clock.get("achieved", self.clock.get("estimated"))
        if reached is not None:
            found["clock_ns"] = self._figure(reached, "ns")
        for name, ends in (("latency_cycles", self.latency), ("interval_cycles", self.interval)):
            if ends is not None:
                figure = Figure(ends[1], ends[0], ends[1], "cycles", "vendor", self.source)
                found[name] = figure.as_dict()
        return found

    def _figure(self, value: float, unit: str) -> dict[str, Any]:
        return exact(value, unit, self.source, "vendor").as_dict()


class ReportError(FileError):
    """A file that is no report that can be read: what and where."""


__all__ = ["UNITS", "Level", "ReportError", "VendorReport"]
