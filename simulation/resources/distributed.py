"""Distributed arithmetic after place and route: look-up tables from the cost of the adder graph.

Fitted on the 12 JEDI-linear designs (da4ml's Verilog, fully unrolled, on a Virtex UltraScale+): the adder graph's cost
counts the bits of its adders, of which each takes a little more than one look-up table.
"""

from collections.abc import Sequence

import numpy as np

LUT_PER_COST = 1.0772
"""Look-up tables per unit of da4ml's cost: the median of 12 designs."""
COST_PER_EBOP = 0.77
"""Units of da4ml's cost per effective bit operation, where no adder graph was made (median of 12 designs)."""


def estimate(cost: float | None, ebops: float | None = None, ratio: float | None = None) -> float:
    """Give look-up tables from the adder graph's cost, or from effective bit operations (EBOPs)."""
    if cost is None:
        assert ebops is not None, "neither a cost nor EBOPs"
        cost = ebops * COST_PER_EBOP
    return cost * (LUT_PER_COST if ratio is None else ratio)


def fit_cost(pairs: Sequence[tuple[float, float]]) -> float:
    """Fit look-up tables per unit of cost on pairs (cost, look-up tables)."""
    return float(np.median([luts / cost for cost, luts in pairs]))


__all__ = ["COST_PER_EBOP", "LUT_PER_COST", "estimate", "fit_cost"]
