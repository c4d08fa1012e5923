"""The simulator against hardware: Verilog stages that control themselves, run by Verilator, cycle for cycle.

``pytest -m slow tests/simulation/verilog`` runs 1,000 designs more.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from gatewright.simulation.stream import Deadlock, deadlock_free, simulate, stall_free, unlimited

from .builder import Drawn
from .designs import drawn
from .harness import VERILATOR, Ran, run

pytestmark = pytest.mark.skipif(VERILATOR is None, reason="no Verilator here")
CYCLES = 8000
STAGES = {
    "source", "sink", "loop", "fork", "join", "blocks", "concat", "conv2d", "conv2d resource", "kernel conv", "pool2d",
    "global_pool", "zeropad2d", "repack", "upsample", "resize", "transpose", "dense",
}  # fmt: skip


def compare(design: Drawn, ran: Ran, what: str) -> bool:
    """Compare a design's run with the simulator's; say whether it deadlocked."""
    network, found = design.network, simulate(design.network, design.frames)
    for fifo in network.fifos:
        name, where = fifo.name, (what, fifo.name)
        written, read = found.writes[name], found.reads[name]
        assert written.tolist() == ran.writes[name], where
        assert read.tolist() == ran.reads[name], where
        assert ran.sent[name] == design.packs[name][: written.size], where
        assert ran.taken[name] == design.packs[name][: read.size], where
        assert (found.most(name), written.size - read.size) == (ran.most[name], ran.left[name]), where
    for process in network.processes:
        did, seen = found.activity(process), ran.seen[process.name]
        assert (did.start, did.end, did.busy) == (seen.start, seen.end, seen.busy), (what, process.name)
    if found.deadlock is None:
        assert not ran.stuck, what
    else:
        compare_deadlock(design, found.deadlock, ran, what)
    return found.deadlock is not None


def compare_deadlock(design: Drawn, found: Deadlock, ran: Ran, what: str) -> None:
    assert {w.process for w in found.waits} == ran.stuck, what
    lengths = {p.name: p.length for p in design.network.processes}
    for wait in (*found.waits, *found.cycle):
        seen = ran.seen[wait.process]
        assert (wait.fifo, wait.is_full) in seen.blocked, (what, wait)
        assert wait.frame * lengths[wait.process] + wait.cycle == seen.busy, (what, wait)
        assert wait.packs == (ran.left[wait.fifo] if wait.is_full else 0), (what, wait)


def check(seeds: range, folder: Path) -> int:
    """Run designs; say how many deadlocked."""
    designs = [drawn(seed) for seed in seeds]
    for design in designs:
        ends = [int(e[-1]) for e in simulate(design.network, design.frames).events.values() if e.size]
        assert max(ends) < CYCLES - 1000, "the run would be cut short"
    results = run(designs, folder, CYCLES)
    return sum(compare(*pair, f"seed {seed}") for seed, *pair in zip(seeds, designs, results, strict=True))


def test_designs_run_as_simulated(tmp_path: Path) -> None:
    """Few, but each stage is in one that ends: a deadlock may hide what a stage would do."""
    seeds = range(100, 124)
    ending = [d for d in map(drawn, seeds) if simulate(d.network, d.frames).deadlock is None]
    assert {kind for design in ending for kind in design.kinds} == STAGES
    assert check(seeds, tmp_path) == len(seeds) - len(ending) > 3


@pytest.mark.slow
@pytest.mark.parametrize("group", range(10))
def test_a_thousand_designs(tmp_path: Path, group: int) -> None:
    assert check(range(1000 + 100 * group, 1100 + 100 * group), tmp_path) > 10


def sized(seeds: range, folder: Path) -> list[int]:
    """With the depths without a stall the first frame is as with unlimited FIFOs, with one less of any its write is
    late. With those without a deadlock all ends, with one less of any it does not. Give how many runs of each kind.
    """
    tried: list[tuple[Drawn, str, str]] = []
    for seed in seeds:
        design = drawn(seed)
        free, least = stall_free(design.network, certify=False), deadlock_free(design.network, certify=False)
        late = [name for name, loss in free.losses.items() if not loss.at_floor and not loss.interval]
        stuck = [name for name, depth in least.depths.items() if depth > 1]
        for depths, kind, less in (
            (free.depths, "free", [""]), (free.depths, "late", late), (least.depths, "ends", [""]),
            (least.depths, "stuck", stuck),
        ):  # fmt: skip
            for name in less:
                sizes = {n: d - (n == name) for n, d in depths.items()}
                tried.append((replace(design, network=design.network.with_depths(sizes)), kind, name))
    results = run([design for design, _, _ in tried], folder, CYCLES)
    for (design, kind, name), ran in zip(tried, results, strict=True):
        deadlocks = compare(design, ran, f"{kind} {name}")
        assert kind == "late" or deadlocks == (kind == "stuck")
        if kind in ("free", "late"):
            wanted = simulate(unlimited(design.network, 1)).writes
            late_ones = {n for n, cycles in wanted.items() if ran.writes[n][: cycles.size] != cycles.tolist()}
            assert name in late_ones if name else not late_ones
    kinds = [kind for _, kind, _ in tried]
    return [kinds.count(kind) for kind in ("free", "late", "ends", "stuck")]


def test_sizes_hold_in_hardware(tmp_path: Path) -> None:
    assert min(sized(range(200, 204), tmp_path)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("group", range(2))
def test_more_sizes_hold_in_hardware(tmp_path: Path, group: int) -> None:
    assert min(sized(range(2000 + 20 * group, 2020 + 20 * group), tmp_path)) > 0
