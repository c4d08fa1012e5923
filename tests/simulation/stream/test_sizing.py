"""Depths of FIFOs: nothing later than without limits, and not one less; no deadlock, and not one less."""

import itertools

import numpy as np
import pytest

from gatewright.graph import UnsupportedError
from gatewright.simulation.stream import Network, deadlock_free, simulate, solve, stall_free, unlimited
from gatewright.simulation.stream.sizing import FRAMES

from .drawn import network, overlapping, skipping

FEEDFORWARD = [seed for seed in range(400) if simulate(unlimited(network(seed), 4), 4).deadlock is None]


def ends(design: Network, frames: int = 1) -> list[list[int]]:
    run = simulate(design, frames)
    assert run.deadlock is None
    return [e.tolist() for e in run.events.values()]


def first_later(before: "np.ndarray", after: "np.ndarray") -> int:  # type: ignore[type-arg]
    """When the first write was due that comes later, or never."""
    return next(int(b) for b, a in itertools.zip_longest(before, after) if a is None or a > b)


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
        assert (loss.deadlock is not None) == (less.deadlock is not None)
        assert loss.deadlock is not None or less.activity(design.writers[name]).waits[name] > 0
        assert loss.cycle == first_later(one_frame.writes[name], less.writes[name])


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


@pytest.mark.parametrize(("stages", "length"), [(2, 4), (3, 5), (6, 7)])
def test_frames_that_overlap_need_more(stages: int, length: int) -> None:
    """One frame puts one pack beside the chain; frames in a row as many as are in the chain, and not all that come."""
    design = skipping(stages, length)
    found = stall_free(design)
    assert found.depths["skip"] > 1
    assert found.interval == found.free_interval == length
    assert raised_is_least(design) >= 1


@pytest.mark.parametrize("seed", range(300))
def test_raised_depths_are_least(seed: int) -> None:
    design = overlapping(seed)
    if simulate(unlimited(design, FRAMES), FRAMES).deadlock is None:
        raised_is_least(design)


def raised_is_least(design: Network) -> int:
    """How many FIFOs have more than one frame needs; with one less frames follow each other more slowly."""
    found, one = stall_free(design), simulate(unlimited(design, 1))
    raised = [name for name in found.depths if found.depths[name] > one.needed(name)]
    for name in raised:
        less = simulate(design.with_depths({**found.depths, name: found.depths[name] - 1}), FRAMES)
        assert less.deadlock is None
        assert found.losses[name].interval == less.interval > found.free_interval
        reached = simulate(design.with_depths(found.depths), FRAMES)
        assert found.losses[name].cycle == first_later(reached.writes[name], less.writes[name])
    return len(raised)


@pytest.mark.parametrize("seed", FEEDFORWARD[:100])
def test_a_fifo_grows_alike_in_python(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = deadlock_free(network(seed)), stall_free(network(seed))
    monkeypatch.setattr(solve, "_library", lambda: None)
    assert [s.depths for s in compiled] == [deadlock_free(network(seed)).depths, stall_free(network(seed)).depths]


def test_no_depths_help_who_waits_for_himself() -> None:
    stuck = [s for s in range(300) if simulate(unlimited(overlapping(s), 1)).deadlock is not None]
    assert stuck
    for seed in stuck:
        for sizes in (stall_free, deadlock_free):
            with pytest.raises(UnsupportedError, match="waiting for"):
                sizes(overlapping(seed))
