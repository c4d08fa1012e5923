"""A streaming design's run: what each process does, how full the FIFOs get, how deep they have to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .design import Design
from .schedule import FRAMES, network
from .stream import Deadlock, Network, Run, Sizing, deadlock_free, simulate, stall_free, unlimited
from .stream.trace import decimated

MOST_POINTS = 60
"""Points of a FIFO's occupancy that are kept."""


@dataclass(frozen=True, eq=False)
class StreamCost:
    """``run``: several frames with the depths of the design; ``stall_free``: the smallest depths under which nothing in
    one frame waits for room; ``deadlock_free``: the smallest without a deadlock, where they were looked for.
    """

    run: Run
    stall_free: Mapping[str, int]
    deadlock_free: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def deadlock(self) -> Deadlock | None:
        """Why the design stands still with its depths, if it does."""
        return self.run.deadlock

    def as_dict(self) -> dict[str, Any]:
        """Give ``cost["stream"]`` of the manifest: cycles of the run's first frame, packs of the FIFOs."""
        run = self.run
        return {
            "first_output": run.first_output, "latency": run.latency, "interval": run.interval,
            "is_steady": run.is_steady, "frames": run.frames, "deadlock": str(run.deadlock or ""),
            "processes": [self._process(i) for i in range(len(run.network.processes))],
            "fifos": [self._fifo(i) for i in range(len(run.network.fifos))],
        }  # fmt: skip

    def _process(self, place: int) -> dict[str, Any]:
        process = self.run.network.processes[place]
        did = self.run.activity(process)
        return {
            "name": process.name, "layer": process.layer, "start": did.start, "first_read": did.first_read,
            "first_write": did.first_write, "last_write": did.last_write, "end": did.end, "busy": did.busy,
            "waits_input": did.waits_input, "waits_output": did.waits_output,
            "frame": self._frame(place), "length": process.length,
        }  # fmt: skip

    def _frame(self, place: int) -> list[int]:
        """First and last cycle of the first frame's accesses."""
        process = self.run.network.processes[place]
        count = self.run.tables.events[place].cycles.size
        times = self.run.events[process.name][:count]
        return [int(times[0]), int(times[-1])] if times.size else [-1, -1]

    def _fifo(self, place: int) -> dict[str, Any]:
        fifo, network = self.run.network.fifos[place], self.run.network
        writer, reader = network.writers[fifo.name], network.readers[fifo.name]
        cycles, counts = decimated(*self.run.occupancy(fifo.name), MOST_POINTS)
        found = {
            "name": fifo.name, "writer": writer.name, "reader": reader.name, "width": fifo.width, "depth": fifo.depth,
            "packs": int(writer.writes[fifo.name].size), "most": self.run.most(fifo.name),
            "stall_free": self.stall_free[fifo.name], "occupancy": [cycles, counts],
        }  # fmt: skip
        if fifo.name in self.deadlock_free:
            found["deadlock_free"] = self.deadlock_free[fifo.name]
        return found


def stream_cost(design: Design) -> StreamCost:
    """Run a streaming design, and once more with FIFOs that are never full, which tells the depths without a stall."""
    built = network(design)
    run = simulate(built, FRAMES)
    free = simulate(unlimited(built, 1), tables=run.tables)
    return StreamCost(run, {f.name: free.needed(f.name) for f in built.fifos})


def settle(design: Design, *, rounds: int = 6) -> tuple[Network, Sizing, Sizing]:
    """Find depths without a stall, and without a deadlock; give the design's network with the first.

    A FIFO that becomes a shift register is faster, which changes what the others need: until nothing changes. Where it
    goes on changing, the deepest of the rounds' depths are taken.
    """
    built = network(design)
    least = deadlock_free(built)
    free, seen = stall_free(built, certify=False), []
    for _ in range(rounds):
        built = network(replace(design, fifo_depths={**design.fifo_depths, **free.depths}))
        again = stall_free(built, certify=False, near=free.depths)
        if again.depths == free.depths:
            return built, stall_free(built, near=free.depths), least
        seen.append(again.depths)
        free = again
    depths = {name: max(each[name] for each in seen) for name in free.depths}
    built = network(replace(design, fifo_depths={**design.fifo_depths, **depths}))
    reached = simulate(built, FRAMES)
    return built, replace(free, depths=depths, latency=reached.latency, interval=reached.interval), least


__all__ = ["StreamCost", "settle", "stream_cost"]
