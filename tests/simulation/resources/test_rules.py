"""Counts by template, limits, the device, what bands are."""

from dataclasses import replace

import numpy as np
import pytest

from gatewright.boards import load as load_board
from gatewright.simulation.cost import available, fit
from gatewright.simulation.design import LEVELS, RESOURCES, Design, LayerSpec, Type, statistics
from gatewright.simulation.figures import Figure
from gatewright.simulation.resources import resources, shipped
from gatewright.simulation.resources.estimate import both, domain
from gatewright.simulation.resources.limits import limits
from gatewright.simulation.resources.rules import amounts, fused
from gatewright.simulation.resources.storage import fifo_blocks, fifo_luts, rom_blocks, weight_blocks

TYPES = {"input": Type(16, 6), "weight": Type(8, 1), "accum": Type(16, 6), "output": Type(16, 6)}


def dense(n_in: int, n_out: int, reuse: int, bits: int = 8, **more: object) -> Design:
    types = {**TYPES, "weight": Type(bits, 1)}
    sizes = {"n_in": n_in, "n_out": n_out}
    layer = LayerSpec(
        "d", "dense", "", "", ("x",), ("y",), ((n_in,),), ((n_out,),), sizes, types, "resource", reuse, **more
    )  # type: ignore[arg-type]
    return Design("parallel", (layer,), "vivado", "2020.1", "xcu250-figd2104-2L-e", "virtexuplus", 5.0)


@pytest.mark.parametrize(
    ("width", "depth", "blocks"), [(36, 512, 1), (37, 512, 1), (39, 512, 2), (36, 1024, 2), (9, 2048, 1), (8, 100, 0)]
)
def test_read_only_memories(width: int, depth: int, blocks: int) -> None:
    """A rest of one or two bits goes to look-up tables; under 1,024 bits there is no block."""
    assert rom_blocks(width, depth) == blocks


def test_weights_of_strategy_resource() -> None:
    """Reports of Vivado HLS 2020.1: 32x64, reuse factor 512: 4 multipliers of 2 bits: 8 bits a word, and the places."""
    assert weight_blocks(32, 64, 512, 2) == 2
    assert weight_blocks(32, 64, 1, 8) == 0


def test_memories_of_vitis() -> None:
    """A block for the smallest weights; FIFOs of 18-bit columns (reports of Vitis HLS 2024.2)."""
    assert [rom_blocks(6, 50, "vitis"), rom_blocks(30, 25, "vitis"), rom_blocks(60, 50, "vitis")] == [1, 1, 2]
    assert [fifo_blocks(*size, "vitis") for size in ((40, 900), (12, 900), (95, 169), (114, 121), (8, 4096))] == [
        3, 1, 6, 7, 2,
    ]  # fmt: skip
    assert fifo_blocks(30, 25, "vitis") == 0


@pytest.mark.parametrize(
    ("blocks", "n_out", "dsp"), [(1, 2, 1), (2, 1, 1), (5, 1, 3), (11, 1, 7), (10, 5, 5), (6, 6, 6), (5, 2, 3)]
)
def test_sums_of_small_products_share_dsp_blocks(blocks: int, n_out: int, dsp: int) -> None:
    assert fused(blocks, n_out) == dsp


def test_fifos_are_shift_registers_or_blocks() -> None:
    assert (fifo_luts(16, 64), fifo_blocks(16, 64)) == (32, 0)
    assert (fifo_luts(16, 65), fifo_blocks(16, 65)) == (0, 1)
    assert fifo_blocks(128, 512) == 4


def test_a_loop_has_a_multiplier_for_each_weight_of_a_word() -> None:
    total = resources(dense(64, 64, 128)).total["hls"]
    assert total["dsp"].value == 32
    assert total["dsp"].kind == "exact"
    assert resources(dense(64, 64, 128, bits=4)).total["hls"]["dsp"].value == 0


@pytest.mark.parametrize("resource", ["dsp", "lut"])
def test_more_reuse_takes_less(resource: str) -> None:
    counts = [resources(dense(64, 64, reuse)).total["hls"][resource].value for reuse in (256, 512, 1024, 2048)]
    assert counts == sorted(counts, reverse=True)


def unrolled(weights: "list[list[int]]") -> dict[str, float]:
    matrix = np.array(weights)
    sizes = {"n_in": matrix.shape[0], "n_out": matrix.shape[1]}
    layer = LayerSpec("d", "dense", sizes=sizes, types=TYPES, weights={"weight": statistics(matrix)})
    made = amounts(layer, Design("parallel", (layer,), dataflow=False, family="virtexuplus"))
    return {**made.lut, "dsp_blocks": made.fixed.get("dsp", 0)}


def test_zeros_are_free_and_powers_of_two_are_wires() -> None:
    assert sum(unrolled([[0, 0], [0, 0]]).values()) == 0
    wires, sums = unrolled([[1, 2], [4, -8]]), unrolled([[3, 5], [7, 9]])
    assert wires["wire_bit"] == sums["adder_bit"] > 0 == wires["adder_bit"]
    assert wires["digit_bit"] == 0 < sums["digit_bit"]


def test_equal_products_of_an_input_are_made_once() -> None:
    shared, apart = unrolled([[11, 22, 44, -11]] * 2), unrolled([[11, 13, 19, 21]] * 2)
    assert shared["dsp_blocks"] == 2
    assert apart["dsp_blocks"] == 8


def test_limits_are_found_before_a_synthesis() -> None:
    big = dense(128, 64, 1)
    layer = replace(big.layers[0], strategy="latency")
    found = limits(replace(big, layers=(layer,)))
    assert "8,192 products unrolled" in found[0].what
    assert found[0].where == "d"
    assert not limits(dense(128, 64, 128))


def test_a_foreign_device_widens_the_bands() -> None:
    known, strange = dense(64, 64, 1), replace(dense(64, 64, 1), family="versal", part="xcvc1902")
    known, strange = (replace(d, layers=(replace(d.layers[0], strategy="latency"),)) for d in (known, strange))
    ours, theirs = resources(known), resources(strange)
    assert theirs.total["hls"]["lut"].high > ours.total["hls"]["lut"].high
    assert any("versal" in f.what for f in theirs.findings if f.kind == "domain")


def test_every_figure_has_a_band_and_a_source() -> None:
    found = resources(dense(64, 64, 128))
    for level in LEVELS:
        for name in RESOURCES:
            figure = found.total[level][name]
            assert figure.low <= figure.value <= figure.high
            assert figure.source
    assert found.clock_ns["hls"].low <= found.clock_ns["hls"].high


def test_shipped_constants_say_where_they_come_from() -> None:
    fits = shipped()
    assert fits.provenance["designs"] > 500
    assert fits.provenance["repositories"] >= 10
    assert fits.provenance["tools"]
    for table in fits.bands.values():
        for entry in table.values():
            assert entry["low"] <= 1 <= entry["high"]


def test_what_is_over_the_device_is_told() -> None:
    def lut(low: float, value: float, high: float) -> Figure:
        return Figure(value, low, high, "LUT", "estimated", "test")

    there = available(load_board("pynq-z2"))
    assert there["lut"] == 53200
    assert there["bram"] == 280
    assert not list(fit({"lut": lut(1, 2, 40000)}, there))
    texts = [next(iter(fit({"lut": f}, there))).what for f in (
        lut(10, 20, 50000), lut(10, 20, 60000), lut(60000, 70000, 80000)
    )]  # fmt: skip
    assert ["nearly fills" in texts[0], "may not fit" in texts[1], "does not fit" in texts[2]] == [True] * 3


def test_no_more_dsp_blocks_than_products() -> None:
    """A constant product takes one block at most, however wide the fit's band is."""
    design = dense(64, 64, 1, bits=16)
    design = replace(design, layers=(replace(design.layers[0], strategy="latency"),))
    found = resources(design)
    assert found.total["hls"]["dsp"].value < 64 * 64
    assert all(found.total[level]["dsp"].high <= 64 * 64 for level in LEVELS)


def test_two_errors_are_less_than_their_product() -> None:
    assert both(0.5, 0.5) == pytest.approx(0.5 ** (2**0.5))
    assert both(2.0, 1.0) == 2.0
    assert both(0.5, 0.0) == 0.0


def test_little_layers_do_not_widen_a_band() -> None:
    design = dense(64, 64, 128)
    strange = replace(design.layers[0], name="k", op="kernel", function="lookup")
    design = replace(design, layers=(*design.layers, strange))
    assert domain(design, shipped(), {"d": 100.0, "k": 5.0}) == []
    assert "lookup" in domain(design, shipped(), {"d": 100.0, "k": 6.0})[0]
    assert "no report of quartus" in domain(replace(design, tool="quartus"), shipped(), {"d": 1.0, "k": 0.0})[0]
