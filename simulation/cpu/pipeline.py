"""How many cycles a block of instructions takes when it runs over and over, with all data in the first cache.

Instructions enter in order, ``width`` a cycle, while fewer than ``window`` are in flight; each begins as soon as what
it reads is there and one of its pipes is free (on a core that works in order: not before the one in front of it). The
same view of a core as that of LLVM's llvm-mca. Cycles are counted over the later half of some turns of the block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .cores import Core, Work
from .micro import Micro

TURNS = 6
ENOUGH = 700
"""Instructions from which on two turns are enough."""


@dataclass(frozen=True)
class Rate:
    """``cycles`` of one turn; ``bound``: what kept it from being faster: a pipe by its name, "issue" or "latency"."""

    cycles: float
    bound: str


class _Pipe:
    """Cycles in which a pipe is taken."""

    def __init__(self) -> None:
        self.next: dict[int, int] = {}
        self.used = 0.0
        self.share = 0.0

    def free(self, at: int) -> int:
        """Give the first free cycle from ``at`` on."""
        path = []
        while (following := self.next.get(at)) is not None:
            path.append(at)
            at = following
        for each in path:
            self.next[each] = at
        return at

    def take(self, at: int) -> None:
        self.next[at] = at + 1


class Pipeline:
    """A core that blocks are run on."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def rate(self, block: Sequence[Micro], turns: int = TURNS) -> Rate:
        """Run a block and give what one turn takes. ``turns``: how often it runs in a row, where that is few."""
        if not block:
            return Rate(0.0, "issue")
        most = 2 if len(block) >= ENOUGH else TURNS
        turns = max(2, min(most, turns))
        run = _Run(self.core)
        half = 0.0
        first = turns // 2
        for turn in range(turns):
            for micro in block:
                run.add(micro)
            if turn + 1 == first:
                half = run.end
        cycles = max((run.end - half) / (turns - first), len(block) / self.core.width)
        return Rate(cycles, self._bound(block, cycles))

    def _bound(self, block: Sequence[Micro], cycles: float) -> str:
        """Name what is busy for nearly all of the time."""
        pressure = pressures(self.core, block)
        name, most = max(pressure.items(), key=lambda each: each[1])
        return name if most >= 0.85 * cycles else "latency"


def pressures(core: Core, block: Sequence[Micro]) -> dict[str, float]:
    """Give the cycles that a block needs at least of each group of pipes, and for its issue."""
    found = {"issue": float(sum(max(len(m.work), 1) for m in block)) / core.width}
    groups = {w.pipes for w in core.kinds.values() if w.pipes}
    busy: dict[tuple[int, ...], float] = dict.fromkeys(groups, 0.0)
    for micro in block:
        for kind, times in micro.work:
            work = core.kinds[kind]
            for pipes in groups:
                if work.pipes and set(work.pipes) <= set(pipes):
                    busy[pipes] += work.busy * times
    for pipes, cycles in busy.items():
        found["+".join(core.pipes[p] for p in pipes)] = cycles / len(pipes)
    return found


class _Run:
    def __init__(self, core: Core) -> None:
        self.core = core
        self.pipes = [_Pipe() for _ in core.pipes]
        self.ready: dict[str, float] = {}
        self.chained: dict[str, tuple[str, float]] = {}
        self.retired: list[float] = []
        self.entered = 0.0
        self.last = 0.0
        self.end = 0.0

    def add(self, micro: Micro) -> None:
        core = self.core
        self.entered += max(len(micro.work), 1) / core.width
        begin = self.entered
        if core.window and len(self.retired) >= core.window:
            begin = self.entered = max(begin, self.retired[len(self.retired) - core.window])
        if core.in_order:
            begin = max(begin, self.last)
        for register in micro.reads:
            begin = max(begin, self.ready.get(register, 0.0))
        kind = micro.work[-1][0] if micro.work else "int"
        summed = 0.0  # what is added to need not be there before what is loaded is
        for register in micro.sums:
            before, at = self.chained.get(register, ("", 0.0))
            summed = max(summed, at if before == kind else self.ready.get(register, 0.0))
        start = finish = chain = begin
        for each, times in micro.work:
            work = core.kinds[each]
            start = self._start(work, times, start if each == "load" else max(start, summed))
            finish, chain = start + work.latency + work.busy * times - 1, start + work.chain + work.busy * times - 1
            if each == "load":
                start = finish
        if core.in_order:
            self.last = start if not micro.work or micro.work[0][0] != "load" else self.last
        for register in micro.writes:
            self.ready[register] = finish
            self.chained[register] = (kind, chain)
        done = max(finish, self.retired[-1] if self.retired else 0.0)
        self.retired.append(done)
        self.end = done

    def _start(self, work: Work, times: float, begin: float) -> float:
        """Take the pipe that is free first, for as many cycles as it takes."""
        if not work.pipes:
            return begin
        busy = work.busy * times
        whole = int(-(-busy // 1))
        at = int(-(-begin // 1))
        best, where = min(
            ((self.pipes[p].free(at), p) for p in work.pipes), key=lambda each: (each[0], self.pipes[each[1]].used)
        )
        pipe = self.pipes[where]
        pipe.used += busy
        if busy < 1:  # two of a kind share a cycle
            pipe.share += busy
            if pipe.share >= 1:
                pipe.share -= 1
                pipe.take(best)
            return float(best)
        cycle = best
        for _ in range(whole):
            pipe.take(cycle)
            cycle = pipe.free(cycle)
        return float(best)


__all__ = ["Pipeline", "Rate", "pressures"]
