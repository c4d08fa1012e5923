"""A run as a trace that Perfetto and chrome://tracing open: one track a process, one counter a FIFO.

(*Trace Event Format*, Google, 2016: complete events "X" with ts and dur in microseconds, counters "C", metadata "M".)
"""

from typing import Any

import numpy as np

from .model import Process
from .run import Run

MOST_SLICES = 400
"""Slices of one process: shorter ones are joined until no more are left."""
MOST_POINTS = 400
"""Points of a FIFO's counter: each is the largest number of packs of its stretch."""


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
    """Alternate stretches of work and of waiting; work goes on through waits that are shorter than can be shown."""
    times = run.events[process.name]
    stall, cause = run.stalls(process)
    if not times.size:
        return []
    did = run.activity(process)
    long = np.flatnonzero(stall > 0)
    if long.size > MOST_SLICES:
        least = np.partition(stall[long], -MOST_SLICES)[-MOST_SLICES]
        long = long[stall[long] > least] if (stall[long] > least).any() else long[:MOST_SLICES]
    found, begin = [], process.start
    for event in long:
        went_on = int(times[event])
        stood = went_on - int(stall[event])
        if stood > begin:
            found.append(_slice("works", number, begin, stood, scale))
        fifo = run.network.fifos[int(cause[event])].name
        what = f"waits for {fifo}" if fifo in process.reads else f"waits for room in {fifo}"
        found.append(_slice(what, number, stood, went_on, scale))
        begin = went_on
    return [*found, _slice("works", number, begin, did.end, scale)] if did.end > begin else found


def _slice(name: str, thread: int, begin: int, end: int, scale: float) -> dict[str, Any]:
    return {
        "ph": "X", "name": name, "cat": "wait" if name.startswith("waits") else "work", "pid": 1, "tid": thread,
        "ts": round(begin * scale, 6), "dur": round((end - begin) * scale, 6),
        "args": {"from_cycle": begin, "cycles": end - begin},
    }  # fmt: skip


def decimated(times: "np.ndarray[Any, Any]", counts: "np.ndarray[Any, Any]", most: int) -> tuple[list[int], list[int]]:
    """Give at most ``most`` points: of each stretch its beginning and its largest count."""
    if times.size <= most:
        return times.tolist(), counts.tolist()
    edges = np.linspace(0, times.size, most, endpoint=False).astype(np.int64)
    return times[edges].tolist(), np.maximum.reduceat(counts, edges).tolist()


def _counter(run: Run, fifo: str, scale: float) -> list[dict[str, Any]]:
    points = zip(*decimated(*run.occupancy(fifo), MOST_POINTS), strict=True)
    return [
        {"ph": "C", "name": fifo, "pid": 2, "tid": 0, "ts": round(cycle * scale, 6), "args": {"packs": count}}
        for cycle, count in points
    ]


__all__ = ["chrome_trace", "decimated"]
