"""How often each basic block of a function runs: what decides its branches is carried out, nothing else is.

The kernels' loops have constant bounds, and where they do not, bounds come from the function's arguments; so branches
depend on a few integers in general registers and on the stack. Of each function the instructions that these integers
come from are found (a backward slice: M. Weiser, Program Slicing, IEEE TSE 1984) and turned into Python, which counts
blocks. A branch that depends on data read from memory is not decidable so: it is not taken, and told of.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...graph import GatewrightError
from .assembly import Block, Function, Instruction

M32, M64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
STACK = 1 << 30
"""Where the stack begins."""
MOST = 200_000_000
"""Blocks after which a function is held to run for ever."""


class Unknown:
    """A number that is not known: it comes from memory. Whatever is computed from it is not known either."""

    asked = False

    def _same(self, *_: object) -> "Unknown":
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __and__ = __rand__ = __or__ = __ror__ = _same
    __xor__ = __rxor__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __neg__ = __invert__ = _same
    __lt__ = __le__ = __gt__ = __ge__ = __floordiv__ = __rfloordiv__ = _same
    __eq__ = __ne__ = _same  # type: ignore[assignment]
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        self.asked = True
        return False


@dataclass(frozen=True)
class Step:
    """What an instruction does to registers: a line of Python, the registers that it gives and those that it takes."""

    code: str
    gives: frozenset[str]
    takes: frozenset[str]


@dataclass(frozen=True)
class Jump:
    """Where an instruction may go: ``target`` a label, "" for out of it; ``test`` in Python, "" for always."""

    target: str
    test: str = ""
    takes: frozenset[str] = frozenset()


class Reader(Protocol):
    """What counting needs to know of an instruction set."""

    always: frozenset[str]
    """Registers that addresses of the stack are made of."""

    def step(self, i: Instruction) -> Step | None:
        """Say what an instruction does to general registers; None where it changes none."""

    def jump(self, i: Instruction) -> Jump | None:
        """Say where an instruction goes; None where to the next one."""

    def start(self, arguments: Sequence[int]) -> tuple[dict[str, int], dict[int, int]]:
        """Give registers and stack at the entry of a function: pointers and integers as C passes them."""


def signed(value: Any, width: int) -> Any:
    """Read the lowest bits as a signed integer."""
    half = 1 << (width - 1)
    return ((value + half) & ((half << 1) - 1)) - half


def choose(test: Any, a: Any, b: Any) -> Any:
    """``a`` where the test holds, else ``b``; not known where the test is not."""
    if isinstance(test, Unknown):
        return test
    return a if test else b


def divide(a: Any, b: Any) -> Any:
    """Divide toward zero, as processors do."""
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return a if isinstance(a, Unknown) else b
    if b == 0:
        return 0
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


@dataclass(frozen=True)
class Counts:
    """How often each block ran; ``exact``: whether no branch depended on data."""

    blocks: tuple[int, ...]
    exact: bool


class Counter:
    """A function made ready for counting."""

    def __init__(self, function: Function, reader: Reader) -> None:
        self.function, self.reader = function, reader
        self._run: Callable[..., None] = _compiled(function, reader)

    def count(self, arguments: Sequence[int]) -> Counts:
        """Count for these arguments. Raises GatewrightError for a function that does not end."""
        registers, memory = self.reader.start(arguments)
        counts = [0] * len(self.function.blocks)
        unknown = Unknown()
        self._run(registers, memory, counts, unknown, self.function.name)
        return Counts(tuple(counts), not unknown.asked)


def _compiled(function: Function, reader: Reader) -> Callable[..., None]:
    wanted = _slice(function, reader)
    names: dict[str, Any] = {"S": signed, "C": choose, "D": divide, "X": Unknown, "stuck": _stuck}
    exec(compile(_source(function, reader, wanted), f"<{function.name}>", "exec"), names)
    run: Callable[..., None] = names["run"]
    return run


def _stuck(name: str) -> None:
    raise GatewrightError("its instructions cannot be counted: a loop does not end", where=name)


def _slice(function: Function, reader: Reader) -> set[str]:
    """Give the registers that branches depend on, directly or through others."""
    wanted = set(reader.always)
    steps = []
    for i in function.instructions:
        if (jump := reader.jump(i)) is not None:
            wanted |= jump.takes
        if (step := reader.step(i)) is not None:
            steps.append(step)
    grown = True
    while grown:
        grown = False
        for step in steps:
            if step.gives & wanted and not step.takes <= wanted:
                wanted |= step.takes
                grown = True
    return wanted


def _source(function: Function, reader: Reader, wanted: set[str]) -> str:
    """Write the function in Python: a block goes to another by its number; one that goes to itself is a loop."""
    places = {b.label: k for k, b in enumerate(function.blocks) if b.label}
    lines = ["def run(start, mem, counts, U, name):"]
    lines += [f"    {r} = start.get({r!r}, U)" for r in sorted(wanted - {"mem"})]
    lines += [
        "    at, turns = 0, 0",
        "    while True:",
        "        turns += 1",
        f"        if turns > {MOST}: stuck(name)",
    ]
    tree = [_block(k, b, reader, wanted, places, len(function.blocks)) for k, b in enumerate(function.blocks)]
    lines += ["        " + line for line in _dispatch(tree, 0)]
    return "\n".join(lines)


def _dispatch(bodies: Sequence[list[str]], first: int) -> list[str]:
    """Find a block by its number in as few comparisons as can be."""
    if len(bodies) == 1:
        return bodies[0]
    half = len(bodies) // 2
    lines = [f"if at < {first + half}:", *("    " + line for line in _dispatch(bodies[:half], first))]
    return [*lines, "else:", *("    " + line for line in _dispatch(bodies[half:], first + half))]


def _block(
    number: int, block: Block, reader: Reader, wanted: set[str], places: Mapping[str, int], count: int
) -> list[str]:
    body: list[str] = []
    jumps: list[Jump] = []
    for i in block.body:
        if (step := reader.step(i)) is not None and step.gives & wanted:
            body += step.code.split("\n")
        if (jump := reader.jump(i)) is not None:
            jumps.append(jump)
    own = next((j for j in jumps[:1] if j.test and places.get(j.target) == number), None)
    if own is not None:
        loop = ["    " + line for line in body]
        lines = ["n = 0", "while True:", *loop, "    n += 1", f"    if not ({own.test}): break",
                 f"    if n > {MOST}: stuck(name)", f"counts[{number}] += n"]  # fmt: skip
        jumps = jumps[1:]
    else:
        lines = [f"counts[{number}] += 1", *body]
    for jump in jumps:
        go = ["return"] if jump.target not in places else [f"at = {places[jump.target]}", "continue"]
        if not jump.test:
            return [*lines, *go]
        lines += [f"if {jump.test}:", *("    " + line for line in go)]
    return [*lines, "return"] if number + 1 == count else [*lines, f"at = {number + 1}", "continue"]
