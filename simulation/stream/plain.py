"""The walk of ``solve`` in Python, for machines without a compiler."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .solve import _Walk


class Plain:
    """What has happened so far, as lists that grow."""

    def __init__(self, state: "_Walk") -> None:
        self.grows, self.depth, self.latency = state.grows, state.depth.tolist(), state.tables.latency.tolist()
        self.first, self.ends = state.first_event.tolist(), state.first_access.tolist()
        self.fifo, self.is_write = state.fifo.tolist(), state.is_write.tolist()
        self.written: list[list[int]] = [[] for _ in state.written]
        self.read: list[list[int]] = [[] for _ in state.read]
        self.events: list[list[int]] = [[] for _ in state.events]
        self.all = [e.size for e in state.events]
        used = list(enumerate(state.tables.events))
        self.reader = {fifo: p for p, e in used for fifo in e.reads}
        self.writer = {fifo: p for p, e in used for fifo in e.writes}
        self.begin = [int(n) + int(e.cycles[:1].sum()) for n, (_, e) in zip(state.start, used, strict=True)]
        self.gap: list[int] = []  # local cycles from the event before, of the first: of the frame before
        for (_, e), length in zip(used, state.length, strict=True):
            self.gap += np.diff(e.cycles, prepend=e.cycles[-1:] - length).tolist()
        self.waiting = list(range(len(used)))
        self.queued = set(self.waiting)

    def walk(self) -> None:
        """Take each process as far as it goes, until none goes any further."""
        while self.waiting or self._grow():
            p = self.waiting.pop()
            self.queued.discard(p)
            while len(self.events[p]) < self.all[p] and self._step(p):
                pass

    def _grow(self) -> bool:
        """Everything stands still: make the FIFO that grows deeper, if it is full, and let its writer go on."""
        f = self.grows
        if f < 0 or len(self.written[f]) - len(self.read[f]) < self.depth[f]:
            return False
        writer = self.writer[f]
        if len(self.events[writer]) == self.all[writer]:
            return False
        self.depth[f] += 1
        self.waiting.append(writer)
        return True

    def _step(self, p: int) -> bool:
        """Do the next event of a process, if its FIFOs let it, and wake who may have waited for it."""
        times, first = self.events[p], self.first[p]
        here = first + len(times) % (self.first[p + 1] - first)
        now = times[-1] + self.gap[here] if times else self.begin[p]
        accesses = range(self.ends[here], self.ends[here + 1])
        for a in accesses:
            bound = self._bound(self.fifo[a], self.is_write[a])
            if bound < 0:
                return False
            if bound > now:
                now = bound
        times.append(now)
        for a in accesses:
            f = self.fifo[a]
            done, users = (self.written, self.reader) if self.is_write[a] else (self.read, self.writer)
            done[f].append(now)
            if users[f] not in self.queued:
                self.queued.add(users[f])
                self.waiting.append(users[f])
        return True

    def _bound(self, f: int, is_write: int) -> int:
        """The first cycle in which the next access of a FIFO can be; -1: that is not known yet."""
        if not is_write:
            taken, written = len(self.read[f]), self.written[f]
            return written[taken] + self.latency[f] if taken < len(written) else -1
        slot, read = len(self.written[f]) - self.depth[f], self.read[f]
        if slot < 0:
            return 0
        return read[slot] + 1 if slot < len(read) else -1


__all__ = ["Plain"]
