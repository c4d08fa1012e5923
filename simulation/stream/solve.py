"""The earliest times of all accesses: the least solution of the equations of ``model``, exactly.

Two ways that give the same numbers; the second is the faster one where there is a compiler:

``swept``: all events of a process at once. Given the times of its FIFOs, the times of a process are a running
maximum: ``T(s) - s = max over r <= s of (bound(r) - r)``. Beginning with FIFOs that are never full, the processes are
computed in the order of the flow, then against it, and so on, until nothing changes. Every dependence takes at least
one cycle, so accesses that depend on themselves have no times at all (a deadlock), and where there are none the times
are unique: a sweep that changes nothing has found them. With FIFOs that seldom fill a few sweeps are enough; short
FIFOs on loops of dependences need as many as there are packs.

``walked``: event by event, each process as far as its FIFOs let it, in compiled code where there is a compiler
(``kernel.cpp``), else in Python. It ends for every design; who is left in the middle of its program is in a deadlock.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from .model import Cycles
from .plain import Plain
from .tables import Tables

MOST_SWEEPS = 12
"""After so many sweeps the events are walked."""


@dataclass(frozen=True, eq=False)
class Times:
    """Global cycles: of each FIFO's writes and reads, of each process's events; shorter where the design deadlocked."""

    written: tuple[Cycles, ...]
    read: tuple[Cycles, ...]
    events: tuple[Cycles, ...]
    complete: bool = True


def solve(tables: Tables, frames: int) -> Times:
    """Give the earliest times of ``frames`` frames back to back."""
    found = swept(tables, frames) if _library() is None else None
    return found if found is not None else walked(tables, frames)


def swept(tables: Tables, frames: int, most: int = MOST_SWEEPS) -> Times | None:
    """Solve by sweeps; None where ``most`` are not enough."""
    state = _Sweeps(tables, frames)
    for count in range(most):
        order = tables.order if count % 2 == 0 else tables.order[::-1]
        if not state.sweep(order):
            return Times(tuple(state.written), tuple(state.read), tuple(state.events))
    return None


class _Sweeps:
    """Times so far: lower bounds of the true ones."""

    def __init__(self, tables: Tables, frames: int) -> None:
        self.tables = tables
        self.frames = frames
        sizes = tables.packs * frames
        self.written = [np.zeros(n, np.int64) for n in sizes]
        self.read = [np.full(n, -1, np.int64) for n in sizes]
        processes = tables.network.processes
        self.local = [e.local(p.length, frames) for e, p in zip(tables.events, processes, strict=True)]
        self.places = [self._places(p) for p in range(len(processes))]
        self.events: list[Cycles] = [np.full(n.size, -1, np.int64) for n in self.local]
        self.stale = set(range(len(processes)))
        self._users(tables, sizes)

    def _users(self, tables: Tables, sizes: Cycles) -> None:
        """By FIFO the process that its writes concern, and the one that its reads do: none where it is never full."""
        self.reader = {fifo: p for p, e in enumerate(tables.events) for fifo in e.reads}
        self.writer = {
            fifo: p for p, e in enumerate(tables.events) for fifo in e.writes if tables.depth[fifo] < sizes[fifo]
        }

    def _places(self, p: int) -> tuple[list[tuple[int, "slice | Cycles"]], ...]:
        found = self.tables.events[p]
        return tuple(
            [(fifo, self._all(places, found.cycles.size)) for fifo, places in used.items()]
            for used in (found.reads, found.writes)
        )

    def _all(self, places: Cycles, events: int) -> "slice | Cycles":
        """The places of a frame, repeated for all frames; a slice where every event is one."""
        if places.size == events:
            return slice(None)
        return (np.arange(self.frames, dtype=np.int64)[:, None] * events + places).reshape(-1)

    def sweep(self, order: Sequence[int]) -> bool:
        """Compute every process once; say whether anything changed."""
        changed = False
        for p in order:
            if p in self.stale:
                self.stale.discard(p)
                changed |= self._process(p)
        return changed

    def _process(self, p: int) -> bool:
        local = self.local[p]
        if not local.size:
            return False
        bound = local + self.tables.network.processes[p].start
        reads, writes = self.places[p]
        for fifo, places in reads:
            bound[places] = np.maximum(bound[places], self.written[fifo] + self.tables.latency[fifo])
        for fifo, places in writes:
            self._room(bound, fifo, places)
        np.subtract(bound, local, out=bound)
        np.maximum.accumulate(bound, out=bound)
        bound += local
        if np.array_equal(bound, self.events[p]):
            return False
        self.events[p] = bound
        for fifo, places in reads:
            self.read[fifo] = bound[places]
            self.stale.update({self.writer[fifo]} if fifo in self.writer else ())
        for fifo, places in writes:
            self.written[fifo] = bound[places]
            self.stale.add(self.reader[fifo])
        return True

    def _room(self, bound: Cycles, fifo: int, places: "slice | Cycles") -> None:
        depth = int(self.tables.depth[fifo])
        free = self.read[fifo][: max(self.read[fifo].size - depth, 0)] + 1
        if isinstance(places, slice):
            np.maximum(bound[depth:], free, out=bound[depth:])
        else:
            later = places[depth:]
            bound[later] = np.maximum(bound[later], free)


def walked(tables: Tables, frames: int) -> Times:
    """Solve event by event."""
    state = _Walk(tables, frames)
    _run(state)
    return state.times()


def grown(tables: Tables, fifo: int) -> int:
    """Give the least depth of a FIFO, from that which it has, with which one frame does not deadlock; the others' stay.

    A frame is walked until it stands still. What has happened then happens with any deeper FIFO too, and only more room
    in this one, if it is full, lets anything go on: it gets one slot more, and the walk goes on from there.
    """
    state = _Walk(tables, 1, grows=fifo)
    _run(state)
    assert state.times().complete, f"no depth of {tables.network.fifos[fifo].name} resolves the deadlock"
    return int(state.depth[fifo])


def _run(state: "_Walk") -> None:
    library = _library()
    if library is None:
        _walk(state)
    else:
        library.run(*state.arguments())


class _Walk:
    """The arrays that the walk fills; what they hold is said in ``kernel.cpp``."""

    def __init__(self, tables: Tables, frames: int, grows: int = -1) -> None:
        self.tables, self.frames, self.grows = tables, frames, grows
        self.depth = tables.depth.copy()
        processes = tables.network.processes
        self.length = np.array([p.length for p in processes], np.int64)
        self.start = np.array([p.start for p in processes], np.int64)
        flat = tables.accesses
        self.first_event, self.cycle, self.first_access = flat.first_event, flat.cycle, flat.first_access
        self.fifo, self.is_write = flat.fifo, flat.is_write
        counts = [e.cycles.size for e in tables.events]
        sizes = tables.packs * frames
        self.written = [np.zeros(n, np.int64) for n in sizes]
        self.read = [np.zeros(n, np.int64) for n in sizes]
        self.events = [np.zeros(n * frames, np.int64) for n in counts]
        self.done_events = np.zeros(len(processes), np.int64)
        self.done_writes = np.zeros(len(sizes), np.int64)
        self.done_reads = np.zeros(len(sizes), np.int64)

    def arguments(self) -> list[object]:
        """The arguments of the compiled walk."""
        plain = (
            self.length, self.start, self.first_event, self.cycle, self.first_access, self.fifo, self.is_write,
            self.depth, self.tables.latency,
        )  # fmt: skip
        lists = (self.written, self.read, self.events)
        self._pointers = [(ctypes.c_void_p * len(arrays))(*(_address(a) for a in arrays)) for arrays in lists]
        done = (self.done_events, self.done_writes, self.done_reads)
        numbers = (len(self.events), len(self.written), self.frames)
        return [
            *map(ctypes.c_int64, numbers), *(ctypes.c_void_p(_address(a)) for a in plain),
            ctypes.c_int64(self.grows), *self._pointers,
            *(ctypes.c_void_p(_address(a)) for a in done),
        ]  # fmt: skip

    def times(self) -> Times:
        """What was reached."""
        complete = all(int(n) == a.size for n, a in zip(self.done_events, self.events, strict=True))
        return Times(
            tuple(a[: int(n)] for a, n in zip(self.written, self.done_writes, strict=True)),
            tuple(a[: int(n)] for a, n in zip(self.read, self.done_reads, strict=True)),
            tuple(a[: int(n)] for a, n in zip(self.events, self.done_events, strict=True)),
            complete,
        )


def _address(array: NDArray[np.generic]) -> int:
    return int(array.ctypes.data)


@cache
def _library() -> "ctypes.CDLL | None":
    """The compiled walk, from the cache where it was compiled before; None without a compiler."""
    from ...backends.hls4ml.compiler import CompileError, compile_library
    from ...graph import GatewrightError

    source = files(__package__).joinpath("kernel.cpp").read_bytes()
    try:
        library = ctypes.CDLL(str(compile_library({"kernel.cpp": source}, "kernel.cpp", ()) / "library.so"))
    except (GatewrightError, CompileError, OSError):
        return None
    library.run.restype = ctypes.c_int64
    return library


def _walk(state: _Walk) -> None:
    """The same walk in Python: lists instead of arrays, which are faster one by one."""
    plain = Plain(state)
    plain.walk()
    for arrays, lists in ((state.written, plain.written), (state.read, plain.read), (state.events, plain.events)):
        for array, values in zip(arrays, lists, strict=True):
            array[: len(values)] = values
    state.done_events[:] = [len(v) for v in plain.events]
    state.done_writes[:] = [len(v) for v in plain.written]
    state.done_reads[:] = [len(v) for v in plain.read]
    state.depth[:] = plain.depth


__all__ = ["MOST_SWEEPS", "Times", "grown", "solve", "swept", "walked"]
