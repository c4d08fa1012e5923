"""Products by constants: which are wires, which adders, which multipliers, and how many are left when those of one
input that differ by a shift or a sign are made once.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..design import Design, LayerSpec, csd_digits, odd_part
from ..schedule.cores import hard_products, matrix

ENUMERATED = 12
"""Constants of more bits are hardly ever equal: they are counted as if they had so many bits and were all different."""


@dataclass(frozen=True)
class Products:
    """Of a constant matrix: ``terms`` products that are not zero; ``adders`` that make products by two digits and more
    (three digits take two), shared within an input; ``hard`` products for which the tool takes a multiplier; ``wires``
    of the terms are shifts alone: their sums are of three operands an adder, or are narrower.
    """

    terms: float
    wires: float
    adders: float
    hard: float


def products(spec: LayerSpec, design: Design) -> Products:
    """Count the products of a layer's matrix, of its weights where they are known, else what is to be expected."""
    n_in, n_out = matrix(spec)
    stats, weight = spec.weights.get("weight"), spec.types.get("weight")
    width = weight.width if weight else 16
    if stats is None and weight is None:
        return Products(n_in * n_out, 0.0, 0.0, hard_products(spec))
    if stats is None:
        terms, wires, two, three, more = (n_in * n for n in expected(width, n_out))
        return _split((terms, wires), two, three, more, spec, design)
    terms = float(stats.count - stats.zeros)
    if stats.csd_hist is None or stats.hard_per_input is None or stats.odd_per_input is None:
        hard = float(hard_products(spec))
        digits = float(stats.csd_digits) if stats.csd_digits is not None else terms * (width + 1) / 3
        wires = max(0.0, 2 * terms - digits)
        return Products(terms, wires, max(0.0, digits - terms - 2 * hard), hard)
    long = sum(stats.csd_hist[3:])
    three = stats.hard_per_input * (stats.csd_hist[3] / long if long else 0.0)
    two = float(stats.odd_per_input - stats.hard_per_input)
    more = stats.hard_per_input - three
    return _split((terms, float(stats.csd_hist[1])), two, three, more, spec, design)


def _split(
    terms: tuple[float, float], two: float, three: float, more: float, spec: LayerSpec, design: Design
) -> Products:
    share = short_share(spec, design)
    return Products(*terms, two + 2 * three * (1 - share), three * share + more)


def short_share(spec: LayerSpec, design: Design) -> float:
    """The share of products by three digits that become multipliers (four digits and more: all of them).

    All in Vivado HLS up to 2019 (8 designs of 2 repositories), few from 2020 on, the more the wider the constants are
    (42 runs of 2020.1); in Vitis HLS all of those whose other operand has 14 bits and more (2 designs).
    """
    given, weight = spec.types.get("input"), spec.types.get("weight")
    if design.tool != "vivado":
        return 1.0 if given is None or given.width >= WIDE else 0.0
    if design.version and design.version < "2020":
        return 1.0
    return min(0.45, max(0.0, ((weight.width if weight else 16) - 8) * 0.08))


WIDE = 14
"""Bits of an operand whose products by three digits Vitis HLS makes with multipliers."""


@cache
def expected(width: int, n_out: int) -> tuple[float, float, float, float, float]:
    """Give of one input whose ``n_out`` constants are spread evenly over ``width`` bits: products that are not zero;
    those that are shifts; different odd factors of two, of three, of more signed digits.
    """
    bits = min(width, ENUMERATED)
    values = np.arange(1, 2 ** (bits - 1) + 1)
    chances = np.bincount(odd_part(values), np.where(values == values[-1], 1, 2) / 2.0**bits)
    odd = np.flatnonzero(chances)[1:]
    digits, different = csd_digits(odd), 1 - (1 - chances[odd]) ** n_out
    found = [float(different[wanted].sum()) for wanted in (digits == 2, digits == 3, digits > 3)]
    if width > ENUMERATED:
        total = n_out * (1 - 2.0**-width)
        grown = min(0.98, 0.78 + 0.06 * (width - ENUMERATED))
        found = [0.03 * total, (0.97 - grown) * total, grown * total]
    wires = n_out * (2 * width - 1) * 2.0**-width
    return n_out * (1 - 2.0**-width), wires, found[0], found[1], found[2]


__all__ = ["Products", "expected", "products", "short_share"]
