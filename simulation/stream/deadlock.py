"""Deadlocks: who waits for whom, and the cycle that can never be left."""

from dataclasses import dataclass

from .solve import Times
from .tables import Tables


@dataclass(frozen=True)
class Wait:
    """A process that stands still: in local cycle ``cycle`` of frame ``frame`` it waits for ``fifo``, which is full
    (``is_full``: ``packs`` in it, the reader ``other`` takes none) or empty (the writer ``other`` sends none).
    """

    process: str
    frame: int
    cycle: int
    fifo: str
    is_full: bool
    packs: int
    other: str

    def __str__(self) -> str:
        state = f"{self.fifo} is full ({self.packs} packs)" if self.is_full else f"{self.fifo} is empty"
        return f"{self.process} waits (frame {self.frame}, cycle {self.cycle}): {state}, waiting for {self.other}"


@dataclass(frozen=True)
class Deadlock:
    """``cycle``: processes that wait for each other in a circle; ``waits``: all processes that cannot go on; ``at``:
    the
    last global cycle in which anything moved.
    """

    cycle: tuple[Wait, ...]
    waits: tuple[Wait, ...]
    at: int

    def __str__(self) -> str:
        return f"deadlock after cycle {self.at}:\n" + "\n".join(f"  {wait}" for wait in self.cycle)

    @property
    def full(self) -> tuple[str, ...]:
        """The full FIFOs of the circle: a deeper one of them may resolve it."""
        return tuple(wait.fifo for wait in self.cycle if wait.is_full)


def find_deadlock(tables: Tables, times: Times, frames: int) -> Deadlock:
    """Explain why the walk ended before the end."""
    waits: dict[str, list[Wait]] = {}
    for p, process in enumerate(tables.network.processes):
        if times.events[p].size < tables.events[p].cycles.size * frames:
            waits[process.name] = _waits(tables, times, p)
    at = max((int(e[-1]) for e in times.events if e.size), default=0)
    firsts = tuple(w[0] for w in waits.values())
    return Deadlock(_circle(waits), firsts, at)


def _waits(tables: Tables, times: Times, p: int) -> list[Wait]:
    """What keeps a process from its next event."""
    network, events = tables.network, tables.events[p]
    process, done = network.processes[p], times.events[p].size
    frame, place = divmod(done, events.cycles.size)
    where = (process.name, frame, int(events.cycles[place]))
    found = []
    for fifo, places in events.reads.items():
        sent, taken = times.written[fifo].size, times.read[fifo].size
        if place in places and sent <= taken:
            name = network.fifos[fifo].name
            found.append(Wait(*where, name, False, 0, network.writers[name].name))
    for fifo, places in events.writes.items():
        packs = times.written[fifo].size - times.read[fifo].size
        if place in places and packs >= network.fifos[fifo].depth:
            name = network.fifos[fifo].name
            found.append(Wait(*where, name, True, packs, network.readers[name].name))
    return found


def _circle(waits: dict[str, list[Wait]]) -> tuple[Wait, ...]:
    """Follow who waits for whom until a process comes again: every process that is waited for waits itself."""
    path: list[Wait] = []
    seen: dict[str, int] = {}
    here = next(iter(waits))
    while here not in seen:
        seen[here] = len(path)
        path.append(waits[here][0])
        here = path[-1].other
    return tuple(path[seen[here] :])


__all__ = ["Deadlock", "Wait", "find_deadlock"]
