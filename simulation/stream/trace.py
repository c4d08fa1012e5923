"""A run as a trace that Perfetto and chrome://tracing open: one track a process, one counter a FIFO.

(*Trace Event Format*, Google, 2016: complete events "X" with ts and dur in microseconds, counters "C", metadata "M".)
"""

from typing import Any

import numpy as np

from .deadlock import Deadlock
from .model import Cycles, Process
from .run import Run

MOST_SLICES = 400
"""Waits of one process that are slices of their own, the longest; and stretches of work with shorter waits."""
MOST_POINTS = 400
"""Points of a FIFO's counter: each is the largest number of packs of its stretch."""
SLICES, POINTS = 6000, 16_000
"""Of all processes, of all FIFOs: a design of a hundred layers gives some megabytes."""


def chrome_trace(run: Run, clock_ns: float) -> dict[str, Any]:
    """Give the trace as a JSON document; ``clock_ns``: the period in nanoseconds."""
    scale = clock_ns * 1e-3
    events: list[dict[str, Any]] = [_meta("process_name", 0, "processes"), _meta("process_name", 0, "FIFOs", 2)]
    for number, process in enumerate(run.network.processes):
        events.append(_meta("thread_name", number, process.name))
        events += _slices(run, process, number, scale)
    for fifo in run.network.fifos:
        events += _counter(run, fifo.name, scale)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"clock_ns": clock_ns, "frames": run.frames, "deadlock": str(run.deadlock or "")},
    }


def _meta(kind: str, thread: int, name: str, process: int = 1) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _slices(run: Run, process: Process, number: int, scale: float) -> list[dict[str, Any]]:
    """Alternate stretches of work and of waiting; the shortest waits of a long run are told as part of stretches of
    both, each with its sums.
    """
    times, (stall, cause) = run.events[process.name], run.stalls(process)
    lengthy, cuts = _edges(stall, _share(MOST_SLICES, SLICES, len(run.network.processes)))
    track = _Track(run, process, number, scale)
    begin, first, own = process.start, 0, set(lengthy.tolist())
    for event in np.union1d(lengthy, cuts).tolist():
        went_on = int(times[event])
        stood = went_on - int(stall[event])
        track.stretch(begin, stood, stall[first:event], cause[first:event])
        begin, first = stood, event
        if event in own:
            track.wait(stood, went_on, int(cause[event]))
            begin, first = went_on, event + 1
    end = max(begin, run.activity(process).end)
    track.stretch(begin, end, stall[first:], cause[first:])
    if run.deadlock is not None:
        track.stuck(end, run.deadlock)
    return track.slices


def _share(most: int, total: int, tracks: int) -> int:
    return min(most, max(8, total // tracks))


def _edges(stall: Cycles, most: int) -> tuple[Cycles, Cycles]:
    """Give the events whose waits are slices of their own, and those at which the stretches between are cut."""
    waits = np.flatnonzero(stall > 0)
    if waits.size <= most:
        return waits, waits[:0]
    least = np.partition(stall[waits], -most)[-most]
    rest = waits[stall[waits] <= least]
    return waits[stall[waits] > least], rest[:: -(-rest.size // most)]


class _Track:
    """The slices of one process."""

    def __init__(self, run: Run, process: Process, number: int, scale: float) -> None:
        self.fifos, self.process, self.number, self.scale = run.network.fifos, process, number, scale
        self.slices: list[dict[str, Any]] = []

    def stretch(self, begin: int, end: int, stall: Cycles, cause: Cycles) -> None:
        """Work, with the waits in it that are too short to be shown."""
        sums = np.bincount(cause, stall).astype(np.int64)
        waited = {self.fifos[int(f)].name: int(sums[f]) for f in np.flatnonzero(sums)}
        most = max(waited, key=lambda name: waited[name], default="")
        name = f"works and {self._waits(most)}" if waited else "works"
        self._slice(name, "both" if waited else "work", begin, end, waited)

    def wait(self, begin: int, end: int, fifo: int) -> None:
        """A wait for one FIFO."""
        name = self.fifos[fifo].name
        self._slice(self._waits(name), "wait", begin, end, {name: end - begin})

    def stuck(self, begin: int, deadlock: Deadlock) -> None:
        """From where a process stands still to where everything does."""
        for wait in deadlock.waits:
            if wait.process == self.process.name:
                what = f"deadlock: {self._waits(wait.fifo)}"
                self._slice(what, "deadlock", begin, max(begin, deadlock.at) + 1, {})

    def _waits(self, fifo: str) -> str:
        return f"waits for {fifo}" if fifo in self.process.reads else f"waits for room in {fifo}"

    def _slice(self, name: str, kind: str, begin: int, end: int, waited: dict[str, int]) -> None:
        if end <= begin:
            return
        self.slices.append({
            "ph": "X", "name": name, "cat": kind, "pid": 1, "tid": self.number,
            "ts": round(begin * self.scale, 6), "dur": round((end - begin) * self.scale, 6),
            "args": {"from_cycle": begin, "cycles": end - begin, "waited": waited},
        })  # fmt: skip


def decimated(times: "np.ndarray[Any, Any]", counts: "np.ndarray[Any, Any]", most: int) -> tuple[list[int], list[int]]:
    """Give at most ``most`` points: of each stretch its beginning and its largest count."""
    if times.size <= most:
        return times.tolist(), counts.tolist()
    edges = np.linspace(0, times.size, most, endpoint=False).astype(np.int64)
    return times[edges].tolist(), np.maximum.reduceat(counts, edges).tolist()


def _counter(run: Run, fifo: str, scale: float) -> list[dict[str, Any]]:
    most = _share(MOST_POINTS, POINTS, len(run.network.fifos))
    points = zip(*decimated(*run.occupancy(fifo), most), strict=True)
    return [
        {"ph": "C", "name": fifo, "pid": 2, "tid": 0, "ts": round(cycle * scale, 6), "args": {"packs": count}}
        for cycle, count in points
    ]


__all__ = ["chrome_trace", "decimated"]
