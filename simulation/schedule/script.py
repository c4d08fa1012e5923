"""Writing the program of a streaming process: loops one after the other."""

from collections.abc import Sequence

import numpy as np

from ..stream.model import Cycles


class Script:
    """Reads and writes of a process, by operand and by result, in local cycles."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.now = 0
        self._reads: list[list[Cycles]] = [[] for _ in range(inputs)]
        self._writes: list[list[Cycles]] = [[] for _ in range(outputs)]

    def loop(
        self,
        count: int,
        *,
        interval: int = 1,
        depth: int = 1,
        reads: Sequence[int] = (),
        writes: Sequence[int] = (),
        reading: Cycles | None = None,
        writing: Cycles | None = None,
    ) -> None:
        """Add a pipelined loop: iteration i begins in cycle i * ``interval`` and ends ``depth`` cycles later.

        It reads each of the operands ``reads`` in its first cycle and writes each of the results ``writes`` in its last
        one; ``reading`` and ``writing``: in which iterations, ascending (else in all).
        """
        if not count:
            return
        every = np.arange(count, dtype=np.int64)
        for port in reads:
            self._reads[port].append(self.now + (every if reading is None else reading) * interval)
        for port in writes:
            self._writes[port].append(self.now + (every if writing is None else writing) * interval + depth - 1)
        self.now += (count - 1) * interval + depth

    def read(self, port: int, cycles: Cycles) -> None:
        """Read an operand in these cycles, counted from the end of what is there."""
        self._reads[port].append(self.now + cycles)

    def write(self, port: int, cycles: Cycles) -> None:
        """Write a result in these cycles, counted from the end of what is there."""
        self._writes[port].append(self.now + cycles)

    def wait(self, cycles: int) -> None:
        """Let cycles pass."""
        self.now += cycles

    def reads(self) -> list[Cycles]:
        """All reads, by operand."""
        return [_joined(parts) for parts in self._reads]

    def writes(self) -> list[Cycles]:
        """All writes, by result."""
        return [_joined(parts) for parts in self._writes]


def _joined(parts: list[Cycles]) -> Cycles:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


__all__ = ["Script"]
