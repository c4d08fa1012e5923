"""Products by constants, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from gatewright.simulation.design import Design, LayerSpec, Type, statistics
from gatewright.simulation.resources.constants import expected, products
from gatewright.simulation.resources.rules import amounts


def layer(matrix: list[list[int]] | None, bits: int = 8, *, reuse: int = 1, given: int = 16) -> LayerSpec:
    types = {"input": Type(given, 6), "weight": Type(bits, 1), "accum": Type(24, 8), "output": Type(16, 6)}
    n_in, n_out = (len(matrix), len(matrix[0])) if matrix else (16, 8)
    weights = {"weight": statistics(np.array(matrix), Type(bits, 1))} if matrix else {}
    sizes = {"n_in": n_in, "n_out": n_out}
    return LayerSpec("d", "dense", sizes=sizes, types=types, weights=weights, reuse_factor=reuse)


def design(spec: LayerSpec, tool: str = "vivado", version: str = "2020.1") -> Design:
    return Design("parallel", (spec,), tool, version, "xcu250-figd2104-2L-e", "virtexuplus", 5.0)


def test_zeros_are_free_and_powers_of_two_are_wires() -> None:
    """Of eight weights three are zero; the others are shifts."""
    found = products(spec := layer([[0, 1, -2, 0], [4, 0, 8, 16]]), design(spec))
    assert (found.terms, found.wires, found.adders, found.hard) == (5, 5, 0, 0)
    made = amounts(spec, design(spec))
    assert made.lut["digit_bit"] == made.lut["adder_bit"] == made.fixed["dsp"] == 0


def test_equal_products_of_one_input_are_made_once() -> None:
    """3, 6 and -12 are shifts of one product; 3 and 5 are two; of another input they are made again."""
    one, two, apart = ([[3, 6, -12]], [[3, 5, -12]], [[3], [6]])
    assert [products(s, design(s)).adders for s in map(layer, (one, two, apart))] == [1, 2, 2]


@pytest.mark.parametrize(
    ("tool", "version", "given", "hard", "adders"),
    [("vivado", "2019.2", 16, 2, 0), ("vivado", "2020.1", 16, 1, 2), ("vitis", "2024.1", 15, 2, 0),
     ("vitis", "2024.1", 12, 1, 2)],
)  # fmt: skip
def test_which_products_are_multipliers(tool: str, version: str, given: int, hard: int, adders: int) -> None:
    """11 has three signed digits, 85 four: the first is a multiplier by tool, the second in any."""
    spec = layer([[11, 85]], given=given)
    found = products(spec, design(spec, tool, version))
    assert (found.hard, found.adders) == (hard, adders)


def test_expected_products() -> None:
    """Three bits: of -4 to 3 one is zero, five are shifts, two have two digits, which one product makes."""
    terms, wires, two, three, more = expected(3, 1)
    assert (terms, two, three, more) == (7 / 8, 2 / 8, 0, 0)
    assert wires == 5 / 8
    assert expected(3, 2)[2] == pytest.approx(1 - (6 / 8) ** 2)
    assert expected(6, 64)[4] == 0 < expected(8, 64)[4] < expected(12, 64)[4] < expected(14, 64)[4]


def test_more_bits_cost_no_less() -> None:
    """Multipliers by the width of unknown weights; a reuse factor leaves as many as its limit says."""
    counts = [amounts(s, design(s)).fixed["dsp"] for s in (layer(None, bits) for bits in range(4, 17))]
    assert counts == sorted(counts)
    assert counts[0] == 0 < counts[-1] <= 16 * 8
    folded = layer(None, 14, reuse=32)
    made = amounts(folded, design(folded))
    assert made.fixed["dsp"] == 4
    assert made.ff["wait_bit"] > 0
    assert not amounts(s := replace(folded, reuse_factor=1), design(s)).ff["wait_bit"]
