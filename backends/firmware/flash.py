"""Whether the constants of a network fit the flash of its board, and what packing its narrow weights saves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...boards import Board
from ...graph import Graph, UnsupportedError
from ...graph.node import bodies
from ..loops.builder import make_program
from ..loops.contract import contraction
from ..loops.kernels.packed import codes_of
from ..loops.machine import Machine
from ..loops.names import walk
from ..loops.program import Program
from .memory_map import memory_map


@dataclass(frozen=True)
class Constants:
    """Bytes of weights, biases and tables: as they stand, ``packed`` and as ``plain`` bytes."""

    bytes: int
    packed: int
    plain: int


def constants_of(program: Program) -> Constants:
    """Count the constants of a program."""
    machine, own = program.machine, _bytes(program)
    if not _narrow(program.graph, machine):
        return Constants(own, own, own)
    other = _bytes(make_program(program.graph, replace(machine, packed=not machine.packed)))
    return Constants(own, own, other) if machine.packed else Constants(own, other, own)


def too_large(program: Program, board: Board) -> UnsupportedError | None:
    """Say why constants do not fit a board's flash; None where they may: how large the code is, is not known yet."""
    flash, own = memory_map(board, program.arena).flash, _bytes(program)
    if own <= flash.bytes:
        return None
    most = {offset: a.nbytes for offset, a in program.arrays.items()}
    users = {a.offset: c.node for c in walk(program.statements) for a in c.arguments if a.block is None}
    offset = max(most, key=lambda o: most[o])
    largest = f"{most[offset]:,} of them are those of {users[offset].where or 'a layer without a name'}"
    found = constants_of(program)
    fits = found.packed <= flash.bytes
    hint = f"a board with more than {-(-found.packed // 1024)} KiB of flash, or weights of fewer bits"
    if found.packed < own:
        hint = f"--weight-storage packed, with which they take {found.packed:,} bytes" if fits else hint
    what = f"weights, biases and tables take {own:,} bytes, {flash.name} has {flash.bytes:,}: {largest}"
    return UnsupportedError(what, where=f"board {board.name}", hint=hint)


def _bytes(program: Program) -> int:
    return sum(a.nbytes for a in program.arrays.values())


def _narrow(graph: Graph, machine: Machine) -> bool:
    """Whether any weights can be packed."""
    found = (contraction(node, machine) for each in _graphs(graph) for node in each.nodes)
    return any(c is not None and codes_of(c) is not None for c in found)


def _graphs(graph: Graph) -> Iterator[Graph]:
    yield graph
    for node in graph.nodes:
        for body in bodies(node.op):
            yield from _graphs(body)
