"""Kernels run statement by statement, to see which byte of which tensor is touched when: slow, and plain.

Numbers that come from tensors are not known (None); both sides of a choice that depends on one are looked at.
"""

from collections.abc import Callable, Mapping

import numpy as np

from gatewright.backends.loops.code import Body, For, Function, If, Let, Local, Memory, Run, Store, Value, Variable
from gatewright.backends.loops.program import Call, Copy, Loop, Pointer, Program, Statement
from gatewright.backends.loops.widths import WIDTHS

Touch = Callable[[Memory, int, int, bool], None]
"""What is told of an access: memory, first byte, bytes, whether it is a store."""
WHOLE = -1
"""Bytes of an access at an address that depends on data, or by a function of the target: loads of all that were stored,
stores to every byte.
"""
BINARY: Mapping[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "min": min, "max": max,
    "div": lambda a, b: int(a / b), "mod": lambda a, b: a - int(a / b) * b, "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b, "and": lambda a, b: a and b, "or": lambda a, b: a or b, "shr": lambda a, b: a >> b,
    "shl": lambda a, b: a << b, "bitand": lambda a, b: a & b,
}  # fmt: skip


class Kernel:
    """One run of a kernel."""

    def __init__(self, touch: Touch, tables: Mapping[Memory, np.ndarray], numbers: Mapping[Variable, int]) -> None:
        self.touch, self.tables = touch, tables
        self.known: dict[Variable, int | None] = dict(numbers)

    def run(self, body: Body) -> None:
        for s in body:
            match s:
                case Let():
                    self.known[s.variable] = self.value(s.value)
                case Store():
                    at = self.places(s.place)
                    self.value(s.value)
                    self.access(s.memory, at, store=True)
                case For():
                    begin, extent = self.value(s.begin), self.value(s.extent)
                    assert begin is not None
                    assert extent is not None
                    for i in range(begin, begin + extent):
                        self.known[s.variable] = i
                        self.run(s.body)
                case If():
                    if self.value(s.condition) in (True, None, 1):
                        self.run(s.body)
                case Run():
                    for operand in s.operands:
                        if isinstance(operand, Memory) and operand.size is None and operand not in self.tables:
                            self.touch(operand, 0, WHOLE, False)
                case Local():
                    pass

    def places(self, place: Value) -> list[int | None]:
        """Give the places of all lanes."""
        if place.op != "ramp":
            return [self.value(place)]
        begin, stride = self.value(place.parts[0]), place.parts[1]
        return [None if begin is None else begin + i * stride for i in range(place.lanes)]

    def access(self, memory: Memory, places: list[int | None], *, store: bool) -> None:
        if memory.size is not None or memory in self.tables:
            return
        width = WIDTHS[memory.dtype] // 8
        for at in places:
            if at is None:
                self.touch(memory, 0, WHOLE, store)
            else:
                self.touch(memory, at * width, width, store)

    def value(self, v: Value) -> int | None:
        if v.known is not None:
            return int(v.known) if v.dtype[0] != "f" else None
        match v.op, *v.parts:
            case "variable", Variable() as variable:
                return self.known.get(variable)
            case "load", Memory() as memory, Value() as place:
                places = self.places(place)
                self.access(memory, places, store=False)
                if v.lanes > 1 or v.dtype[0] == "f" or memory not in self.tables or places[0] is None:
                    return None
                return int(self.tables[memory][places[0]])
            case "select", Value() as condition, Value() as a, Value() as b:
                holds = self.value(condition)
                found = [self.value(p) for p, taken in ((a, holds in (True, None)), (b, not holds)) if taken]
                return found[0] if len(found) == 1 else None
            case "cast", Value() as a:
                return self.value(a)
            case "not", Value() as a:
                found_a = self.value(a)
                return None if found_a is None else not found_a
            case op, *parts:
                operands = [p for part in parts for p in (part if isinstance(part, tuple) else (part,))]
                values = [self.value(p) for p in operands if isinstance(p, Value)]
                if op in BINARY and len(values) == 2 and v.dtype[0] != "f" and None not in values:
                    return BINARY[op](*values)  # type: ignore[arg-type]
        return None


def numbers_of(function: Function, parts: int) -> dict[Variable, int]:
    names = [p.variable for p in function.parameters if p.memory is None]
    return dict(zip(names, (0, parts), strict=False))


class Owners:
    """A program run on an arena whose bytes only say whose they are.

    A load of a byte that its tensor did not write last is a fault.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.blocks = {b: i for i, b in enumerate(program.blocks)}
        self.arena = np.full(program.arena, -1)
        self.turns: dict[Loop, int] = {}
        self.faults: list[str] = []
        self.filled = {b: np.zeros(b.bytes, bool) for b in program.blocks}
        for b, i in self.blocks.items():
            if b.port.startswith("in"):
                self.arena[b.offset : b.offset + b.bytes] = i
                self.filled[b][:] = True
        self.run(program.statements)

    def run(self, statements: list[Statement]) -> None:
        for s in statements:
            match s:
                case Call():
                    self.call(s)
                case Copy():
                    self.access(s.source, 0, s.bytes, "copy", store=False)
                    self.access(s.target, 0, s.bytes, "copy", store=True)
                case Loop():
                    for turn in range(s.steps):
                        self.turns[s] = turn
                        self.run(s.body)

    def access(self, p: Pointer, at: int, size: int, where: str, *, store: bool) -> None:
        assert p.block is not None
        if p.block.port == "status":
            return
        begin = p.block.offset + p.offset + at + (p.stride * self.turns[p.loop] if p.loop is not None else 0)
        assert p.block.offset <= begin
        assert begin + size <= p.block.offset + p.block.bytes, "outside of a tensor"
        own = self.blocks[p.block]
        if store:
            self.arena[begin : begin + size] = own
            self.filled[p.block][begin - p.block.offset : begin - p.block.offset + size] = True
        elif (self.arena[begin : begin + size] != own).any():
            self.faults.append(f"{where}: byte {begin} is not of block {own}, which is read")

    def call(self, s: Call) -> None:
        function = self.program.kernels[s.kernel]
        memories = [p.memory for p in function.parameters if p.memory is not None]
        pointers = dict(zip(memories, s.arguments, strict=True))
        arrays = self.program.arrays
        tables = {m: arrays[p.offset].ravel() for m, p in pointers.items() if p.block is None}
        where = f"{s.kernel} {s.node.where}"
        stored: dict[int, set[tuple[int, int]]] = {}

        def touch(memory: Memory, at: int, size: int, store: bool) -> None:
            p = pointers[memory]
            assert p.block is not None
            if store and size == WHOLE:  # any byte may be hit
                at, size = 0, p.block.bytes - p.offset
            if store:
                stored.setdefault(id(p.block), set()).add((at, size))
            own = stored.get(id(p.block), set())
            if own and not store:  # a kernel's own memory: what it has not filled may be anything
                every = own if size == WHOLE else {(b, n) for b, n in own if at <= b < at + size}
            elif size == WHOLE and p.block in self.filled:
                every = {(int(i), 1) for i in np.flatnonzero(self.filled[p.block])}
            else:
                every = {(at, size)}
            for begin, length in every:
                self.access(p, begin, length, where, store=store)

        Kernel(touch, tables, numbers_of(function, s.parts)).run(function.body)

    def outputs_whole(self, bytes_of: Mapping[str, int]) -> bool:
        """Whether the bytes of every output are its own at the end."""
        return all(
            (self.arena[b.offset : b.offset + bytes_of[b.port]] == i).all()
            for b, i in self.blocks.items() if b.port.startswith("out")
        )  # fmt: skip
