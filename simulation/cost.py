"""What a design costs, before any synthesis: cycles, clock, FIFOs, resources against the board, each figure with its
band and source.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..backends.hls4ml.options import Options
from ..backends.hls4ml.plan import make_plan
from ..boards import Board
from ..boards.model import Resources as Device
from ..graph import Graph
from .calibration import apply, read_store, store_path
from .design import LEVELS, RESOURCES, Design, LayerSpec, Level, Resource, Type, of_plan
from .fifos import StreamCost, stream_cost
from .figures import Figure
from .resources import Counts, Finding, Resources, resources
from .schedule import LayerTiming, Timing, timing

FIT_LEVEL: Level = "synthesis"
"""The level at which a design is compared with its device: the HLS tool's own count of constant matrices is about twice
what is left after logic synthesis."""

NEARLY = 0.8
"""From this share of a resource on, placing and routing gets hard."""


@dataclass(frozen=True)
class Cost:
    """``available``: what the board's device has, in the units of the resources. ``stream`` is there for io_stream."""

    design: Design
    timing: Timing
    resources: Resources
    available: Mapping[Resource, int]
    stream: StreamCost | None = None

    @property
    def clock_ns(self) -> Figure | None:
        """The achievable period in nanoseconds, by the HLS tool's estimates: reports after place and route are few."""
        return self.resources.clock_ns.get("hls")

    @property
    def fitted(self) -> Counts:
        """The counts that are compared with the device."""
        known = self.resources.total
        return known.get(FIT_LEVEL) or next((known[level] for level in reversed(LEVELS) if known.get(level)), {})

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a user should know before a synthesis."""
        stuck = self.stream.deadlock if self.stream else None
        deadlock = [Finding("limit", str(stuck), "", "deeper FIFOs: gatewright fifo")] if stuck else []
        return (*deadlock, *fit(self.fitted, self.available), *self.resources.findings)

    def as_dict(self) -> dict[str, Any]:
        """Give ``cost`` of the manifest."""
        period = self.design.clock_ns * 1e-9
        found: dict[str, Figure] = {
            "latency_cycles": self.timing.latency, "interval_cycles": self.timing.interval,
            "latency_s": self.timing.latency.scaled(period, "s"), "interval_s": self.timing.interval.scaled(period,
            "s"),
        }  # fmt: skip
        if self.stream and self.stream.deadlock:  # a design that stands still has no latency
            found = {}
        if self.clock_ns is not None:
            found["clock_ns"] = self.clock_ns
        reported = {"latency_cycles": self.timing.hls_latency, "interval_cycles": self.timing.hls_interval}
        return {
            **_figures(found),
            "style": self.timing.style,
            "hls": _figures(reported),
            "resources": _figures(self.fitted),
            "levels": _levels(self.resources.total),
            "available": dict(self.available),
            "layers": [self._layer(spec) for spec in self.design.layers],
            **({"stream": self.stream.as_dict()} if self.stream else {}),
            "findings": [
                {"kind": f.kind, "what": f.what, "where": f.where, "hint": f.hint} for f in self.findings
            ],
        }  # fmt: skip

    def _layer(self, spec: LayerSpec) -> dict[str, Any]:
        time: LayerTiming | None = self.timing.layers.get(spec.name)
        cycles = {} if time is None else {"latency_cycles": time.latency, "interval_cycles": time.interval}
        return {
            "name": spec.name, "source": spec.source, "op": spec.op, "function": spec.function,
            "inputs": list(spec.inputs), "outputs": list(spec.outputs),
            "shape": list(spec.out_shapes[0]) if spec.out_shapes else [], "format": _format(spec.types.get("output")),
            "strategy": spec.strategy, "reuse_factor": spec.reuse_factor, **_figures(cycles),
            "levels": _levels(self.resources.layers.get(spec.name, {})), "note": time.note if time else "",
        }  # fmt: skip


def cost_of(graph: Graph, options: Options, board: Board | None) -> Cost:
    """Estimate what an integer graph costs with these options. ``board`` None: against no device.

    Raises UnsupportedError for what the back end cannot emit.
    """
    return cost_of_design(of_plan(make_plan(graph, options), options), board)


def cost_of_design(design: Design, board: Board | None) -> Cost:
    """As ``cost_of``, for a design that is described already."""
    stream = stream_cost(design) if design.stream else None
    lessons, _ = read_store(store_path())
    found = apply(resources(design), design, lessons)
    return Cost(design, timing(design, stream.run if stream else None), found, available(board), stream)


def available(board: Board | None) -> dict[Resource, int]:
    """Give what a board's device has, in look-up tables, registers, DSP blocks, 18-kbit block memories, URAM blocks."""
    if board is None or board.fpga is None:
        return {}
    device: Device = board.fpga.resources
    counts: dict[Resource, int] = {
        "lut": device.count("lut"), "ff": device.count("ff"), "dsp": device.count("dsp"), "bram": device.bram18,
        "uram": device.count("uram"),
    }  # fmt: skip
    return counts if counts["lut"] else {}


def fit(counts: Counts, there: Mapping[Resource, int]) -> Iterable[Finding]:
    """Compare the high end of each estimate with the device: over 80 % is told, over 100 % may not fit."""
    for name in RESOURCES:
        figure, limit = counts.get(name), there.get(name, 0)
        if figure is None or not there or figure.high <= NEARLY * limit:
            continue
        share = f" ({_percent(figure.low, limit)} to {_percent(figure.high, limit)})" if limit else ""
        verdict = "does not fit" if figure.low > limit else "may not fit" if figure.high > limit else "nearly fills"
        what = f"{name.upper()} {verdict} the device: {figure.value:,.0f} ({figure.low:,.0f} to {figure.high:,.0f})"
        yield Finding("fit", f"{what} of {limit:,}{share}", "", HINTS[name])


HINTS: Mapping[Resource, str] = {
    "lut": "fewer bits (--precision), a higher --reuse-factor with --strategy resource, or a larger board",
    "ff": "fewer bits (--precision), a higher --reuse-factor, or a larger board",
    "dsp": "a higher --reuse-factor with --strategy resource, or weights of fewer bits",
    "bram": "smaller FIFOs (gatewright fifo --apply), smaller tables (table_bits), or a larger board",
    "uram": "a larger board",
}


def too_large(cost: Cost) -> list[Finding]:
    """Give the findings that --strict refuses: a resource whose high estimate is over what the device has."""
    counts, there = cost.fitted, cost.available
    over = {name: counts[name] for name in RESOURCES if name in counts and there and counts[name].high > there[name]}
    return list(fit(over, there))


def with_depths(cost: Cost, depths: Mapping[str, int], board: Board | None) -> Cost:
    """Estimate the same design with other FIFO depths."""
    changed = {**cost.design.fifo_depths, **depths}
    return cost_of_design(replace(cost.design, fifo_depths=changed), board)


def _format(kind: Type | None) -> str:
    return "" if kind is None else f"{'' if kind.signed else 'u'}fixed<{kind.width},{kind.integer}>"


def _percent(count: float, limit: int) -> str:
    return f"{100 * count / limit:.0f} %"


def _figures(figures: Mapping[Any, Figure]) -> dict[str, Any]:
    return {name: figure.as_dict() for name, figure in figures.items()}


def _levels(levels: Mapping[Level, Counts]) -> dict[str, Any]:
    return {level: _figures(levels[level]) for level in LEVELS if levels.get(level)}


__all__ = ["FIT_LEVEL", "Cost", "available", "cost_of", "cost_of_design", "fit", "too_large", "with_depths"]
