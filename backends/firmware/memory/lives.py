"""When each block of the arena holds something, and which blocks may lie over each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...loops.program import Block, Call, Copy, Loop, Program, Statement
from .overlap import Distance, apart, events, least
from .walk import Events


@dataclass(frozen=True)
class Life:
    """Steps (counted from 1; 0: before the run) between which a block holds something, both included.

    ``loop``: the one in each of whose turns it begins anew; None for what lives outside of loops, or longer than a
    turn.
    """

    first: int
    last: int
    loop: Loop | None = None

    def meets(self, other: "Life") -> bool:
        """Whether both hold something at one time."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, eq=False)
class Rules:
    """Blocks that need room, their lives, and how far those must be apart that live at one time.

    ``near[i, j]``, i < j: where block i may stand relative to block j. ``steps``: what runs at each step.
    """

    blocks: tuple[Block, ...]
    lives: tuple[Life, ...]
    near: Mapping[tuple[int, int], Distance]
    alignment: int
    steps: Mapping[int, Call | Copy] = field(default_factory=dict)


def accesses(statement: Statement, program: Program) -> tuple[list[Block], list[Block]]:
    """List the blocks of the arena that a statement reads and those that it writes, each once, in order."""
    pairs: list[tuple[Block | None, bool]]
    match statement:
        case Copy(target=target, source=source):
            pairs = [(source.block, False), (target.block, True)]
        case Loop(body=body):
            found = [accesses(s, program) for s in body]
            pairs = [*((b, False) for reads, _ in found for b in reads), *((b, True) for _, w in found for b in w)]
        case Call():
            function = program.kernels[statement.kernel]
            memories = [p.memory for p in function.parameters if p.memory is not None]
            pairs = [(a.block, m in function.written) for a, m in zip(statement.arguments, memories, strict=True)]
    known = [(b, w) for b, w in pairs if b is not None and b.port != "status"]
    return list(dict.fromkeys(b for b, w in known if not w)), list(dict.fromkeys(b for b, w in known if w))


@dataclass
class _Use:
    """One access: at a step, in loops (outermost first), writing or not, in every turn elsewhere or not."""

    step: int
    loops: tuple[Loop, ...]
    write: bool
    moving: bool


class _Steps:
    """Numbers the steps of a program, and notes who uses what."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.count = 0
        self.uses: dict[Block, list[_Use]] = {}
        self.ends: dict[Loop, tuple[int, int]] = {}
        self.steps: dict[int, Call | Copy] = {}
        self.loops: dict[int, tuple[Loop, ...]] = {}
        self.visit(program.statements, ())

    def visit(self, statements: Sequence[Statement], loops: tuple[Loop, ...]) -> None:
        for s in statements:
            if isinstance(s, Loop):
                begin = self.count + 1
                self.visit(s.body, (*loops, s))
                self.ends[s] = begin, max(begin, self.count)
                self.count = max(begin, self.count)
                continue
            self.count += 1
            self.steps[self.count], self.loops[self.count] = s, loops
            pointers = s.arguments if isinstance(s, Call) else (s.target, s.source)
            moving = {p.block for p in pointers if p.loop is not None}
            reads, writes = accesses(s, self.program)
            for blocks, write in ((reads, False), (writes, True)):
                for b in blocks:
                    self.uses.setdefault(b, []).append(_Use(self.count, loops, write, b in moving))

    def life(self, block: Block) -> Life:
        """Give when a block holds something: all turns of a loop where a turn may see what an earlier one left."""
        uses = self.uses.get(block, [])
        if block.kept:
            return Life(0, self.count + 1)
        first = min((u.step for u in uses), default=0)
        last = max((u.step for u in uses), default=0)
        common = _common([u.loops for u in uses])
        own = common[-1] if common and _fresh(uses) and not block.port else None
        for use in uses:
            for loop in use.loops[len(common) if own is not None else 0 :]:
                begin, end = self.ends[loop]
                first, last = min(first, begin), max(last, end)
        if block.port and not block.port.startswith("out"):  # filled before the run
            first = 0
        if block.port and not block.port.startswith("in"):  # read after it
            last = self.count + 1
        return Life(first, last, own)


def _common(loops: Sequence[tuple[Loop, ...]]) -> tuple[Loop, ...]:
    """Give the loops that all uses are in."""
    if not loops:
        return ()
    found: list[Loop] = []
    for level in zip(*loops, strict=False):
        if any(one is not level[0] for one in level):
            break
        found.append(level[0])
    return tuple(found)


def _fresh(uses: Sequence[_Use]) -> bool:
    """Whether every turn writes a block before it reads it, always at the same place, as a kernel does with memory of
    its own.
    """
    first = [u for u in uses if u.step == uses[0].step]
    return not any(u.moving for u in uses) and (all(u.write for u in first) or len(first) == len(uses))


def rules(program: Program) -> Rules:
    """Look at a whole program: what lives when, and how near what may stand."""
    steps = _Steps(program)
    blocks = [b for b in program.blocks if b in steps.uses or b.port or b.kept]
    lives = [steps.life(b) for b in blocks]
    near: dict[tuple[int, int], Distance] = {}
    known: dict[tuple[object, ...], Events | None] = {}
    for j, y in enumerate(blocks):
        for i in range(j):
            x = blocks[i]
            if not lives[i].meets(lives[j]):
                continue
            near[i, j] = apart(x.bytes, y.bytes)
            if (found := _together(steps, known, (x, lives[i]), (y, lives[j]))) is not None:
                near[i, j] = found
            elif (found := _together(steps, known, (y, lives[j]), (x, lives[i]))) is not None:
                near[i, j] = Distance(found.below, found.above)
    return Rules(tuple(blocks), tuple(lives), near, program.machine.alignment, steps.steps)


def _together(
    steps: _Steps,
    known: dict[tuple[object, ...], Events | None],
    earlier: tuple[Block, Life],
    later: tuple[Block, Life],
) -> Distance | None:
    """Look at all that happens to two blocks while both hold something; None where x is still written then, or where
    that cannot be told.
    """
    (x, life), (y, other) = earlier, later
    if life.loop is not other.loop or life.last > steps.count or other.first == 0:  # x is read, y filled, outside
        return None
    if max((u.step for u in steps.uses.get(x, ()) if u.write), default=0) >= other.first:
        return None
    uses = [u for b in (x, y) for u in steps.uses.get(b, ()) if other.first <= u.step <= life.last]
    if any(u.moving or (u.loops[-1] if u.loops else None) is not life.loop for u in uses):
        return None
    parts: list[Events] = []
    for step in sorted({u.step for u in uses}):
        call = steps.steps[step]
        if not isinstance(call, Call) or (found := _events(steps.program, known, call, x, y)) is None:
            return None
        parts.append(found)
    return least(parts, x, y) if parts else None


def _events(
    program: Program, known: dict[tuple[object, ...], Events | None], call: Call, x: Block, y: Block
) -> Events | None:
    """Look at a kernel once for all its calls on tensors of the same sizes and places."""
    places = [(a.offset, a.block is x, a.block is y) for a in call.arguments]
    sizes = (x.bytes if any(p[1] for p in places) else 0, y.bytes if any(p[2] for p in places) else 0)
    key = (call.kernel, call.parts, *sizes, *places)
    if key not in known:
        known[key] = events(call, program.kernels[call.kernel], program.arrays, x, y)
    return known[key]
