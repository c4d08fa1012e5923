"""The depths of FIFOs: the smallest without a stall, the smallest without a deadlock, each with its certificate.

*Without a stall*: with these depths nothing in one frame happens later than with FIFOs that are never full. In that
schedule the k-th write of a FIFO of depth d does not wait if the (k - d)-th read was before it, so the smallest depth
is a count, FIFO by FIFO, and one less makes a write wait. Where frames overlap, these depths may hold up frames back
to back (``interval``). Then what all of them need with FIFOs that are never full is enough, but far too much (before
the slowest process packs pile up frame after frame): each raised depth is brought down again as far as the interval
stays, the most expensive first, until no single one can be less.

*Without a deadlock*: whether a design deadlocks does not depend on times, and a deeper FIFO never makes one. From a
depth of 1 everywhere, the narrowest full FIFO of each circle of waits is opened until the design runs; then each
opened FIFO grows again from 1 while nothing else can move, the most expensive first. The result is minimal: no single
depth can be less. (Finding the cheapest of all minimal vectors is NP-hard in general: Geilen, Basten, Stuijk,
*Minimising buffer requirements of synchronous dataflow graphs with model checking*, DAC 2005.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...graph import UnsupportedError
from .deadlock import Deadlock, find_deadlock
from .model import Fifo, Network, Process
from .run import Run, simulate
from .solve import grown, walked
from .tables import Tables

FRAMES = 4
"""Frames back to back that tell the interval."""


@dataclass(frozen=True)
class Loss:
    """What happens to one FIFO with one less than its depth: a write of process ``writer`` waits, the first in global
    cycle ``cycle``; or the design deadlocks. ``at_floor``: the depth is 1 and there is no less. ``interval``: for a
    depth that was raised for frames back to back, the larger interval with one less.
    """

    fifo: str
    writer: str = ""
    cycle: int = -1
    deadlock: Deadlock | None = None
    at_floor: bool = False
    interval: int = 0


@dataclass(frozen=True)
class Sizing:
    """``depths`` by FIFO, with what a run with them reaches: cycles of the first frame and between frames, and those
    of the same design with FIFOs that are never full. ``losses``: the certificate, by FIFO.
    """

    depths: dict[str, int]
    latency: int
    interval: int
    free_latency: int
    free_interval: int
    losses: dict[str, Loss]


def stall_free(network: Network, *, certify: bool = True, near: Mapping[str, int] | None = None) -> Sizing:
    """Give the smallest depths without a stall, each with what one less does. ``certify``: run the design once more for
    each FIFO, to know whether it would even deadlock. ``near``: depths from which the search for frames back to back
    begins, those of a network that hardly differs.

    Only designs with feedback can deadlock with FIFOs that are never full; they have no such depths.
    """
    tables = Tables(network)
    one = simulate(unlimited(network, 1), tables=tables)
    if one.deadlock is not None:
        hint = "processes in a loop must send a pack before they wait for one"
        raise UnsupportedError(f"no depths resolve a {one.deadlock}", hint=hint)
    depths = {f.name: one.needed(f.name) for f in network.fifos}
    losses: dict[str, Loss] = {}
    several = simulate(unlimited(network, FRAMES), FRAMES, tables=tables)
    reached = simulate(network.with_depths(depths), FRAMES, tables=tables)
    if reached.interval > several.interval:
        raised = {name: max(depth, several.needed(name)) for name, depth in depths.items()}
        if near is not None:
            guess = {name: min(most, max(depths[name], near[name])) for name, most in raised.items()}
            if simulate(network.with_depths(guess), FRAMES, tables=tables).interval <= several.interval:
                raised = guess
        raised = _lowered(tables, depths, raised, several.interval)
        reached = simulate(network.with_depths(raised), FRAMES, tables=tables)
        losses = {name: _held_up(tables, reached, raised, name) for name in depths if raised[name] > depths[name]}
        depths = raised
    losses |= {name: _stall(one, depths, name) for name in depths if name not in losses}
    if certify:
        losses = {name: _confirmed(tables, depths, loss) for name, loss in losses.items()}
    return Sizing(depths, reached.latency, reached.interval, one.latency, several.interval, losses)


def unlimited(network: Network, frames: int) -> Network:
    """Give the network with FIFOs that hold everything that passes in so many frames."""
    return network.with_depths({f.name: p.writes[f.name].size * frames for f, p in _writers(network)})


def _writers(network: Network) -> list[tuple[Fifo, Process]]:
    writers = network.writers
    return [(f, writers[f.name]) for f in network.fifos]


def _lowered(tables: Tables, floor: Mapping[str, int], depths: Mapping[str, int], interval: int) -> dict[str, int]:
    """Bring depths down towards those for one frame while frames still end every ``interval`` cycles.

    Few stay raised, so halves of them are tried together. More room may let an earlier frame end sooner and so lengthen
    an interval: hence repeated until nothing changes.
    """
    width = {f.name: f.width for f in tables.network.fifos}
    found, before = dict(depths), dict[str, int]()

    def holds(tried: Mapping[str, int]) -> bool:
        run = simulate(tables.network.with_depths({**found, **tried}), FRAMES, tables=tables)
        return run.deadlock is None and run.interval <= interval

    def lower(names: Sequence[str]) -> None:
        if not names:
            return
        if holds({name: floor[name] for name in names}):
            found.update((name, floor[name]) for name in names)
        elif len(names) > 1:
            lower(names[: len(names) // 2])
            lower(names[len(names) // 2 :])
        elif holds({names[0]: found[names[0]] - 1}):
            low, high = floor[names[0]], found[names[0]] - 1
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if holds({names[0]: middle}) else (middle, high)
            found[names[0]] = high

    while found != before:
        before = dict(found)
        raised = [name for name in found if found[name] > floor[name]]
        lower(sorted(raised, key=lambda name: (width[name] * (floor[name] - found[name]), name)))
    return found


def _held_up(tables: Tables, reached: Run, depths: Mapping[str, int], name: str) -> Loss:
    """Run frames back to back with one less: the first write that comes later, and how the frames follow."""
    run = simulate(tables.network.with_depths({**depths, name: depths[name] - 1}), FRAMES, tables=tables)
    later = np.flatnonzero(run.writes[name] > reached.writes[name])
    cycle = int(reached.writes[name][later[0]])
    return Loss(name, run.network.writers[name].name, cycle, interval=run.interval)


def _stall(one: Run, depths: Mapping[str, int], name: str) -> Loss:
    """The first write that has no room with one less, in the schedule of one frame without limits: before it nothing
    differs.
    """
    if depths[name] == 1:
        return Loss(name, at_floor=True)
    less = depths[name] - 1
    writes, reads = one.writes[name], one.reads[name]
    late = np.flatnonzero(writes[less:] <= reads[: writes.size - less])
    return Loss(name, one.network.writers[name].name, int(writes[less + late[0]]))


def _confirmed(tables: Tables, depths: Mapping[str, int], loss: Loss) -> Loss:
    """Run one frame with one less: whether the design deadlocks."""
    if loss.at_floor or loss.interval:
        return loss
    less = {**depths, loss.fifo: depths[loss.fifo] - 1}
    return replace(loss, deadlock=_deadlock(tables, less))


def deadlock_free(network: Network, *, certify: bool = True) -> Sizing:
    """Give minimal depths with which the design does not deadlock.

    Raises UnsupportedError where no depths help: processes that wait for what they themselves have to send first.
    """
    widths = {f.name: f.width for f in network.fifos}
    packs = {f.name: p.writes[f.name].size for f, p in _writers(network)}
    depths = dict.fromkeys(packs, 1)
    opened: list[str] = []
    tables = Tables(network)
    while (stuck := _deadlock(tables, depths)) is not None:
        full = [name for name in stuck.full if depths[name] < packs[name]]
        if not full:
            hint = "processes in a loop must send a pack before they wait for one"
            raise UnsupportedError(f"no depths resolve a {stuck}", hint=hint)
        chosen = min(full, key=lambda name: (widths[name], packs[name], name))
        depths[chosen] = packs[chosen]
        opened.append(chosen)
    for name in sorted(opened, key=lambda name: (-widths[name] * packs[name], name)):
        depths[name] = grown(tables.with_depths({**depths, name: 1}), tables.number[name])
    losses = {name: _lost(tables, depths, name) for name in depths} if certify else {}
    free = simulate(unlimited(network, FRAMES), FRAMES, tables=tables)
    reached = simulate(network.with_depths(depths), FRAMES, tables=tables)
    return Sizing(depths, reached.latency, reached.interval, free.latency, free.interval, losses)


def _lost(tables: Tables, depths: Mapping[str, int], name: str) -> Loss:
    if depths[name] == 1:
        return Loss(name, at_floor=True)
    stuck = _deadlock(tables, {**depths, name: depths[name] - 1})
    assert stuck is not None, f"{name} could be smaller"
    return Loss(name, deadlock=stuck)


def _deadlock(tables: Tables, depths: Mapping[str, int]) -> Deadlock | None:
    """One frame tells: when it is over everything is as at the beginning, and who waits does not depend on times."""
    resized = tables.with_depths(depths)
    times = walked(resized, 1)
    return None if times.complete else find_deadlock(resized, times, 1)


__all__ = ["FRAMES", "Loss", "Sizing", "deadlock_free", "stall_free", "unlimited"]
