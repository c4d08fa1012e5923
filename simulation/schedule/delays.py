"""How many cycles arithmetic takes: operators are chained until the period, less what the tool keeps back, is used
up.
"""

from math import ceil, log2

from ..design import Design, LayerSpec

LEVEL_NS = {
    "virtexuplus": 1.15, "virtexuplusHBM": 1.15, "kintexuplus": 1.15, "zynquplus": 1.25, "zynquplusRFSOC": 1.25,
    "artixuplus": 1.4, "versal": 1.1, "kintexu": 1.5, "virtexu": 1.4, "virtex7": 1.7, "kintex7": 1.9, "zynq": 3.9,
    "artix7": 3.9, "spartan7": 4.0,
}  # fmt: skip
"""Nanoseconds of one level of an adder tree of 16 bits in logic, by family."""
UNKNOWN_NS = 1.6


def level_ns(design: Design) -> float:
    """Nanoseconds of one level of an adder tree."""
    return LEVEL_NS.get(design.family, UNKNOWN_NS)


def budget_ns(design: Design) -> float:
    """Nanoseconds that the tool fills with logic: the period less its uncertainty."""
    return design.clock_ns * (1 - design.hls_uncertainty)


def tree_cycles(design: Design, terms: float, *, products: float = 0.0) -> int:
    """Cycles of a sum of ``terms`` products: an adder tree behind a stage that takes as long as ``products`` levels."""
    levels = products + (ceil(log2(terms)) if terms > 1 else 0)
    return int(levels * level_ns(design) / budget_ns(design))


def terms_of(spec: LayerSpec, n_in: int, n_out: int) -> float:
    """How many products an output adds: those of weights that are not zero, and the bias."""
    stats = spec.weights.get("weight")
    if stats is None or not stats.count:
        return n_in + 1
    return max(1.0, (stats.count - stats.zeros) / max(n_out, 1)) + 1


__all__ = ["budget_ns", "level_ns", "terms_of", "tree_cycles"]
