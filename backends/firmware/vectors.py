"""Vectors of four lanes in C: functions of ``gw_mve.h``, for what ``loops.helium`` says that there is.

Lanes have 32 bits whatever they are loaded from: a load widens, a store narrows.
"""

from collections.abc import Callable, Mapping

from ..loops.code import Function, Local, Memory, Run, Store, Value, Variable
from ..loops.helium import LANES, moved
from ..loops.walk import parts, statements, values

NAMES: Mapping[str, str] = {
    "add": "add", "sub": "sub", "mul": "mul", "min": "min", "max": "max", "bitand": "and", "bitor": "or",
    "bitxor": "xor", "shl": "shl", "shr": "shr", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge", "eq": "eq", "ne": "ne",
    "select": "select",
}  # fmt: skip
"""What functions of vectors are called, between ``gw_`` and the number of lanes."""
MASKS: Mapping[str, str] = {"and": "&", "or": "|"}


def type_of(v: Value) -> str:
    """Give the C type of a vector."""
    return "gw_m4" if v.dtype == "bool" else "gw_v4"


class Vectors:
    """Writes the vectors of one kernel; ``scalar`` writes what is none. ``locals``: the variables that are vectors."""

    def __init__(self, function: Function, scalar: Callable[[Value], str]) -> None:
        self.scalar, self.locals = scalar, _locals(function)

    def value(self, v: Value) -> str:
        """Write an expression of four lanes: a call, or a name."""
        if v.known is not None or v.op == "broadcast":
            one = self.scalar(_one(v))
            return f"gw_all4({one})" if v.dtype != "bool" else f"(gw_m4)-({one})"
        match v.op, *v.parts:
            case "variable", Variable() as variable:
                return variable.name
            case "load", Memory() as memory, place:
                return self.load(memory, place)
            case "cast", a:  # lanes have 32 bits already
                return self.value(a)
            case "extern", name, operands:
                return f"{name}({', '.join(map(self.value, operands))})"
            case "not", a:
                return f"(gw_m4)~{self.value(a)}"
            case ("and" | "or") as op, a, b:
                return f"(gw_m4)({self.value(a)} {MASKS[op]} {self.value(b)})"
            case op, *operands if op in NAMES:
                return f"gw_{NAMES[op]}4({', '.join(map(self.value, operands))})"
        raise AssertionError(v.op)

    def load(self, memory: Memory, place: Value) -> str:
        """Write a load: of what stands in a row, at a distance of each other, or anywhere."""
        if memory in self.locals:
            return memory.name
        if place.op != "ramp":
            return f"gw_gather4_{memory.dtype}({memory.name}, {self.value(place)})"
        begin, stride = place.parts
        address = self.address(memory, begin)
        name = memory.dtype
        return f"gw_load4_{name}({address})" if stride == 1 else f"gw_every4_{name}({address}, {stride})"

    def store(self, s: Store) -> str:
        """Write a store of a vector."""
        memory = s.memory
        if memory in self.locals:
            return f"{memory.name} = {self.value(s.value)};"
        to = self.address(memory, s.place.parts[0])
        if (source := moved(s)) is None:
            v = s.value.parts[0] if s.value.op == "cast" else s.value
            return f"gw_store4_{memory.dtype}({to}, {self.value(v)});"
        if source.op == "const":
            return f"gw_fill{s.value.lanes}_{memory.dtype}({to}, {self.scalar(_one(source))});"
        own, place = source.parts
        return f"gw_move{s.value.lanes}_{own.dtype}_{memory.dtype}({to}, {self.address(own, place.parts[0])});"

    def address(self, memory: Memory, begin: Value) -> str:
        """Write where the first lane stands."""
        return memory.name if begin.known == 0 else f"{memory.name} + {self.scalar(begin)}"


def _one(v: Value) -> Value:
    """Give the number that all lanes are."""
    return v.parts[0] if v.op == "broadcast" else Value("const", (), v.dtype, 1, v.known)


def _locals(function: Function) -> set[Memory]:
    """List the variables that are vectors: every access to them is one of all lanes."""
    every = list(statements(function.body))
    found = {s.memory for s in every if isinstance(s, Local) and s.memory.size == LANES}
    for s in every:
        if isinstance(s, Store) and s.value.lanes != LANES:
            found.discard(s.memory)
        if isinstance(s, Run):
            found -= {o for o in s.operands if isinstance(o, Memory)}
        for v in values(s):
            found -= _by_lanes(v)
    return found


def _by_lanes(v: Value) -> set[Memory]:
    """List what a value reads other than as a whole vector."""
    own = {v.parts[0]} if v.op == "load" and v.lanes != LANES else set()
    return own.union(*(_by_lanes(p) for p in parts(v) if isinstance(p, Value)))
