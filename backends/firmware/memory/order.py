"""In which order a program's statements run, where branches leave a choice: the one whose peak is least.

States are sets of statements that are done; of the ways to each only the one with the least peak goes on, and of the
sets of one size only the best, as many as ``STEPS`` allows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ...loops.program import Block, Call, Program, Statement
from .lives import accesses
from .overlap import Distance, apart, distance
from .place import saved

STEPS = 4_000_000
"""Blocks that are looked at in all, each time that a statement is added to a state."""


@dataclass(frozen=True)
class _Unit:
    """A statement: what it reads and writes, and (a set of bits) the statements that have to run before it."""

    statement: Statement
    reads: tuple[Block, ...]
    writes: tuple[Block, ...]
    after: int


def best_order(program: Program) -> list[Statement] | None:
    """Give the statements in an order with a lower peak than their own; None where there is none."""
    search = _Search(program)
    if search.fixed:
        return None
    found, least = search.run()
    own = search.cost(range(len(search.units)))
    return [search.units[i].statement for i in found] if least < own else None


class _Search:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.units = _units(program)
        self.users: dict[Block, int] = {}
        for i, unit in enumerate(self.units):
            for b in (*unit.reads, *unit.writes):
                self.users[b] = self.users.get(b, 0) | 1 << i
        self.makers: dict[Block, int] = {}
        for i, unit in enumerate(self.units):
            for b in unit.writes:
                self.makers[b] = self.makers.get(b, 0) | 1 << i
        self.distances: dict[tuple[int, Block, Block], Distance] = {}
        self._last: tuple[int, frozenset[Block], int] = (-1, frozenset(), 0)

    @property
    def fixed(self) -> bool:
        """Whether only one order is possible."""
        return all(unit.after >> max(i - 1, 0) & 1 or i == 0 for i, unit in enumerate(self.units))

    def run(self) -> tuple[list[int], int]:
        """Give the best order that is found, and its peak."""
        states: dict[int, tuple[int, tuple[int, ...]]] = {0: (0, ())}
        allowed = max(1, STEPS // (len(self.units) * len(self.users)))
        for _ in self.units:
            following: dict[int, tuple[int, tuple[int, ...]]] = {}
            left = allowed
            for done, (most, order) in sorted(states.items(), key=lambda s: s[1]):
                for i in islice(self.ready(done), max(left, 0)):
                    left -= 1
                    way = (max(most, self.bytes_at(done, i)), (*order, i))
                    key = done | 1 << i
                    if key not in following or way < following[key]:
                        following[key] = way
            states = following
        ((most, order),) = states.values()
        return list(order), most

    def ready(self, done: int) -> Iterator[int]:
        """Give the statements that may run next."""
        for i, unit in enumerate(self.units):
            if not done >> i & 1 and unit.after & ~done == 0:
                yield i

    def cost(self, order: Sequence[int]) -> int:
        """Give the peak of an order."""
        done = most = 0
        for i in order:
            most = max(most, self.bytes_at(done, i))
            done |= 1 << i
        return most

    def bytes_at(self, done: int, i: int) -> int:
        """Give the bytes that are held while a statement runs, with the one pair that saves most laid together."""
        unit = self.units[i]
        held, total = self.held(done)
        total += sum(b.bytes for b in dict.fromkeys((*unit.reads, *unit.writes)) if b not in held)
        after = done | 1 << i
        best = 0
        for y in unit.writes:
            if self.makers[y] & done or y.kept:
                continue
            for x in unit.reads:
                if x not in unit.writes and not self.alive(x, after):
                    near = self.distance(i, x, y)
                    best = max(best, saved(x.bytes, y.bytes, near.above, near.below))
        return total - best

    def held(self, done: int) -> tuple[frozenset[Block], int]:
        """Give the blocks that hold what is wanted after some statements, and their bytes; the last answer is kept."""
        if self._last[0] != done:
            blocks = frozenset(b for b in self.users if self.alive(b, done))
            self._last = done, blocks, sum(b.bytes for b in blocks)
        return self._last[1:]

    def alive(self, block: Block, done: int) -> bool:
        """Whether a block holds what is still wanted."""
        made = self.makers.get(block, 0)
        if block.kept:
            return True
        if block.port.startswith("in"):
            return self.users[block] & ~done != 0
        return made & done != 0 and (block.port != "" or self.users[block] & ~done != 0)

    def distance(self, i: int, x: Block, y: Block) -> Distance:
        key = i, x, y
        if key not in self.distances:
            s, program = self.units[i].statement, self.program
            near = apart(x.bytes, y.bytes)
            if isinstance(s, Call):
                near = distance(s, program.kernels[s.kernel], program.arrays, x, y)
            self.distances[key] = near
        return self.distances[key]


def _units(program: Program) -> list[_Unit]:
    """Say what has to run before what: who writes a block and who uses it keep their order."""
    units: list[_Unit] = []
    for s in program.statements:
        reads, writes = accesses(s, program)
        after = 0
        for j, other in enumerate(units):
            if {*reads, *writes} & {*other.writes} or {*other.reads} & {*writes}:
                after |= 1 << j
        units.append(_Unit(s, tuple(reads), tuple(writes), after))
    return units
