"""Streaming designs as the simulator sees them: processes with a fixed schedule, joined by FIFOs.

**Process.** A process runs the same program for every frame. A program is written in *local* cycles 0 ... length - 1:
in local cycle t it reads one pack from each FIFO that has t among its ``reads``, and writes one pack into each that has
t among its ``writes``. A pipelined loop is such a program too: iteration i reads in local cycle i * II and writes in
i * II + depth. The local clock is the process's clock enable: in a global cycle the process does its local cycle only
if every FIFO that it would read has a pack and every FIFO that it would write has room; otherwise nothing in it moves
(the stall of HLS pipelines in their default style, ``stp``). When a frame is over, local cycle 0 of the next one may
follow in the next global cycle. A process has a ``start``: the global cycle before which it does nothing.

**FIFO.** Depth d >= 1, one write and one read a cycle. All conditions are of registers, hence of the state at the
beginning of the cycle: a pack written in cycle c can be read from cycle c + ``latency`` on (1: shift register; 2: block
memory with an output register); a slot whose pack was read in cycle c can be written from cycle c + 1 on. So the k-th
write waits for the (k - d)-th read. A full FIFO cannot be written in the cycle in which it is read.

So global times are the least solution of, for the local cycle s of a process (counted over all frames),

    T(s) = max(T(s - 1) + 1, start, W_f(k) + latency_f for each read, R_f(k - d_f) + 1 for each write)

with W_f(k) and R_f(k) the times of the k-th write and read of f: a max-plus system, independent of the data. It has no
solution exactly if the design deadlocks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Cycles = NDArray[np.int64]


def no_cycles() -> Cycles:
    """Give an empty array of cycles."""
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Process:
    """A process and its program: ``length`` local cycles a frame; by FIFO name the local cycles, strictly ascending, in
    which it reads and writes.
    """

    name: str
    length: int
    reads: Mapping[str, Cycles] = field(default_factory=dict[str, Cycles])
    writes: Mapping[str, Cycles] = field(default_factory=dict[str, Cycles])
    start: int = 0
    layer: str = ""

    def __post_init__(self) -> None:
        assert self.length >= 1, self.name
        for fifo, cycles in (*self.reads.items(), *self.writes.items()):
            assert cycles.size, f"{self.name} names {fifo} and does not use it"
            assert (np.diff(cycles) > 0).all(), f"{self.name}: two accesses of {fifo} in a cycle"
            assert cycles[0] >= 0, f"{self.name}: {fifo} is used outside of the program"
            assert cycles[-1] < self.length, f"{self.name}: {fifo} is used outside of the program"


@dataclass(frozen=True)
class Fifo:
    """A FIFO: ``depth`` packs of ``width`` bits; ``latency`` cycles from a write to the first cycle that can read."""

    name: str
    depth: int
    width: int = 1
    latency: int = 1

    def __post_init__(self) -> None:
        assert self.depth >= 1, f"{self.name}: a depth of {self.depth}"
        assert self.latency >= 1, f"{self.name}: a latency of {self.latency}"


@dataclass(frozen=True, eq=False)
class Network:
    """Processes and FIFOs. Each FIFO has one writer and one reader that move equally many packs a frame.

    Sources write only (the test bench at its rate), sinks read only.
    """

    processes: tuple[Process, ...]
    fifos: tuple[Fifo, ...]

    def __post_init__(self) -> None:
        known = {f.name for f in self.fifos}
        assert len(known) == len(self.fifos), "two FIFOs of one name"
        assert len({p.name for p in self.processes}) == len(self.processes), "two processes of one name"
        writers, readers = self.writers, self.readers
        assert set(writers) == set(readers) == known, "a FIFO without writer or reader"
        for name in known:
            sent, taken = writers[name].writes[name].size, readers[name].reads[name].size
            assert sent == taken, f"{name}: {sent} packs are written and {taken} read a frame"

    @property
    def writers(self) -> dict[str, Process]:
        """Which process writes each FIFO."""
        return _unique((name, p) for p in self.processes for name in p.writes)

    @property
    def readers(self) -> dict[str, Process]:
        """Which process reads each FIFO."""
        return _unique((name, p) for p in self.processes for name in p.reads)

    def with_depths(self, depths: Mapping[str, int]) -> "Network":
        """Give the network with other depths; FIFOs that are not named keep theirs."""
        fifos = (Fifo(f.name, depths.get(f.name, f.depth), f.width, f.latency) for f in self.fifos)
        return Network(self.processes, tuple(fifos))


def _unique(pairs: Iterable[tuple[str, Process]]) -> dict[str, Process]:
    found: dict[str, Process] = {}
    for name, process in pairs:
        assert name not in found, f"{name} is used by {found[name].name} and {process.name}"
        found[name] = process
    return found


__all__ = ["Cycles", "Fifo", "Network", "Process", "no_cycles"]
