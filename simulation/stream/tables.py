"""A network as flat arrays: for each process the local cycles in which it uses FIFOs, and which it uses then."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .model import Cycles, Network, no_cycles


@dataclass(frozen=True, eq=False)
class Events:
    """The events of a process: its local cycles with an access, ascending; ``reads`` and ``writes``: by FIFO (its
    number) the places of its accesses among the events.
    """

    cycles: Cycles
    reads: dict[int, Cycles]
    writes: dict[int, Cycles]

    def local(self, length: int, frames: int) -> Cycles:
        """Local cycles counted over all frames, [frames * events]."""
        return (np.arange(frames, dtype=np.int64)[:, None] * length + self.cycles).reshape(-1)


@dataclass(frozen=True, eq=False)
class Accesses:
    """``first_event``: where the events of each process begin; ``cycle``: their local cycles; ``first_access``: where
    the accesses of each event begin, reads before writes; ``fifo`` and ``is_write`` of each access.
    """

    first_event: Cycles
    cycle: Cycles
    first_access: Cycles
    fifo: Cycles
    is_write: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Tables:
    """A network with its FIFOs and processes by number."""

    network: Network

    def with_depths(self, depths: Mapping[str, int]) -> "Tables":
        """Give the tables of the network with other depths; what does not depend on them is shared."""
        resized = Tables(self.network.with_depths(depths))
        for name in ("number", "latency", "packs", "events", "order", "accesses"):
            resized.__dict__[name] = getattr(self, name)
        return resized

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each FIFO."""
        return {fifo.name: i for i, fifo in enumerate(self.network.fifos)}

    @cached_property
    def depth(self) -> Cycles:
        """Depths by FIFO."""
        return np.array([f.depth for f in self.network.fifos], np.int64)

    @cached_property
    def latency(self) -> Cycles:
        """Cycles from a write to the first cycle that can read it, by FIFO."""
        return np.array([f.latency for f in self.network.fifos], np.int64)

    @cached_property
    def packs(self) -> Cycles:
        """Packs a frame, by FIFO."""
        readers = self.network.readers
        return np.array([readers[f.name].reads[f.name].size for f in self.network.fifos], np.int64)

    @cached_property
    def events(self) -> tuple[Events, ...]:
        """The events of each process."""
        return tuple(self._events(p.length, p.reads, p.writes) for p in self.network.processes)

    def _events(self, length: int, reads: Mapping[str, Cycles], writes: Mapping[str, Cycles]) -> Events:
        every = [*reads.values(), *writes.values()]
        cycles, rank = _union(length, every)

        def places(used: Mapping[str, Cycles]) -> dict[int, Cycles]:
            found = ((name, np.searchsorted(cycles, c) if rank is None else rank[c]) for name, c in used.items())
            return {self.number[name]: c for name, c in found}

        return Events(cycles, places(reads), places(writes))

    @cached_property
    def accesses(self) -> "Accesses":
        """All accesses in one list, by process and event."""
        counts = [e.cycles.size for e in self.events]
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        used = [
            (number, is_write, places + start)
            for start, e in zip(first, self.events, strict=False)
            for is_write, fifos in ((False, e.reads), (True, e.writes))
            for number, places in fifos.items()
        ]
        ends = np.zeros(int(first[-1]) + 1, np.int64)
        for _, _, events in used:
            ends[events + 1] += 1
        np.cumsum(ends, out=ends)
        fifo, writes = np.empty(int(ends[-1]), np.int64), np.empty(int(ends[-1]), np.uint8)
        free = ends[:-1].copy()
        for number, is_write, events in used:
            fifo[free[events]], writes[free[events]] = number, is_write
            free[events] += 1
        return Accesses(first, np.concatenate([no_cycles(), *(e.cycles for e in self.events)]), ends, fifo, writes)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The processes, each behind those that it reads from as far as there is no cycle."""
        writers = {name: p.name for name, p in self.network.writers.items()}
        places = {p.name: i for i, p in enumerate(self.network.processes)}
        state: dict[str, int] = {}
        found: list[int] = []
        for root in self.network.processes:
            stack = [(root, iter(root.reads))]
            if root.name in state:
                continue
            state[root.name] = 1
            while stack:
                process, rest = stack[-1]
                for name in rest:
                    source = self.network.processes[places[writers[name]]]
                    if source.name not in state:
                        state[source.name] = 1
                        stack.append((source, iter(source.reads)))
                        break
                else:
                    stack.pop()
                    found.append(places[process.name])
        return tuple(found)


def _union(length: int, every: list[Cycles]) -> "tuple[Cycles, Cycles | None]":
    """Give the cycles that are in any of the lists, and by cycle its place among them where such a table is small."""
    if len(every) < 2 or length > 16 * sum(c.size for c in every):
        return np.unique(np.concatenate([no_cycles(), *every])), None
    used = np.zeros(length, bool)
    for cycles in every:
        used[cycles] = True
    return np.flatnonzero(used), np.cumsum(used, dtype=np.int64) - 1


__all__ = ["Accesses", "Events", "Tables"]
