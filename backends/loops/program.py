"""A network as a sequence of calls: which kernel, on what memory, in what order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ...graph import Graph, Node, State
from ...graph.arrays import NDArray
from .code import Function, Run
from .layout import Layout
from .machine import Machine
from .schedule import Free
from .tiles import CONFIGURE


@dataclass(eq=False)
class Block:
    """Memory that a tensor stands in: of a port of the surface ("in0", "out0"), or of the arena, at ``offset``.

    ``first`` and ``last`` count steps: between them it holds something. What is ``kept`` holds it from run to run.
    """

    bytes: int
    port: str = ""
    first: int = 1 << 30
    last: int = -1
    offset: int = 0
    kept: bool = False


STATUS = Block(4, "status")


@dataclass(frozen=True, eq=False)
class Pointer:
    """``block`` (None: the constants) at ``offset`` bytes, and ``stride`` bytes further in each turn of ``loop``."""

    block: Block | None
    offset: int = 0
    stride: int = 0
    loop: "Loop | None" = None


@dataclass(frozen=True, eq=False)
class Call:
    """Run a kernel. ``parts``: over how many parts its outer loop runs (0: it takes no range); ``bytes``: of all that
    it reads and writes, each once; ``free``: what can be chosen of it.
    """

    kernel: str
    arguments: tuple[Pointer, ...]
    parts: int
    node: Node
    macs: int = 0
    bytes: int = 0
    free: Free | None = None


@dataclass(frozen=True, eq=False)
class Copy:
    """Copy bytes."""

    target: Pointer
    source: Pointer
    bytes: int


@dataclass(eq=False)
class Loop:
    """Run ``body`` for each of ``steps`` steps, backwards with ``reverse``."""

    steps: int
    reverse: bool
    body: list["Statement"] = field(default_factory=list)


Statement: TypeAlias = "Call | Copy | Loop"


@dataclass(frozen=True, eq=False)
class Resident:
    """A state in memory: ``block`` lives for ever, ``initial`` are the constants that it begins with; None: zeros."""

    state: State
    layout: Layout
    block: Block
    initial: Pointer | None


@dataclass(eq=False)
class Program:
    """Kernels by name (functions), statements in order, constants as one run of bytes and as the arrays that stand at
    its places, and the arena's size. On a machine without an operating system the ports stand in the arena too, and
    ``residents``, what a run leaves to the next, on every machine.
    """

    graph: Graph
    machine: Machine
    kernels: dict[str, Function] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    constants: bytearray = field(default_factory=bytearray)
    arrays: dict[int, NDArray] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    arena: int = 0
    flagged: bool = False
    residents: list[Resident] = field(default_factory=list)

    @property
    def tiled(self) -> bool:
        """Whether a kernel uses a matrix unit, for which a system has to be asked."""
        return any(isinstance(s, Run) and s.name == CONFIGURE for f in self.kernels.values() for s in f.body)

    def append(self, data: NDArray) -> Pointer:
        """Put an array behind the constants, where the machine has it aligned."""
        self.constants.extend(b"\0" * (-len(self.constants) % self.machine.alignment))
        place = len(self.constants)
        self.arrays[place] = data
        self.constants.extend(data.tobytes())
        return Pointer(None, place)


def calls_of(statements: Sequence[Statement], count: int = 1) -> list[tuple[Call, int]]:
    """List the calls with how often one inference makes them."""
    found: list[tuple[Call, int]] = []
    for s in statements:
        if isinstance(s, Loop):
            found += calls_of(s.body, count * s.steps)
        elif isinstance(s, Call):
            found.append((s, count))
    return found


def blocks_of(statement: Statement) -> set[Block]:
    """List the blocks that a statement reads or writes."""
    match statement:
        case Call(arguments=arguments):
            return {a.block for a in arguments if a.block is not None}
        case Copy(target=target, source=source):
            return {p.block for p in (target, source) if p.block is not None}
    return {b for s in statement.body for b in blocks_of(s)}


def layers_of(program: Program) -> dict[str, Free]:
    """What is free in a network, by the description of a layer."""
    return {c.free.layer: c.free for c, _ in calls_of(program.statements) if c.free is not None}


def place_blocks(blocks: list[Block]) -> int:
    """Give every block of the arena its offset: the largest first, at the lowest place that is free while it lives.

    Gives the size of the arena. (Greedy by size: Y. Pisarchyk and J. Lee, Efficient Memory Management for Deep Neural
    Net Inference, 2020, section 5.1.)
    """
    placed: list[Block] = []
    top = 0
    for block in sorted((b for b in blocks if b.last >= 0), key=lambda b: -b.bytes):
        busy = sorted(
            (o.offset, o.offset + o.bytes) for o in placed if not (o.last < block.first or block.last < o.first)
        )
        offset = 0
        for begin, end in busy:
            if offset + block.bytes <= begin:
                break
            offset = max(offset, end)
        block.offset = offset
        placed.append(block)
        top = max(top, offset + block.bytes)
    return top
