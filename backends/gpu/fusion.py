"""Steps that follow each other within a row: what a normalization or a softmax is made of is one kernel.

A row is what differs in the last index only. Where a step reads nothing of another one but its own row, both are done
by the block that has the row, and what is between them stays in registers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from math import prod

from ...graph import Node
from ...graph.ops import Broadcast, Output, Reduce, Reshape
from ..loops.plan import POINTWISE, Groups, Work
from .machine import THREADS, GpuMachine

SHORTEST, LONGEST = 32, 16 * THREADS
"""Elements of rows that a block takes: enough for its threads, not more than their registers hold."""


@dataclass(frozen=True, eq=False)
class Fused:
    """Steps in order; only the last one's result is written."""

    works: tuple[Work, ...]

    @property
    def end(self) -> Node:
        """What is written."""
        return self.works[-1].end


def fusions(groups: Groups, machine: GpuMachine) -> list[Fused]:
    """Find steps to fuse: each step is in one of them at most."""
    finder = _Finder(groups, machine)
    found: list[Fused] = []
    taken: set[Work] = set()
    for work in reversed(groups.work):
        if work not in taken and (fused := finder.fused(work)) is not None and not taken & set(fused.works):
            taken |= set(fused.works)
            found.append(fused)
    return found


class _Finder:
    def __init__(self, groups: Groups, machine: GpuMachine) -> None:
        self.groups, self.machine = groups, machine
        self.works = {w.end: w for w in groups.work}
        self.reads = {w: frozenset(self._read(w)) for w in groups.work}
        self.readers: dict[Node, set[Work]] = {}
        for work, nodes in self.reads.items():
            for node in nodes:
                self.readers.setdefault(node, set()).add(work)

    def _read(self, work: Work) -> Iterator[Node]:
        """List the tensors in memory that a step reads."""
        seen: set[Node] = set()
        waiting = [*work.end.inputs]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in self.groups.standing:
                yield node
            else:
                waiting += node.inputs

    def fused(self, last: Work) -> Fused | None:
        """Give the steps that end with one, where there is a reduction among them."""
        shape = last.end.shape
        if last.anchor is not None or not isinstance(last.end.op, POINTWISE) or len(shape) < 1:
            return None
        if not SHORTEST <= shape[-1] <= LONGEST or prod(shape[:-1]) >= self.machine.units * THREADS:
            return None
        members = {last}
        while new := {w for m in members for n in self.reads[m] if (w := self._joins(n, members, shape))} - members:
            members |= new
        if not any(m.anchor is not None for m in members):
            return None
        return Fused(tuple(w for w in self.groups.work if w in members))

    def _joins(self, node: Node, members: set[Work], shape: tuple[int, ...]) -> Work | None:
        """Give the step of a tensor that only members read, each its own row."""
        work = self.works.get(node)
        if work is None or not self.readers[node] <= members:
            return None
        if any(isinstance(u.op, Output) for u in self.groups.users[node]):
            return None
        if work.anchor is None:
            small = node.shape in ((*shape[:-1], 1), shape[:-1]) and isinstance(node.op, (Reshape, *POINTWISE))
            fits = small or (node.shape == shape and isinstance(node.op, POINTWISE))
        else:
            op, x = work.anchor.op, work.anchor.inputs[0]
            fits = isinstance(op, Reduce) and op.axes == (len(shape) - 1,) and x.shape == shape
        return work if fits and all(self._in_rows(r, node, shape) for r in self.readers[node]) else None

    def _in_rows(self, reader: Work, node: Node, shape: tuple[int, ...]) -> bool:
        """Whether a step reads of a tensor, in each row, that row only; where it has whole rows, the same element."""
        found: dict[Node, _Reads] = {node: _Reads.ELEMENT if node.shape == shape else _Reads.ROW}

        def of(n: Node) -> _Reads:
            if n not in found:
                if n in self.groups.standing and n is not reader.end:
                    found[n] = _Reads.NOTHING
                else:
                    found[n] = _through(n, [(x, of(x)) for x in n.inputs], shape)
            return found[n]

        return of(reader.end) in (_Reads.ELEMENT, _Reads.ROW)


class _Reads(Enum):
    """What of a tensor is read for an element: nothing, the same element, its row's number, or something else."""

    NOTHING = 0
    ELEMENT = 1
    ROW = 2
    OTHER = 3


def _through(n: Node, operands: Sequence[tuple[Node, _Reads]], shape: tuple[int, ...]) -> _Reads:
    """Say what an operation reads whose operands read what stands beside them; ``shape`` is that of whole rows."""
    row, lead = (*shape[:-1], 1), shape[:-1]
    read = [(x, how) for x, how in operands if how is not _Reads.NOTHING]
    if not read:
        return _Reads.NOTHING
    if isinstance(n.op, POINTWISE) and n.shape == shape:
        good = all(x.shape == (shape if how is _Reads.ELEMENT else row) for x, how in read)
        result = _Reads.ELEMENT
    elif isinstance(n.op, POINTWISE) and n.shape in (row, lead):
        good, result = all(x.shape == n.shape and how is _Reads.ROW for x, how in read), _Reads.ROW
    elif isinstance(n.op, Reduce):
        x, how = read[0]
        good = n.op.axes == (len(shape) - 1,) and x.shape == shape and how is _Reads.ELEMENT
        result = _Reads.ROW
    elif isinstance(n.op, Reshape):
        x, how = read[0]
        good, result = {n.shape, x.shape} <= {row, lead} and how is _Reads.ROW, _Reads.ROW
    elif isinstance(n.op, Broadcast):
        x, how = read[0]
        good, result = n.shape == shape and x.shape == row and how is _Reads.ROW, _Reads.ELEMENT
    else:
        good, result = False, _Reads.OTHER
    return result if good and all(how is not _Reads.OTHER for _, how in read) else _Reads.OTHER
