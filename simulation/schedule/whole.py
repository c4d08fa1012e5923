"""The whole design: layers' cycles put together, by the kind of its top level."""

from collections.abc import Iterable, Mapping
from math import ceil, floor

from ..design import Design
from ..figures import Figure, exact
from ..stream import Run, simulate
from .arrays import cycles
from .cores import is_resource
from .delays import budget_ns, level_ns
from .model import LayerTiming, Timing
from .network import network
from .programs import Program, program

FRAMES = 4
"""Frames back to back, of which the last two tell the interval."""

BOUNDARY, SLOW = 0.7, 0.5
"""Cycles between two layers of one pipeline: where a level of logic takes less than half of the period (``SLOW``), some
chain; else each has a register, and a product without reuse one more. Fitted: see docs/schedule-model.md."""

SOURCE = "schedule of the templates"


def timing(design: Design, run: Run | None = None) -> Timing:
    """Give the cycles of a design. ``run``: a simulation of its network that was made already. A streaming design of
    which only the layers are known, not how they are joined, is not simulated: its figures are those of the report.

    Raises UnsupportedError for a streaming layer of which no program is known.
    """
    if design.stream:
        wired = design.inputs and len(design.inputs) == len(design.input_shapes)
        return _stream(design, run or (simulate(network(design), FRAMES) if wired else None))
    layers = {spec.name: _array_layer(*cycles(spec, design), is_loop=is_resource(spec)) for spec in design.layers}
    return _dataflow(design, layers) if design.dataflow else _pipeline(design, layers)


def _array_layer(latency: int, interval: int, note: str, *, is_loop: bool) -> LayerTiming:
    slack = 1 if is_loop else max(1, round(0.25 * latency))
    return LayerTiming(
        Figure(latency, max(0, latency - slack), latency + slack, "cycles", "estimated", SOURCE),
        exact(interval, "cycles", SOURCE, "estimated"), note,
    )  # fmt: skip


def _pipeline(design: Design, layers: Mapping[str, LayerTiming]) -> Timing:
    """One pipeline: the layers' cycles and the registers between them; its interval is the longest."""
    total = sum(t.latency.value for t in layers.values() if t.note != "wires")
    boundary = _boundaries(design, layers)
    latency = _band(round(total + boundary), "one pipeline: sum of the layers and their boundaries")
    intervals = [t.interval for t in layers.values()]
    interval = max(intervals, key=lambda f: f.value, default=exact(1, "cycles", SOURCE))
    return Timing("pipeline", latency, interval, latency, interval, layers)


def _boundaries(design: Design, layers: Mapping[str, LayerTiming]) -> float:
    """Cycles of the registers between the layers. Element-wise layers without a cycle of their own join the one before,
    if that is of their kind.
    """
    between, joins = -1, False
    for spec in design.layers:
        known = layers[spec.name]
        light = spec.op in ("activation", "normalize") and known.latency.value == 0
        between += known.note != "wires" and not (light and joins)
        joins = light
    if level_ns(design) < SLOW * budget_ns(design):
        return BOUNDARY * max(0, between)
    return max(0, between) + sum(spec.op == "dense" and spec.reuse_factor == 1 for spec in design.layers)


def _dataflow(design: Design, layers: Mapping[str, LayerTiming]) -> Timing:
    """Processes that hand arrays over: the longest path of layers; the slowest one sets the interval."""
    ends: dict[str, float] = {}
    for spec in design.layers:
        begin = max((ends.get(name, 0.0) for name in spec.inputs), default=0.0)
        for name in spec.outputs:
            ends[name] = begin + layers[spec.name].latency.value + 1
    path, source = round(max(ends.values(), default=0)), "dataflow of arrays: the longest path, a cycle each to start"
    slowest = max((max(t.interval.value, t.latency.value) for t in layers.values()), default=0)
    latency, interval = _band(path, source), _band(slowest + 1, "dataflow of arrays: the slowest layer")
    if layers and all(is_resource(spec) and spec.op == "dense" and spec.reuse_factor > 1 for spec in design.layers):
        slack = len(layers) - 1  # of one layer the count is exact, of more each boundary may take a cycle more or less
        latency = Figure(path, max(0, path - slack), path + slack, "cycles", "estimated" if slack else "exact", source)
    return Timing("dataflow", latency, interval, latency, interval, layers)


def _band(value: float, source: str) -> Figure:
    low, high = PIPELINE_BAND
    least, most = (share * (value + BAND_SHIFT) - BAND_SHIFT for share in (low, high))
    return Figure(value, max(0, floor(least)), ceil(most), "cycles", "estimated", source)


PIPELINE_BAND = (0.67, 1.65)
"""Ratios of the reported to the estimated cycles, two added to both: the 5th and 95th percentile of 98 designs of 9
repositories, each counted by the root of its repository's number. Taken without a repository, they held 92 % of those
of that repository: see docs/schedule-model.md."""
BAND_SHIFT = 2


def _stream(design: Design, run: Run | None) -> Timing:
    programs = {spec.name: program(spec, design) for spec in design.layers}
    layers = {}
    for name, found in programs.items():
        middle = min(max(found.length, found.least), found.most)
        latency = Figure(middle, found.least, found.most, "cycles", "estimated", SOURCE)
        layers[name] = LayerTiming(latency, latency, found.note)
    hls = printed(programs.values())
    if run is None:
        return Timing("stream", hls, hls, hls, hls, layers)
    low, high = STREAM_BAND
    source = f"cycle-level run of {FRAMES} frames"
    latency, interval = (
        Figure(v, floor(v * low), ceil(v * high), "cycles", "simulated", source) for v in (run.latency, run.interval)
    )
    return Timing("stream", latency, interval, hls, hls, layers)


def printed(programs: Iterable[Program]) -> Figure:
    """Give what the HLS tool's report prints of a streaming design: the longest process, and a little to fill it."""
    known = list(programs)
    value = max((p.printed for p in known), default=0)
    low, high = max((p.least for p in known), default=0), max((p.most for p in known), default=0)
    filled = ceil(high * (1 + FILL) + FILL_CYCLES)
    return Figure(value, min(low, value), filled, "cycles", "estimated", "longest process, as HLS reports it")


FILL, FILL_CYCLES = 0.02, 16
"""What reports of streaming designs add to the longest process: shares of it, and cycles."""

STREAM_BAND = (0.85, 1.2)
"""What the layers' own cycles leave open: see docs/schedule-model.md."""

__all__ = ["FRAMES", "printed", "timing"]
