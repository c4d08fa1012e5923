"""The simulator against hardware: Verilog stages that control themselves, run by Verilator, cycle for cycle."""

from pathlib import Path

import pytest

from gatewright.simulation.stream import Network, deadlock_free, simulate, stall_free

from .designs import drawn
from .harness import VERILATOR, Ran, run

pytestmark = pytest.mark.skipif(VERILATOR is None, reason="no Verilator here")
CYCLES = 6000


def compare(network: Network, frames: int, ran: Ran, what: str) -> bool:
    """Compare a design's run with the simulator's; say whether it deadlocked."""
    found = simulate(network, frames)
    for fifo in network.fifos:
        assert found.writes[fifo.name].tolist() == ran.writes[fifo.name], (what, fifo.name, "writes")
        assert found.reads[fifo.name].tolist() == ran.reads[fifo.name], (what, fifo.name, "reads")
        assert found.most(fifo.name) == ran.most[fifo.name], (what, fifo.name, "occupancy")
        left = found.writes[fifo.name].size - found.reads[fifo.name].size
        assert left == ran.left[fifo.name], (what, fifo.name, "packs left")
    stuck = {w.process for w in found.deadlock.waits} if found.deadlock else set()
    assert stuck == ran.stuck, what
    return found.deadlock is not None


def check(seeds: range, folder: Path) -> int:
    designs = [drawn(seed) for seed in seeds]
    for network, frames, _ in designs:
        run_of = simulate(network, frames)
        assert max((int(e[-1]) for e in run_of.events.values() if e.size), default=0) < CYCLES
    results = run(designs, folder, CYCLES)
    return sum(
        compare(network, frames, ran, f"seed {seed}")
        for seed, (network, frames, _), ran in zip(seeds, designs, results, strict=True)
    )


def test_designs_run_as_simulated(tmp_path: Path) -> None:
    """Some here; hundreds with ``-m slow``."""
    assert 3 <= check(range(16), tmp_path) <= 13


@pytest.mark.slow
@pytest.mark.parametrize("group", range(5))
def test_five_hundred_designs(tmp_path: Path, group: int) -> None:
    assert check(range(1000 + 100 * group, 1100 + 100 * group), tmp_path) > 10


def test_sizes_hold_in_hardware(tmp_path: Path) -> None:
    """With the depths without a stall all is as with unlimited ones; without a deadlock all ends; one less does not."""
    designs, wanted = [], []
    for seed in range(200, 204):
        network, frames, text = drawn(seed)
        free, least = stall_free(network, certify=False), deadlock_free(network, certify=False)
        small = network.with_depths(least.depths)
        short = next((n for n, d in least.depths.items() if d > 1), None)
        designs += [(network.with_depths(free.depths), frames, text), (small, frames, text)]
        wanted += [False, False]
        if short is not None:
            designs.append((small.with_depths({short: least.depths[short] - 1}), frames, text))
            wanted.append(True)
    results = run(designs, tmp_path, 20000)
    for (network, frames, _), ran, deadlocks in zip(designs, results, wanted, strict=True):
        assert compare(network, frames, ran, "sized") == deadlocks
        assert bool(ran.stuck) == deadlocks
