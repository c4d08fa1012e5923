"""The cycle model: what the manuals say of small mixes, what wait states add, and what is not known."""

import csv
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks import mcu_cycles as benchmark
from gatewright.backends.firmware.emulator import Mix
from gatewright.boards import load
from gatewright.graph.errors import OptionError, UnsupportedError
from gatewright.simulation.mcu import (
    TIMINGS,
    Timing,
    bound_by,
    core_cycles,
    costs,
    cycles,
    energy,
    latency,
    limits,
    timing_of,
    wait_cycles,
)

HEAD = (
    "version", "division", "org", "system", "benchmark", "latency_ms", "energy_uJ", "processor", "freq",
    "framework_or_compiler",
)  # fmt: skip
M4, M0 = TIMINGS["cortex-m4"], TIMINGS["cortex-m0plus"]
L4R5 = load("nucleo-l4r5zi")


def mix(**counts: int) -> Mix:
    return Mix(**counts)


# instructions by the manuals' tables: (mix, cycles on the M4, on the M0+)
MANUAL = [
    (mix(alu=10), 10, 10),
    (mix(multiply=3), 3, 3),
    (mix(multiply_pairs=4), 4, 4),
    (mix(loads=1, words_loaded=1, loads_first=1), 2, 2),
    (mix(loads=4, words_loaded=4, loads_first=1), 5, 8),  # the M4 overlaps loads that follow each other
    (mix(stores=3, words_stored=3), 3, 6),
    (mix(loads=1, loads_multiple=1, words_loaded=5), 6, 6),  # 1 + N
    (mix(stores=1, stores_multiple=1, words_stored=5), 6, 6),
    (mix(branches_taken=2, branches_not_taken=2), 2 * 3 + 2, 2 * 2 + 2),
    (mix(calls=1, returns=1), 6, 5),
]


@pytest.mark.parametrize(("counts", "m4", "m0"), MANUAL)
def test_the_manuals_tables(counts: Mix, m4: float, m0: float) -> None:
    assert core_cycles(counts, M4) == m4
    assert core_cycles(counts, M0) == m0


@pytest.mark.parametrize("name", TIMINGS)
def test_every_class_takes_time_and_mixes_add_up(name: str) -> None:
    timing = TIMINGS[name]
    not_timed = {
        "instructions", "wide", "code_reads", "fetch_misses", "read_misses", "data_misses", "loads_first",
        "loads_literal", "words_loaded", "words_stored",
    }  # fmt: skip
    for field in fields(Mix):
        one = mix(**{field.name: 1})
        if field.name in ("loads_multiple", "stores_multiple"):
            one = one + mix(loads=1, stores=1, words_loaded=2, words_stored=2)
        if field.name not in not_timed:
            words = {"loads": {"words_loaded": 1}, "stores": {"words_stored": 1}}.get(field.name, {})
            assert core_cycles(one + mix(**words), timing) > 0, field.name
    a, b = mix(alu=7, multiply=3, branches_taken=2), mix(loads=4, loads_first=2, words_loaded=4)
    assert core_cycles(a + b, timing) == pytest.approx(core_cycles(a, timing) + core_cycles(b, timing))


def test_wait_states() -> None:
    counts = mix(instructions=100, alu=100, fetch_misses=10, read_misses=20)
    assert wait_cycles(counts, M4, L4R5) == pytest.approx(5 * (M4.fetch * 10 + M4.read * 20))
    assert wait_cycles(counts, M4, load("cortex-m4")) == 0, "a core alone has no flash"
    assert cycles(counts, L4R5).value == pytest.approx(core_cycles(counts, M4) + wait_cycles(counts, M4, L4R5))


def test_figures_say_what_they_are() -> None:
    counts = mix(instructions=1000, alu=900, branches_taken=100)
    found = cycles(counts, L4R5)
    assert (found.kind, found.unit) == ("estimated", "cycles")
    assert found.low < found.value == 1200 < found.high
    assert "Cortex-M4 TRM" in found.source
    assert latency(counts, L4R5).value == pytest.approx(1200 / 120e6)
    joules = energy(counts, L4R5)
    assert joules
    assert joules.value == pytest.approx(1200 * 0.3749e-9)
    assert "nJ a cycle" in joules.source
    assert energy(counts, load("nrf5340-dk")) is None
    told = costs(counts, L4R5)
    assert list(told) == ["instructions", "latency_cycles", "latency_s", "energy_j"]
    assert (told["instructions"]["kind"], told["latency_s"]["kind"]) == ("simulated", "estimated")
    assert list(costs(counts, load("cortex-m4"))) == ["instructions", "latency_cycles"]


def test_what_is_not_known() -> None:
    with pytest.raises(OptionError, match="board cortex-m4 has no clock"):
        latency(mix(alu=1), load("cortex-m4"))
    with pytest.raises(UnsupportedError, match="the cycles of Xtensa LX7 are not known"):
        cycles(mix(alu=1), load("esp32-s3"))


def test_every_board_with_firmware_has_a_timing() -> None:
    from gatewright.boards import boards

    for board in boards().values():
        if board.kind == "mcu" and board.compiler:
            assert isinstance(timing_of(board), Timing)


def test_limits_are_shares() -> None:
    counts = mix(alu=50, multiply_pairs=100, loads=60, loads_first=20, words_loaded=60, branches_taken=5, read_misses=4)
    shares = limits(counts, L4R5)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["multiply"] > shares["memory"] > shares["branch"] > 0
    assert shares["wait"] > 0
    assert set(limits(mix(), L4R5).values()) == {0}


def test_what_bounds_a_layer_depends_on_the_core() -> None:
    counts = mix(alu=9, multiply=8, loads=7, loads_first=7, words_loaded=7)
    assert bound_by(counts, "cortex-m0plus") == "memory"  # two cycles a load
    assert bound_by(counts, "cortex-m7") == "multiply"  # two simple instructions a cycle
    assert bound_by(counts, "unheard-of") is None


def test_the_benchmark_compares_ratios_of_one_tool(tmp_path: Path) -> None:
    """A table whose ratios are the model's own has no error; fitting finds constants without one."""
    counted = {
        (board, network): mix(instructions=n, alu=n // 2, multiply_pairs=n // 3, loads=n // 5, words_loaded=n // 5,
                              loads_first=n // 9, read_misses=n // 50, fetch_misses=n // 70)
        for board in (benchmark.ANCHOR, *benchmark.FITTED, "nucleo-h7a3zi-q")
        for network, n in (("ad", 300_000), ("ic", 15_000_000))
    }  # fmt: skip
    changes = {"fetch": 0.2, "read": 0.5, "cortex-m33": 1.05, "cortex-m7": 0.9}
    names = {b: s for s, b in benchmark.SYSTEMS.items()}
    with (tmp_path / "results.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEAD)
        for (board, network), m in counted.items():
            clock = load(board).cores[0].clock_mhz
            assert clock
            milliseconds = 2 * benchmark.total(m, load(board), changes) / clock.value / 1e3
            rows.writerow(["1.1", "closed", "us", f"{names[board]}_int8", network, milliseconds, "", "", "", "tool"])
            rows.writerow(["1.1", "closed", "us", f"{names[board]}_float", network, 7, "", "", "", "tool"])
    measured = benchmark.results(tmp_path / "results.csv")
    assert len(measured) == len(counted)
    exact = list(benchmark.compare(benchmark.FITTED, counted, measured, changes))
    assert len(exact) == 4
    assert benchmark.spread(exact) < 1e-9
    assert benchmark.spread(benchmark.compare(["nucleo-h7a3zi-q"], counted, measured, changes)) < 1e-9
    found = benchmark.fit(counted, measured)
    assert benchmark.spread(benchmark.compare(benchmark.FITTED, counted, measured, found)) < 0.02
