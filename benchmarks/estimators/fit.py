"""Fit the constants of the resource estimates on a directory of reports.

python -m benchmarks.estimators.fit --data DIR        writes simulation/resources/fits/hls4ml.json
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares as least

from gatewright.simulation.design import LEVELS, RESOURCES
from gatewright.simulation.resources.amounts import Amounts
from gatewright.simulation.resources.estimate import SLACK, Fits, class_of, generation, hls_counts, whole
from gatewright.simulation.resources.rules import amounts

from .records import Record, read

TARGET = Path(__file__).parents[2] / "simulation/resources/fits/hls4ml.json"
LOOPS = {
    "lut": ("select_bit", "sum_bit", "choose_bit", "pair_bit", "loop_top"),
    "ff": ("select_bit", "sum_bit", "block", "word", "counter", "loop_top"),
}
"""Primitives of strategy resource, which the sweep of dense layers determines."""
COVERED = 0.9
CLASSES = ("latency", "resource", "stream", "other")

Row = tuple[Mapping[str, float], float, str]


def is_own(record: Record) -> bool:
    """Whether hls4ml's own templates made the design."""
    return record.generator == "hls4ml"


OWN_MODULES = {
    "dense": ("dense_", ), "conv1d": ("conv_1d_cl", "pointwise_conv_1d"), "conv2d": ("conv_2d_cl", "pointwise_conv_2d"),
    "pool1d": ("pooling",), "pool2d": ("pooling",), "activation": ("relu", "leaky", "elu", "sigmoid", "tanh", "linear"),
    "softmax": ("softmax_",), "normalize": ("normalize",), "layernorm": ("layernormalize",), "gru": ("gru_static",),
    "depthwise2d": ("depthwise",), "zeropad1d": ("zeropad",), "zeropad2d": ("zeropad",),
}  # fmt: skip
"""Modules that are a layer's own function, not a part of it."""


def is_whole_layer(record: Record) -> bool:
    """Whether a module is its layer."""
    if record.kind != "module":
        return False
    layer = record.design.layers[0]
    return layer.name.startswith(OWN_MODULES.get(layer.op, ("?",)))


def usable(records: Iterable[Record]) -> list[Record]:
    """Give the records that are fitted and judged: whole designs and layers, made by hls4ml, with counts."""
    return [
        r for r in records
        if is_own(r) and "hls" in r.counts and r.counts["hls"].get("lut") and
        (r.kind in ("design", "sweep", "picture") or is_whole_layer(r))
    ]  # fmt: skip


def made_of(record: Record) -> Amounts:
    """Amounts of a design, or of the one layer of a module."""
    return amounts(record.design.layers[0], record.design) if record.kind == "module" else whole(record.design)


def _is_layer(record: Record, *ops: str) -> bool:
    return record.kind == "module" and record.design.layers[0].op in ops


def _is_latency_dense(record: Record) -> bool:
    return class_of(record.design) == "latency" and (record.kind == "sweep" or _is_layer(record, "dense"))


def _is_known(record: Record) -> bool:
    """Whether the digits of a record's weights are known one by one, or to be expected: what is shared is counted."""
    return all(s.csd_hist is not None for x in record.design.layers for s in x.weights.values())


LATER: tuple[Callable[[Record], bool], ...] = (
    _is_latency_dense,
    lambda r: _is_layer(r, "activation", "softmax", "normalize") and not r.design.stream,
    lambda r: class_of(r.design) == "latency" and r.kind != "sweep",
    lambda r: r.kind != "sweep",
)
STEPS: Mapping[str, tuple[Callable[[Record], bool], ...]] = {
    "lut": (lambda r: _is_latency_dense(r) and _is_known(r), *LATER),
    "ff": (lambda r: class_of(r.design) == "latency" and (r.kind != "module" or _is_layer(r, "dense")), *LATER),
}
"""Which records determine the primitives that no step before has: single layers first, where they are told apart. The
registers of whole designs are more than their layers': those come first."""


def fit_costs(records: Sequence[Record], made: Mapping[str, Amounts]) -> dict[str, dict[str, float]]:
    """Fit what one of each primitive costs: first those of the loops on the sweep, then the others."""
    costs: dict[str, dict[str, float]] = {}
    sweeps = [r for r in records if r.kind == "sweep" and class_of(r.design) == "resource"]
    others = [r for r in records if (r.kind != "sweep" or class_of(r.design) != "resource") and not made[r.id].unknown]
    for resource in ("lut", "ff"):
        loops = LOOPS[resource]
        rows = [(getattr(made[r.id], resource), r.counts["hls"].get(resource, 0.0), r.repo) for r in sweeps]
        found = least_squares(rows, loops) if rows else {}
        for accepts in STEPS[resource]:
            rest = [
                (getattr(made[r.id], resource), r.counts["hls"].get(resource, 0.0), r.repo)
                for r in others
                if accepts(r)
            ]
            found = {**found, **positive_costs(rest, found)} if rest else found
        costs[resource] = found
    return costs


def least_squares(rows: Sequence[Row], names: Sequence[str]) -> dict[str, float]:
    """Least squares of relative errors; costs may be negative: shared logic."""
    matrix = np.array([[row.get(n, 0.0) / max(y, 1.0) for n in names] for row, y, _ in rows])
    wanted = np.array([1.0 if y else 0.0 for _, y, _ in rows])
    found = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    for _ in range(8):  # towards least absolute errors
        weight = 1 / np.sqrt(np.maximum(np.abs(matrix @ found - wanted), 1e-3))
        found = np.linalg.lstsq(matrix * weight[:, None], wanted * weight, rcond=None)[0]
    return {n: float(c) for n, c in zip(names, found, strict=True)}


def positive_costs(rows: Sequence[Row], known: Mapping[str, float]) -> dict[str, float]:
    """Positive costs by least absolute errors of logarithms; many reports of one repository weigh less each."""
    names = sorted({n for row, _, _ in rows for n, v in row.items() if v} - known.keys())
    if not names:
        return {}
    amounts_ = np.array([[row.get(n, 0.0) for n in names] for row, _, _ in rows])
    base = np.array([sum(known[n] * row.get(n, 0.0) for n in known) for row, _, _ in rows])
    reported = np.array([y for _, y, _ in rows])
    counts = Counter(repo for _, _, repo in rows)
    share = np.array([counts[repo] ** -0.5 for _, _, repo in rows])

    def errors(logs: "np.ndarray[Any, Any]") -> Any:
        guess = np.maximum(base + amounts_ @ np.exp(logs), 0.0)
        return np.append(np.sqrt(share) * np.log((guess + FLOOR) / (reported + FLOOR)), PRIOR * (logs - start))

    start = np.log(np.full(len(names), START))
    found = least(errors, start, loss="soft_l1", f_scale=0.1, bounds=(np.log(1e-4), np.log(1e5)), max_nfev=60).x
    return {n: float(c) if c > 1e-3 else 0.0 for n, c in zip(names, np.exp(found), strict=True)}


PRIOR = 0.25
"""How firmly a cost is held to where it began: what few reports tell stays sensible."""
START = 1.0
"""Costs from which the fit begins: a look-up table or register for each bit."""
FLOOR = 50.0
"""Added to both counts: small ones weigh less."""


def bare(costs: Mapping[str, Mapping[str, float]]) -> Fits:
    """Give fits with costs alone."""
    return Fits(costs, {}, {}, {}, {}, {})


def by_repository(records: Sequence[Record]) -> Iterable[tuple[str, list[Record], list[Record]]]:
    """Give for each repository the others, and its own records."""
    for repo in sorted({r.repo for r in records}):
        yield repo, [r for r in records if r.repo != repo], [r for r in records if r.repo == repo]


def held_out(records: Sequence[Record], made: Mapping[str, Amounts]) -> dict[str, dict[str, float]]:
    """Estimate each record by costs that were fitted without its repository; the sweep, which is one repository,
    without
    the shapes that have its number of inputs.
    """
    found: dict[str, dict[str, float]] = {}
    for _, others, own in by_repository(records):
        sweeps = [r for r in own if r.kind == "sweep"]
        if len(sweeps) < len(own):
            costs = bare(fit_costs(others, made))
            found |= {r.id: dict(hls_counts(made[r.id], costs)) for r in own if r.kind != "sweep"}
        for n_in in sorted({r.design.layers[0].size("n_in") for r in sweeps}):
            part = [r for r in sweeps if r.design.layers[0].size("n_in") == n_in]
            costs = bare(fit_costs([r for r in records if r not in part], made)) if n_in else costs
            found |= {r.id: dict(hls_counts(made[r.id], costs)) for r in part}
    return found


def band(ratios: Sequence[float], repos: Sequence[str]) -> dict[str, float]:
    """Give the ratios reported / estimated between which 90 % lie; many reports of one repository weigh less each."""
    if not ratios:
        return {"low": 0.5, "high": 2.0, "count": 0}
    order = np.argsort(ratios)
    counts: dict[str, int] = {}
    for repo in repos:
        counts[repo] = counts.get(repo, 0) + 1
    share = np.array([counts[repos[i]] ** -0.3 for i in order])
    place = (np.cumsum(share) - share / 2) / share.sum()
    values = np.log(np.maximum(np.array(ratios)[order], 1e-3))
    low, high = (float(np.exp(np.interp(q, place, values))) for q in ((1 - COVERED) / 2, (1 + COVERED) / 2))
    return {"low": round(min(low, 1.0), 4), "high": round(max(high, 1.0), 4), "count": len(ratios)}


def fit_bands(records: Sequence[Record], estimates: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Bands of whole designs by class and resource, of estimates without the design's repository."""
    found: dict[str, Any] = {}
    for kind in CLASSES:
        rows = [r for r in records if r.kind != "module" and class_of(r.design) == kind]
        found[kind] = {}
        for name in RESOURCES[:4]:
            slack = SLACK[name]
            pairs = [(r.counts["hls"].get(name, 0.0), estimates[r.id][name], r.repo) for r in rows]
            kept = [((y + slack) / (e + slack), repo) for y, e, repo in pairs if y or e]
            found[kind][name] = band([k[0] for k in kept], [k[1] for k in kept])
    return found


def band_table(
    records: Sequence[Record], estimates: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, list[bool]]]:
    """Say for each design whether its report lies in the band that the other repositories' designs gave; where a class
    has one repository only, in that of the designs with other numbers of inputs.
    """
    found: dict[str, dict[str, list[bool]]] = {}
    for kind in CLASSES:
        rows = [r for r in records if r.kind != "module" and class_of(r.design) == kind]
        alone = len({r.repo for r in rows}) == 1
        held = found.setdefault(f"{kind} (one repository, by n_in)" if alone else kind, {n: [] for n in RESOURCES[:4]})
        for others, own in _parts(rows, by_inputs=alone):
            edges = fit_bands(others, estimates)[kind]
            for record, name in product(own, RESOURCES[:4]):
                reported, guess, slack = record.counts["hls"].get(name), estimates[record.id][name], SLACK[name]
                if reported is not None and (reported or guess):
                    ratio = (reported + slack) / (guess + slack)
                    held[name].append(bool(edges[name]["low"] <= ratio <= edges[name]["high"]))
    return found


def _parts(rows: Sequence[Record], *, by_inputs: bool) -> Iterable[tuple[list[Record], list[Record]]]:
    """Give for each repository, or for each number of inputs, the others and its own records."""
    keys = [str(r.design.layers[0].size("n_in")) if by_inputs else r.repo for r in rows]
    for key in sorted(set(keys)):
        yield (
            [r for r, k in zip(rows, keys, strict=True) if k != key],
            [r for r, k in zip(rows, keys, strict=True) if k == key],
        )


def fit_ratios(records: Sequence[Record]) -> dict[str, Any]:
    """Ratios of later levels to the HLS report, by tool and io."""
    found: dict[str, Any] = {}
    for level in LEVELS[1:]:
        found[level] = {}
        for tool in ("vivado", "vitis"):
            for io in ("stream", "parallel"):
                found[level][f"{tool} {io}"] = {n: _ratio(records, level, tool, io, n) for n in RESOURCES}
    return found


def _ratio(records: Sequence[Record], level: str, tool: str, io: str, name: str) -> dict[str, float]:
    def pairs(accepts: Callable[[Record], bool], upper: str) -> list[tuple[float, str]]:
        return [
            ((r.counts[upper][name] + SLACK[name]) / (r.counts["hls"][name] + SLACK[name]), r.repo) for r in records
            if upper in r.counts and r.counts.get("hls", {}).get(name) and name in r.counts[upper] and accepts(r)
        ]  # fmt: skip

    if name == "uram":
        return {"median": 1.0, "low": 1.0, "high": 1.0, "count": 0}
    upper = "synthesis"  # after place and route: too few reports, so the same ratio with a wider band
    found = pairs(lambda r: generation(r.design) == tool and r.design.io == io, upper)
    if len(found) < 5:
        found = pairs(lambda r: generation(r.design) == tool, upper)
    if len(found) < 5:
        found = pairs(lambda r: True, upper)
    values = [v for v, _ in found]
    median = float(np.median(values)) if values else 1.0
    edges = band([v / median if median else 1.0 for v in values], [repo for _, repo in found])
    extra = 1.25 if level == "implementation" else 1.0
    return {
        "median": round(median, 4), "low": round(median * edges["low"] / extra, 4),
        "high": round(median * edges["high"] * extra, 4), "count": len(values),
    }  # fmt: skip


def fit_clock(records: Sequence[Record]) -> dict[str, Any]:
    """Ratios of the achieved period to the target."""
    found: dict[str, Any] = {}
    for level in LEVELS:
        pairs = [
            (r.clock_ns[level] / r.design.clock_ns, r.repo) for r in records
            if level in r.clock_ns and r.kind in ("design", "bare") and 0.2 < r.clock_ns[level] /
            r.design.clock_ns < 4
        ]  # fmt: skip
        if len(pairs) >= 5:
            values = [v for v, _ in pairs]
            median = float(np.median(values))
            edges = band([v / median for v in values], [repo for _, repo in pairs])
            found[level] = {
                "median": round(median, 4), "low": round(median * edges["low"], 4),
                "high": round(median * edges["high"], 4), "count": len(pairs),
            }  # fmt: skip
    return found


def fit(every: Sequence[Record]) -> Fits:
    """Fit everything."""
    records = usable(every)
    made = {r.id: made_of(r) for r in records}
    costs = fit_costs(records, made)
    estimates = held_out(records, made)
    rounded = {res: {n: float(f"{c:.5g}") for n, c in sorted(table.items())} for res, table in costs.items()}
    designs = [r for r in records if r.kind != "module"]
    return Fits(
        rounded, fit_bands(records, estimates), fit_ratios(every), fit_clock(every),
        {
            "families": sorted({r.design.family for r in designs} - {""}),
            "clock_ns": [min(r.design.clock_ns for r in designs), max(r.design.clock_ns for r in designs)],
            "width": max(t.width for r in designs for s in r.design.layers for k, t in s.types.items() if k in
            ("input", "weight")),
        },
        {
            "name": f"fit on {len(designs)} designs of {len({r.repo for r in designs})} repositories",
            "designs": len(designs), "layers": len(records) - len(designs),
            "repositories": len({r.repo for r in records}),
            "tools": sorted({f"{r.design.tool} {r.design.version}".strip() for r in records}),
            "parts": sorted({r.design.part for r in records} - {""}),
        },
    )  # fmt: skip


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="directory of reports")
    found = fit(read(parser.parse_args().data))
    TARGET.write_text(json.dumps(found.__dict__, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"written to {TARGET}: {found.provenance['name']}")


if __name__ == "__main__":
    main()
