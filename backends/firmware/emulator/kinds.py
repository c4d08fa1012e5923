"""Classes of instructions that a cycle model tells apart, the same for Arm and RISC-V."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum


class Kind(StrEnum):
    """What an instruction does, as far as its time depends on it."""

    ALU = "alu"
    MULTIPLY = "multiply"
    """32 x 32 bits to 32, with or without an addition"""
    MULTIPLY_LONG = "multiply_long"
    """32 x 32 bits to 64, or its upper half"""
    MULTIPLY_PAIRS = "multiply_pairs"
    """products of halves of 16 bits, one or two at once (SMLAD, SMLABB)"""
    DIVIDE = "divide"
    LOAD = "load"
    LOAD_LITERAL = "load_literal"
    """a constant that stands beside the code"""
    LOAD_MULTIPLE = "load_multiple"
    STORE = "store"
    STORE_MULTIPLE = "store_multiple"
    CONDITIONAL = "conditional"
    """a branch that may be taken or not"""
    BRANCH = "branch"
    CALL = "call"
    INDIRECT = "indirect"
    """a jump to an address in a register that is no return: tables, pointers"""
    INDIRECT_CALL = "indirect_call"
    RETURN = "return"
    RETURN_POP = "return_pop"
    """a return that loads registers, the program counter among them"""
    FLOAT = "float"
    FLOAT_MULTIPLY_ADD = "float_multiply_add"
    FLOAT_DIVIDE = "float_divide"
    """also square roots"""
    VECTOR = "vector"
    VECTOR_MEMORY = "vector_memory"
    LOOP = "loop"
    """the branch of a low-overhead loop (LE)"""
    IT = "it"
    SYSTEM = "system"


ENDS = frozenset([
    Kind.CONDITIONAL, Kind.BRANCH, Kind.CALL, Kind.INDIRECT, Kind.INDIRECT_CALL, Kind.RETURN, Kind.RETURN_POP,
    Kind.LOOP,
])  # fmt: skip
"""Kinds after which another instruction than the next one may come."""
MAY_PASS = ENDS - {Kind.CALL, Kind.INDIRECT_CALL}
SINGLE_LOADS = frozenset([Kind.LOAD, Kind.LOAD_LITERAL])
SINGLE = SINGLE_LOADS | {Kind.STORE}
CALLS = frozenset([Kind.CALL, Kind.INDIRECT_CALL])


@dataclass(frozen=True)
class Instruction:
    """One decoded instruction. ``words``: 32-bit words that it moves from or to memory; ``target``: where a branch
    goes, None where only a register knows.
    """

    length: int
    kind: Kind
    words: int = 0
    target: int | None = None


@dataclass(frozen=True)
class Mix:
    """How many instructions of each class were executed.

    ``loads`` and ``stores`` count instructions, those of several registers among them; ``words_loaded`` and
    ``words_stored`` the registers that they move (a byte is a word). An instruction in an IT block counts in its own
    class whether or not its condition held. ``code_reads``: loads that read from where the code stands;
    ``fetch_misses``, ``read_misses``, ``data_misses``: lines that a cache had to fetch for instructions, for such
    loads, for loads from RAM. These four are 0 where they were not watched.
    """

    instructions: int = 0
    alu: int = 0
    multiply: int = 0
    multiply_long: int = 0
    multiply_pairs: int = 0
    divide: int = 0
    loads: int = 0
    loads_literal: int = 0
    loads_multiple: int = 0
    words_loaded: int = 0
    stores: int = 0
    stores_multiple: int = 0
    words_stored: int = 0
    branches_taken: int = 0
    branches_not_taken: int = 0
    branches: int = 0
    calls: int = 0
    returns: int = 0
    indirect: int = 0
    floats: int = 0
    float_multiply_adds: int = 0
    float_divides: int = 0
    vectors: int = 0
    vector_memory: int = 0
    system: int = 0
    wide: int = 0
    """instructions of 32 bits"""
    code_reads: int = 0
    fetch_misses: int = 0
    read_misses: int = 0
    data_misses: int = 0
    loads_first: int = 0
    """single loads that do not directly follow another load or store: the others overlap with what they follow"""

    def __add__(self, other: "Mix") -> "Mix":
        return Mix(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Mix)))

    @classmethod
    def total(cls, mixes: Iterable["Mix"]) -> "Mix":
        """Add mixes up."""
        return sum(mixes, cls())

    def as_dict(self) -> dict[str, int]:
        """Give the counts that are not zero."""
        return {f.name: n for f in fields(self) if (n := getattr(self, f.name))}


def mix_of(instructions: Iterable[Instruction], count: int, sequential: int = 0) -> Mix:
    """Give the mix of a block that was run ``count`` times and went on with what follows it ``sequential`` times."""
    counts: dict[str, int] = {}

    def add(name: str, number: int) -> None:
        counts[name] = counts.get(name, 0) + number

    listed = list(instructions)
    for index, i in enumerate(listed):
        # what ends a block and was followed by the next address is a branch, or a return in an IT block, not taken
        passed = sequential if index == len(listed) - 1 and i.kind in MAY_PASS else 0
        add("instructions", count)
        add("wide", count if i.length == 4 else 0)
        add("branches_not_taken", passed)
        if i.kind in SINGLE_LOADS and (index == 0 or listed[index - 1].kind not in SINGLE):
            add("loads_first", count)
        for name in NAMES[i.kind]:
            add(name, count - passed)
        if i.words:
            stores = i.kind in (Kind.STORE, Kind.STORE_MULTIPLE)
            add("words_stored" if stores else "words_loaded", i.words * (count - passed))
    return Mix(**counts)


NAMES: Mapping[Kind, tuple[str, ...]] = {
    Kind.ALU: ("alu",), Kind.MULTIPLY: ("multiply",), Kind.MULTIPLY_LONG: ("multiply_long",),
    Kind.MULTIPLY_PAIRS: ("multiply_pairs",), Kind.DIVIDE: ("divide",), Kind.LOAD: ("loads",),
    Kind.LOAD_LITERAL: ("loads", "loads_literal"), Kind.LOAD_MULTIPLE: ("loads", "loads_multiple"),
    Kind.STORE: ("stores",), Kind.STORE_MULTIPLE: ("stores", "stores_multiple"), Kind.CONDITIONAL: ("branches_taken",),
    Kind.BRANCH: ("branches",), Kind.CALL: ("calls",), Kind.INDIRECT: ("indirect",), Kind.INDIRECT_CALL: ("calls",),
    Kind.RETURN: ("returns",), Kind.RETURN_POP: ("returns", "loads", "loads_multiple"), Kind.FLOAT: ("floats",),
    Kind.FLOAT_MULTIPLY_ADD: ("float_multiply_adds",), Kind.FLOAT_DIVIDE: ("float_divides",),
    Kind.VECTOR: ("vectors",), Kind.VECTOR_MEMORY: ("vector_memory",), Kind.LOOP: ("branches_taken",),
    Kind.IT: ("alu",), Kind.SYSTEM: ("system",),
}  # fmt: skip
"""The counts of a mix that an instruction adds one to, branches that may be taken apart."""
