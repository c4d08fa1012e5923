"""The simulator against its definition, cycle by cycle, on thousands of small designs."""

import numpy as np
import pytest

from gatewright.simulation.stream import Fifo, Network, Process, simulate
from gatewright.simulation.stream.solve import _Walk, _walk, swept, walked
from gatewright.simulation.stream.tables import Tables

from .drawn import network, overlapping
from .stepper import step

SEEDS = 1500


@pytest.mark.parametrize("group", range(15))
def test_runs_as_defined(group: int) -> None:
    deadlocks = 0
    for seed in range(group * SEEDS // 15, (group + 1) * SEEDS // 15):
        design, frames = network(seed), 1 + seed % 3
        found, wanted = simulate(design, frames), step(design, frames)
        for fifo in design.fifos:
            assert found.writes[fifo.name].tolist() == wanted.writes[fifo.name], (seed, fifo)
            assert found.reads[fifo.name].tolist() == wanted.reads[fifo.name], (seed, fifo)
            assert found.most(fifo.name) == wanted.most[fifo.name], (seed, fifo)
        assert (found.deadlock is not None) == bool(wanted.stuck), seed
        for process in design.processes:
            did = found.activity(process)
            assert did.busy == wanted.busy[process.name], (seed, process.name)
            assert did.start == wanted.began.get(process.name, -1), (seed, process.name)
            assert did.end == wanted.ended.get(process.name, -1), (seed, process.name)
        if found.deadlock is not None:
            deadlocks += 1
            assert {w.process for w in found.deadlock.waits} == set(wanted.stuck), seed
            assert {w.process for w in found.deadlock.cycle} <= set(wanted.stuck), seed
    assert 0 < deadlocks < SEEDS // 15


@pytest.mark.parametrize("seed", range(0, 600, 3))
def test_all_ways_agree(seed: int) -> None:
    """Sweeps, the compiled walk and the one in Python."""
    tables = Tables(network(seed))
    compiled, plain = walked(tables, 2), _Walk(tables, 2)
    _walk(plain)
    slow = plain.times()
    assert slow.complete == compiled.complete
    for ours, theirs in zip((*compiled.written, *compiled.read), (*slow.written, *slow.read), strict=True):
        assert np.array_equal(ours, theirs)
    if compiled.complete:
        fast = swept(tables, 2, most=1000)
        assert fast is not None
        assert all(np.array_equal(a, b) for a, b in zip(fast.events, compiled.events, strict=True))
    else:
        assert swept(tables, 2, most=100) is None


@pytest.mark.parametrize("seed", range(100))
def test_designs_of_loops(seed: int) -> None:
    """Accesses in all positions: self loops, feedback, wide spread of depths and latencies."""
    design = overlapping(seed)
    found, wanted = simulate(design, 5), step(design, 5)
    for fifo in design.fifos:
        assert found.writes[fifo.name].tolist() == wanted.writes[fifo.name]
        assert found.reads[fifo.name].tolist() == wanted.reads[fifo.name]


@pytest.mark.parametrize("seed", range(100))
def test_every_cycle_is_accounted_for(seed: int) -> None:
    """A process works, or waits for one FIFO."""
    design = network(seed)
    run = simulate(design, 2)
    if run.deadlock is not None:
        return
    for process in design.processes:
        did = run.activity(process)
        assert did.busy == process.length * 2
        assert did.end == process.start + did.busy + sum(did.waits.values())
        assert set(did.waits) <= {*process.reads, *process.writes}


def one_to_one(depth: int, latency: int = 1, packs: int = 5) -> Network:
    every = np.arange(packs, dtype=np.int64)
    return Network(
        (Process("source", packs, {}, {"f": every}), Process("sink", packs, {"f": every}, {})),
        (Fifo("f", depth, 8, latency),),
    )


def test_by_hand() -> None:
    """A FIFO of depth 1 lets a pack pass every other cycle; of depth 2 every cycle."""
    short, long = simulate(one_to_one(1)), simulate(one_to_one(2))
    assert short.writes["f"].tolist() == [0, 2, 4, 6, 8]
    assert short.reads["f"].tolist() == [1, 3, 5, 7, 9]
    assert long.reads["f"].tolist() == [1, 2, 3, 4, 5]
    assert (short.latency, long.latency, short.first_output) == (10, 6, 2)
    assert simulate(one_to_one(2, latency=2)).reads["f"].tolist() == [2, 3, 5, 6, 8]
    times, counts = short.occupancy("f")
    assert (times.tolist(), counts.tolist()) == (list(range(10)), [1, 0] * 5)


def test_a_deadlock_is_explained() -> None:
    """Fork, a branch that takes 4 packs before it gives one, a join that reads both: the other branch must hold 4."""
    every = np.arange(4, dtype=np.int64)
    slow = Process("slow", 12, {"a": every}, {"c": every + 3})
    join = Process("join", 12, {"b": every, "c": every}, {"out": every})
    sink = Process("sink", 4, {"out": every}, {})
    fork = Process("fork", 4, {}, {"a": every, "b": every})

    def design(depth: int) -> Network:
        fifos = (Fifo(name, depth if name == "b" else 1) for name in ("a", "b", "c", "out"))
        return Network((fork, slow, join, sink), tuple(fifos))

    stuck = simulate(design(3)).deadlock
    assert stuck is not None
    assert {w.process for w in stuck.cycle} == {"fork", "slow", "join"}
    assert stuck.full == ("b",)
    assert "b is full (3 packs)" in str(stuck)
    run = simulate(design(3), 4)
    assert (run.latency, run.interval, run.is_steady) == (0, 0, False)
    assert simulate(design(4)).deadlock is None
