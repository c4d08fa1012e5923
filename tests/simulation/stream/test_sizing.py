"""Depths of FIFOs: nothing later than without limits, and not one less; no deadlock, and not one less."""

import numpy as np
import pytest

from gatewright.simulation.stream import Network, deadlock_free, simulate, stall_free, unlimited

from .drawn import network

FEEDFORWARD = [seed for seed in range(400) if simulate(unlimited(network(seed), 4), 4).deadlock is None]


def ends(design: Network, frames: int = 1) -> list[list[int]]:
    run = simulate(design, frames)
    assert run.deadlock is None
    return [e.tolist() for e in run.events.values()]


@pytest.mark.parametrize("seed", FEEDFORWARD[:150])
def test_without_a_stall(seed: int) -> None:
    design = network(seed)
    found = stall_free(design)
    sized = design.with_depths(found.depths)
    assert ends(sized) == ends(unlimited(design, 1))
    assert found.interval == found.free_interval
    one_frame = simulate(unlimited(design, 1))
    for name, loss in found.losses.items():
        if loss.at_floor or found.depths[name] > one_frame.needed(name):  # the second: deep for several frames
            continue
        less = simulate(sized.with_depths({name: found.depths[name] - 1}))
        assert loss.deadlock is not None or less.activity(design.writers[name]).waits[name] > 0
        assert loss.deadlock is not None or loss.cycle >= 0


@pytest.mark.parametrize("seed", FEEDFORWARD[:150])
def test_without_a_deadlock(seed: int) -> None:
    design = network(seed)
    found = deadlock_free(design)
    assert simulate(design.with_depths(found.depths), 3).deadlock is None
    for name, depth in found.depths.items():
        assert found.losses[name].at_floor == (depth == 1)
        if depth > 1:
            assert simulate(design.with_depths({**found.depths, name: depth - 1}), 2).deadlock is not None


def test_most_designs_need_more_than_one() -> None:
    """The draws are not trivial."""
    deep = [max(deadlock_free(network(s), certify=False).depths.values()) for s in FEEDFORWARD[:60]]
    assert np.mean([d > 1 for d in deep]) > 0.2
