"""A kernel and how many threads run it; and threads for kernels that were written as loops.

The loops around everything else of a kernel are independent of each other, whatever the operation: each turn of them
becomes one thread, those of the innermost loop side by side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from ..loops.code import Body, For, Function, If, Let, Memory, Run, Statement, Store, Value, Variable
from ..loops.kernels import Written
from ..loops.scope import Scope
from .grid import GridCode
from .machine import THREADS, WIDEST_GRID
from .used import without_unused

Extents = tuple[int, int, int]
WARP = 32


@dataclass(frozen=True, eq=False)
class Port:
    """Something that a kernel is given: elements of ``dtype``, which it knows by one name or several."""

    memories: tuple[Memory, ...]
    dtype: str
    written: bool

    @property
    def name(self) -> str:
        """What it is called."""
        return self.memories[0].name


@dataclass(frozen=True, eq=False)
class Kernel(Written):
    """``function`` is run by ``threads`` threads of each of ``blocks`` blocks; ``indices`` are the variables in it that
    say which one it is. ``tables``: where each array of constants begins, where all are one of 32-bit words.
    """

    blocks: Extents = (1, 1, 1)
    threads: int = 1
    indices: Mapping[str, Variable] = field(default_factory=dict)
    tables: Mapping[Memory, int] = field(default_factory=dict)
    together: tuple[tuple[Memory, ...], ...] = ()

    @cached_property
    def body(self) -> Body:
        """Its statements, but for those that compute what nothing reads."""
        return without_unused(self.function.body)

    @cached_property
    def ports(self) -> tuple[Port, ...]:
        """What it is given, in order: ``together`` names what is one, each parameter is one where that is empty."""
        found = _written(self.body)
        own = [(p.memory,) for p in self.function.parameters if p.memory is not None]
        return tuple(
            Port(m, "int32" if m[0] in self.tables else m[0].dtype, any(one in found for one in m))
            for m in self.together or own
        )


def threaded(made: Written, most: int = 99) -> Kernel:
    """Give a kernel that was written as loops to threads; ``most``: how many of the loops are independent."""
    parameters = tuple(p for p in made.function.parameters if p.memory is not None)
    nests = [_nest(s, made.scope, most) for s in made.function.body]
    if not all(loops for loops, _ in nests):  # something is done before the loops
        return Kernel(Function(parameters, made.function.body), made.scope)
    sizes = [prod(extent for _, extent in loops) for loops, _ in nests]
    threads = min(THREADS, -(-max(sizes) // WARP) * WARP)
    blocks = grid_of(-(-max(sizes) // threads))
    code = GridCode()
    turn = one_block(code, blocks) * threads + code.thread()
    code.add(Let(_TURN, turn))
    for (loops, body), size in zip(nests, sizes, strict=True):
        _shared_out(code, loops, body, size)
    return Kernel(Function(parameters, code.body()), made.scope, blocks, threads, code.indices)


_TURN = Variable("turn", kept=True)
Loops = list[tuple[For, int]]


def _shared_out(code: GridCode, loops: Loops, body: Body, size: int) -> None:
    """Give each turn of loops to the thread of its number."""
    turn = Value("variable", (_TURN,), "int32")
    with code.when(turn < size):
        rest = size
        for k, (loop, extent) in enumerate(loops):
            rest //= extent
            place = turn // rest if k == 0 else (turn // rest) % extent
            code.add(Let(loop.variable, place + (loop.begin if loop.begin.known is not None else 0)))
        for statement in body:
            code.add(statement)


def grid_of(count: int) -> Extents:
    """Give a grid of at least so many blocks."""
    return (count, 1, 1) if count <= WIDEST_GRID else (WIDEST_GRID, -(-count // WIDEST_GRID), 1)


def one_block(code: GridCode, blocks: Extents) -> Value:
    """Give the number of a block in a grid of ``grid_of``."""
    return code.block(0) if blocks[1] == 1 else code.block(1) * blocks[0] + code.block(0)


def _nest(statement: Statement, scope: Scope, most: int) -> tuple[Loops, Body]:
    """Take off the loops that stand directly inside each other."""
    loops: Loops = []
    body: Body = (statement,)
    while len(loops) < most and len(body) == 1 and isinstance(loop := body[0], For):
        if (extent := _extent(loop, scope)) is None:
            break
        loops.append((loop, extent))
        body = loop.body
    return loops, body


def _extent(loop: For, scope: Scope) -> int | None:
    """Give how many turns a loop has; of the one whose range a caller would give, all."""
    if scope.range is not None and loop.begin.op == "variable" and loop.begin.parts[0] is scope.range[0].variable:
        return scope.range[2]
    known = loop.extent.known
    return int(known) if known is not None and loop.begin.known is not None else None


def _written(body: Body) -> set[Memory]:
    found: set[Memory] = set()
    for s in body:
        match s:
            case Store():
                found.add(s.memory)
            case For() | If():
                found |= _written(s.body)
            case Run():
                found |= {o for o in s.operands if isinstance(o, Memory)}
    return found
