"""Instructions as a pipeline sees them: what kinds of work, from which registers, to which."""

import re
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, get_args

from .assembly import Instruction

Kind: TypeAlias = Literal[
    "int", "mul", "div", "branch", "call", "load", "store", "move", "vec", "shift", "shuffle", "convert", "vmul",
    "dot", "fma", "fdiv", "config", "tile",
]  # fmt: skip
"""int, mul, div: of general registers. move: between general and vector registers. vec: integers and bits in vectors;
shift: by lane; shuffle: across lanes, widening and narrowing; vmul: products of integers; dot: sums of products of
bytes; fma: float sums and products; fdiv: quotients and roots; config: the vector length of RISC-V; tile: products of
tiles, on a matrix unit. Nothing: moves that
register renaming does away with.
"""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Micro:
    """``work``: kinds, each with how many times its usual occupancy; ``sums``: what is added to (read and written)."""

    work: tuple[tuple[Kind, float], ...]
    reads: frozenset[str]
    writes: frozenset[str]
    sums: frozenset[str] = frozenset()
    bytes: int = 0


class Lens(Protocol):
    """What an instruction set looks like to a pipeline."""

    def micro(self, i: Instruction) -> Micro:
        """Say what an instruction is made of. Called in the order of a block (RISC-V's vectors have a state)."""


Table: TypeAlias = tuple[tuple[re.Pattern[str], Kind], ...]


def table(*entries: tuple[str, Kind]) -> Table:
    """Give kinds by patterns of mnemonics; the first that matches holds."""
    return tuple((re.compile(pattern), kind) for pattern, kind in entries)


def once(*kinds: Kind) -> tuple[tuple[Kind, float], ...]:
    """Each kind once."""
    return tuple((kind, 1.0) for kind in kinds)
