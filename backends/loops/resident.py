"""Memory that keeps what one run of a network leaves to the next: its states.

A run writes the next value of a state into room of its own, and copies it at its end, when nothing reads the state any
more. ``in_place`` leaves out the copies that are not needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from .program import Block, Call, Copy, Pointer, Program, Statement, blocks_of

Same = Callable[[Call, Block, Block], bool]
"""Whether a kernel may write a block where it reads another."""


def in_place(program: Program, same: Same = lambda call, state, fresh: False) -> None:
    """Let the next value of a state be written straight to it, where that is after every read of what it was.

    Where a kernel both reads the state for the last time and begins to write its next value, ``same`` says whether it
    may do so in one place. Copies that have to stay, of states that change places for instance, stay.
    """
    for resident in program.residents:
        copy = _copy_of(resident.block, program.statements)
        if copy is None:
            continue
        fresh = copy.source.block
        assert fresh is not None
        if _possible(program, copy, resident.block, fresh, same):
            rest = [s for s in program.statements if s is not copy]
            program.statements[:] = [_moved(s, fresh, resident.block) for s in rest]
            program.blocks.remove(fresh)


def _copy_of(block: Block, statements: Sequence[Statement]) -> Copy | None:
    return next((s for s in statements if isinstance(s, Copy) and s.target.block is block), None)


def _possible(program: Program, copy: Copy, state: Block, fresh: Block, same: Same) -> bool:
    others = [s for s in program.statements if s is not copy]
    reads = [i for i, s in enumerate(others) if state in blocks_of(s)]
    writes = [i for i, s in enumerate(others) if fresh in blocks_of(s)]
    last, first = max(reads, default=-1), min(writes, default=len(others))
    if last < first:
        return True
    shared = others[last]
    return last == first and isinstance(shared, Call) and same(shared, state, fresh)


def _moved(statement: Statement, old: Block, new: Block) -> Statement:
    """Give a statement that uses another block."""
    def at(p: Pointer) -> Pointer:
        return replace(p, block=new) if p.block is old else p

    match statement:
        case Call():
            return replace(statement, arguments=tuple(map(at, statement.arguments)))
        case Copy():
            return replace(statement, target=at(statement.target), source=at(statement.source))
    statement.body[:] = [_moved(s, old, new) for s in statement.body]
    return statement
