"""A run of a streaming design: when everything happens, what waits for what, how full the FIFOs get."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .deadlock import Deadlock, find_deadlock
from .model import Cycles, Network, Process
from .solve import solve
from .tables import Events, Tables


@dataclass(frozen=True)
class Activity:
    """What a process did in the run, in global cycles.

    ``start``: the cycle of its local cycle 0 (-1: it never came), ``end``: the cycle behind its last; ``first_read``
    and ``first_write``: of any FIFO (-1: none). ``busy``: cycles in which its clock ran; ``waits``: cycles in which
    it stood still, by the FIFO that was the last to let it go on (of several in one cycle: reads before writes, then
    by the FIFOs' order).
    """

    start: int
    first_read: int
    first_write: int
    last_write: int
    end: int
    busy: int
    waits: dict[str, int]
    waits_input: int
    waits_output: int


@dataclass(frozen=True, eq=False)
class Run:
    """``writes`` and ``reads``: global cycles of the accesses of each FIFO; ``events``: of the accesses of each
    process.

    Where ``deadlock`` is not None the times end where the design stands still.
    """

    network: Network
    frames: int
    writes: dict[str, Cycles]
    reads: dict[str, Cycles]
    events: dict[str, Cycles]
    tables: Tables
    deadlock: Deadlock | None = None

    @cached_property
    def sinks(self) -> tuple[Process, ...]:
        """The processes that only read."""
        return tuple(p for p in self.network.processes if p.reads and not p.writes)

    @cached_property
    def first_output(self) -> int:
        """Cycles from the beginning until the first pack of every output has been taken."""
        return max((int(self.reads[f][0]) + 1 for p in self.sinks for f in p.reads if self.reads[f].size), default=0)

    @cached_property
    def frame_ends(self) -> Cycles:
        """For each frame the cycles from the beginning until its last output pack has been taken; 0: it never was."""
        ends, complete = np.zeros(self.frames, np.int64), self.frames
        for p in self.sinks:
            for f, cycles in p.reads.items():
                taken = self.reads[f]
                whole = taken.size // cycles.size
                complete = min(complete, whole)
                ends[:whole] = np.maximum(ends[:whole], taken[cycles.size - 1 :: cycles.size][:whole] + 1)
        ends[complete:] = 0
        return ends

    @property
    def latency(self) -> int:
        """Cycles of the first frame, from the beginning to its last output pack."""
        return int(self.frame_ends[0]) if self.frames else 0

    @property
    def interval(self) -> int:
        """Cycles between the ends of the last two frames; of one frame, its latency; 0 where they have no end."""
        ends = self.frame_ends
        return int(ends[-1] - ends[-2]) if self.frames > 1 and ends[-1] else int(ends[-1])

    @property
    def is_steady(self) -> bool:
        """Whether the last two intervals are equal."""
        steps = np.diff(self.frame_ends)
        return steps.size > 1 and bool(self.frame_ends[-1] > 0 and steps[-1] == steps[-2])

    def occupancy(self, fifo: str) -> tuple[Cycles, Cycles]:
        """Give the cycles after which the number of packs in a FIFO changes, and the numbers."""
        written, read = self.writes[fifo], self.reads[fifo]
        times = np.concatenate([written, read])
        steps = np.concatenate([np.ones(written.size, np.int64), np.full(read.size, -1, np.int64)])
        order = np.argsort(times, kind="stable")
        times, counts = times[order], np.cumsum(steps[order])
        last = np.ones(times.size, bool)
        last[:-1] = times[1:] != times[:-1]
        return times[last], counts[last]

    def most(self, fifo: str) -> int:
        """The largest number of packs in a FIFO after any cycle."""
        written = self.writes[fifo]
        taken = np.searchsorted(self.reads[fifo], written, side="right")
        return int((np.arange(1, written.size + 1) - taken).max(initial=0))

    def needed(self, fifo: str) -> int:
        """The smallest depth with which no write of this run would have waited: one less makes one wait."""
        written = self.writes[fifo]
        taken = np.searchsorted(self.reads[fifo], written, side="left")
        return max(1, int((np.arange(1, written.size + 1) - taken).max(initial=1)))

    def activity(self, process: Process) -> Activity:
        """Say what a process did."""
        times, local = self.events[process.name], self._local(process)
        reads = [self.reads[f][0] for f in process.reads if self.reads[f].size]
        writes = [self.writes[f] for f in process.writes if self.writes[f].size]
        stall, cause = self.stalls(process)
        waits: dict[str, int] = {}
        for fifo in np.unique(cause[stall > 0]):
            name = self.network.fifos[int(fifo)].name
            waits[name] = int(stall[(cause == fifo) & (stall > 0)].sum())
        waited = int(times[-1]) - int(local[times.size - 1]) if times.size else process.start  # and its start
        busy = int(local[times.size]) if times.size < local.size else process.length * self.frames
        inputs = sum(n for name, n in waits.items() if name in process.reads)
        first = process.start if not local.size or local[0] else int(times[0]) if times.size else -1
        return Activity(
            first if busy else -1, int(min(reads, default=-1)),
            int(min((w[0] for w in writes), default=-1)), int(max((w[-1] for w in writes), default=-1)),
            waited + busy if busy else -1, busy, waits, inputs, sum(waits.values()) - inputs,
        )  # fmt: skip

    def _local(self, process: Process) -> Cycles:
        return self._events(process).local(process.length, self.frames)

    def _events(self, process: Process) -> Events:
        return self.tables.events[self.network.processes.index(process)]

    def stalls(self, process: Process) -> tuple[Cycles, Cycles]:
        """Give for each event of a process the cycles that it waited, and the number of the FIFO that it waited for."""
        times = self.events[process.name]
        local = self._local(process)[: times.size]
        slack = times - local
        stall = np.diff(slack, prepend=process.start)
        best, cause = np.full(times.size, -1, np.int64), np.zeros(times.size, np.int64)
        found = self._events(process)
        per_frame = found.cycles.size
        for used, is_write in ((found.reads, False), (found.writes, True)):
            for fifo, places in sorted(used.items()):
                every = (np.arange(self.frames, dtype=np.int64)[:, None] * per_frame + places).reshape(-1)
                every = every[every < times.size]
                bound = self._bound(fifo, every.size, is_write)
                better = bound > best[every]
                best[every[better]], cause[every[better]] = bound[better], fifo
        return stall, cause

    def _bound(self, fifo: int, count: int, is_write: bool) -> Cycles:
        one = self.network.fifos[fifo]
        if not is_write:
            return self.writes[one.name][:count] + one.latency
        bound = np.full(count, -1, np.int64)
        free = self.reads[one.name][: max(count - one.depth, 0)] + 1
        bound[one.depth : one.depth + free.size] = free
        return bound


def simulate(network: Network, frames: int = 1, *, tables: Tables | None = None) -> Run:
    """Run a design for ``frames`` frames back to back. A deadlock is a result, not an error: see ``Run.deadlock``.

    ``tables``: those of the same network with any depths, which need not be made again.
    """
    assert frames >= 1
    tables = Tables(network) if tables is None else tables.with_depths({f.name: f.depth for f in network.fifos})
    times = solve(tables, frames)
    names = [f.name for f in network.fifos]
    deadlock = None if times.complete else find_deadlock(tables, times, frames)
    return Run(
        network, frames, dict(zip(names, times.written, strict=True)), dict(zip(names, times.read, strict=True)),
        {p.name: e for p, e in zip(network.processes, times.events, strict=True)}, tables, deadlock,
    )  # fmt: skip


__all__ = ["Activity", "Run", "simulate"]
