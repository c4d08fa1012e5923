"""From amounts to counts: what one of each primitive costs, how sure that is, and what is left after synthesis."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import ceil, exp, hypot, log
from typing import Any

from ..design import LEVELS, RESOURCES, Design, LayerSpec, Level, Resource
from ..figures import Figure
from ..schedule.programs import out_packs
from .amounts import Amounts
from .limits import limits
from .model import Counts, Finding, Resources
from .rules import amounts, bits
from .storage import fifo_blocks, fifo_luts


@dataclass(frozen=True)
class Fits:
    """Fitted constants: cost of a primitive by resource, bands and ratios by class, the domain, where all come from."""

    costs: Mapping[str, Mapping[str, float]]
    bands: Mapping[str, Any]
    ratios: Mapping[str, Any]
    clock: Mapping[str, Any]
    domain: Mapping[str, Any]
    provenance: Mapping[str, Any]


@cache
def shipped() -> Fits:
    """The constants that come with Gatewright."""
    text = files(__package__).joinpath("fits/hls4ml.json").read_text(encoding="utf-8")
    return Fits(**json.loads(text))


def class_of(design: Design) -> str:
    """Give the class by which bands and ratios are kept: stream; resource (loops over weights); other (recurrence,
    attention, normalisation of rows, pooling alone: few reports); latency.
    """
    if design.stream:
        return "stream"
    ops = {s.op for s in design.layers}
    if ops & RARE or not ops & {"dense", "conv1d", "conv2d", "kernel"}:
        return "other"
    loops = any(s.strategy.startswith("resource") and s.reuse_factor > 1 for s in design.layers)
    return "resource" if loops else "latency"


RARE = {"gru", "lstm", "attention", "layernorm", "other", "embedding"}
"""Operations of which there are few reports."""


def whole(design: Design) -> Amounts:
    """Give what the whole design is made of: its layers, the FIFOs between them, the top level."""
    total = Amounts()
    for spec in design.layers:
        total.add(amounts(spec, design))
    total.add(joints(design))
    return total


def joints(design: Design) -> Amounts:
    """Give what stands between the layers: FIFOs, ports, control."""
    made = Amounts()
    top = "loop_top" if class_of(design) == "resource" else "top"
    made.lut[top] += 1
    made.ff[top] += 1
    if not design.stream:
        return made
    for spec in design.layers[:-1]:
        width, depth = stream_width(spec), stream_depth(spec, design)
        made.lut["fifo"] += fifo_luts(width, depth) * max(1, len(spec.outputs))
        made.fixed["bram"] += fifo_blocks(width, depth, design.tool) * max(1, len(spec.outputs))
        if design.tool == "vivado":  # a FIFO for each element of a pack
            made.ff["fifo"] += ceil(width / bits(spec, "output")) * max(1, len(spec.outputs))
        else:
            made.ff["fifo_bit"] += width * max(1, len(spec.outputs))
    return made


def stream_width(spec: LayerSpec) -> int:
    """Bits of a pack of a layer's result."""
    if spec.out_shapes:
        lanes = spec.out_shapes[0][-1] if spec.out_shapes[0] else 1
    else:
        lanes = spec.size("n_filt", 0) if spec.size("n_filt", 0) > 0 else spec.size("n_chan") or spec.size("n_out", 1)
    return max(1, lanes) * bits(spec, "output")


def stream_depth(spec: LayerSpec, design: Design) -> int:
    """Depth of the FIFO behind a layer: as the design says, else hls4ml's default, the whole tensor."""
    known = [design.fifo_depths[name] for name in spec.outputs if name in design.fifo_depths]
    return max(known) if known else out_packs(spec)


def hls_counts(made: Amounts, fits: Fits) -> dict[Resource, float]:
    """Price amounts at the level of the HLS report."""
    lut, ff = (
        sum(fits.costs[resource].get(name, UNPRICED) * amount for name, amount in listed.items())
        for resource, listed in (("lut", made.lut), ("ff", made.ff))
    )
    return {"lut": lut, "ff": ff, "dsp": made.fixed.get("dsp", 0.0), "bram": made.fixed.get("bram", 0.0), "uram": 0.0}


def resources(design: Design, fits: Fits | None = None) -> Resources:
    """Estimate what a design takes: in all and by layer, at each level, with bands."""
    fits = fits or shipped()
    kind = class_of(design)
    parts = {spec.name: amounts(spec, design) for spec in design.layers}
    reasons = domain(design, fits, {name: hls_counts(made, fits)["lut"] for name, made in parts.items()})
    wide = 1.0 + WIDENING * min(len(reasons), 2)
    layers: dict[str, dict[Level, Counts]] = {}
    total = Amounts()
    for spec in design.layers:
        made = parts[spec.name]
        total.add(made)
        layers[spec.name] = _levels(hls_counts(made, fits), made, kind, design, fits, wide * LAYER_WIDENING)
    total.add(joints(design))
    found = [Finding("domain", reason, "", "the bands are wider") for reason in reasons]
    return Resources(
        _levels(hls_counts(total, fits), total, kind, design, fits, wide), layers, _clock(design, fits, wide),
        (*limits(design), *found),
    )  # fmt: skip


WIDENING = 0.2
"""By how much of itself (in logarithms) a band is wider for each way in which a design leaves the domain."""
UNPRICED = 1.0
"""What one of a primitive costs that no report has: a look-up table or register for each bit."""
LAYER_WIDENING = 1.2
"""A single layer is less sure than a sum of many."""


def generation(design: Design) -> str:
    """The tool's generation, by which ratios are kept."""
    return "vivado" if design.tool == "vivado" else "vitis"


def _levels(
    counts: Mapping[Resource, float], made: Amounts, kind: str, design: Design, fits: Fits, wide: float
) -> dict[Level, Counts]:
    found: dict[Level, Counts] = {}
    for level in LEVELS:
        found[level] = {name: _figure(name, counts[name], level, made, kind, design, fits, wide) for name in RESOURCES}
    return found


def _figure(
    name: Resource, count: float, level: Level, made: Amounts, kind: str, design: Design, fits: Fits, wide: float
) -> Figure:
    ratio = _ratio(level, name, kind, design, fits)
    middle = count * ratio["median"]
    low, high = _band(name, kind, made, fits)
    if level == "hls" and low == high and name not in made.inexact:
        return Figure(round(middle), round(middle), round(middle), UNITS[name], "exact", "template")
    low, high = both(low, ratio["low"] / ratio["median"]), both(high, ratio["high"] / ratio["median"])
    slack = SLACK[name] if middle or name in made.inexact else 0
    bottom, top = (middle + slack) * low**wide - slack, (middle + slack) * high**wide - slack
    source = f"{fits.provenance['name']}, class {kind}"
    if name in made.most:
        top = min(top, max(made.bound(name), middle))
    value = round(middle)
    return Figure(value, min(value, max(0, int(bottom))), max(value, ceil(top)), UNITS[name], "estimated", source)


def both(one: float, other: float) -> float:
    """Give the edge of a band for two errors that do not follow from each other: ratios on one side of 1."""
    if not one or not other:
        return 0.0
    size = hypot(log(one), log(other))
    return exp(size if one * other > 1 else -size)


UNITS: Mapping[Resource, str] = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "BRAM18", "uram": "URAM"}
SLACK: Mapping[Resource, int] = {"lut": 200, "ff": 200, "dsp": 5, "bram": 3, "uram": 0}
"""Added to both counts before they are compared: what a count may be off in any case, however small it is."""


def _band(name: Resource, kind: str, made: Amounts, fits: Fits) -> tuple[float, float]:
    if name == "uram":
        return 1.0, 1.0
    if name in ("dsp", "bram") and name not in made.inexact and kind == "resource":
        return 1.0, 1.0
    entry = fits.bands[kind][name]
    return entry["low"], entry["high"]


def _ratio(level: Level, name: Resource, kind: str, design: Design, fits: Fits) -> Mapping[str, float]:
    if level == "hls":
        return {"median": 1.0, "low": 1.0, "high": 1.0}
    entry: Mapping[str, float] = fits.ratios[level][
        f"{generation(design)} {'stream' if kind == 'stream' else 'parallel'}"
    ][name]
    return entry


def _clock(design: Design, fits: Fits, wide: float) -> dict[Level, Figure]:
    """The achievable period: of the HLS tool's estimate, and after place and route, as ratios to the target."""
    found: dict[Level, Figure] = {}
    for level in LEVELS:
        if entry := fits.clock.get(level):
            low, middle, high = (entry[k] * design.clock_ns for k in ("low", "median", "high"))
            found[level] = Figure(
                round(middle, 3), round(middle * (low / middle) ** wide, 3), round(middle * (high / middle) ** wide, 3),
                "ns", "estimated", f"ratio to the target in {entry['count']} reports",
            )  # fmt: skip
    return found


def domain(design: Design, fits: Fits, luts: Mapping[str, float]) -> list[str]:
    """Say how a design differs from those that were fitted. ``luts``: by layer; layers of together a twentieth of them
    change no sum.
    """
    reasons = []

    def matter(layers: Iterable[LayerSpec]) -> bool:
        return sum(luts[s.name] for s in layers) > LITTLE * sum(luts.values())

    if design.tool not in {known.split()[0] for known in fits.provenance["tools"]}:
        reasons.append(f"no report of {design.tool} was at hand")
    if design.family and design.family not in fits.domain["families"]:
        reasons.append(f"no report of a {design.family} device was at hand")
    low, high = fits.domain["clock_ns"]
    if not low <= design.clock_ns <= high:
        reasons.append(f"a clock of {design.clock_ns:g} ns is outside of the reports' {low:g} to {high:g} ns")
    most = fits.domain["width"]
    wide = {s.name: max((t.width for k, t in s.types.items() if k in OPERANDS), default=0) for s in design.layers}
    if matter(s for s in design.layers if wide[s.name] > most):
        reasons.append(f"operands of {max(wide.values())} bits; the reports' have at most {most}")
    kernels = [s for s in design.layers if s.op == "kernel" and s.function not in KNOWN_KERNELS]
    if matter(kernels):
        reasons.append(f"kernels of which no report exists: {', '.join(sorted({s.function for s in kernels})[:5])}")
    unknown = [s for s in design.layers if amounts(s, design).unknown]
    if unknown:
        names = sorted({amounts(s, design).unknown for s in unknown})
        reasons.append(f"layers without a rule: {', '.join(names[:5])}")
    return reasons


OPERANDS = ("input", "weight")
KNOWN_KERNELS = ("copy", "fork", "quantize", "relu")
LITTLE = 0.05
"""Share of a design's look-up tables below which layers that no report has do not make its sum less sure."""


__all__ = ["Fits", "class_of", "domain", "generation", "hls_counts", "joints", "resources", "shipped", "whole"]
