"""Measures of the estimates' quality."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np

from gatewright.graph import UnsupportedError
from gatewright.simulation.design import RESOURCES, LayerSpec
from gatewright.simulation.figures import Figure
from gatewright.simulation.resources import class_of, resources
from gatewright.simulation.resources.distributed import estimate as distributed
from gatewright.simulation.resources.distributed import fit_cost
from gatewright.simulation.schedule import printed, program, timing
from gatewright.simulation.schedule.cores import matrix
from gatewright.simulation.schedule.whole import BAND_SHIFT

from .records import Record

Line = tuple[str, int, str, str, str]
"""What, how many, ours, the naive rule's, what is asked."""


def show(lines: Iterable[Line], title: str) -> None:
    """Print a table."""
    print(f"\n{title}")
    print(f"  {'':<46}{'n':>5}  {'ours':>26}  {'naive':>26}  asked")
    for what, count, ours, naive, asked in lines:
        print(f"  {what:<46}{count:>5}  {ours:>26}  {naive:>26}  {asked}")


def cycles(every: Sequence[Record]) -> Iterable[Line]:
    """Cycles of the HLS report."""
    told = [r for r in every if r.kind == "sweep" and {"lat_max", "ii_max"} <= r.cycles.keys()]
    sweeps = [r for r in told if class_of(r.design) == "resource"]
    if sweeps:
        exact = [timing(r.design).layers[r.design.layers[0].name].interval.value == r.cycles["ii_max"] for r in sweeps]
        near = [timing(r.design).hls_latency.value == r.cycles["lat_max"] for r in sweeps]
        rule = [r.design.layers[0].reuse_factor == r.cycles["lat_max"] for r in sweeps]
        yield "resource dense: interval exact", len(sweeps), _share(exact), _share(exact), "100 %"
        yield "resource dense: latency exact", len(sweeps), _share(near), _share(rule), "100 %"
    own = [r for r in every if r.generator == "hls4ml" and r.kind in ("design", "picture") and "lat_max" in r.cycles]
    for kind, label in (("latency", "strategy latency"), ("other", "recurrent, rows, attention, pools")):
        rows = [r for r in own if class_of(r.design) == kind]
        if rows:
            errors = [abs(timing(r.design).hls_latency.value - r.cycles["lat_max"]) for r in rows]
            naive = [abs(sum(s.reuse_factor for s in r.design.layers) - r.cycles["lat_max"]) for r in rows]
            asked = "80 %" if kind == "latency" else ""
            yield (
                f"{label}: latency within 2",
                len(rows),
                _share([e <= 2 for e in errors]),
                _share([e <= 2 for e in naive]),
                asked,
            )
    yield from _bands([r for r in own if r.kind == "design" and class_of(r.design) in ("latency", "other")])
    yield from _streams([r for r in own if class_of(r.design) == "stream"])


def _bands(rows: Sequence[Record]) -> Iterable[Line]:
    """The band of pipelines and dataflow of arrays, taken from the other repositories."""
    ratios: dict[str, list[float]] = {}
    for record in rows:
        told = timing(record.design).hls_latency.value
        ratio = (record.cycles["lat_max"] + BAND_SHIFT) / (told + BAND_SHIFT)
        ratios.setdefault(record.repo, []).append(ratio)
    held: list[bool] = []
    for repo, own in ratios.items():
        others = [(x, len(found) ** -0.5) for name, found in ratios.items() if name != repo for x in found]
        if others:
            low, high = _percentiles(others)
            held += [low <= x <= high for x in own]
    if held:
        yield "pipelines: latency in the others' band", len(held), _share(held), "", "85 to 95 %"


def _percentiles(weighted: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The 5th and 95th percentile of values with weights."""
    values, weights = (np.array(part) for part in zip(*sorted(weighted), strict=True))
    share = np.cumsum(weights) / weights.sum()
    low, high = (values[min(int(np.searchsorted(share, q)), values.size - 1)] for q in (0.05, 0.95))
    return float(low), float(high)


def _streams(rows: Sequence[Record]) -> Iterable[Line]:
    """Streaming convolutions: what the tool reports as most lies in our bounds."""
    convolutions = [r for r in rows if any(s.op.startswith("conv") for s in r.design.layers)]
    inside, close = [], []
    for record in convolutions:
        try:
            told = printed_of(record)
        except UnsupportedError:
            inside.append(False)
            continue
        inside.append(told.low <= record.cycles["lat_max"] <= told.high)
        close.append(abs(told.value - record.cycles["lat_max"]) <= 0.1 * record.cycles["lat_max"])
    if convolutions:
        yield "streaming convolutions: within our min and max", len(convolutions), _share(inside), "", "95 %"
        yield "streaming convolutions: max within 10 %", len(convolutions), _share(close), "", ""


def printed_of(record: Record) -> Figure:
    """What the report of a streaming design prints, without a run: layers of records are not wired."""
    return printed(program(spec, record.design) for spec in record.design.layers if spec.op != "reshape")


def counts(records: Sequence[Record], estimates: Mapping[str, Mapping[str, float]]) -> Iterable[Line]:
    """Errors of the counts at the level of the HLS report, by class."""
    asked = {
        ("resource", "lut"): "median 1 %", ("resource", "ff"): "median 3 %", ("resource", "bram"): "exact 90 %",
        ("resource", "dsp"): "exact 95 %", ("latency", "lut"): "median 20 %", ("latency", "ff"): "median 20 %",
        ("latency", "dsp"): "median 10 %",
    }  # fmt: skip
    for kind in ("resource", "latency", "stream", "other"):
        rows = [r for r in records if r.kind != "module" and class_of(r.design) == kind]
        whole = [r for r in rows if r.kind == "design"]
        for label, part in ((kind, rows), (f"{kind}, no sweeps", whole if len(whole) < len(rows) else [])):
            for name in RESOURCES[:4]:
                told = [r for r in part if name in r.counts["hls"]]
                if told:
                    ours = _errors([(estimates[r.id][name], r.counts["hls"][name]) for r in told])
                    rule = _errors([(naive(r, name), r.counts["hls"][name]) for r in told])
                    yield f"{label}: {name.upper()}", len(told), ours, rule, asked.get((kind, name), "")


def shipped_counts(records: Sequence[Record]) -> Iterable[Line]:
    """The shipped constants on all levels, and how often a report lies in its band."""
    for kind in ("resource", "latency", "stream", "other"):
        rows = [r for r in records if r.kind != "module" and class_of(r.design) == kind]
        found = {r.id: resources(r.design) for r in rows}
        for level in ("hls", "synthesis", "implementation"):
            for name in RESOURCES[:4]:
                told = [r for r in rows if name in r.counts.get(level, {})]
                if told:
                    pairs = [(found[r.id].total[level][name], r.counts[level][name]) for r in told]
                    held = [f.low <= y <= f.high for f, y in pairs]
                    line = _errors([(f.value, y) for f, y in pairs])
                    rule = _errors([(naive(r, name), r.counts[level][name]) for r in told])
                    yield f"{kind}, {level}: {name.upper()}", len(told), f"{line}, held {_share(held)}", rule, ""


def coverage(
    records: Sequence[Record], estimates: Mapping[str, Mapping[str, float]], bands: Mapping[str, Any]
) -> Iterable[Line]:
    """How often a report lies in the band that the other repositories gave."""
    for kind, table in bands.items():
        for name, held in table.items():
            if held:
                yield f"{kind}: {name.upper()} inside", len(held), _share(held), "", "85 to 95 %"


def naive(record: Record, name: str) -> float:
    """The rule of thumb: a multiplier is a DSP block; logic by the square of the bits; weights in blocks of memory."""
    total = 0.0
    for spec in record.design.layers:
        products, width = _multipliers(spec), spec.types["weight"].width if "weight" in spec.types else 16
        given = spec.types["input"].width if "input" in spec.types else 16
        total += {
            "dsp": products, "lut": products * width * given / 4, "ff": products * given,
            "bram": ceil(products * width / 36) if spec.reuse_factor > 1 else 0,
        }[name]  # fmt: skip
    return total


def _multipliers(spec: LayerSpec) -> float:
    if spec.op not in ("dense", "conv1d", "conv2d", "depthwise1d", "depthwise2d"):
        return 0.0
    n_in, n_out = matrix(spec)
    return ceil(n_in * n_out / max(1, spec.reuse_factor))


def jets(every: Sequence[Record], *, leave_one_out: bool) -> Iterable[Line]:
    """Distributed arithmetic: LUTs from the adder graph's cost."""
    needed = {"da4ml_cost", "EBOPs"}
    rows = [
        r for r in every
        if r.kind == "jedi" and needed <= r.facts.keys() and r.counts["implementation"].get("lut")
    ]  # fmt: skip
    if not rows:
        return
    errors = []
    for record in rows:
        cost = fit_cost([_pair(r) for r in rows if r is not record]) if leave_one_out else None
        guess = distributed(record.facts["da4ml_cost"], record.facts["EBOPs"], cost)
        errors.append(abs(guess - record.counts["implementation"]["lut"]) / record.counts["implementation"]["lut"])
    rule = [abs(r.facts["EBOPs"] - r.counts["implementation"]["lut"]) / r.counts["implementation"]["lut"] for r in rows]
    yield (
        "JEDI-linear: LUT, mean error",
        len(rows),
        f"{100 * np.mean(errors):.1f} %",
        f"{100 * np.mean(rule):.1f} %",
        "5 %",
    )


def _pair(record: Record) -> tuple[float, float]:
    return record.facts["da4ml_cost"], record.counts["implementation"]["lut"]


def _share(held: Sequence[bool]) -> str:
    return f"{100 * np.mean(held):.0f} %" if held else ""


def _errors(pairs: Sequence[tuple[float, float]]) -> str:
    relative = [abs(e - y) / max(y, 1.0) for e, y in pairs]
    exact = [round(e) == round(y) for e, y in pairs]
    return f"median {100 * np.median(relative):.1f} %, exact {100 * np.mean(exact):.0f} %"
